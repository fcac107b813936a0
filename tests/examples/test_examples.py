"""The examples, run as somebody runs them: each a program of its own, from another folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import licgate
from licgate.images import demo_image, synthetic_image

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def ran(name, *words, folder):
    """Run an example and return what it printed."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_example_has_a_test():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    tests = Path(__file__).read_text(encoding="utf-8")
    assert names
    assert all(f'ran("{name}"' in tests for name in names)


@pytest.mark.parametrize("name", [None, "hyperprior-n36m96-l0067-int8"])
def test_code_a_picture(name, tmp_path):
    image = demo_image() if name is None else synthetic_image(40, 70)
    words = []
    if name is not None:
        Image.fromarray(image).save(tmp_path / "picture.png")
        words = ["picture.png", "--model", name]
    codec = licgate.load_model(name)
    data = codec.encode(image)
    error = np.mean((codec.decode(data).astype(float) - image) ** 2)
    text = ran("code_a_picture", *words, folder=tmp_path)
    assert f"{codec.manifest.name}: {image.shape[1]} x {image.shape[0]} pixels in {len(data)} bytes" in text
    assert f"PSNR {10 * np.log10(255**2 / error):.2f} dB" in text


def test_simulate_a_layer(tmp_path):
    text = ran("simulate_a_layer", "--rows", 2, "--cols", 6, "--size", 8, folder=tmp_path)
    assert "g_a.0: 3 to 36 channels on an array of 2 x 6" in text
    assert "6 passes of 75 steps" in text
    assert "576 values, 0 of them other than the reference's" in text  # 36 channels of 4 x 4
    simulated, predicted = re.search(r"(\d+) cycles simulated, (\d+) predicted", text).groups()
    assert simulated == predicted
    assert int(simulated) > 2 * 4 * 6 * 45  # groups, rows, passes, and the steps of a pass at the border


def test_embed_the_accelerator(tmp_path):
    text = ran("embed_the_accelerator", "--rtlil", "design.il", folder=tmp_path)
    assert "2 pictures of 24 x 16: 288 latents" in text
    assert "0 of them other than the reference's" in text
    modules = re.findall(r"^module \\(\S+)", (tmp_path / "design.il").read_text(), re.MULTILINE)
    assert "frontend" in modules
    assert "frontend.accelerator" in modules


@pytest.mark.slow
def test_train_a_tiny_model(tmp_path):
    pytest.importorskip("torch")
    short = ("--iterations", 20, "--crop", "16x16", "--engine", "amaranth")
    text = ran("train_a_tiny_model", "--out", "tiny", *short, folder=tmp_path)
    assert "bit-exact" in text
    codec = licgate.load_model(tmp_path / "tiny" / "tiny")
    decoded = codec.decode((tmp_path / "tiny" / "picture.lic").read_bytes())
    with Image.open(tmp_path / "tiny" / "decoded.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), decoded)


def test_names_of_the_gateware_are_loaded_when_asked_for():
    code = """
import sys
import licgate.gateware as gateware
assert "amaranth" not in sys.modules
for name in gateware.__all__:
    assert name in dir(gateware)
    getattr(gateware, name)
assert "amaranth" in sys.modules
try:
    gateware.Nothing
except AttributeError as error:
    assert "Nothing" in str(error)
else:
    raise AssertionError("a name that is not there")
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
