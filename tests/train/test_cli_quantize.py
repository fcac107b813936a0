"""The verbs quantize and export: what they refuse before any work, and what they say of the gateware."""

import re

import pytest

from licgate.cli import main
from licgate.manifest import load_manifest
from licgate.train.network.checkpoint import save_checkpoint


@pytest.fixture
def checkpoint(make_model, tmp_path):
    def write(name="a.ckpt", **config):
        model = make_model(**config)
        save_checkpoint(tmp_path / name, {"config": model.config.as_dict(), "recipe": {}, "model": model.state_dict()})
        return str(tmp_path / name)

    return write


def quantize(checkpoint, pictures, out, *more):
    few = ["--crops", "2", "--clip", "none", "--rounding", "nearest"]
    return main(["quantize", checkpoint, "--data", str(pictures), "--out", str(out), *few, *more])


def refused(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("licgate: error: ")


def test_another_model_is_not_replaced_but_by_force(checkpoint, pictures, tmp_path, capsys):
    out = tmp_path / "model"
    assert quantize(checkpoint(), pictures, out) == 0
    first = load_manifest(out).hash
    capsys.readouterr()
    other = checkpoint("b.ckpt", seed=1)
    assert quantize(other, pictures, out) == 2
    assert refused(capsys) == (
        f"{out} holds a model already, whose files could not be decoded any more: give another --out, or --force to "
        "replace it"
    )
    assert load_manifest(out).hash == first
    assert quantize(other, pictures, out, "--force") == 0
    assert load_manifest(out).hash != first


def test_what_cannot_be_written_is_refused_before_any_work(checkpoint, tmp_path, capsys, monkeypatch):
    def work(*args, **options):
        raise AssertionError("work began")

    monkeypatch.setattr("licgate.train.quant.quantize.quantize_model", work)
    (tmp_path / "file").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes")
    long = "n" * 300
    for out, line in [
        (tmp_path / "file" / "model", "cannot write .*: "),
        (tmp_path / long, "cannot write .*: File name too long"),
        (tmp_path / "mine", "is a folder with a README.md of its own: give another --out, or --force"),
    ]:
        assert quantize(checkpoint(), tmp_path, out) == 2
        assert re.search(line, refused(capsys))
    assert quantize(checkpoint(), tmp_path, tmp_path / "new", "--evaluate", str(tmp_path / "none")) == 2
    assert "image folder" in refused(capsys)
    assert main(["export", checkpoint(), "--out", str(tmp_path / "mine")]) == 2
    assert "README.md of its own" in refused(capsys)


def test_what_the_gateware_does_not_run_is_said(checkpoint, pictures, tmp_path, capsys):
    leaky = checkpoint(architecture="mbt2018-mean", activation="leaky")
    assert quantize(leaky, pictures, tmp_path / "model") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "note" in line]
    assert notes == [
        f"licgate: note: {part} is left to software: {part}.0: the array has no leaky ReLU (slope 0.01); "
        "train with ReLU"
        for part in ("h_a", "h_s")
    ]
