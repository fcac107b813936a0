"""The whole accelerator, bit by bit against the integer reference."""

from itertools import cycle

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.gateware.top.resident import Accelerator
from licgate.manifest.patches import patches
from licgate.manifest.synthetic import synthetic_manifest
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import IDS, Kind, Register
from tests.gateware.accelerator import (
    check_accelerator,
    expected_stream,
    pack,
    read_register,
    start,
    wait_done,
    write_register,
)
from tests.gateware.kit import random_stalls, run_simulation, stream_get
from tests.marks import regress


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, height, width))


@pytest.mark.parametrize("gdn", ["abs", "square_root", "none"])
@pytest.mark.parametrize(
    ("rows", "cols", "lanes", "size"), [(1, 1, None, (3, 4)), regress(4, 3, None, (7, 13)), (5, 4, 2, (6, 11))]
)
def test_forms_and_shapes(gdn, rows, cols, lanes, size):
    manifest = synthetic_manifest(channels=(3, 5, 7), gdn=gdn, seed=1)
    check_accelerator(manifest, AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, max_width=32), [picture(*size)])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 17), regress(17, 1), (2, 3), regress(9, 24)])
def test_odd_sizes(height, width):
    manifest = synthetic_manifest(channels=(3, 4, 3, 5), gdn="abs", seed=2)
    check_accelerator(manifest, AcceleratorConfig(rows=4, cols=3, max_width=24), [picture(height, width)])


@pytest.mark.regress
def test_widths_of_every_layer_are_its_own():
    manifest = synthetic_manifest(
        channels=(3, 4, 5, 3, 4), activation_bits=[5, 10, 6, 8], weight_bits=[8, 5, 10, 6], gdn_bits=[10, 12, 7], seed=3
    )
    check_accelerator(manifest, AcceleratorConfig(rows=3, cols=4, max_width=16), [picture(16, 16)])


@pytest.mark.parametrize("kernel", [3, regress(7)])
def test_other_kernels(kernel):
    manifest = synthetic_manifest(channels=(3, 4, 5), kernel=kernel, seed=4)
    check_accelerator(manifest, AcceleratorConfig(rows=2, cols=5, max_width=16), [picture(9, 14)])


def test_strides_and_kernels_that_differ_from_layer_to_layer():
    options = {"kernel": (5, 3, 1), "stride": (2, 1, 2), "gdn": ("abs", "none")}
    manifest = synthetic_manifest(channels=(3, 4, 3, 5), seed=4, **options)
    check_accelerator(manifest, AcceleratorConfig(rows=3, cols=4, max_width=16), [picture(6, 9)])


def test_inverse_gdn():
    manifest = synthetic_manifest(channels=(3, 4, 5), inverse=True, gdn="square_root", seed=5)
    check_accelerator(manifest, AcceleratorConfig(rows=3, cols=3, max_width=16), [picture(6, 11)])


@pytest.mark.regress
def test_halo_patches_have_no_seams():
    manifest = synthetic_manifest(channels=(3, 3, 4), seed=6)
    check_accelerator(manifest, AcceleratorConfig(rows=3, cols=4, max_width=24), [picture(12, 18)], patch=8)


def test_strips_when_the_image_is_wider_than_the_line_buffers():
    manifest = synthetic_manifest(channels=(3, 3, 4), seed=7)
    check_accelerator(manifest, AcceleratorConfig(rows=4, cols=4, max_width=20), [picture(5, 30)])


def test_independent_patches():
    manifest = synthetic_manifest(channels=(3, 3, 4), seed=8)
    check_accelerator(
        manifest,
        AcceleratorConfig(rows=3, cols=4, max_width=24),
        [picture(10, 23)],
        patch=10,
        independent=True,
        overlap=3,
    )


@pytest.mark.parametrize("seed", [0, regress(1)])
def test_random_stalls_change_no_bit(seed):
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=9)
    names = {"window": 1, "pixel": 2, "latent": 3}
    images = [picture(9, 12, seed), picture(5, 20, seed + 1)]
    check_accelerator(
        manifest,
        AcceleratorConfig(rows=4, cols=3, max_width=24),
        images,
        stalls=lambda name: random_stalls(10 * seed + names[name], 0.6),
    )


@pytest.mark.regress
def test_a_host_that_stops_reading_loses_nothing():
    def latent_stalls(name):
        return cycle([True] * 500 + [False] * 9) if name == "latent" else None

    manifest = synthetic_manifest(channels=(3, 3, 8), kernel=3, seed=14)
    config = AcceleratorConfig(rows=2, cols=4, max_width=16, output_words=6)
    check_accelerator(manifest, config, [picture(6, 12)], stalls=latent_stalls)


def test_reset_in_mid_stream():
    manifest = synthetic_manifest(channels=(3, 4, 5), seed=11)
    config = AcceleratorConfig(rows=4, cols=3, max_width=24)
    transform = manifest.transforms["g_a"]
    first, second = picture(9, 12, 1), picture(6, 10, 2)
    dut = Accelerator(manifest, config)

    async def host(ctx):
        for image, interrupted in ((first, True), (second, False)):
            await start(ctx, dut.csr, image, (12, 12))
            window = await stream_get(ctx, dut.o_patch)
            words = pack(image, 8)[: window.height, : window.width].ravel().tolist()
            ctx.set(dut.i.valid, 1)
            for pixel in words[: len(words) // 2] if interrupted else words:
                ctx.set(dut.i.payload, pixel)
                await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            if interrupted:
                await ctx.tick().repeat(100)
                await write_register(ctx, dut.csr, Register.CONTROL, 2)
                await ctx.tick()
                assert await wait_done(ctx, dut.csr) == 0
        expected = expected_stream(transform, second, [_whole(transform, second)], config.rows)
        for value, last in expected:
            latent = await stream_get(ctx, dut.o)
            assert (latent.value, bool(latent.last)) == (value, last)
        assert await wait_done(ctx, dut.csr) == 0b10

    run_simulation(dut, host, limit=20_000)


def _whole(transform, image):
    return patches(image.shape[2], image.shape[1], patch_width=12, patch_height=12, transform=transform)[0]


def test_identity_and_refusals():
    manifest = synthetic_manifest(channels=(3, 2, 2), seed=12)
    dut = Accelerator(manifest, AcceleratorConfig(rows=2, cols=2, max_width=16))

    async def host(ctx):
        assert await read_register(ctx, dut.csr, Register.ID) == IDS[Kind.RESIDENT]
        assert await read_register(ctx, dut.csr, Register.MODEL) == int(manifest.hash[:8], 16)
        assert await read_register(ctx, dut.csr, Register.SHAPE) == 2 | 2 << 8 | 16 << 16
        for width, patch in ((17, 20), (0, 16), (8, 0)):
            for address, value in (
                (Register.WIDTH, width),
                (Register.HEIGHT, 4),
                (Register.PATCH_WIDTH, patch),
                (Register.PATCH_HEIGHT, 4),
                (Register.CONTROL, 1),
            ):
                await write_register(ctx, dut.csr, address, value)
            await ctx.tick().repeat(10)
            assert await read_register(ctx, dut.csr, Register.STATUS) == 0b110
            assert not ctx.get(dut.o_patch.valid)

    run_simulation(dut, host, limit=200)


def test_what_the_array_does_not_run_is_refused():
    manifest = synthetic_manifest(channels=(3, 2, 2), stride=3, kernel=3, seed=13)
    with pytest.raises(ConfigError, match=r"^g_a\.0: the array runs .*, not kernel 3, stride 3, padding 1$"):
        Accelerator(manifest, AcceleratorConfig(rows=2, cols=2))
