"""Saving and loading: what is written comes back, under a hash that covers all of it."""

import numpy as np
import pytest

from licgate.errors import ManifestError
from licgate.manifest import Manifest, load_manifest, save_manifest
from licgate.manifest.document import document, tensors
from licgate.manifest.store import sealed
from licgate.manifest.synthetic import synthetic_manifest
from tests.manifest.kit import contents, whole_model


@pytest.fixture
def saved(tmp_path):
    """Return (folder, document, arrays) of a small saved model."""
    save_manifest(synthetic_manifest(channels=(3, 4, 5)), tmp_path / "m")
    return (tmp_path / "m", *contents(tmp_path / "m"))


@pytest.mark.parametrize(
    "manifest", [whole_model(), synthetic_manifest(channels=(3, 29, 37), weight_bits=(5, 10))], ids=["whole", "g_a"]
)
def test_what_is_saved_is_loaded(tmp_path, manifest):
    written = save_manifest(manifest, tmp_path / "deep" / "m")
    assert written.hash == sealed(manifest).hash
    for path in (tmp_path / "deep" / "m", tmp_path / "deep" / "m" / "manifest.json"):
        loaded = load_manifest(path)
        assert loaded.hash == written.hash
        assert document(loaded, "") == document(manifest, "")
        before, after = tensors(manifest), tensors(loaded)
        assert list(before) == list(after)
        for name, array in before.items():
            assert array.dtype == after[name].dtype
            np.testing.assert_array_equal(array, after[name])
    assert sorted(p.name for p in (tmp_path / "deep" / "m").iterdir()) == ["manifest.json", "weights.safetensors"]


def test_loaded_arrays_are_int64_and_read_only(saved):
    conv = load_manifest(saved[0]).g_a.layers[0]
    assert conv.weight.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        conv.weight[0, 0, 0, 0] = 1


def test_tensors_take_the_smallest_type(saved):
    _, _, arrays = saved
    assert arrays["g_a.0.weight"].dtype == np.int8
    assert arrays["g_a.1.gamma"].dtype == np.uint8
    assert arrays["g_a.0.multiplier"].dtype == np.int32
    assert {a.dtype.kind for a in arrays.values()} <= {"i", "u"}


def test_the_hash_covers_weights_and_document():
    base = synthetic_manifest(seed=1)
    assert base.hash == synthetic_manifest(seed=1).hash
    assert len({base.hash, synthetic_manifest(seed=2).hash, synthetic_manifest(seed=1, activation_bits=9).hash}) == 3


def test_saving_again_replaces(tmp_path):
    first = save_manifest(synthetic_manifest(seed=1), tmp_path)
    second = save_manifest(synthetic_manifest(seed=2), tmp_path)
    assert load_manifest(tmp_path).hash == second.hash != first.hash


def test_saving_refuses_what_is_not_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match="cannot write"):
        save_manifest(synthetic_manifest(), tmp_path / "file" / "m")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, float("inf")])
def test_saving_refuses_what_is_not_json(tmp_path, value):
    base = synthetic_manifest()
    odd = Manifest(
        name="odd",
        architecture="x",
        transforms=base.transforms,
        provenance={"a": value},
        latent_fraction_bits=base.latent_fraction_bits,
    )
    with pytest.raises(ManifestError, match="provenance or measured: not JSON"):
        save_manifest(odd, tmp_path / "m")
    assert not (tmp_path / "m").exists()
