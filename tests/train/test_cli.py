"""The verbs train, quantize and evaluate from end to end, and their errors."""

import argparse
import importlib
import json
import sys

import pytest

from licgate.cli import VERBS
from licgate.errors import LicgateError, TrainingError
from licgate.manifest import load_manifest


def run(verb, *words):
    parser, loaded = argparse.ArgumentParser(), importlib.import_module(VERBS[verb][1])
    getattr(loaded, f"add_{verb}_arguments")(parser)
    return getattr(loaded, f"run_{verb}")(parser.parse_args([str(w) for w in words]))


def test_train_quantize_and_evaluate(pictures, squares, tmp_path, capsys):
    checkpoint, model = tmp_path / "a.ckpt", tmp_path / "small-model"
    assert (
        run(
            "train",
            "--data",
            pictures,
            "--out",
            checkpoint,
            "--n",
            3,
            "--m",
            4,
            "--iterations",
            3,
            "--batch",
            2,
            "--crop",
            64,
            "--lambda",
            0.005,
        )
        == 0
    )
    assert (
        run(
            "quantize",
            checkpoint,
            "--data",
            squares,
            "--out",
            model,
            "--crops",
            2,
            "--clip",
            "none",
            "--activation-bits",
            9,
            "--bits",
            "g_a.2=5,6,8",
            "--evaluate",
            pictures,
        )
        == 0
    )
    manifest = load_manifest(model)
    assert manifest.name == "small-model"
    assert [layer.output.bits for layer in manifest.g_a.layers[1:4]] == [9, 8, 5]
    assert manifest.measured["images"] == 4
    assert manifest.provenance["training"]["rate_lambda"] == 0.005
    card = (model / "README.md").read_text()
    assert "# small-model" in card
    assert "of the training photographs and on plain pictures of the eight strongest colours." in card
    assert "photographs, 5 % of them drawn instead, Muon from" in card
    assert str(tmp_path) not in card + (model / "manifest.json").read_text()
    capsys.readouterr()
    out = tmp_path / "result.json"
    assert run("evaluate", model, pictures, "--checkpoint", checkpoint, "--limit", 1, "--json", out) == 0
    assert "against a: " in capsys.readouterr().out
    (measured,) = json.loads(out.read_text())["models"]
    assert measured["images"][0]["name"] == measured["beside"]["images"][0]["name"] == "p0.png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "--data", "NONE", "--out", "OUT"), "does not exist"),
        (("train", "--data", "PICTURES", "--out", "FILE/a.ckpt", "--crop", "64"), "cannot be written"),
        (("train", "--data", "PICTURES", "--out", "OUT", "--n", "0"), "model width n = 0"),
        (("train", "--data", "PICTURES", "--out", "OUT", "--threads", "0"), "threads 0"),
        (("quantize", "NONE", "--data", "PICTURES", "--out", "OUT"), "does not exist"),
        (("quantize", "FILE", "--data", "PICTURES", "--out", "OUT"), "not readable"),
        (("quantize", "NONE", "--data", "PICTURES", "--out", "OUT", "--weight-bits", "1"), "weight width of 1 bits"),
        (("evaluate", "NONE", "PICTURES"), "unknown model"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(pictures, tmp_path, words, message):
    (tmp_path / "file").write_text("text")
    names = {"NONE": tmp_path / "none", "OUT": tmp_path / "out", "PICTURES": pictures, "FILE": tmp_path / "file"}
    given = [str(names[w]) if w in names else w.replace("FILE", str(names["FILE"])) for w in words]
    with pytest.raises(LicgateError, match=message) as caught:
        run(*given)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_missing_torch_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TrainingError, match=r"needs torch.*licgate\[train\]"):
        run("train", "--data", tmp_path, "--out", tmp_path / "a.ckpt")
