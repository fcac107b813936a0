"""Folders of photographs."""

import numpy as np
import pytest
from PIL import Image

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder, list_images


def test_crops_come_from_the_pictures_and_repeat_with_the_seed(pictures):
    folder = ImageFolder(pictures, crop=64)
    one, again = (folder.batch(3, np.random.default_rng(5)) for _ in range(2))
    assert one.shape == (3, 3, 64, 64)
    np.testing.assert_array_equal(one, again)
    assert 0 <= float(one.min()) < float(one.max()) <= 1
    source = np.asarray(Image.open(pictures / "p0.png"))
    corners = {tuple(p) for p in source.reshape(-1, 3)}
    for path in pictures.iterdir():
        corners |= {tuple(p) for p in np.asarray(Image.open(path)).reshape(-1, 3)}
    assert tuple(np.rint(one[0, :, 7, 9].numpy() * 255).astype(int)) in corners


def test_pictures_beyond_the_cache_give_the_same_crops(pictures):
    kept, read = ImageFolder(pictures, crop=64), ImageFolder(pictures, crop=64, cache_bytes=0)
    np.testing.assert_array_equal(*(f.batch(4, np.random.default_rng(1)) for f in (kept, read)))


def test_unreadable_and_small_pictures_are_skipped_and_counted(tmp_path):
    Image.new("RGB", (70, 70)).save(tmp_path / "good.png")
    Image.new("RGB", (20, 70)).save(tmp_path / "small.png")
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("not a picture")
    folder = ImageFolder(tmp_path, crop=64)
    assert (len(folder), folder.skipped) == (1, 2)


def test_a_subfolder_train_is_preferred(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "train" / "a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "b.png")
    assert [p.name for p in list_images(tmp_path)] == ["a.png"]


def test_folders_without_pictures_are_one_line(tmp_path):
    with pytest.raises(TrainingError, match="does not exist"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(TrainingError, match="holds no PNG or JPEG"):
        ImageFolder(tmp_path)
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(TrainingError, match="none of the 1 images"):
        ImageFolder(tmp_path, crop=64)
