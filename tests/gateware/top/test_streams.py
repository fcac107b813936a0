"""The accelerator as a part of others' designs: marks on its streams, interrupt, registers, names of its ports."""

import numpy as np
import pytest

from licgate.gateware.top.module import stream_module
from licgate.gateware.top.streams import StreamAccelerator
from licgate.manifest.patches import patches
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Register, Status
from tests.gateware.accelerator import expected_stream, pack, read_register, write_register
from tests.gateware.host.test_axilite import OKAY, read, write
from tests.gateware.kit import monitor, never, random_stalls, run_simulation, stream_get, stream_put
from tests.sim.kit import tiny_codec

MANIFEST = synthetic_manifest(channels=(3, 4), kernel=3, seed=3)
WIDTH, HEIGHT = 14, 4
IMAGE = np.random.default_rng(5).integers(0, 256, (3, HEIGHT, WIDTH))


class Registers:
    """Registers of an accelerator, behind AXI4-Lite or as they are."""

    def __init__(self, accelerator):
        self.accelerator = accelerator

    async def write(self, ctx, register, value):
        if self.accelerator.axilite:
            assert await write(ctx, self.accelerator.control, 4 * register, value) == OKAY
        else:
            await write_register(ctx, self.accelerator.csr, register, value)

    async def read(self, ctx, register):
        if not self.accelerator.axilite:
            return await read_register(ctx, self.accelerator.csr, register)
        value, answer = await read(ctx, self.accelerator.control, 4 * register)
        assert answer == OKAY
        return value


async def start(ctx, registers, patch):
    sizes = (WIDTH, HEIGHT, patch, HEIGHT)
    for register, value in zip((Register.WIDTH, Register.HEIGHT, Register.PATCH_WIDTH, Register.PATCH_HEIGHT), sizes):
        await registers.write(ctx, register, value)
    await registers.write(ctx, Register.CONTROL, 1)


@pytest.mark.parametrize(("axilite", "rows", "patch", "p"), [(True, 2, 6, 0.5), (False, 4, 6, 0.0), (True, 4, 14, 0.0)])
def test_first_marks_a_run_and_last_a_patch(axilite, rows, patch, p):
    config = AcceleratorConfig(rows=rows, cols=2, max_width=16)
    accelerator = StreamAccelerator(MANIFEST, config, axilite=axilite)
    registers, words = Registers(accelerator), pack(IMAGE, 8)
    cut = patches(WIDTH, HEIGHT, patch_width=patch, patch_height=HEIGHT, transform=MANIFEST.g_a)
    assert (len(cut) > 2) == (patch < WIDTH)
    results = []

    async def host(ctx):
        for _ in range(2):
            await start(ctx, registers, patch)
            # until the end of the run before is forgotten
            await ctx.tick().repeat(4)
            while not await registers.read(ctx, Register.STATUS) & Status.DONE:
                pass
            assert ctx.get(accelerator.interrupt)
        await registers.write(ctx, Register.CONTROL, 1)
        await ctx.tick().repeat(3)
        # a start lowers it
        assert not ctx.get(accelerator.interrupt)

    async def pixels(ctx):
        while True:
            asked = await stream_get(ctx, accelerator.o_patch)
            for row in words[asked.y : asked.y + asked.height, asked.x : asked.x + asked.width]:
                for word in row.tolist():
                    await stream_put(ctx, accelerator.i, word, stalls=random_stalls(word, p) if p else None)

    async def latents(ctx):
        stalls = random_stalls(3, p) if p else never()
        while True:
            found = await stream_get(ctx, accelerator.o, stalls=stalls)
            results.append((found.value, bool(found.last), bool(found.first)))

    watched = monitor(accelerator.o, "o")
    run_simulation(accelerator, host, background=[pixels, latents], monitors=[watched], limit=40_000)
    once = expected_stream(MANIFEST.g_a, IMAGE, cut, rows)
    assert results == 2 * [(value, last, index == 0) for index, (value, last) in enumerate(once)]


