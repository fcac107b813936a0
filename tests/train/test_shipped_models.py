"""The models that ship: what their cards promise, and their integers on a photograph."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

from licgate.manifest import find_model, list_models
from licgate.manifest.numeric import rsr
from licgate.reference import image_to_input, run_transform
from licgate.train.measure.evaluate import code_integer, psnr

_spec = importlib.util.spec_from_file_location("emulate", Path(__file__).with_name("emulate.py"))
emulate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(emulate)

NAMES = [entry["name"] for entry in list_models()]


def crop_of(photograph):
    return np.ascontiguousarray(photograph[64:256, 64:320])


def twin_of(name):
    return name.removesuffix("a10w8") + "int8"


def test_the_default_keeps_the_promise_of_ten_bits():
    measured = find_model().measured
    assert measured["images"] == 24
    assert measured["difference"]["loss_percent"] < 2.0


def test_the_int8_twin_has_eight_bits_everywhere_and_loses_more():
    default = find_model()
    twin = find_model(twin_of(default.name))
    for part in twin.transforms.values():
        for layer in part.layers[:-1]:
            assert layer.output.bits == 8, layer.name
    assert twin.measured["difference"]["loss_percent"] > default.measured["difference"]["loss_percent"]


def test_a_family_of_one_size_makes_a_curve():
    default = find_model()
    size = [layer.out_channels for layer in default.g_a.layers]
    models = [find_model(name) for name in NAMES if name.endswith("a10w8")]
    family = [model for model in models if model.architecture == default.architecture]
    points = sorted((m.measured["integer"]["bpp"], m.measured["integer"]["psnr"]) for m in family)
    assert len(points) >= 3
    assert all([layer.out_channels for layer in m.g_a.layers] == size for m in family)
    assert all(before[1] < after[1] for before, after in itertools.pairwise(points))


@pytest.mark.parametrize("name", NAMES)
def test_reference_equals_the_emulation_on_a_photograph(name, photograph):
    model, image = find_model(name), crop_of(photograph)
    x = image_to_input(image)
    y = run_transform(model.g_a, x)
    np.testing.assert_array_equal(y, emulate.transform(model.g_a, x))
    z = run_transform(model.h_a, y)
    np.testing.assert_array_equal(z, emulate.transform(model.h_a, y))
    features = run_transform(model.h_s, z)
    np.testing.assert_array_equal(features, emulate.transform(model.h_s, z))
    if "context" in model.transforms:
        context, parameters = (model.transforms[part] for part in ("context", "parameters"))
        around = run_transform(context, y)
        np.testing.assert_array_equal(around, emulate.transform(context, y))
        features = np.concatenate([features, around])
        np.testing.assert_array_equal(run_transform(parameters, features), emulate.transform(parameters, features))
    symbols = rsr(y, model.latent_fraction_bits)
    np.testing.assert_array_equal(run_transform(model.g_s, symbols), emulate.transform(model.g_s, symbols))


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_comes_back_in_fewer_bits(name, photograph):
    image = crop_of(photograph)
    bits, decoded = code_integer(find_model(name), image)
    assert psnr(image, decoded) > 24
    assert bits < 1.5 * image.shape[0] * image.shape[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_folder_is_small_and_has_a_card(name):
    folder = Path(__file__).resolve().parents[2] / "models" / name
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "manifest.json", "weights.safetensors"]
    assert sum(p.stat().st_size for p in folder.iterdir()) < 2_000_000
    assert "images of kodak" in (folder / "README.md").read_text(encoding="utf-8")
