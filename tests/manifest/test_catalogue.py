"""Models by name, and what `inspect` says of them."""

import json
import os

import pytest

from licgate.errors import ConfigError, ManifestError
from licgate.manifest import describe, describe_text, find_model, list_models, load_manifest, save_manifest
from licgate.manifest.catalogue import default_model, model_folders
from licgate.manifest.describe import packed_bytes
from licgate.manifest.synthetic import synthetic_manifest
from tests.manifest.kit import whole_model


@pytest.fixture
def folder(tmp_path):
    for name, seed in (("small", 1), ("other", 2)):
        save_manifest(synthetic_manifest(seed=seed), tmp_path / "models" / name)
    (tmp_path / "models" / "DEFAULT").write_text("small\n")
    (tmp_path / "models" / "notes").mkdir()
    return tmp_path / "models"


def test_find_by_name_path_and_default(folder):
    small = synthetic_manifest(seed=1).hash
    assert find_model("small", folder=folder).hash == small
    assert find_model(folder=folder).hash == small
    assert find_model(folder / "small").hash == small
    assert find_model(str(folder / "small" / "manifest.json")).hash == small


@pytest.mark.parametrize("model", ["big", "", "no/such/place", "a\nb", "a\0b", "x" * 5000, "DEFAULT", "notes"])
def test_unknown_models_are_one_line_with_those_there_are(folder, model):
    with pytest.raises(ManifestError, match=r"unknown model .* there are: other, small") as caught:
        find_model(model, folder=folder)
    assert "\n" not in str(caught.value)


def test_no_default(folder):
    (folder / "DEFAULT").unlink()
    with pytest.raises(ManifestError, match="models/DEFAULT: no default model; name one of: other, small"):
        find_model(folder=folder)
    assert default_model(folder) is None


def test_list(folder):
    (folder / "other" / "weights.safetensors").write_bytes(b"")
    other, small = list_models(folder)
    assert (other["name"], other["hash"], other["default"]) == ("other", None, False)
    assert other["error"].startswith("weights.safetensors: ")
    assert (small["name"], small["hash"], small["default"]) == ("small", synthetic_manifest(seed=1).hash, True)
    assert small["channels"] == [3, 5, 7]
    assert small["bytes"] == sum(p.stat().st_size for p in (folder / "small").iterdir())
    json.dumps([other, small])
    assert list_models(folder / "missing") == []


def test_the_models_that_ship_are_valid():
    """Every model of the repository loads, and the default is one of them."""
    found = list_models()
    if not found:
        pytest.skip("no model ships yet")
    assert [model for model in found if "error" in model] == []
    assert sum(model["default"] for model in found) == 1
    assert find_model().hash == next(model["hash"] for model in found if model["default"])
    assert {path.parent.name for path in model_folders()} == {"models"}


def test_folders_of_ones_own_go_first(folder, tmp_path, monkeypatch):
    save_manifest(synthetic_manifest(seed=3), tmp_path / "first" / "small")
    save_manifest(synthetic_manifest(seed=4), tmp_path / "with spaces, ü" / "more")
    shipped = default_model()
    monkeypatch.setenv("LICGATE_MODELS", os.pathsep.join(map(str, (tmp_path / "first", tmp_path / "with spaces, ü"))))
    assert default_model() == shipped
    assert find_model("more").hash == synthetic_manifest(seed=4).hash
    assert find_model().hash == find_model(shipped).hash
    monkeypatch.setenv("LICGATE_MODELS", os.pathsep.join(map(str, (tmp_path / "first", folder))))
    assert find_model("small").hash == find_model().hash == synthetic_manifest(seed=3).hash
    # the one that is hidden by another of its name is still there for what asks for its hash
    hashes = [load_manifest(path).hash for path in model_folders() if path.name == "small"]
    assert hashes == [synthetic_manifest(seed=seed).hash for seed in (3, 1)]
    rows = {row["name"]: row for row in list_models()}
    assert rows["small"]["folder"] == str(tmp_path / "first" / "small")
    assert [name for name, row in rows.items() if row["default"]] == ["small"]
    with pytest.raises(ManifestError, match=rf"there are: .*{shipped}.*, other, small \(or"):
        find_model("nothing")


def test_a_folder_that_is_missing_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "no", tmp_path / "file"):
        monkeypatch.setenv("LICGATE_MODELS", str(folder))
        for look in (find_model, list_models):
            with pytest.raises(ConfigError, match=f"^LICGATE_MODELS names {folder}, which is no folder that can be "):
                look()


def test_describe():
    manifest = whole_model()
    info = json.loads(json.dumps(describe(manifest)))
    rows = info["transforms"]["g_a"]["layers"]
    assert [row["name"] for row in rows] == ["g_a.0", "g_a.1", "g_a.2"]
    assert [row["macs_per_pixel"] for row in rows] == [25 * 3 * 4 / 4, 16 / 4, 25 * 4 * 5 / 16]
    assert info["transforms"]["g_s"]["stride"] == "1/2"
    assert info["transforms"]["h_s"]["layers"][0]["macs_per_pixel"] == 25 * 3 * 5
    assert info["entropy"]["gaussian"] == {"tables": 2, "precision": 24, "entries": 7}
    text = describe_text(manifest)
    for word in ("g_s.1", "inverse gdn x2 root", "conv 5x5 up 2", "kodak"):
        assert word in text


def test_packed_bytes_count_exact_bits():
    wide, narrow = (synthetic_manifest(channels=(3, 4, 5), weight_bits=bits).g_a.layers[0] for bits in (8, 5))
    assert packed_bytes(wide) == -(-(300 * 8 + 4 * (wide.accumulator.bits + 23)) // 8)
    assert packed_bytes(narrow) == -(-(300 * 5 + 4 * (narrow.accumulator.bits + 23)) // 8)
