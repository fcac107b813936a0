"""Running sums against software, at any pace, and what they tell of."""

import numpy as np
import pytest

from licgate.gateware.host.sums import RunningSums
from licgate.target.frames import running_sums
from tests.gateware.kit import run_simulation


def sums_after(width, words, *, stall, seed=0):
    """What the component has at the end, some cycles behind the last word."""
    dut, coin, found = RunningSums(width), np.random.default_rng(seed), []

    async def bench(ctx):
        for word in words:
            while coin.random() < stall:
                ctx.set(dut.strobe, 0)
                ctx.set(dut.word, int(coin.integers(1 << width)))
                await ctx.tick()
            ctx.set(dut.word, word)
            ctx.set(dut.strobe, 1)
            await ctx.tick()
        ctx.set(dut.strobe, 0)
        await ctx.tick().repeat(dut.latency - 1)
        found.extend(ctx.get(part) for part in dut.sums)

    run_simulation(dut, bench, limit=5000)
    return tuple(found)


@pytest.mark.parametrize(("width", "stall"), [(1, 0.5), (16, 0), (24, 0.7), (32, 0)])
def test_sums_are_those_of_software(width, stall):
    words = np.random.default_rng(width).integers(0, 1 << width, 700)
    assert sums_after(width, words.tolist(), stall=stall) == running_sums(words)


def test_software_is_the_definition():
    words = np.random.default_rng(3).integers(0, 1 << 24, 5000)
    first = second = 0
    for word in words.tolist():
        first = (first + word) % (1 << 32)
        second = (second + first) % (1 << 32)
    assert running_sums(words) == (first, second)
    assert running_sums(words[:0]) == (0, 0)


def test_the_last_word_counts_after_the_latency_and_not_before():
    dut, found = RunningSums(8), []

    async def bench(ctx):
        ctx.set(dut.word, 7)
        ctx.set(dut.strobe, 1)
        await ctx.tick()
        ctx.set(dut.strobe, 0)
        for _ in range(4):
            found.append(tuple(ctx.get(part) for part in dut.sums))
            await ctx.tick()

    run_simulation(dut, bench, limit=20)
    assert found == [(0, 0), (7, 0), (7, 7), (7, 7)]
    assert found[dut.latency - 1] == (7, 7)


def test_clear_forgets_words_that_are_on_their_way():
    dut, found = RunningSums(8), []

    async def bench(ctx):
        for clear in (0, 0, 1, 0):
            ctx.set(dut.word, 5)
            ctx.set(dut.strobe, 1)
            ctx.set(dut.clear, clear)
            await ctx.tick()
        ctx.set(dut.strobe, 0)
        await ctx.tick().repeat(dut.latency)
        found.extend(ctx.get(part) for part in dut.sums)

    run_simulation(dut, bench, limit=20)
    assert found == [5, 5]


def test_what_the_line_may_do_to_words_changes_them():
    words = np.random.default_rng(4).integers(0, 1 << 16, 300)
    right, coin = running_sums(words), np.random.default_rng(5)
    for _ in range(2000):
        at = int(coin.integers(1, len(words)))
        swapped = words.copy()
        swapped[[at - 1, at]] = swapped[[at, at - 1]]
        altered = words.copy()
        altered[at] ^= 1 << int(coin.integers(16))
        for wrong in (swapped, altered, np.delete(words, at), np.insert(words, at, words[at])):
            if not np.array_equal(wrong, words):
                assert running_sums(wrong) != right


def test_a_width_that_is_none():
    with pytest.raises(ValueError, match=r"^width must be 1 to 32 bits, not 33$"):
        RunningSums(33)
