"""Several transforms in one accelerator, bit by bit against the integer reference."""

import numpy as np
import pytest

from licgate.gateware.top.resident import Accelerator
from licgate.manifest import IntType, Manifest, Transform, sealed
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Register
from tests.gateware.accelerator import check_accelerator, read_register, run_of, start, wait_done, write_register
from tests.gateware.kit import random_stalls, run_simulation, stream_get, stream_put
from tests.manifest.kit import four_transforms
from tests.marks import regress
from tests.sim.kit import tiny_codec


def synthesis(form, *, kernel=5, seed=0):
    """A model whose g_s upsamples with a GDN behind it, keeps the size, upsamples again, and ends in depth form."""
    kind, wide = IntType(7), IntType(10)

    def up(number, channels, source, made):
        return synthetic_conv2d(
            f"g_s.{number}",
            in_channels=channels[0],
            out_channels=channels[1],
            kernel=kernel,
            transposed=True,
            output_padding=kernel % 2,
            input_type=source,
            output_type=made,
            seed=seed + number,
        )

    layers = [
        up(0, (2, 3), kind, wide),
        synthetic_gdn("g_s.1", channels=3, form=form, inverse=True, input_type=wide, output_type=kind, seed=seed),
        synthetic_conv2d("g_s.2", in_channels=3, out_channels=4, kernel=3, stride=1, input_type=kind, output_type=wide),
        up(3, (4, 3), wide, kind),
        up(4, (3, 2), kind, IntType(8, signed=False)),
    ]
    g_s = Transform(name="g_s", in_channels=2, input=kind, input_scale=1.0, layers=layers)
    g_a = synthetic_manifest(channels=(3, 2), gdn="none").g_a
    return sealed(
        Manifest(name="up", architecture="synthetic", transforms={"g_a": g_a, "g_s": g_s}, latent_fraction_bits=1)
    )


def values(manifest, name, height, width, seed=0):
    transform = manifest.transforms[name]
    kind, shape = transform.input, (transform.in_channels, height, width)
    return name, np.random.default_rng(seed).integers(kind.min, kind.max + 1, shape)


@pytest.mark.parametrize(
    ("form", "rows", "cols", "lanes", "size"),
    [("abs", 1, 1, None, (1, 1)), regress("square_root", 3, 2, None, (1, 4)), regress("abs", 4, 3, 2, (3, 2))],
)
def test_synthesis_in_any_array(form, rows, cols, lanes, size):
    manifest = synthesis(form, seed=rows)
    config = AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, max_width=8)
    check_accelerator(manifest, config, [values(manifest, "g_s", *size)], transforms=["g_s"])


def test_synthesis_with_another_kernel():
    manifest = synthesis("abs", kernel=3)
    config = AcceleratorConfig(rows=2, cols=3, max_width=10)
    check_accelerator(manifest, config, [values(manifest, "g_s", 1, 3)], transforms=["g_s"])


def test_transforms_take_turns_under_stalls():
    manifest = tiny_codec("he2021-checkerboard")
    names, streams = ["h_s", "g_a", "context"], {"window": 1, "pixel": 2, "latent": 3}
    sizes = [("g_a", 6, 7), ("context", 2, 3), ("h_s", 1, 2), ("g_a", 3, 5), ("context", 3, 1)]
    check_accelerator(
        manifest,
        AcceleratorConfig(rows=3, cols=4, max_width=16),
        [values(manifest, *size, seed) for seed, size in enumerate(sizes)],
        transforms=names,
        stalls=lambda name: random_stalls(streams[name], 0.5),
    )


# transform, size, kernel of the layers with a stride, GDN; array rows, columns and lanes
ALONE = [
    ("h_a", (1, 1), 5, "relu", (4, 3, None)),
    ("h_a", (5, 7), 3, "relu", (3, 4, 1)),
    regress("h_a", (4, 9), 5, "relu", (8, 2, None)),
    ("h_a", (5, 2), 7, "relu", (1, 5, None)),
    ("h_s", (1, 1), 3, "relu", (5, 2, None)),
    regress("h_s", (2, 3), 5, "relu", (4, 4, 2)),
    regress("h_s", (1, 2), 3, "relu", (1, 3, None)),
    ("g_s", (1, 1), 3, "abs", (8, 5, None)),
    regress("g_s", (2, 3), 5, "square_root", (2, 4, None)),
    ("g_s", (3, 1), 5, "relu", (1, 4, None)),
    ("g_s", (1, 3), 3, "abs_root", (4, 2, 1)),
]


@pytest.mark.parametrize(("name", "size", "kernel", "gdn", "array"), ALONE)
def test_each_transform_alone(name, size, kernel, gdn, array):
    manifest = four_transforms(gdn=gdn, kernel=kernel, seed=sum(size))
    config = AcceleratorConfig(rows=array[0], cols=array[1], lanes=array[2], max_width=48)
    check_accelerator(manifest, config, [values(manifest, name, *size)], transforms=[name])


