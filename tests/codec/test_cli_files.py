"""Folders, standard input and output, damage and qualities on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from licgate.cli import main
from tests.codec.kit import picture

ROOT = Path(__file__).resolve().parents[2]


def licgate(capsys, *words):
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, suffix in enumerate(("png", "JPG", "tif")):
        Image.fromarray(picture(30, 40, seed=number)).save(folder / f"{number}.{suffix}")
    (folder / "notes.txt").write_text("")
    (folder / "inner").mkdir()
    return folder


def test_a_folder_is_coded_and_decoded(photos, capsys):
    code, out, err = licgate(capsys, "encode", "photos", "-o", "out")
    assert (code, err) == (0, "licgate: note: photos: 1 other file in it left out\n")
    assert len(out.splitlines()) == 3
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.lic", "1.lic", "2.lic"]
    assert licgate(capsys, "decode", "out", "-o", "back")[0] == 0
    assert sorted(path.name for path in Path("back").iterdir()) == ["0.png", "1.png", "2.png"]
    code, _, err = licgate(capsys, "decode", "photos", "-o", "back")
    assert (code, err) == (2, "licgate: error: photos: no file in this folder ends in .lic\n")


def test_standard_input_and_output(photos):
    def run(*words, given):
        command = [sys.executable, "-m", "licgate", *words]
        result = subprocess.run(command, input=given, capture_output=True, check=False, env={"PYTHONPATH": str(ROOT)})
        return result.returncode, result.stdout, result.stderr.decode()

    data = (photos / "0.png").read_bytes()
    code, coded, err = run("encode", "-", "-o", "-", given=data)
    assert code == 0
    assert err.startswith("- -> -: 40 x 30, ")
    code, decoded, _ = run("decode", "-", "-o", "-", given=coded)
    assert code == 0
    assert run("decode", "-", "-o", "a.png", given=coded)[0] == 0
    with Image.open("a.png") as image:
        Path("b.png").write_bytes(decoded)
        with Image.open("b.png") as other:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(other))
    assert run("encode", "-", "-o", "-", given=b"")[::2] == (2, "licgate: error: standard input: is empty\n")
    assert run("decode", "-", "-o", "-", given=b"x")[2].startswith("licgate: error: standard input: not a .lic file")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["photos/0.png", "photos/2.tif", "-o", "-"], "-o -: standard output takes one file, not 2"),
        (
            ["photos/0.png", "-o", "-", "--json", "-"],
            "--json - and -o - would both be standard output; name a file for one",
        ),
        (["photos/0.png", "-o", "a.lic", "--quality", "9"], "quality 9 is none of this family: 1: "),
    ],
)
def test_what_does_not_go_together(photos, capsys, words, line):
    code, _, err = licgate(capsys, "encode", *words)
    assert code == 2
    assert err.startswith(f"licgate: error: {line}")
    assert err.count("\n") == 1


def test_a_damaged_picture_is_refused_or_coded(photos, capsys):
    data = (photos / "1.JPG").read_bytes()
    Path("half.jpg").write_bytes(data[: len(data) - 60] + b"\xff\xd9")
    code, _, err = licgate(capsys, "encode", "half.jpg", "-o", "a.lic")
    line = "half.jpg: damaged: its data end early"
    assert (code, err) == (2, f"licgate: error: {line}; --accept-damaged takes it as it is\n")
    assert not Path("a.lic").exists()
    code, _, err = licgate(capsys, "encode", "half.jpg", "-o", "a.lic", "--accept-damaged")
    assert (code, err) == (0, f"licgate: note: {line}; read as far as it goes\n")


def test_a_quality_names_a_model_and_info_tells_it(photos, capsys):
    sizes = []
    for quality in (1, 4):
        assert (
            licgate(capsys, "encode", "photos/0.png", "-o", "a.lic", "--quality", quality, "--json", "a.json")[0] == 0
        )
        sizes.append(json.loads(Path("a.json").read_text())[0])
    assert sizes[0]["model"] != sizes[1]["model"]
    assert sizes[0]["bytes"] < sizes[1]["bytes"]
    code, out, _ = licgate(capsys, "info", "a.lic")
    assert code == 0
    assert f"{sizes[1]['model']} (" in out
    assert " bpp, " in out.splitlines()[1]
    assert " dB on kodak" in out.splitlines()[1]
    code, out, _ = licgate(capsys, "models")
    assert all(" bpp, " in line for line in out.splitlines())
