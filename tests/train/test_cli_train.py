"""The verb train: options, warm start, errors."""

import pytest

from licgate.cli import main
from licgate.train.cli_train import exit_code
from licgate.train.network.checkpoint import load_checkpoint, load_model

TINY = ["--batch", "2", "--crop", "64", "--device", "cpu", "--float32"]


def verb(*words):
    return main([str(word) for word in words])


def start(pictures, out, *words):
    return verb("train", "--data", pictures, "--out", out, *TINY, *words)


def test_shape_and_recipe_follow_the_options_and_resume_without_them(pictures, tmp_path):
    out = tmp_path / "a.ckpt"
    words = (
        "--architecture",
        "he2021-checkerboard",
        "--n",
        3,
        "--m",
        4,
        "--gdn",
        "none",
        "--widths",
        "g_a.0=5,g_s.2=6",
    )
    assert start(pictures, out, *words, "--optimizer", "adam", "--lambda", 0.02, "--iterations", 1) == 0
    assert start(pictures, out, "--optimizer", "adam", "--lambda", 0.02, "--iterations", 2) == 0
    model, recipe = load_model(out)
    assert (model.config.architecture, model.config.gdn) == ("he2021-checkerboard", "none")
    assert model.g_a[0].out_channels == 5
    assert model.g_s[2].out_channels == 6
    assert (recipe["rate_lambda"], recipe["optimizer"], recipe["iterations_done"]) == (0.02, "adam", 2)


def test_a_warm_start_takes_the_weights_and_a_fresh_schedule(pictures, tmp_path):
    one, two = tmp_path / "one.ckpt", tmp_path / "two.ckpt"
    assert start(pictures, one, "--n", 3, "--m", 4, "--iterations", 3, "--lr", 0.01) == 0
    assert start(pictures, two, "--from", one, "--lambda", 0.002, "--iterations", 1, "--lr", 1e-9) == 0
    source, warm = load_checkpoint(one), load_checkpoint(two)
    assert (warm["iteration"], warm["recipe"]["rate_lambda"]) == (1, 0.002)
    moved = [float((warm["model"][k] - v).abs().max()) for k, v in source["ema"].items() if k.startswith("g_")]
    assert max(moved) < 1e-6
    assert start(pictures, two, "--from", tmp_path / "gone", "--lambda", 0.002, "--iterations", 2, "--lr", 1e-9) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "NONE", "--out", "OUT"), "does not exist"),
        (("--data", "EMPTY", "--out", "OUT"), "holds no picture"),
        (("--data", "PICTURES", "--out", "FILE/a.ckpt", "--n", "3", "--m", "4"), "cannot be written"),
        (("--data", "PICTURES", "--out", "FILE"), "is not readable"),
        (("--data", "PICTURES", "--out", "OUT", "--n", "0"), "model width n = 0"),
        (("--data", "PICTURES", "--out", "OUT", "--threads", "0"), "threads 0"),
        (("--data", "PICTURES", "--out", "OUT", "--from", "NONE"), "does not exist"),
        (("--data", "PICTURES", "--out", "OUT", "--from", "FILE"), "is not readable"),
        (("--data", "PICTURES", "--out", "OUT", "--from", "CKPT", "--n", "5"), "of another shape"),
        (("--data", "PICTURES", "--out", "OUT", "--widths", "g_a.0"), "not of the form LAYER=N"),
        (("--data", "PICTURES", "--out", "OUT", "--widths", "g_a.9=4"), "names no layer"),
        (("--data", "PICTURES", "--out", "OUT", "--crop", "100"), "multiple of 64"),
        (("--data", "PICTURES", "--out", "OUT", "--crop", "128", "--n", "3", "--m", "3"), "none of the 4 images"),
        (("--data", "PICTURES", "--out", "CKPT", "--lambda", "0.5"), "trained with rate_lambda 0.013, not 0.5"),
        (("--data", "PICTURES", "--out", "CKPT", "--n", "5", "--m", "4"), "another shape"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(pictures, tmp_path, capsys, words, message):
    (tmp_path / "file").write_text("text")
    (tmp_path / "empty").mkdir()
    assert start(pictures, tmp_path / "a.ckpt", "--n", 3, "--m", 4, "--iterations", 1) == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    names = {"NONE": "none", "OUT": "out", "EMPTY": "empty", "CKPT": "a.ckpt", "FILE": "file", "FILE/a.ckpt": "file/a"}
    places = {key: tmp_path / name for key, name in names.items()} | {"PICTURES": pictures}
    capsys.readouterr()
    assert verb("train", *TINY, *(places.get(word, word) for word in words)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("licgate: error: ")
    assert message in lines[0]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


@pytest.mark.parametrize(("number", "code"), [(0, 0), (2, 130), (15, 143)])
def test_a_signal_shows_in_the_exit_code(number, code):
    assert exit_code({"signal": number}) == code


def test_another_architecture_starts_from_what_fits(pictures, tmp_path, capsys):
    first, second = tmp_path / "a.ckpt", tmp_path / "b.ckpt"
    words = ["--n", 3, "--m", 4, "--iterations", 1, "--lambda", 0.01]
    assert start(pictures, first, *words) == 0
    capsys.readouterr()
    more = ["--from", first, "--architecture", "he2021-checkerboard"]
    assert start(pictures, second, *words, *more) == 0
    assert "tensors are those of" in capsys.readouterr().err
    before, after = load_checkpoint(first)["ema"], load_checkpoint(second)["model"]
    assert after["context_prediction.weight"].shape[1] == 4
    # One step at the warm-up's learning rate moves a weight by less than a random start would.
    assert float((before["g_a.2.weight"] - after["g_a.2.weight"]).abs().max()) < 1e-3
