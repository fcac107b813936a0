"""A host for tests of the whole accelerator: registers, windows of pixels, latents, each stream with its own stalls."""

import numpy as np

from licgate.gateware.top.resident import Accelerator
from licgate.manifest.patches import patches
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program.depthform import depth_form
from licgate.program.order import stream_order
from licgate.reference import run_transform
from licgate.target.registers import Register
from tests.gateware.kit import monitor, run_simulation, stream_get, stream_put


async def read_register(ctx, csr, address):
    ctx.set(csr.addr, address)
    await ctx.tick().repeat(2)
    return ctx.get(csr.r_data)


async def write_register(ctx, csr, address, value):
    ctx.set(csr.addr, address)
    ctx.set(csr.w_data, value)
    ctx.set(csr.w_stb, 1)
    await ctx.tick()
    ctx.set(csr.w_stb, 0)


async def start(ctx, csr, image, patch, *, transform="g_a", independent=False, overlap=0):
    _, height, width = image.shape
    for address, value in (
        (Register.TRANSFORM, TRANSFORM_NAMES.index(transform)),
        (Register.WIDTH, width),
        (Register.HEIGHT, height),
        (Register.PATCH_WIDTH, patch[0]),
        (Register.PATCH_HEIGHT, patch[1]),
        (Register.MODE, int(independent)),
        (Register.OVERLAP, overlap),
        (Register.CONTROL, 1),
    ):
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


def expected_map(transform, x, rows):
    """Like `expected_stream`, for a transform that takes feature maps."""
    out = run_transform(transform, x)
    last = transform.layers[-1]
    values = stream_order(depth_form(out) if last.kind == "conv2d" and last.transposed else out, 0, rows).tolist()
    return [(v, k + 1 == len(values)) for k, v in enumerate(values)]


def run_of(config, transform, x, rows, *, patch=None, independent=False, overlap=0):
    """Patch size, windows with what is sent for each, and what must come."""
    _, height, width = x.shape
    if transform.name != "g_a":
        sent = (stream_order(x, 0, rows) & 0xFFFF).tolist()
        return (width, height), [((0, 0, width, height), sent)], expected_map(transform, x, rows)
    size = (patch, patch) if patch else config.patch_size(transform, width, height)
    windows = patches(
        width,
        height,
        patch_width=size[0],
        patch_height=size[1],
        transform=transform,
        independent=independent,
        overlap=overlap,
    )
    words = pack(x, transform.input.bits)
    sent = [
        ((p.x, p.y, p.width, p.height), words[p.y : p.y + p.height, p.x : p.x + p.width].ravel().tolist())
        for p in windows
    ]
    return size, sent, expected_stream(transform, x, windows, rows, independent=independent)


def check_accelerator(
    manifest,
    config,
    images,
    *,
    transforms=("g_a",),
    patch=None,
    independent=False,
    overlap=0,
    stalls=None,
    limit=200_000,
):
    """Run images, or (transform, feature map), one after the other; assert windows, latents, marks and status.

    Return the last one's CYCLES.
    """
    dut = Accelerator(manifest, config, transforms=transforms)
    options = {"independent": independent, "overlap": overlap}
    jobs = []
    for one in images:
        name, x = one if isinstance(one, tuple) else ("g_a", one)
        jobs.append(
            (name, x, *run_of(config, manifest.transforms[name], x, config.group_columns, patch=patch, **options))
        )
    stalls = stalls or (lambda name: None)
    cycles = []

    async def control(ctx):
        for name, x, size, _, _ in jobs:
            await start(ctx, dut.csr, x, size, transform=name, **options)
            await ctx.tick().repeat(3)
            assert await wait_done(ctx, dut.csr) == 0b10
            cycles.append(await read_register(ctx, dut.csr, Register.CYCLES))

    async def pixels(ctx):
        for _, _, _, windows, _ in jobs:
            for window, sent in windows:
                asked = await stream_get(ctx, dut.o_patch, stalls=stalls("window"))
                assert (asked.x, asked.y, asked.width, asked.height) == window
                for pixel in sent:
                    await stream_put(ctx, dut.i, pixel, stalls=stalls("pixel"))

    async def latents(ctx):
        for *_, expected in jobs:
            got = []
            for _ in expected:
                latent = await stream_get(ctx, dut.o, stalls=stalls("latent"))
                got.append((latent.value, bool(latent.last)))
            assert got == expected

    run_simulation(
        dut, control, pixels, latents, limit=limit, monitors=[monitor(s) for s in (dut.i, dut.o, dut.o_patch)]
    )
    return cycles[-1]
