"""The banked memory against a list."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil

from licgate.gateware.engine.memory import BLOCK_SHAPES, LATENCY, BankedMemory, PartedMemory, SplitMemory, bank_depths
from tests.gateware.waves import trace

# (depth, width): one bank, exactly one block, two and three banks, banks of several depths
SIZES = [(1, 5), (2, 1), (7, 12), (512, 36), (513, 36), (1300, 36), (1040, 17), (2100, 9), (2600, 36)]


@pytest.mark.parametrize("writable", [False, True])
def test_a_single_word_lies_in_two(writable):
    # To CXXRTL an address of no bits lies beyond its memory.
    memory = BankedMemory(1, 8, init=[5], writable=writable)
    assert "memory width 8 size 2" in rtlil.convert(memory)


@pytest.mark.parametrize(
    ("depth", "width", "expected"),
    [
        (16384, 1, [16384]),
        (512, 36, [512]),
        (513, 36, [1024]),
        (1024, 36, [1024]),
        (2048, 9, [2048]),
        (2048, 10, [2048]),
        (600, 72, [1024]),
        (100, 144, [512]),
        (1, 1, [16384]),
        (1025, 18, [2048]),
        (5000, 18, [2048, 2048, 1024]),
        (2600, 36, [2048, 1024]),
        (9072, 40, [8192, 1024]),
    ],
)
def test_banks_take_the_fewest_blocks(depth, width, expected):
    blocks = {deep: -(-width // wide) for deep, wide in BLOCK_SHAPES}
    # banks of one depth, and any that holds the rest
    ways = [
        (count * blocks[deep] + blocks[last])
        for deep in blocks
        for last in blocks
        for count in [max(0, -(-(depth - last) // deep))]
        if last <= deep
    ]
    found = bank_depths(depth, width)
    assert found == expected
    assert sum(blocks[deep] for deep in found) == min(ways)
    assert sum(found[:-1]) < depth <= sum(found)


def operations(rng, depth, width, count, model):
    """Random reads and writes, never one address both ways in a cycle, and what the reads must give."""
    steps, expected = [], []
    written = 0
    for _ in range(count):
        # half of the reads follow the last write as close as may be
        read = written if rng.random() < 0.5 else int(rng.integers(depth))
        target = int(rng.choice([rng.integers(depth), min(depth - 1, 512), 0, depth - 1]))
        enable = bool(rng.integers(2)) and target != read
        value = int(rng.integers(1 << min(width, 60)))
        steps.append({"address": read, "write_enable": enable, "write_address": target, "write_data": value})
        expected.append(model[read])
        if enable:
            model[target], written = value, target
    return steps, expected


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_reads_and_writes(size, registered):
    depth, width = size
    rng = np.random.default_rng(depth)
    init = [int(v) for v in rng.integers(1 << width, size=depth - depth // 3)]
    model = init + [0] * (depth - len(init))
    steps, expected = operations(rng, depth, width, 150, model)
    dut, latency = BankedMemory(depth, width, init=init, registered=registered), 6 if registered else 3
    seen = trace(dut, steps, ["data"], cycles=len(steps) + latency)
    assert [s.data for s in seen[latency:]] == expected
    assert (dut.latency, dut.interval, LATENCY) == (latency, 1, 3)


@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("size", [(5, 3), (1100, 36)])
def test_rom(size, registered):
    depth, width = size
    rng = np.random.default_rng(1)
    init = [int(v) for v in rng.integers(1 << width, size=depth)]
    memory = BankedMemory(depth, width, init=init, writable=False, registered=registered)
    assert not {"write_enable", "write_address", "write_data"} & set(memory.signature.members)
    addresses = [0, depth - 1, *(int(v) for v in rng.integers(depth, size=100))]
    seen = trace(memory, [{"address": a} for a in addresses], ["data"], cycles=len(addresses) + memory.latency)
    assert [s.data for s in seen[memory.latency :]] == [init[a] for a in addresses]


def test_a_write_is_seen_from_the_next_cycle_on():
    steps = [{"write_enable": 1, "write_address": 600, "write_data": 123, "address": 0}]
    steps += [{"write_enable": 0, "address": 600}] * 5
    assert [s.data for s in trace(BankedMemory(700, 36), steps, ["data"])] == [0, 0, 0, 0, 123, 123]


def test_words_outlive_a_reset():
    rng = np.random.default_rng(4)
    model = [0] * 600
    steps, expected = operations(rng, 600, 36, 60, model)
    quiet = [{"write_enable": 0}] * 2
    more, more_expected = operations(rng, 600, 36, 60, model)
    seen = trace(BankedMemory(600, 36), steps + quiet + more, ["data"], cycles=125, resets={60, 61})
    assert [s.data for s in seen[3:61]] == expected[:58]
    assert [s.data for s in seen[65:]] == more_expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "a memory needs at least one word of one bit, not 0 of 4"),
        ((4, 0), "a memory needs at least one word of one bit, not 4 of 0"),
        ((4.0, 8), "a memory needs at least one word of one bit, not 4.0 of 8"),
        (("4", 8), "a memory needs at least one word of one bit, not '4' of 8"),
    ],
)
def test_size_is_checked(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BankedMemory(*arguments)


def test_initial_words_must_fit():
    with pytest.raises(ValueError, match=r"^init has 5 words, the memory 4$"):
        BankedMemory(4, 8, init=[1] * 5)
    with pytest.raises(ValueError, match=r"^init holds 256, a word of 8 bits does not$"):
        BankedMemory(4, 8, init=[1, 256])


@pytest.mark.parametrize("size", [(1, 1, 5), (9, 2, 7), (600, 5, 8), (1030, 8, 6)])
def test_halves_are_written_apart(size):
    depth, rows, bits = size
    rng = np.random.default_rng(rows)
    model, steps, expected, last = [[0] * rows for _ in range(depth)], [], [], 0
    for _ in range(200):
        read = last if rng.random() < 0.5 else int(rng.integers(depth))
        target = int(rng.choice([rng.integers(depth), 0, depth - 1]))
        enable = 0 if target == read else int(rng.integers(4))
        lanes = [int(v) for v in rng.integers(1 << bits, size=rows)]
        steps.append(
            {
                "address": read,
                "write_enable": enable,
                "write_address": target,
                "write_data": sum(v << (bits * k) for k, v in enumerate(lanes)),
            }
        )
        expected.append(sum(v << (bits * k) for k, v in enumerate(model[read])))
        if enable:
            model[target] = [
                v if enable >> k % 2 & 1 else old for k, (v, old) in enumerate(zip(lanes, model[target], strict=True))
            ]
            last = target
    dut = SplitMemory(depth, rows, bits)
    assert (dut.latency, dut.interval) == (6, 1) == (BankedMemory(depth, bits, registered=True).latency, 1)
    seen = trace(dut, steps, ["data"], cycles=len(steps) + 6)
    assert [s.data for s in seen[6:]] == expected


# of a part: its memory, and how many values of how many bits are written apart
PARTS = {
    "whole words": (lambda: BankedMemory(7, 5), 1, 5),
    "registered": (lambda: BankedMemory(600, 36, registered=True), 1, 36),
    "halves of words": (lambda: SplitMemory(9, 3, 4), 3, 4),
}


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("part", PARTS)
def test_parts_are_written_apart_and_read_at_once(part, count):
    made, lanes, bits = PARTS[part]
    dut = PartedMemory([made() for _ in range(count)])
    enables, depth, rng = len(dut.write_enable), dut.depth, np.random.default_rng(count)
    model, steps, expected, last = np.zeros((depth, count, lanes), dtype=np.int64), [], [], 0
    for _ in range(200):
        read = last if rng.random() < 0.5 else int(rng.integers(depth))
        target, number = int(rng.choice([rng.integers(depth), 0, depth - 1])), int(rng.integers(count))
        enable = 0 if target == read else int(rng.integers(1 << enables))
        values = rng.integers(1 << bits, size=lanes)
        steps.append(
            {
                "address": read,
                "write_enable": enable,
                "write_address": target * count + number,
                "write_data": sum(int(v) << bits * k for k, v in enumerate(values)),
            }
        )
        expected.append(sum(int(v) << bits * k for k, v in enumerate(model[read].flat)))
        for k in range(lanes):
            if enable >> k % enables & 1:
                model[target, number, k], last = values[k], target
    latency = made().latency
    assert (dut.latency, dut.interval, dut.depth) == (latency, 1, made().depth)
    seen = trace(dut, steps, ["data"], cycles=len(steps) + latency)
    assert [s.data for s in seen[latency:]] == expected


@pytest.mark.parametrize("count", [0, 3, 6])
def test_a_word_has_a_power_of_two_of_parts(count):
    with pytest.raises(ValueError, match=f"^a word has a power of two of parts, not {count}$"):
        PartedMemory([BankedMemory(4, 8)] * count)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 0, 4), "a word needs at least one pixel, not 0"),
        ((0, 2, 4), "a memory needs at least one word of one bit, not 0 of 4"),
        ((4, 2, 0), "a memory needs at least one word of one bit, not 4 of 0"),
    ],
)
def test_sizes_of_split_memories_are_checked(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SplitMemory(*arguments)
