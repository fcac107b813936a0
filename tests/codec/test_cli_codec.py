"""The verbs encode, decode and info: many files, bad ones among them, and what they print."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from licgate.cli import main
from licgate.codec import Codec
from licgate.errors import SimulationError
from licgate.images import load_image
from licgate.manifest import find_model, save_manifest
from licgate.reference import run_transform
from tests.codec.kit import model, picture


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """Let two tiny models be all there are under models/."""
    folder = tmp_path / "models"
    for name in ("bmshj2018-hyperprior", "he2021-checkerboard"):
        save_manifest(model(name), folder / name)
    (folder / "DEFAULT").write_text("bmshj2018-hyperprior\n")
    monkeypatch.setattr("licgate.manifest.catalogue.search_path", lambda kind: [folder])
    monkeypatch.chdir(tmp_path)
    return folder


def written(name, size, seed=0, **options):
    image = picture(*size, seed=seed)
    Image.fromarray(image).save(name, **options)
    return image


def licgate(capsys, *words):
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_one_image_there_and_back(tmp_path, capsys):
    image = written("a.png", (70, 100))
    code, out, err = licgate(capsys, "encode", "a.png", "-o", "b.lic", "--verify", "--json", "r.json")
    size = (tmp_path / "b.lic").stat().st_size
    assert code == 0
    assert err == ""
    assert out.startswith(f"a.png -> b.lic: 100 x 70, {size} bytes, {8 * size / 7000:.4f} bpp, ")
    decoded = Codec(model()).decode((tmp_path / "b.lic").read_bytes())
    (entry,) = json.loads((tmp_path / "r.json").read_text())
    assert entry["bytes"] == size
    assert entry["bpp"] == 8 * size / 7000
    assert 0 < entry["bpp-estimate"] < entry["bpp"]
    assert entry["mse"] == pytest.approx(((decoded.astype(float) - image) ** 2).mean())
    assert entry["psnr"] == pytest.approx(10 * np.log10(255**2 / entry["mse"]))
    assert {"g_a", "h_a", "h_s", "coder", "total"} <= set(entry["seconds"])
    assert sum(entry["sections"].values()) == size - 88
    for name in ("c.png", "c.ppm", "c.webp", "c.bmp", "c.tif"):
        assert licgate(capsys, "decode", "b.lic", "-o", name, "--threads", "1")[0] == 0
        np.testing.assert_array_equal(load_image(name)[0], decoded)
    assert licgate(capsys, "decode", "b.lic", "-o", "c.JPG")[0] == 0
    assert np.abs(load_image("c.JPG")[0].astype(int) - decoded).mean() < 20
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_many_images_and_bad_ones_among_them(tmp_path, capsys):
    for number in range(3):
        written(f"{number}.png", (64, 64 + number), seed=number)
    (tmp_path / "text.png").write_text("no picture")
    code, out, err = licgate(
        capsys, "encode", "0.png", "text.png", "1.png", "none.png", "2.png", "-o", "out", "--patch", 64, "--json", "-"
    )
    assert code == 2
    entries = json.loads(out)
    assert [("error" in entry) for entry in entries] == [False, True, False, True, False]
    lines = err.splitlines()
    assert lines[0].startswith("1/5 0.png -> out/0.lic: 64 x 64, ")
    assert lines[1] == "licgate: error: text.png: not an image of a known format, or damaged"
    assert lines[3] == "licgate: error: none.png: no such file"
    assert len(lines) == 5
    broken = tmp_path / "out" / "1.lic"
    broken.write_bytes(broken.read_bytes()[:-1])
    code, out, err = licgate(capsys, "decode", "out/0.lic", "out/1.lic", "out/2.lic", "text.png", "-o", "back")
    assert code == 2
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "1/4 out/0.lic -> back/0.png",
        "3/4 out/2.lic -> back/2.png",
    ]
    first, second = err.splitlines()
    assert first.startswith("licgate: error: out/1.lic: damaged: ")
    assert second == "licgate: error: text.png: not a .lic file: it begins with 6e 6f 20 70, not 4c 49 43 47"
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["0.png", "2.png"]


def test_the_model_is_found_by_the_file_and_a_wrong_one_is_refused(models, capsys):
    written("a.png", (64, 64))
    assert licgate(capsys, "encode", "a.png", "-o", "b.lic", "--model", "he2021-checkerboard")[0] == 0
    assert licgate(capsys, "decode", "b.lic", "-o", "b.png")[0] == 0
    code, _, err = licgate(capsys, "decode", "b.lic", "-o", "c.png", "--model", "bmshj2018-hyperprior")
    own, other = (find_model(name).hash[:16] for name in ("he2021-checkerboard", "bmshj2018-hyperprior"))
    assert code == 2
    line = f"made by the model of hash {own}, but tiny-bmshj2018-hyperprior has {other}; give the model that made it"
    assert err == f"licgate: error: b.lic: {line}\n"
    (models / "he2021-checkerboard").rename(models.parent / "elsewhere")
    code, _, err = licgate(capsys, "decode", "b.lic", "-o", "c.png")
    assert code == 2
    assert f"hash {own}, which is none of bmshj2018-hyperprior; name its folder with --model" in err
    assert licgate(capsys, "decode", "b.lic", "-o", "c.png", "--model", "elsewhere")[0] == 0


def test_exif_orientation_is_respected(capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    written("a.jpg", (64, 128), exif=exif, quality=90)
    code, _, err = licgate(capsys, "encode", "a.jpg", "-o", "a.lic")
    assert code == 0
    assert err == "licgate: note: a.jpg: turned upright as its EXIF orientation says\n"
    assert licgate(capsys, "decode", "a.lic", "-o", "b.png")[0] == 0
    with Image.open("b.png") as turned:
        assert turned.size == (64, 128)


def test_info(capsys):
    written("a.png", (70, 100))
    licgate(capsys, "encode", "a.png", "-o", "b.lic", "--patch", "64")
    code, out, _ = licgate(capsys, "info", "b.lic")
    first, second, third = out.splitlines()
    assert code == 0
    assert first.startswith("b.lic: 100 x 70 pixels, ")
    assert first.endswith("coded in 4 patches of 64 pixels")
    assert "tiny-bmshj2018-hyperprior" in second
    assert third.startswith("  sections  z ")
    code, out, err = licgate(capsys, "info", "b.lic", "a.png", "--json")
    good, bad = json.loads(out)
    assert code == 2
    assert (good["width"], good["height"], good["patch"], good["patches"]) == (100, 70, 64, 4)
    assert good["manifest"] == find_model("bmshj2018-hyperprior").hash
    assert bad["error"].startswith("not a .lic file")
    assert err.startswith("licgate: error: a.png: not a .lic file")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["encode", "a.png", "-o", "b.png"], "-o b.png: coded images are called .lic"),
        (["encode", "a.png", "-o", "none/b.lic"], "-o none/b.lic: there is no folder none"),
        (["encode", "a.png", "a.jpg", "-o", "out"], "a.png and a.jpg would both be written to out/a.lic; rename one"),
        (["encode", "a.png", "b.png", "-o", "a.png"], "-o a.png: cannot be a folder: File exists"),
        (
            ["encode", "a.png", "-o", "b.lic", "--patch", "100"],
            "a.png: patch 100 is not a multiple of 64 from 64 to 16320",
        ),
        (["encode", "a.png", "-o", "b.lic", "--threads", "0"], "threads 0 is not a positive integer"),
        (
            ["encode", "a.png", "-o", "b.lic", "--json", "none/x"],
            "cannot write none/x: its folder is missing or read-only, or it is a folder",
        ),
        (
            ["decode", "a.lic", "-o", "b.gif"],
            "b.gif: unknown format '.gif'; there are .png, .ppm, .bmp, .tif, .tiff, .webp, .jpg, .jpeg",
        ),
        (["decode", "a.png", "-o", "a.png"], "-o a.png: would replace what is read; name another file"),
        (["encode", "a.png", "-o", f"{'n' * 252}.lic"], f"-o {'n' * 252}.lic: File name too long"),
        (["decode", "circle.lic", "-o", "b.png"], "circle.lic: no such file"),
        (["encode", "a.png", "-o", "b.lic", "--json", "pipe"], "cannot write pipe: not a regular file"),
        (["encode", "a.png", "-o", "b.lic", "--json", "n" * 256], f"cannot write {'n' * 256}: File name too long"),
        (["decode", "giant", "-o", "b.png"], "giant: not a .lic file: it begins with 00 00 00 00, not 4c 49 43 47"),
        (["info", "n" * 256], f"{'n' * 256}: cannot be read: File name too long"),
        (["info", "none.lic"], "none.lic: no such file"),
        (["info", "."], ".: not a regular file"),
    ],
)
def test_wrong_usage_is_one_line(capsys, words, message):
    written("a.png", (9, 9))
    written("a.jpg", (9, 9))
    Path("circle.lic").symlink_to("circle.lic")
    os.mkfifo("pipe")
    with Path("giant").open("wb") as giant:
        giant.truncate(1 << 40)  # without a block on the disk
    code, _, err = licgate(capsys, *words)
    assert code == 2
    assert err == f"licgate: error: {message}\n"


def test_another_engine_is_told_of_and_its_errors_are_one_line(tmp_path, capsys, monkeypatch):
    ran = []

    class Engine:
        host = ("context", "parameters")

        def __init__(self, manifest, make, transforms, progress):
            assert make(("h_s",)).facts["engine"] == "cxxrtl"
            self.held, self.progress = (*transforms, *self.host), progress

        def __call__(self, transform, x):
            assert transform.name in self.held
            ran.append(transform.name)
            self.progress(transform.name, 1, 1)
            if transform.name == "g_s":
                raise SimulationError("the accelerator\nstopped")
            return run_transform(transform, x)

    monkeypatch.setattr("licgate.sim.chain.engine_run", Engine)
    written("a.png", (64, 64))
    options = ("--model", "he2021-checkerboard", "--engine", "cxxrtl")
    code, _, err = licgate(capsys, "encode", "a.png", "-o", "a.lic", *options, "--json", "a.json")
    note = (
        "licgate: note: tiny-he2021-checkerboard on simulated gateware, which takes minutes to make the first "
        "time; context and parameters: the reference's\n"
    )
    assert (code, err) == (0, note)
    assert {"g_a", "h_a", "h_s"} < set(ran)
    assert json.loads((tmp_path / "a.json").read_text())[0]["engine"] == "cxxrtl"
    licgate(capsys, "encode", "a.png", "-o", "b.lic", "--model", "he2021-checkerboard")
    assert (tmp_path / "a.lic").read_bytes() == (tmp_path / "b.lic").read_bytes()
    code, _, err = licgate(capsys, "decode", "a.lic", "-o", "b.png", *options)
    assert (code, err) == (2, note + "licgate: error: a.lic: the accelerator stopped\n")
    assert not (tmp_path / "b.png").exists()


def test_formats_have_limits(tmp_path, capsys):
    (tmp_path / "a.lic").write_bytes(Codec(model()).encode(np.zeros((1, 20000, 3), np.uint8)))
    code, _, err = licgate(capsys, "decode", "a.lic", "-o", "a.webp")
    assert code == 2
    assert err.startswith("licgate: error: a.lic: a.webp: cannot be written: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("*.webp*"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--memory", "sdram"], "--memory sdram goes with simulated gateware: give --engine cxxrtl as well"),
        (
            ["--memory", "axi", "--engine", "amaranth"],
            "--memory axi goes with the engine cxxrtl or verilator, not amaranth",
        ),
    ],
)
def test_external_memory_goes_with_an_engine_that_has_it(options, line, capsys):
    written("a.png", (64, 64))
    code, _, err = licgate(capsys, "encode", "a.png", "-o", "a.lic", "--model", "bmshj2018-hyperprior", *options)
    assert (code, err) == (2, f"licgate: error: {line}\n")
