"""The queue in block RAM: order, latency and interval to the cycle, full and empty, a reset in between."""

import random
from collections import deque

import pytest

from licgate.gateware.streamed.blockqueue import BlockQueue, part_width
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get
from tests.gateware.waves import trace

# The last one is of two parts.
SIZES = [(1, 1), (5, 8), (16, 72), (40, 16), (600, 20)]


def carry(depth, width, count, *, seed=None, full=False):
    """Send words while there is room, and take them, at random if there is a seed; return (in, out) cycles."""
    dut, coin = BlockQueue(depth, width), random.Random(seed)
    words = [coin.getrandbits(width) for _ in range(count)]
    watcher, sent, got = monitor(dut.o, "o"), [], []
    stalls = None if seed is None else random_stalls(seed, 0.6)

    async def source(ctx):
        for cycle in range(100 * count):
            if len(sent) == count:
                break
            room = len(sent) - watcher.transfers < depth
            gives = room and (seed is None or coin.random() < 0.6)
            ctx.set(dut.enable, gives)
            if gives:
                ctx.set(dut.word, words[len(sent)])
                sent.append(cycle)
            await ctx.tick()
        ctx.set(dut.enable, 0)

    async def sink(ctx):
        if full:
            await ctx.tick().repeat(depth + 10)
        for _ in range(count):
            got.append(await stream_get(ctx, dut.o, stalls=stalls))

    run_simulation(dut, source, sink, monitors=[watcher])
    assert got == words
    return sent, watcher.transfer_cycles


@pytest.mark.parametrize(("depth", "width"), SIZES)
def test_words_come_in_order_with_random_stalls(depth, width):
    for seed in (1, 2):
        carry(depth, width, 80, seed=seed)


@pytest.mark.parametrize(("depth", "width"), SIZES)
def test_a_queue_that_is_full_gives_a_word_a_cycle(depth, width):
    sent, taken = carry(depth, width, depth, full=True)
    assert sent == list(range(depth))
    assert taken == list(range(taken[0], taken[0] + depth))


@pytest.mark.parametrize("width", [8, 72])
def test_latency_and_interval_are_exact(width):
    sent, taken = carry(16, width, 50)
    assert [out - came for came, out in zip(sent, taken, strict=True)] == [BlockQueue.latency] * 50
    assert sent == [k * BlockQueue.interval for k in range(50)]


def test_a_reset_empties_it():
    waiting = deque(range(1, 10))
    steps = [{"enable": 1, "word": waiting.popleft()} for _ in range(7)]
    steps += [{"enable": 0}, {}, {"enable": 1, "word": 99}, {"enable": 0, "o.ready": 1}, *[{}] * 8]
    seen = trace(BlockQueue(8, 8), steps, ("o.valid", "o.payload"), resets={7})
    assert [now.o_payload for now in seen[8:] if now.o_valid] == [99]


@pytest.mark.parametrize(("depth", "width"), [(0, 8), (8, 0), (8.0, 8)])
def test_a_size_that_makes_no_sense_is_refused(depth, width):
    with pytest.raises(ValueError, match=f"at least one word of one bit, not {depth} of {width}$"):
        BlockQueue(depth, width)


@pytest.mark.parametrize(("depth", "bits"), [(1, 36), (512, 36), (513, 18), (2304, 4), (16385, 1)])
def test_a_part_is_as_wide_as_a_block_of_that_depth(depth, bits):
    assert part_width(depth) == bits
