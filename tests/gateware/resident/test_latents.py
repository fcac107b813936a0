"""The latent reader: the kept window, the order of latents, stalls, and room in its FIFO."""

import numpy as np
import pytest

from licgate.gateware.resident.latents import LatentReader
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import chain

DEPTH, WIDTH = 8, 10

# rows, channels, (width, height), (skip_x, skip_y, keep_width, keep_height)
PATCHES = [
    (1, 1, (3, 2), (0, 0, 3, 2)),
    (2, 3, (5, 3), (0, 0, 5, 3)),
    (3, 2, (7, 4), (2, 1, 4, 2)),
    (4, 5, (4, 3), (1, 2, 3, 1)),
    (3, 1, (8, 3), (7, 0, 1, 3)),
    (4, 2, (3, 2), (0, 1, 2, 1)),
]


def build(rows, channels):
    return small_program(rows=rows, cols=2, channels=(1, channels))


def words_of(latents, rows):
    """Words in the order of the sequencer; lanes beyond the patch hold garbage."""
    channels, height, width = latents.shape
    groups = -(-width // rows)
    padded = np.full((channels, height, groups * rows), -5)
    padded[:, :, :width] = latents
    words = padded.reshape(channels, height, groups, rows).transpose(1, 2, 0, 3)
    return list(words.reshape(-1, rows))


def kept_of(latents, rows, window):
    """(value, last) in the order of the documentation."""
    skip_x, skip_y, keep_width, keep_height = window
    order = sorted(
        (y, x // rows, c, x)
        for c in range(latents.shape[0])
        for y in range(skip_y, skip_y + keep_height)
        for x in range(skip_x, skip_x + keep_width)
    )
    return [(int(latents[c, y, x]), k == len(order) - 1) for k, (y, _, c, x) in enumerate(order)]


def settings(size, window):
    names = ("width", "height", "skip_x", "skip_y", "keep_width", "keep_height")
    return dict(zip(names, (*size, *window)))


async def begin(ctx, dut, size, window):
    for name, value in settings(size, window).items():
        ctx.set(getattr(dut, name), value)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


@pytest.mark.parametrize("p", [0.0, 0.7])
@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_patches_one_after_the_other(rows, p):
    """A full-speed sender that minds `free`, whose count is one cycle old."""
    rng = np.random.default_rng(rows)
    channels = next(c for r, c, *_ in PATCHES if r == rows)
    patches = [
        (rng.integers(-512, 512, (channels, *size[::-1])), size, window)
        for r, _, size, window in PATCHES * 2
        if r == rows
    ]
    dut = LatentReader(build(rows, channels), DEPTH, WIDTH)

    async def send(ctx):
        for latents, size, window in patches:
            await begin(ctx, dut, size, window)
            assert not ctx.get(dut.done)
            sent = False
            for word in words_of(latents, rows):
                while ctx.get(dut.free) < 1 + sent:
                    sent = False
                    await ctx.tick()
                for lane, value in zip(dut.word, word, strict=True):
                    ctx.set(lane, int(value))
                ctx.set(dut.enable, 1)
                await ctx.tick()
                ctx.set(dut.enable, 0)
                sent = True
            await ctx.tick().until(dut.done)

    async def receive(ctx):
        stalls = random_stalls(3, p)
        for latents, _size, window in patches:
            for value, last in kept_of(latents, rows, window):
                got = await stream_get(ctx, dut.o, stalls=stalls)
                assert (got.value, got.last) == (value, last)

    flow = monitor(dut.o, "o")
    run_simulation(dut, send, receive, monitors=[flow], limit=5000)
    assert flow.transfers == sum(len(kept_of(latents, rows, w)) for latents, _, w in patches)


def test_every_chain_has_its_channels():
    """The last one's are those of depth form."""
    three, one = chain("h_a", 1, (3, 2, 3)), chain("h_s", 1, (3, 1, 1))
    rows, counts = 2, (3, 1, 8)
    dut = LatentReader(small_program(three, one, chain("g_s", 1, (5, -2, 2)), rows=rows), DEPTH, WIDTH)
    rng = np.random.default_rng(1)
    maps = [(k, rng.integers(-512, 512, (counts[k], 2, 3))) for k in (2, 0, 1, 0, 2)]

    async def send(ctx):
        for index, latents in maps:
            ctx.set(dut.chain, index)
            await begin(ctx, dut, (3, 2), (0, 0, 3, 2))
            for word in words_of(latents, rows):
                await ctx.tick().until(dut.free > 1)
                for lane, value in zip(dut.word, word, strict=True):
                    ctx.set(lane, int(value))
                ctx.set(dut.enable, 1)
                await ctx.tick()
                ctx.set(dut.enable, 0)
            await ctx.tick().until(dut.done)

    async def receive(ctx):
        for _, latents in maps:
            for value, last in kept_of(latents, rows, (0, 0, 3, 2)):
                got = await stream_get(ctx, dut.o)
                assert (got.value, got.last) == (value, last)

    run_simulation(dut, send, receive, monitors=[monitor(dut.o, "o")], limit=2000)


def test_latency_and_interval():
    """4 cycles to the first latent, a latent a cycle, two cycles more a word; `free` counts words."""
    dut = LatentReader(build(3, 1), DEPTH, WIDTH)
    steps = [{"start": 1, **settings((9, 1), (0, 0, 9, 1)), "o.ready": 1}, {"start": 0}, {}]
    steps += [{"enable": 1, "word": [3 * k + 1, 3 * k + 2, 3 * k + 3]} for k in range(3)] + [{"enable": 0}]
    seen = trace(dut, steps, ["o.valid", "o.payload", "free", "done"], cycles=24)
    shown = {t: s.o_payload.value for t, s in enumerate(seen) if s.o_valid}
    first = 3 + LatentReader.latency
    assert (LatentReader.latency, LatentReader.interval) == (4, 1)
    assert shown == {first + 5 * k + i: 3 * k + i + 1 for k in range(3) for i in range(3)}
    assert [t for t, s in enumerate(seen) if s.o_valid and s.o_payload.last] == [first + 12]
    assert [s.done for s in seen].index(1, 1) == first + 14
    assert seen[0].free in (0, DEPTH)  # registered: right from the first clock edge on
    assert seen[2].free == DEPTH
    assert min(s.free for s in seen[2:]) == DEPTH - 2  # the first word has left when the third one comes
    assert seen[-1].free == DEPTH


def test_a_word_counts_from_the_cycle_after_its_enable():
    """The sequencer's reservation ends in that cycle: the room must never look larger than it is."""
    dut = LatentReader(build(1, 1), DEPTH, WIDTH)
    steps = [{"start": 1, **settings((20, 1), (0, 0, 20, 1))}, *[{"start": 0}] * 3]
    steps += [{"enable": t % 3 == 0, "word": [t]} for t in range(3 * DEPTH + 9)] + [{"enable": 0}] * 2
    seen = trace(dut, steps, ["free"])
    # nothing leaves: two words wait at the output and one behind them, the others fill the FIFO
    written = [4 + 3 * k for k in range(DEPTH + 3)]
    assert [seen[t + 1].free for t in written[5:]] == list(range(DEPTH - 3, -1, -1))
    assert [seen[t].free for t in written[5:]] == list(range(DEPTH - 2, 0, -1))


def test_values_wider_than_the_stream_are_cut_and_narrow_ones_extended():
    for width, value, shown in ((18, -32768, -32768), (18, 32767, 32767), (5, -16, -16), (5, 15, 15)):
        dut = LatentReader(build(1, 1), DEPTH, width)
        steps = [{"start": 1, **settings((1, 1), (0, 0, 1, 1))}, {"start": 0, "enable": 1, "word": [value]}]
        steps += [{"enable": 0}]
        seen = trace(dut, steps, ["o.valid", "o.payload"], cycles=8)
        assert [s.o_payload.value for s in seen if s.o_valid] == [shown] * 3


def test_reset_in_the_middle_of_a_word():
    rng = np.random.default_rng(3)
    latents, rows = rng.integers(-512, 512, (2, 3, 5)), 3
    dut = LatentReader(build(rows, 2), DEPTH, WIDTH)
    steps = [{"start": 1, **settings((5, 3), (0, 0, 5, 3)), "o.ready": 1}]
    steps += [{"start": 0, "enable": 1, "word": [9, 9, 9]}] * 6 + [{"enable": 0}] * 4
    cut = len(steps)
    steps += [{"start": 1}, {"start": 0}]
    for word in words_of(latents, rows):
        steps += [{"enable": 1, "word": word}] + [{"enable": 0}] * 5
    seen = trace(dut, steps, ["o.valid", "o.payload", "done"], cycles=len(steps) + 8, resets={cut - 1})
    assert seen[cut - 1].o_valid
    assert not any(s.o_valid for s in seen[cut : cut + 4])
    got = [(s.o_payload.value, s.o_payload.last) for s in seen[cut:] if s.o_valid]
    assert got == kept_of(latents, rows, (0, 0, 5, 3))
    assert seen[-1].done


@pytest.mark.parametrize("depth", [0, -1, 2.0, None])
def test_depth_is_checked(depth):
    with pytest.raises(ValueError, match=f"^depth must be an integer of at least 1, not {depth!r}$"):
        LatentReader(build(1, 1), depth, WIDTH)


@pytest.mark.parametrize("width", [0, 19, "8"])
def test_result_width_is_checked(width):
    with pytest.raises(ValueError, match=f"^result_width must be an integer from 1 to 18, not {width!r}$"):
        LatentReader(build(1, 1), DEPTH, width)
