"""Pictures that photographs lack."""

import numpy as np
import pytest

from licgate.train.data import ImageFolder
from licgate.train.drawn import KINDS, draw_crop


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
