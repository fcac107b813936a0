"""Hangs, real ones: the watchdog bites, and the error says what every stream did."""

import re

import numpy as np
import pytest
from amaranth.hdl import Signal

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.passes import pass_layout
from licgate.gateware.resident import core as core_module
from licgate.gateware.stream import connect
from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.runtime.transforms import pixel_words
from licgate.sim import Job, get_engine
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Register
from tests.gateware.accelerator import pack, read_register, start, wait_done, write_register
from tests.gateware.kit import run_simulation, stream_get

CONFIG = AcceleratorConfig(rows=2, cols=2, max_width=16, output_words=2)
MANIFEST = synthetic_manifest(channels=(3, 2, 3), seed=1)
PATIENCE = 300


def job(height=8, width=12):
    words = pixel_words(np.random.default_rng(0).integers(0, 256, (3, height, width)), 8)
    return Job(
        words,
        (
            (Register.WIDTH, width),
            (Register.HEIGHT, height),
            (Register.PATCH_WIDTH, 16),
            (Register.PATCH_HEIGHT, 16),
            (Register.CONTROL, 1),
        ),
    )


def states(message):
    """Name, valid and ready of the streams in an error."""
    message = message.partition("; ")[2] or message
    return {name: (int(v), int(r)) for name, v, r in re.findall(r"(\w+) [^,(]*\(valid (\d), ready (\d)", message)}


def hang_of(accelerator, work, engine="amaranth"):
    with pytest.raises(SimulationError) as caught:
        get_engine(engine)(accelerator, work, patience=PATIENCE)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"the accelerator hung: no progress for {PATIENCE} cycles, at cycle ")
    return message


def dropping(monkeypatch, which):
    """Let a pass vanish between sequencer and feeder: taken from one, never offered to the other."""
    layout = pass_layout(Accelerator(MANIFEST, CONFIG).program)

    def faulty(m, source, target):
        connect(m, source, target)
        if source.payload.shape() != layout:
            return
        count = Signal(16, name="passes_seen")
        with m.If(source.valid & source.ready):
            m.d.sync += count.eq(count + 1)
        with m.If(count == which):
            m.d.comb += target.valid.eq(0)

    monkeypatch.setattr(core_module, "connect", faulty)


def test_a_dropped_handshake(monkeypatch):
    dropping(monkeypatch, 6)
    message = hang_of(Accelerator(MANIFEST, CONFIG), job())
    found = states(message)
    assert list(found) == ["patches", "pixels", "latents", "passes", "tiles", "writes"]
    # the lost pass never made the tile that lanes and writer still wait for
    assert found["writes"] == (1, 0)
    assert found["latents"] == (0, 0) or found["latents"] == (0, 1)
    assert "words free)" in message


@pytest.mark.synth
def test_both_engines_tell_the_same(monkeypatch):
    dropping(monkeypatch, 9)
    messages = {hang_of(Accelerator(MANIFEST, CONFIG), job(), engine) for engine in ("amaranth", "cxxrtl")}
    assert len(messages) == 1


@pytest.mark.parametrize("bites", [True, False])
def test_a_host_that_stops_sending(bites):
    dut = Accelerator(MANIFEST, CONFIG)
    image = np.random.default_rng(1).integers(0, 256, (3, 8, 12))

    async def host(ctx):
        await write_register(ctx, dut.csr, Register.WATCHDOG, PATIENCE if bites else 0)
        await start(ctx, dut.csr, image, (16, 16))
        await stream_get(ctx, dut.o_patch)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for pixel in pack(image, 8).ravel()[:60].tolist():
            ctx.set(dut.i.payload, pixel)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(3 * PATIENCE)
        status = await read_register(ctx, dut.csr, Register.STATUS)
        assert status == (0b1001 if bites else 0b0001)
        words = [await read_register(ctx, dut.csr, address) for address in dut.watchdog.registers]
        text = dut.watchdog.describe(words)
        assert "pixels waits for the host (valid 0, ready 1)" in text
        assert states(text)["passes"] == (0, 1)
        assert await read_register(ctx, dut.csr, Register.STALL_INPUT) > PATIENCE
        # the hang is over, but not forgotten before a reset
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(20)
        ctx.set(dut.i.valid, 0)
        assert await read_register(ctx, dut.csr, Register.STATUS) & 8 == (8 if bites else 0)
        await write_register(ctx, dut.csr, Register.CONTROL, 2)
        await ctx.tick()
        assert await wait_done(ctx, dut.csr) == 0

    run_simulation(dut, host, limit=8000)


def test_a_host_that_stops_taking():
    dut = Accelerator(MANIFEST, CONFIG)
    image = np.random.default_rng(2).integers(0, 256, (3, 16, 16))

    async def host(ctx):
        await write_register(ctx, dut.csr, Register.WATCHDOG, PATIENCE)
        await start(ctx, dut.csr, image, (16, 16))
        await stream_get(ctx, dut.o_patch)
        ctx.set(dut.i.valid, 1)
        while not await read_register(ctx, dut.csr, Register.STATUS) & 8:
            pass
        words = [await read_register(ctx, dut.csr, address) for address in dut.watchdog.registers]
        text = dut.watchdog.describe(words)
        assert re.search(r"latents is held by the host \(valid 1, ready 0, [01] words free\)", text)
        assert "pixels is held by the line buffer (valid 1, ready 0)" in text

    run_simulation(dut, host, limit=20_000)


@pytest.mark.parametrize("patience", [0, 1 << 32])
def test_patience_has_bounds(patience):
    with pytest.raises(ConfigError, match=rf"a patience of {patience} cycles makes no sense: give 1 to 4294967295"):
        get_engine("amaranth")(Accelerator(MANIFEST, CONFIG), job(), patience=patience)
