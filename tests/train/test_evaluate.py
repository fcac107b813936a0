"""Evaluating folders and curves: means, images that cannot be read, and the verb."""

import argparse
import io
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from licgate.codec import load_model  # noqa: E402
from licgate.errors import ImageError, LicgateError, TrainingError  # noqa: E402
from licgate.images import load_image  # noqa: E402
from licgate.manifest import Manifest  # noqa: E402
from licgate.train.data import read_rgb  # noqa: E402
from licgate.train.measure.cli_evaluate import Progress, add_evaluate_arguments, curve_name, run_evaluate  # noqa: E402
from licgate.train.measure.codecs import open_codec  # noqa: E402
from licgate.train.measure.evaluate import code_float, code_integer, evaluate_folder, measure, pad_image  # noqa: E402
from licgate.train.network.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from licgate.train.quant.finetune import fine_tune, load_codec  # noqa: E402
from licgate.train.quant.qat import QatSettings  # noqa: E402
from licgate.train.quant.widths import LayerBits, Widths  # noqa: E402
from licgate.train.recipe import Recipe  # noqa: E402


def half_bit_a_pixel(image):
    """Stand in for a codec: every padded pixel costs half a bit, and comes back one brighter."""
    return image.shape[0] * image.shape[1] / 2, np.minimum(image, 254) + 1


