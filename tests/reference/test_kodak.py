"""The default model on real pictures of the Kodak set."""

import numpy as np
import pytest

from licgate.images import load_image
from licgate.manifest import find_model
from licgate.manifest.patches import patches
from licgate.reference import image_to_input, run_transform


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(("name", "patch"), [("kodim01.png", (256, 512)), ("kodim04.png", (512, 160))])
def test_patches_of_whole_pictures_have_no_seams(kodak, name, patch):
    transform = find_model(None).transforms["g_a"]
    pixels, notices = load_image(kodak / name)
    assert not notices
    image = image_to_input(pixels)
    _, height, width = image.shape
    whole = run_transform(transform, image)
    for p in patches(width, height, patch_width=patch[0], patch_height=patch[1], transform=transform):
        part = run_transform(transform, image[:, p.y : p.y + p.height, p.x : p.x + p.width])
        kept = part[:, p.skip_y : p.skip_y + p.out_height, p.skip_x : p.skip_x + p.out_width]
        np.testing.assert_array_equal(kept, whole[:, p.out_y : p.out_y + p.out_height, p.out_x : p.out_x + p.out_width])
