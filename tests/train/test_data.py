"""Folders of photographs."""

import numpy as np
import pytest
from PIL import Image

from licgate.errors import TrainingError
from licgate.train.data import ImageFolder, list_images, read_rgb


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
    Image.effect_noise((70, 70), 50).convert("RGB").save(tmp_path / "good.png")
    Image.new("RGB", (20, 70)).save(tmp_path / "small.png")
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    (tmp_path / "text.png").write_text("a text of another name")
    (tmp_path / "empty.jpeg").write_bytes(b"")
    for name in ("cut.jpg", "cut.png"):
        Image.effect_noise((80, 80), 50).convert("RGB").save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("not a picture")
    folder = ImageFolder(tmp_path, crop=64)
    assert (len(folder), folder.unreadable, folder.small, folder.skipped) == (1, 5, 1, 6)
    assert folder.describe() == "1 images, 6 skipped (5 unreadable, 1 smaller than 64 pixels)"
    assert folder.batch(2, np.random.default_rng(0)).shape == (2, 3, 64, 64)


def test_a_huge_picture_is_skipped(tmp_path, monkeypatch):
    Image.new("RGB", (70, 70)).save(tmp_path / "good.png")
    Image.new("RGB", (700, 700)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    assert ImageFolder(tmp_path, crop=64).unreadable == 1


def test_gray_transparent_and_indexed_pictures_are_taken(tmp_path):
    for mode in ("L", "RGBA", "P", "1", "LA"):
        Image.effect_noise((70, 70), 50).convert(mode).save(tmp_path / f"{mode}.png")
    assert len(ImageFolder(tmp_path, crop=64)) == 5


def test_devices_share_one_sequence_of_crops(pictures):
    folder = ImageFolder(pictures, crop=64)
    whole = folder.batch(4, np.random.default_rng(7))
    parts = [folder.batch(2, np.random.default_rng(7), skip=skip) for skip in (0, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_crops_at_half_scale_are_means_of_four_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (128, 132, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    crops = ImageFolder(tmp_path, crop=64, reduced=1.0).batch(6, np.random.default_rng(3)) * 255
    means = [pixels[:, left : left + 128].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)) for left in range(5)]
    wanted = np.stack([turned for mean in means for turned in (mean, mean[:, ::-1])])
    for crop in crops.permute(0, 2, 3, 1).numpy():
        assert np.abs(wanted - crop).max(axis=(1, 2, 3)).min() <= 0.51


def test_pictures_that_are_too_small_for_half_scale_are_cropped_as_they_are(pictures):
    folders = [ImageFolder(pictures, crop=64, reduced=part) for part in (0.0, 1.0)]
    np.testing.assert_array_equal(*(folder.batch(4, np.random.default_rng(1)) for folder in folders))


def test_only_a_part_is_taken_at_half_scale(tmp_path):
    Image.effect_noise((200, 200), 50).convert("RGB").save(tmp_path / "a.png")
    folder = ImageFolder(tmp_path, crop=64, reduced=0.25)
    scales = [folder._choose(np.random.default_rng(seed)).scale for seed in range(400)]
    assert 60 < scales.count(2) < 140
    assert set(scales) == {1, 2}


def test_a_picture_that_vanishes_is_one_line(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    folder = ImageFolder(tmp_path, crop=64, cache_bytes=0)
    (tmp_path / "a.png").unlink()
    with pytest.raises(TrainingError, match=r"a\.png was readable at the start and is no longer"):
        folder.batch(1, np.random.default_rng(0))


def test_a_subfolder_train_is_preferred(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "train" / "a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "b.png")
    assert [p.name for p in list_images(tmp_path)] == ["a.png"]


def test_folders_without_pictures_are_one_line(tmp_path):
    with pytest.raises(TrainingError, match="does not exist"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(TrainingError, match="holds no picture"):
        ImageFolder(tmp_path)
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(TrainingError, match="none of the 1 images"):
        ImageFolder(tmp_path, crop=64)


def test_pictures_are_read_as_encode_reads_them(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((70, 90), 50).convert("RGB").save(tmp_path / "turned.tif", exif=exif)
    Image.effect_noise((70, 70), 50).convert("RGB").save(tmp_path / "a.webp")
    folder = ImageFolder(tmp_path, crop=64)
    assert len(folder) == 2
    assert read_rgb(tmp_path / "turned.tif").shape == (70, 90, 3)
