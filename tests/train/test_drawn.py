"""Pictures that photographs lack."""

import itertools

import numpy as np
import pytest

from licgate.train.data import ImageFolder
from licgate.train.drawn import KINDS, draw_corners, draw_crop
from licgate.train.quant.calibrate import calibration_crops
from licgate.train.quant.quantize import quantize_model


@pytest.mark.parametrize("side", [20, 64, 97])
def test_crops_have_the_size_asked_for_and_repeat_with_the_seed(side):
    for seed in range(12):
        one, again = (draw_crop(np.random.default_rng(seed), side) for _ in range(2))
        assert (one.shape, one.dtype) == ((side, side, 3), np.uint8)
        np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_many_pictures(kind):
    draw, share = KINDS[kind]
    found = [draw(np.random.default_rng(seed), 64) for seed in range(8)]
    assert share > 0
    assert len({picture.tobytes() for picture in found}) == 8
    colours = [len(np.unique(picture.reshape(-1, 3), axis=0)) for picture in found]
    if kind == "plain":
        assert colours == [1] * 8
    elif kind in ("gradient", "noise"):
        assert max(colours) > 30
    else:  # a letter or a line may have the colour of its ground
        assert min(colours) >= 1
        assert np.median(colours) >= 3


def test_some_crops_have_borders_between_their_quarters():
    quarters = [draw_crop(np.random.default_rng(seed), 64)[::63, ::63].reshape(4, 3) for seed in range(40)]
    assert sum(len(np.unique(corners, axis=0)) == 4 for corners in quarters) >= 5


def test_shares_make_one():
    assert sum(share for _, share in KINDS.values()) == pytest.approx(1)


def test_a_folder_gives_the_part_asked_for(pictures):
    folder = ImageFolder(pictures, crop=64, drawn=0.5)
    chosen = [folder._choose(np.random.default_rng(seed)) for seed in range(400)]
    assert 160 < sum(isinstance(place, int) for place in chosen) < 240
    assert ImageFolder(pictures, crop=64, drawn=1.0).batch(3, np.random.default_rng(1)).shape == (3, 3, 64, 64)
    plain = ImageFolder(pictures, crop=64)
    assert not any(isinstance(plain._choose(np.random.default_rng(seed)), int) for seed in range(100))


def test_corners_are_the_eight_strongest_colours():
    corners = draw_corners(5)
    assert (corners.shape, corners.dtype) == ((8, 5, 5, 3), np.uint8)
    assert {tuple(picture[0, 0]) for picture in corners} == set(itertools.product((0, 255), repeat=3))
    assert all(len(np.unique(picture.reshape(-1, 3), axis=0)) == 1 for picture in corners)


def test_calibration_takes_corners_behind_the_crops_there_were(pictures):
    crops, more = (calibration_crops(pictures, count=3, corners=corners) for corners in (False, True))
    np.testing.assert_array_equal(more[:3], crops)
    np.testing.assert_array_equal((more[3:] * 255).permute(0, 2, 3, 1), draw_corners(crops.shape[-1]))


def test_a_model_that_has_seen_drawings_is_quantised_for_strong_colours(make_model, pictures):
    seen, unseen = (
        quantize_model(make_model(), recipe, pictures, name="tiny", crops=2, clip="none", quiet=True)
        for recipe in ({"drawn": 0.05}, {})
    )
    scales = [[layer.output_scale for layer in model.g_a.layers[:-1]] for model in (seen, unseen)]
    assert all(with_corners >= without for with_corners, without in zip(*scales, strict=True))
    assert scales[0] != scales[1]
