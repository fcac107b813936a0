"""Every picture of the corpus is coded with the right notes, or refused in one line."""

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.errors import ImageError
from licgate.images import load_image
from tests.codec.kit import model
from tests.images.corpus import corpus
from tests.images.kit import saved, smooth

CORPUS = corpus()


@pytest.fixture(scope="module")
def codec():
    return Codec(model())


def test_the_corpus_is_large():
    assert len(CORPUS) >= 150
    assert sum(bool(case.refused) for case in CORPUS.values()) >= 40


@pytest.mark.parametrize("name", CORPUS)
def test_each_picture_is_coded_or_refused(tmp_path, codec, name):
    case, path = CORPUS[name], tmp_path / "a"
    path.write_bytes(case.data)
    if case.refused:
        with pytest.raises(ImageError, match=case.refused) as caught:
            load_image(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
        return
    image, notices = load_image(path)
    assert [notice.removeprefix(f"{path}: ") for notice in notices] == list(case.notices)
    assert image.shape == (*(case.shape or (48, 64)), 3)
    if image.shape == (48, 64, 3):
        assert image.std() > 10  # neither black nor white
    assert codec.decode(codec.encode(image)).shape == image.shape


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "TGA", "JPEG2000", "PCX", "SGI"])
def test_random_damage_is_one_line_or_a_picture(tmp_path, kind):
    random, path = np.random.default_rng(len(kind)), tmp_path / "a"
    data = saved(smooth(), kind)
    for _ in range(40):
        broken = bytearray(data)
        for at in random.integers(0, len(data), int(random.integers(1, 6))):
            broken[at] = int(random.integers(256))
        path.write_bytes(broken[: int(random.integers(1, len(data) + 1))] if random.random() < 0.3 else broken)
        for accept in (False, True):
            try:
                image, notices = load_image(path, accept_damaged=accept)
                said = notices
                assert image.ndim == 3
            except ImageError as error:
                said = [str(error)]
            assert all("\n" not in line for line in said)