def test_cycles_are_those_of_the_model():
    config = AcceleratorConfig(rows=2, cols=2, max_width=16)
    accelerator = StreamAccelerator(MANIFEST, config)
    registers = Registers(accelerator)

    async def host(ctx):
        await start(ctx, registers, WIDTH)
        while not ctx.get(accelerator.interrupt):
            await ctx.tick()
        assert await registers.read(ctx, Register.CYCLES) == predict(MANIFEST, config, WIDTH, HEIGHT).cycles

    async def willing(ctx):
        ctx.set(accelerator.o_patch.ready, 1)
        ctx.set(accelerator.o.ready, 1)
        for word in pack(IMAGE, 8).ravel().tolist():
            await stream_put(ctx, accelerator.i, word)

    run_simulation(accelerator, host, background=[willing], limit=20_000)


@pytest.mark.parametrize("patch", [6, WIDTH])
def test_a_reset_in_the_middle_and_a_run_behind_it_begins_anew(patch):
    accelerator = StreamAccelerator(MANIFEST, AcceleratorConfig(rows=2, cols=2, max_width=16))
    registers, words, results = Registers(accelerator), pack(IMAGE, 8), []
    cut = patches(WIDTH, HEIGHT, patch_width=patch, patch_height=HEIGHT, transform=MANIFEST.g_a)

    async def whole(ctx, some=None):
        await start(ctx, registers, patch)
        for p in cut[:some]:
            await stream_get(ctx, accelerator.o_patch)
            for word in words[p.y : p.y + p.height, p.x : p.x + p.width].ravel().tolist():
                await stream_put(ctx, accelerator.i, word)

    async def host(ctx):
        await whole(ctx, 1)
        await registers.write(ctx, Register.CONTROL, 2)
        while await registers.read(ctx, Register.STATUS):
            pass
        results.clear()
        await whole(ctx)
        while not ctx.get(accelerator.interrupt):
            await ctx.tick()

    async def latents(ctx):
        while True:
            found = await stream_get(ctx, accelerator.o)
            results.append((found.value, bool(found.last), bool(found.first)))

    run_simulation(accelerator, host, background=[latents], limit=40_000)
    once = expected_stream(MANIFEST.g_a, IMAGE, cut, 2)
    assert results == [(value, last, index == 0) for index, (value, last) in enumerate(once)]


@pytest.mark.parametrize(
    ("transforms", "axilite", "expected"),
    [
        (("g_a",), True, {"s_axis_tdata": (24, False), "m_axis_tdata": (16, True), "m_axis_patch_tdata": (64, True)}),
        (("h_s", "g_s"), True, {"s_axis_tdata": (16, False), "s_axi_awaddr": (12, False), "s_axi_rdata": (32, True)}),
        (("g_a", "h_a"), False, {"i_data": (24, False), "o_patch_height": (16, True), "csr_addr": (6, False)}),
    ],
)
def test_ports_have_the_names_that_interfaces_are_found_by(transforms, axilite, expected):
    module = stream_module(
        StreamAccelerator(tiny_codec(), AcceleratorConfig(rows=2, cols=2, max_width=32), transforms, axilite=axilite)
    )
    found = {port.name: (port.width, port.driven) for port in module.described}
    assert {name: found[name] for name in expected} == expected
    assert found["interrupt"] == (1, True)
    assert found["m_axis_tuser" if axilite else "o_first"] == (1, True)
    assert len(module.ports) == len(found) + 2


def test_a_port_is_as_wide_as_a_pixel():
    manifest = synthetic_manifest(channels=(1, 4), kernel=3, seed=3)
    module = stream_module(StreamAccelerator(manifest, AcceleratorConfig(rows=2, cols=2, max_width=16)))
    assert {port.name: port.width for port in module.described}["s_axis_tdata"] == 8
