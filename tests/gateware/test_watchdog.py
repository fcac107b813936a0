"""The watchdog alone: when it bites, what it keeps, what it costs."""

import random
import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Signal

from licgate.gateware.watchdog import Probe, Watchdog
from licgate.synth.toolchain import YOSYS, run_tool
from licgate.target.registers import Register
from tests.gateware.kit import run_simulation


def watched(count, *, step=None, bits=8, levels=()):
    """Return a watchdog and the (valid, ready) of its streams."""
    pairs = [(Signal(name=f"v{k}"), Signal(name=f"r{k}")) for k in range(count)]
    probes = [Probe(f"s{k}", *pair, level=dict(levels).get(k)) for k, pair in enumerate(pairs)]
    return Watchdog(probes, step=step, bits=bits), pairs


async def arm(ctx, dut, threshold):
    ctx.set(dut.threshold, threshold)
    ctx.set(dut.busy, 1)
    ctx.set(dut.clear, 1)
    await ctx.tick().repeat(4)
    ctx.set(dut.clear, 0)


async def cycles_until_hung(ctx, dut, limit):
    """Cycles from this one to the first in which `hung` is high; None when it is not within the limit."""
    for cycle in range(limit):
        if ctx.get(dut.hung):
            return cycle
        await ctx.tick()
    return None


@pytest.mark.parametrize("threshold", [1, 2, 7, 200])
@pytest.mark.parametrize("by_step", [False, True])
def test_it_bites_after_exactly_the_threshold(threshold, by_step):
    step = Signal()
    dut, pairs = watched(3, step=step)

    async def host(ctx):
        signals = [step] if by_step else pairs[2]
        for signal in signals:
            ctx.set(signal, 1)
        await arm(ctx, dut, threshold)
        await ctx.tick().repeat(300)
        assert not ctx.get(dut.hung)
        for signal in signals:
            ctx.set(signal, 0)
        # the last cycle with progress was the one before
        assert 1 + await cycles_until_hung(ctx, dut, 300) == threshold + Watchdog.latency

    run_simulation(dut, host, limit=800)


@pytest.mark.parametrize("seed", [0, 1])
def test_random_transfers_bite_when_a_pause_is_long_enough(seed):
    coin, threshold = random.Random(seed), 9
    dut, pairs = watched(2, bits=6)
    history, seen = [], []

    async def host(ctx):
        for signal in pairs[0]:
            ctx.set(signal, 1)
        await arm(ctx, dut, threshold)
        for _ in range(400):
            values = [int(coin.random() < 0.2) for _ in range(4)]
            for signal, value in zip((*pairs[0], *pairs[1]), values, strict=True):
                ctx.set(signal, value)
            history.append(bool(values[0] & values[1] | values[2] & values[3]))
            seen.append(bool(ctx.get(dut.hung)))
            await ctx.tick()

    run_simulation(dut, host, limit=1000)
    bites = seen.index(True)
    paused = next(t for t in range(400) if t >= threshold - 1 and not any(history[t - threshold + 1 : t + 1]))
    assert bites == paused + Watchdog.latency
    assert all(seen[bites:])
    assert any(history[bites:])


def test_the_state_is_frozen_until_clear():
    level = Signal(5)
    dut, pairs = watched(18, levels={17: level}.items())
    (v0, _), (_, r17) = pairs[0], pairs[17]

    async def host(ctx):
        await arm(ctx, dut, 5)
        ctx.set(v0, 1)
        ctx.set(r17, 1)
        ctx.set(level, 19)
        assert await cycles_until_hung(ctx, dut, 40)
        await ctx.tick()
        for signal in (v0, r17, level):
            ctx.set(signal, 0)
        ctx.set(pairs[1][0], 1)
        ctx.set(pairs[1][1], 1)
        await ctx.tick().repeat(20)
        words = [ctx.get(word) for word in (*dut.words, *dut.levels)]
        assert (ctx.get(dut.hung), words) == (1, [0b01, 0b1000, 19])
        described = dut.describe(words)
        assert described.startswith("s0 is held by its sink (valid 1, ready 0), s1 is idle (valid 0, ready 0), ")
        assert described.endswith(", s17 waits for its source (valid 0, ready 1, 19 words)")
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        assert not ctx.get(dut.hung)
        await ctx.tick().repeat(2)
        assert [ctx.get(word) for word in (*dut.words, *dut.levels)] == [0b1100, 0, 0]

    run_simulation(dut, host, limit=200)
    assert dut.registers == (Register.STREAMS, Register.STREAMS + 1, Register.LEVELS)


@pytest.mark.parametrize(("threshold", "busy"), [(0, 1), (3, 0)])
def test_off_or_idle_it_never_bites(threshold, busy):
    dut, _ = watched(1, bits=4)

    async def host(ctx):
        await arm(ctx, dut, threshold)
        ctx.set(dut.busy, busy)
        assert await cycles_until_hung(ctx, dut, 100) is None

    run_simulation(dut, host, limit=200)


def test_a_clear_in_mid_count_begins_anew():
    dut, _ = watched(1)

    async def host(ctx):
        await arm(ctx, dut, 20)
        await ctx.tick().repeat(19)
        assert not ctx.get(dut.hung)
        await arm(ctx, dut, 20)
        assert await cycles_until_hung(ctx, dut, 100) > 20

    run_simulation(dut, host, limit=200)


ONE = Signal()


@pytest.mark.parametrize(
    ("probes", "bits", "message"),
    [
        ([], 8, r"probes must be 1 to 64 streams, not 0"),
        ([Probe(f"s{k}", ONE, ONE) for k in range(65)], 8, r"probes must be 1 to 64 streams, not 65"),
        ([Probe("a", ONE, ONE), Probe("a", ONE, ONE)], 8, r"two streams have the name 'a'"),
        ([Probe("a", ONE, Signal(2))], 8, r"ready of stream 'a' must be one bit, not 2"),
        ([Probe("a", ONE, ONE, level=Signal(17))], 8, r"level of stream 'a' has 17 bits, more than 16"),
        ([Probe(f"s{k}", ONE, ONE, level=ONE) for k in range(5)], 8, r"5 streams have a level, more than 4"),
        ([Probe("a", ONE, ONE)], 33, r"bits must be an integer from 2 to 32, not 33"),
        ([Probe("a", ONE, ONE)], True, r"bits must be an integer from 2 to 32, not True"),
    ],
)
def test_refusals(probes, bits, message):
    with pytest.raises(ValueError, match=message):
        Watchdog(probes, bits=bits)


@pytest.mark.synth
def test_it_is_small(tmp_path):
    step, level = Signal(name="step"), Signal(6, name="level")
    dut, pairs = watched(6, step=step, bits=32, levels={2: level}.items())
    ports = [dut.busy, dut.clear, dut.threshold, dut.hung, *dut.words, *dut.levels, step, level]
    ports += [signal for pair in pairs for signal in pair]
    (tmp_path / "top.il").write_text(rtlil.convert(dut, ports=ports, emit_src=False))
    script = "read_rtlil top.il; synth_lattice -family ecp5 -top top; stat"
    run_tool(YOSYS, "-q", "-l", "log", "-p", script, folder=tmp_path, log="out", label="cells")
    found = re.findall(r"^ +(\d+) +(\w+)$", (tmp_path / "log").read_text(), re.MULTILINE)
    cells = {name: int(number) for number, name in found}
    lut = cells["LUT4"] + 2 * cells.get("CCU2C", 0)
    assert 0 < lut < 100
    assert cells["TRELLIS_FF"] < 70
