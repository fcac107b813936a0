"""PSNR and MS-SSIM of 8-bit images."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pytorch_msssim import ms_ssim as float_ms_ssim  # noqa: E402

from licgate.train.measure.metrics import MS_SSIM_SIDE, ms_ssim, ms_ssim_db, mse, psnr  # noqa: E402


def noisy(image, random, amount):
    return np.clip(image + random.integers(-amount, amount + 1, image.shape), 0, 255).astype(np.uint8)


def test_psnr_is_that_of_exact_integer_errors(random):
    image = random.integers(0, 256, (31, 17, 3), dtype=np.uint8)
    other = random.integers(0, 256, (31, 17, 3), dtype=np.uint8)
    errors = [(int(a) - int(b)) ** 2 for a, b in zip(image.flat, other.flat, strict=True)]
    assert mse(image, other) == sum(errors) / image.size
    assert psnr(image, other) == 10 * math.log10(255**2 / (sum(errors) / image.size))
    assert psnr(image, image) == math.inf
    # the worst image of all: where uint8 arithmetic would wrap and 8-bit sums overflow
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0.0


def test_ms_ssim_agrees_with_double_precision_and_falls_with_noise(photograph, random):
    image = photograph[:200, :230]
    values = []
    for amount in (4, 40):
        other = noisy(image, random, amount)
        pair = [torch.tensor(a).permute(2, 0, 1)[None].double() for a in (image, other)]
        values.append(ms_ssim(image, other))
        assert values[-1] == pytest.approx(float(float_ms_ssim(*pair, data_range=255)), abs=2e-6)
    assert 1 > values[0] > values[1] > 0.5
    assert ms_ssim(image, image.copy()) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(MS_SSIM_SIDE - 1, 300, 3), (300, MS_SSIM_SIDE - 1, 3), (1, 1, 3)])
def test_ms_ssim_of_a_small_image_is_none(shape):
    assert ms_ssim(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)) is None


def test_ms_ssim_of_the_smallest_image():
    image = np.zeros((MS_SSIM_SIDE, MS_SSIM_SIDE, 3), np.uint8)
    assert ms_ssim(image, image) == pytest.approx(1)


def test_ms_ssim_in_decibels():
    assert ms_ssim_db(0.9) == pytest.approx(10)
    assert ms_ssim_db(0.99) == pytest.approx(20)
    assert ms_ssim_db(1.0) == math.inf
