"""Two decoders that were written apart read the same from every file."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.manifest import find_model, sealed
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.document import tables_digest
from licgate.reference import code_latents, image_to_input, run_transform
from tests.codec import oracle, second
from tests.codec.kit import model, picture


def compare(manifest, image, patch=None):
    codec = Codec(manifest)
    data = codec.encode(image, patch=patch)
    decoded, patches = second.decode(data, manifest, tables_digest(manifest.entropy))
    np.testing.assert_array_equal(decoded, codec.decode(data))
    for part in patches:
        for shares, words in zip(part.shares, part.words):
            assert oracle.encode(shares) == words
    return patches


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize(("reach", "size", "patch"), [(40, (64, 128), None), (1, (70, 30), None), (0, (130, 70), 64)])
def test_files_of_every_architecture(architecture, reach, size, patch):
    compare(model(architecture, reach=reach, z_reach=(reach + 1) % 3), picture(*size), patch)


@pytest.mark.parametrize("architecture", ["bmshj2018-hyperprior", "he2021-checkerboard"])
def test_symbols_are_those_that_were_coded(architecture):
    manifest, image = model(architecture, reach=2), picture(128, 64)
    y = run_transform(manifest.g_a, image_to_input(image))
    symbols = code_latents(manifest, y)[0]
    (patch,) = compare(manifest, image)
    np.testing.assert_array_equal(patch.symbols, np.clip(symbols, -128, 127))
    np.testing.assert_array_equal(patch.z, run_transform(manifest.h_a, y))
    assert len(np.unique(patch.symbols)) > 5


def test_files_of_a_model_with_thresholds():
    manifest = model("mbt2018-mean", reach=3)
    gaussian = replace(manifest.entropy["gaussian"], thresholds=np.arange(-40, 23))
    compare(sealed(replace(manifest, entropy={**manifest.entropy, "gaussian": gaussian})), picture(64, 70))


def test_files_of_the_default_model(photograph):
    (patch,) = compare(find_model(None), photograph[:120, :100])
    assert np.abs(patch.symbols).max() > 3
