"""A host for tests of the whole accelerator: registers, windows of pixels, latents, each stream with its own stalls."""

import numpy as np

from licgate.gateware.ports import Register
from licgate.gateware.top import Accelerator
from licgate.manifest.geometry import patches
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.reference import run_transform
from licgate.sim.order import depth_form, stream_order
from tests.gateware.kit import monitor, run_simulation, stream_get, stream_put


async def read_register(ctx, csr, address):
    ctx.set(csr.addr, address)
    await ctx.tick()
    return ctx.get(csr.r_data)


async def write_register(ctx, csr, address, value):
    ctx.set(csr.addr, address)
    ctx.set(csr.w_data, value)
    ctx.set(csr.w_stb, 1)
    await ctx.tick()
    ctx.set(csr.w_stb, 0)


async def start(ctx, csr, image, patch, *, independent=False, overlap=0):
    _, height, width = image.shape
    for address, value in (
        (Register.WIDTH, width), (Register.HEIGHT, height), (Register.PATCH_WIDTH, patch[0]),
        (Register.PATCH_HEIGHT, patch[1]),
        (Register.MODE, int(independent)), (Register.OVERLAP, overlap), (Register.CONTROL, 1),
    ):  # fmt: skip
        await write_register(ctx, csr, address, value)


async def wait_done(ctx, csr):
    while await read_register(ctx, csr, Register.STATUS) & 1:
        pass
    return await read_register(ctx, csr, Register.STATUS)


def pack(image, bits):
    mask = (1 << bits) - 1
    return sum((image[c].astype(np.int64) & mask) << (bits * c) for c in range(image.shape[0]))


def expected_stream(transform, image, windows, rows, *, independent=False):
    whole = None if independent else run_transform(transform, image)
    values = []
    for p in windows:
        if independent:
            part = run_transform(transform, image[:, p.y : p.y + p.height, p.x : p.x + p.width])
        else:
            part = whole[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width]
        values += [(v, False) for v in stream_order(part, p.skip_x, rows).tolist()]
        values[-1] = (values[-1][0], True)
    return values


def check_accelerator(
    manifest, config, images, *, patch=None, independent=False, overlap=0, stalls=None, limit=200_000
):
    """Run images one after the other; assert windows, latents, marks and status. Return the last one's CYCLES."""
    transform = manifest.transforms["g_a"]
    dut = Accelerator(manifest, config)
    jobs = []
    for image in images:
        size = (patch, patch) if patch else config.patch_size(transform, image.shape[2], image.shape[1])
        windows = patches(image.shape[2], image.shape[1], patch_width=size[0], patch_height=size[1],
                          transform=transform, independent=independent, overlap=overlap)  # fmt: skip
        jobs.append((image, size, windows))
    stalls = stalls or (lambda name: None)
    cycles = []

    async def control(ctx):
        for image, size, _ in jobs:
            await start(ctx, dut.csr, image, size, independent=independent, overlap=overlap)
            await ctx.tick().repeat(3)
            assert await wait_done(ctx, dut.csr) == 0b10
            cycles.append(await read_register(ctx, dut.csr, Register.CYCLES))

    async def pixels(ctx):
        for image, _, windows in jobs:
            words = pack(image, transform.input.bits)
            for p in windows:
                asked = await stream_get(ctx, dut.o_window, stalls=stalls("window"))
                assert (asked.x, asked.y, asked.width, asked.height) == (p.x, p.y, p.width, p.height)
                for pixel in words[p.y : p.y + p.height, p.x : p.x + p.width].ravel().tolist():
                    await stream_put(ctx, dut.i, pixel, stalls=stalls("pixel"))

    async def latents(ctx):
        for image, _, windows in jobs:
            got = []
            expected = expected_stream(transform, image, windows, config.rows, independent=independent)
            for _ in expected:
                latent = await stream_get(ctx, dut.o, stalls=stalls("latent"))
                got.append((latent.value, bool(latent.last)))
            assert got == expected

    run_simulation(
        dut, control, pixels, latents, limit=limit, monitors=[monitor(s) for s in (dut.i, dut.o, dut.o_window)]
    )
    return cycles[-1]
