"""A decoder of the papers' size, N = 128 and M = 192, behind its SDRAM: whole pictures, every value."""

import json
from dataclasses import replace

import pytest

from licgate.cli import main
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.manifest.store import save_manifest


@pytest.mark.regress
@pytest.mark.parametrize("size", ["96x64", "64x144"])
def test_whole_pictures_are_bit_exact(size, tmp_path, capsys):
    template = find_model(None)
    made = replace(scaled_manifest(template, 128, 192), architecture=template.architecture)
    save_manifest(made, tmp_path / "model")
    shape = ["--memory", "sdram", "--rows", "9", "--cols", "16", "--block-rows", "8"]
    what = ["--model", str(tmp_path / "model"), "--crop", size, "--transform", "h_s,g_s"]
    assert main(["simulate", *what, *shape, "--json", str(tmp_path / "result.json")]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    width, height = map(int, size.split("x"))
    latents = 192 * (-(-width // 64) * 4) * (-(-height // 64) * 4)
    assert result["bit_exact"]
    assert result["values"] == latents + 3 * (-(-width // 64) * 64) * (-(-height // 64) * 64)
    capsys.readouterr()