@pytest.fixture
def mixed(tmp_path, pictures):
    """Return a folder of two pictures, one large enough for MS-SSIM, and two files that are none."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "b.png").write_bytes((pictures / "p0.png").read_bytes())
    Image.open(pictures / "p1.png").resize((192, 192)).save(folder / "d.jpg")
    (folder / "a.png").write_text("text")
    (folder / "c.png").write_bytes((pictures / "p0.png").read_bytes()[:400])
    (folder / "notes.txt").write_text("text")
    return folder


@pytest.fixture
def checkpoint(tmp_path, make_model):
    def make(name="one.ckpt", seed=0, **content):
        model = make_model(seed=seed)
        path = tmp_path / name
        recipe = {"rate_lambda": 0.01}
        save_checkpoint(
            path, {"model": model.state_dict(), "config": model.config.as_dict(), "recipe": recipe, **content}
        )
        return path

    return make


def run(*words):
    parser = argparse.ArgumentParser()
    add_evaluate_arguments(parser)
    return run_evaluate(parser.parse_args([str(word) for word in words]))


def test_means_are_over_images_and_rates_over_real_pixels(mixed):
    result = evaluate_folder(half_bit_a_pixel, mixed)
    small, large = result["images"]
    assert (small["name"], small["width"], small["height"]) == ("b.png", 112, 80)
    # 112 x 80 is padded to 128 x 128
    assert small["bpp"] == 0.5 * 128 * 128 / (112 * 80)
    assert large["bpp"] == 0.5
    assert small["ms_ssim"] is None
    assert large["ms_ssim"] > 0.99
    assert result["psnr"] == (small["psnr"] + large["psnr"]) / 2
    assert result["bpp"] == (small["bpp"] + large["bpp"]) / 2
    assert result["ms_ssim"] is None
    assert result["ms_ssim_missing"].startswith("b.png: MS-SSIM needs sides of 161")


def test_unreadable_images_are_skipped_listed_and_counted(mixed):
    seen = []
    result = evaluate_folder(half_bit_a_pixel, mixed, report=lambda entry, total: seen.append((entry["name"], total)))
    assert [entry["name"] for entry in result["skipped"]] == ["a.png", "c.png"]
    assert all("\n" not in entry["reason"] for entry in result["skipped"])
    assert seen == [("a.png", 4), ("b.png", 4), ("c.png", 4), ("d.jpg", 4)]
    with pytest.raises(TrainingError, match=r"none of the 1 images .* is readable; the first: .*a\.png"):
        evaluate_folder(half_bit_a_pixel, mixed, limit=1)


def test_an_image_that_the_codec_refuses_is_skipped_like_an_unreadable_one(mixed):
    def picky(image):
        if image.shape[1] == 128:
            raise ImageError("too wide")
        return half_bit_a_pixel(image)

    result = evaluate_folder(picky, mixed)
    assert [entry["name"] for entry in result["skipped"]] == ["a.png", "b.png", "c.png"]
    assert result["skipped"][1]["reason"].endswith("b.png: too wide")
    assert [entry["name"] for entry in result["images"]] == ["d.jpg"]


def test_threads_change_nothing_but_the_time(pictures):
    assert evaluate_folder(half_bit_a_pixel, pictures, threads=3) == evaluate_folder(half_bit_a_pixel, pictures)


def test_an_error_in_a_thread_comes_out(pictures):
    def broken(image):
        raise TrainingError("no")

    with pytest.raises(TrainingError, match="no"):
        evaluate_folder(broken, pictures, threads=2)


@pytest.mark.parametrize(("limit", "message"), [(0, "limit 0"), (-1, "limit -1")])
def test_a_limit_that_leaves_nothing(pictures, limit, message):
    with pytest.raises(TrainingError, match=message):
        evaluate_folder(half_bit_a_pixel, pictures, limit=limit)


def test_empty_and_missing_folders(tmp_path):
    with pytest.raises(TrainingError, match="holds no picture"):
        evaluate_folder(half_bit_a_pixel, tmp_path)
    with pytest.raises(TrainingError, match="does not exist"):
        evaluate_folder(half_bit_a_pixel, tmp_path / "none")


def test_what_a_card_gets_is_plain_numbers(make_model, pictures):
    measured = measure(pictures, model=make_model(), limit=2)
    assert measured["images"] == 2
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured
    assert set(measured["float"]) == {"bpp", "psnr"}


def test_several_checkpoints_make_one_sorted_curve(checkpoint, pictures, tmp_path, capsys):
    paths = [checkpoint(f"family-{seed}.ckpt", seed) for seed in (1, 2)]
    out = tmp_path / "out.json"
    assert run(*paths, pictures, "--json", out, "--limit", 2, "--macs", "128x64") == 0
    document = json.loads(out.read_text())
    assert document["name"] == "family"
    assert "float" in document["description"]
    assert document["results"]["bpp"] == sorted(model["bpp"] for model in document["models"])
    assert document["results"]["psnr-rgb"] == [model["psnr"] for model in document["models"]]
    assert {len(model["images"]) for model in document["models"]} == {2}
    assert document["models"][0]["cost"]["width"] == 128
    printed = capsys.readouterr()
    assert "1 MAC = 2 FLOP" in printed.out
    assert "family-2 2/2 p1.png: " in printed.err
    assert "no MS-SSIM: p0.png and 1 more" in printed.err


def test_skipped_images_are_told_once_a_file(checkpoint, mixed, capsys):
    paths = [checkpoint(f"family-{seed}.ckpt", seed) for seed in (1, 2)]
    assert run(*paths, mixed) == 0
    printed = capsys.readouterr()
    assert printed.err.count("note: skipped") == 2
    assert "2 skipped as not readable or not codable" in printed.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ONE", "FOLDER/none"], "does not exist"),
        (["FOLDER/none.ckpt", "PICTURES"], "checkpoint .* does not exist"),
        (["FOLDER/text", "PICTURES"], "not readable"),
        (["nonesuch", "PICTURES"], "unknown model"),
        (["ONE", "ONE", "PICTURES", "--checkpoint", "ONE"], "goes with one model"),
        (["ONE", "PICTURES", "--json", "FOLDER/none/out.json"], "cannot write"),
        (["ONE", "PICTURES", "--limit", "0"], "limit 0"),
        (["ONE", "PICTURES", "--threads", "0"], "threads 0"),
    ],
)
def test_bad_use_is_one_line(checkpoint, pictures, tmp_path, words, message):
    (tmp_path / "text").write_text("text")
    names = {"ONE": checkpoint(), "PICTURES": pictures}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(LicgateError, match=message) as caught:
        run(*(str(names.get(word, word)).replace("FOLDER", str(tmp_path)) for word in words))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_students_are_float_models_of_their_kind(checkpoint):
    codec = open_codec(checkpoint(kind="distilled"))
    assert (codec.kind, codec.details["architecture"]) == ("distilled", "bmshj2018-hyperprior")


def test_the_default_model_is_an_integer_codec(photograph):
    codec = open_codec(None)
    assert codec.kind == "integer"
    image = np.ascontiguousarray(photograph[:128, :192])
    bits, decoded, ideal = codec.code(image)
    assert bits == 8 * len(load_model().encode(image))
    assert ideal < bits < 1.01 * ideal + 8 * 100
    own_ideal, own = code_integer(codec.network, image)
    assert ideal == pytest.approx(own_ideal)
    np.testing.assert_array_equal(decoded, own)


def test_rates_of_a_manifest_are_those_of_files(pictures, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert run(pictures, "--json", out, "--limit", 1) == 0
    document = json.loads(out.read_text())
    assert "size of real files" in document["description"]
    (model,) = document["models"]
    image, _ = load_image(pictures / model["images"][0]["name"])
    size = len(load_model().encode(image))
    assert model["bpp"] == 8 * size / (image.shape[0] * image.shape[1])
    assert 0 < model["bpp-estimate"] == model["images"][0]["bpp-estimate"] < model["bpp"]
    assert f"{model['bpp']:10.4f}{model['bpp-estimate']:10.4f}" in capsys.readouterr().out


def test_a_quantised_checkpoint_is_coded_in_the_integers_of_its_export(make_model, squares, pictures, tmp_path):
    path = tmp_path / "q.ckpt"
    fine_tune(
        make_model(),
        {"rate_lambda": 0.01},
        squares,
        path,
        recipe=Recipe(rate_lambda=0.01, iterations=1, batch=1, crop=64, bfloat16=False),
        settings=QatSettings(),
        widths=Widths(default=LayerBits(activation=8, weight=8, gdn=8)),
        equalization=0.0,
        crops=2,
        quiet=True,
    )
    codec = open_codec(path)
    assert (codec.name, codec.kind) == ("q", "quantized")
    assert isinstance(codec.network, Manifest)
    image = pad_image(read_rgb(sorted(pictures.iterdir())[0]))
    _, decoded, bits = codec.code(image)
    float_bits, float_decoded = code_float(load_codec(path)[0], image)
    np.testing.assert_array_equal(decoded, float_decoded)
    assert bits == pytest.approx(float_bits, rel=0.01)  # the tables are integers, likelihoods are not
    content = load_checkpoint(path)
    for state in (content["model"], content.get("ema") or {}):
        state.pop(next(iter(state), None), None)
    save_checkpoint(path, content)
    with pytest.raises(TrainingError, match=r"q\.ckpt: its tensors do not fit"):
        open_codec(path)


def test_curves_are_named_after_what_their_models_share():
    def name(*names):
        return curve_name([{"name": n} for n in names])

    assert name("hyperprior-n36") == "hyperprior-n36"
    assert name("hyperprior-n36-a", "hyperprior-n36-b") == "hyperprior-n36"
    assert name("a", "b") == "a, b"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "lines", "returns"), [(io.StringIO(), 2, 0), (Terminal(), 1, 2)])
def test_progress_is_one_line_on_a_terminal_and_plain_lines_elsewhere(stream, lines, returns):
    progress = Progress("model", stream)
    progress({"name": "a.png", "bpp": 0.5, "psnr": 30.0}, 2)
    progress({"name": "b.png", "reason": "broken"}, 2)
    assert stream.getvalue().count("\n") == lines
    assert stream.getvalue().count("\r") == returns
    assert stream.getvalue().endswith("model 2/2 b.png: not readable\n")