@pytest.mark.parametrize(
    ("gdn", "kernel", "up", "array", "p"),
    [regress("abs", 5, 5, (3, 4), 0.5), regress("square_root", 3, 4, (2, 5), 0), ("relu", 5, 2, (5, 3), 0)],
)
def test_four_transforms_in_any_order(gdn, kernel, up, array, p):
    """Each leaves to the next nothing but the memories' contents, wherever they lie over each other."""
    manifest = four_transforms(gdn=gdn, kernel=kernel, up=up)
    config = AcceleratorConfig(rows=array[0], cols=array[1], max_width=16, map_slack=int(p > 0))
    order = [("g_s", 1, 2), ("g_a", 3, 7), ("h_a", 2, 3), ("h_s", 1, 1), ("g_a", 1, 4), ("g_s", 1, 1)]
    streams = {"window": 1, "pixel": 2, "latent": 3}
    check_accelerator(
        manifest,
        config,
        [values(manifest, *job, seed) for seed, job in enumerate(order)],
        transforms=["g_a", "h_a", "h_s", "g_s"],
        stalls=lambda name: random_stalls(streams[name], p),
    )


@pytest.mark.parametrize(
    ("interrupted", "part", "wait", "then", "arithmetic"),
    [
        ("g_s", 0.6, 100, "h_a", "direct"),
        regress("h_s", 1, 260, "g_a", "direct"),
        regress("g_a", 0.5, 3, "g_s", "direct"),
        ("h_a", 0.1, 0, "h_a", "direct"),
        regress("g_s", 0.6, 100, "h_a", "fip"),
        regress("h_s", 1, 260, "g_a", "fip"),
        ("g_a", 0.5, 3, "h_s", "fip"),
    ],
)
def test_reset_in_mid_stream_then_another_transform(interrupted, part, wait, then, arithmetic):
    """In a map or a picture, in the middle of a word, with all of it sent and outputs waiting."""
    manifest = four_transforms()
    config = AcceleratorConfig(rows=3, cols=4, max_width=16, arithmetic=arithmetic)
    dut = Accelerator(manifest, config, transforms=["g_a", "h_a", "h_s", "g_s"])
    sizes = {"g_a": (6, 7), "h_a": (3, 4), "h_s": (1, 1), "g_s": (2, 3)}

    async def host(ctx):
        for name, share in ((interrupted, part), (then, None)):
            _, x = values(manifest, name, *sizes[name])
            size, [(_, sent)], expected = run_of(config, manifest.transforms[name], x, config.rows)
            await start(ctx, dut.csr, x, size, transform=name)
            await stream_get(ctx, dut.o_patch)
            for value in sent if share is None else sent[: int(share * len(sent))]:
                await stream_put(ctx, dut.i, value)
            if share is None:
                break
            await ctx.tick().repeat(wait + 1)
            assert await read_register(ctx, dut.csr, Register.STATUS) == 0b001
            await write_register(ctx, dut.csr, Register.CONTROL, 2)
            await ctx.tick()
            assert await wait_done(ctx, dut.csr) == 0
            assert not ctx.get(dut.o.valid)
        for value, last in expected:
            found = await stream_get(ctx, dut.o)
            assert (found.value, bool(found.last)) == (value, last)
        assert await wait_done(ctx, dut.csr) == 0b10

    run_simulation(dut, host, limit=20_000)


def test_what_it_holds_and_what_it_refuses():
    manifest = tiny_codec()
    dut = Accelerator(manifest, AcceleratorConfig(rows=2, cols=3, max_width=16), transforms=["h_s", "g_s"])
    widest = {chain.transform.name: chain.max_width for chain in dut.program.chains}
    x = np.zeros((5, 2, 16), dtype=int)

    async def host(ctx):
        assert await read_register(ctx, dut.csr, Register.TRANSFORMS) == 0b1100
        for name, width in (("h_a", 4), ("context", 4), ("g_a", 4), *((n, w + 1) for n, w in widest.items())):
            await start(ctx, dut.csr, x[:, :, :width], (width, 2), transform=name)
            await ctx.tick().repeat(10)
            assert await read_register(ctx, dut.csr, Register.TRANSFORM) == TRANSFORM_NAMES.index(name)
            assert await read_register(ctx, dut.csr, Register.STATUS) & 0b101 == 0b100, name
            assert not ctx.get(dut.o_patch.valid)
        await start(ctx, dut.csr, x[:, :, : widest["g_s"]], (widest["g_s"], 2), transform="g_s")
        window = await stream_get(ctx, dut.o_patch)
        assert (window.x, window.y, window.width, window.height) == (0, 0, widest["g_s"], 2)
        assert await read_register(ctx, dut.csr, Register.STATUS) == 0b001

    run_simulation(dut, host, limit=400)
