"""Quantisation-aware training: DRAQ's parts, resumption to the last bit, and the way to a manifest."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from licgate.errors import TrainingError  # noqa: E402
from licgate.manifest import load_manifest  # noqa: E402
from licgate.reference import run_transform  # noqa: E402
from licgate.train.network.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from licgate.train.quant.calibrate import draq_k  # noqa: E402
from licgate.train.quant.cli_quantize import METHODS  # noqa: E402
from licgate.train.quant.finetune import export_checkpoint, fine_tune, load_codec  # noqa: E402
from licgate.train.quant.floatnet import float_layers  # noqa: E402
from licgate.train.quant.qat import QatSettings, QuantizationAware, active_clips, draq_clips, outlier_limits  # noqa: E402
from licgate.train.quant.quantize import prepare  # noqa: E402
from licgate.train.quant.quantnet import QuantizedCodec  # noqa: E402
from licgate.train.quant.widths import LayerBits, Widths  # noqa: E402
from licgate.train.recipe import Recipe  # noqa: E402

from .test_cli import run  # noqa: E402

INT8 = Widths(default=LayerBits(activation=8, weight=8, gdn=8, gamma=8))


def recipe(iterations=4, **more):
    more = {"lr": 1e-3, "optimizer": "adam", "warm_up": 0, "ema": 0.9, **more}
    return Recipe(rate_lambda=0.01, iterations=iterations, batch=2, crop=64, **more)


def tune(model, squares, out, iterations=4, settings=None, **options):
    options = {"widths": INT8, "equalization": 0.5, "crops": 2, "quiet": True, **options}
    settings = settings or QatSettings(recalibrate=2)
    source = {"rate_lambda": 0.01}
    return fine_tune(model, source, squares, out, recipe=recipe(iterations), settings=settings, **options)


def test_draq_clips_the_inputs_of_gdn_and_relu(make_model):
    clips = draq_clips(float_layers(make_model()), 0.013)
    assert set(clips) == {f"{p}.{i}" for p in ("g_a", "g_s") for i in (0, 2, 4)} | {"h_a.0", "h_a.2", "h_s.0", "h_s.2"}
    assert set(clips.values()) == {625 * 0.013 + 2} == {draq_k(0.013)}


def test_clip_bounds_are_mean_and_deviation(make_model, squares):
    model = make_model()
    own = prepare(model, squares, equalization=0.0, crops=2)
    clips = {"g_a.2": 1.5}
    assert active_clips(own.stats, {"g_a.2": 1.5, "g_a.0": 1e6, "g_a.4": None}) == ["g_a.2"]
    codec = QuantizedCodec(
        own.net, model.entropy_bottleneck, config=model.config, widths=INT8, stats=own.stats, clips=clips
    )
    stats, grid = own.stats["g_a.2"], codec.grids()["g_a.2"]
    for bound, integer in zip((stats.mean - 1.5 * stats.std, stats.mean + 1.5 * stats.std), grid.clip, strict=True):
        assert abs(integer * grid.scale - bound) <= grid.scale / 2 + 1e-12
    assert 127 in (abs(grid.clip[0]), grid.clip[1])


def test_regularisation_counts_only_outliers(make_model, squares):
    model = make_model(n=16)
    own = prepare(model, squares, equalization=0.0, crops=2)
    codec = QuantizedCodec(
        own.net, model.entropy_bottleneck, config=model.config, widths=INT8, stats=own.stats, clips={}
    )
    objective = QuantizationAware(codec, 0.01, QatSettings(regularization=0.5), own.crops)
    objective.calibrate()
    expected = 0.0
    for layers in codec.net().values():
        for layer in layers:
            if hasattr(layer, "weight"):
                w = layer.weight
                low, high = np.quantile(w, [0.001, 0.999])
                excess = np.maximum(w - high, 0) + np.maximum(low - w, 0)
                expected += excess.sum() / w.std(ddof=1)
    assert float(objective.regularization().detach()) == pytest.approx(expected, rel=1e-5)
    x, noise = own.crops[:1], torch.Generator()
    values = objective.loss(x, noise, 0)
    assert float(values["outliers"].detach()) == pytest.approx(expected, rel=1e-5)
    noise.manual_seed(0)
    plain = QuantizationAware(codec, 0.01, QatSettings(regularization=0.0), own.crops)
    noise.manual_seed(0)
    assert "outliers" not in plain.loss(x, noise, 0)
    low, high = outlier_limits(torch.linspace(-1, 1, 2001))
    assert (float(low), float(high)) == pytest.approx((-0.998, 0.998))


def test_training_lowers_the_loss_and_regularisation_the_outliers(make_model, squares, tmp_path):
    done = {}
    for name, weight in (("free", 0.0), ("held", 3e-2)):
        settings = QatSettings(clip=False, regularization=weight, recalibrate=0)
        content = tune(make_model(n=8), squares, tmp_path / f"{name}.ckpt", 30, settings)
        codec, _ = load_codec(tmp_path / f"{name}.ckpt")
        spread = [np.abs(m.float_layer().weight).max() / m.float_layer().weight.std() for m in codec.parts["g_a"][::2]]
        done[name] = np.mean(spread)
        assert content["iteration"] == 30
    assert done["held"] < done["free"]


@pytest.mark.parametrize("learn_scales", [False, True])
def test_interrupted_run_ends_the_same(make_model, squares, tmp_path, learn_scales):
    settings = QatSettings(recalibrate=3, learn_scales=learn_scales)
    whole = tune(make_model(), squares, tmp_path / "whole.ckpt", 6, settings)
    part = tmp_path / "part.ckpt"

    def interrupt(self, values, iteration):
        if iteration == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuantizationAware, "after_step", interrupt)
        assert tune(make_model(), squares, part, 6, settings)["signal"] == signal.SIGINT
    assert 4 <= load_checkpoint(part)["iteration"] < 6
    resumed = tune(make_model(), squares, part, 6, settings)
    for key in ("model", "ema"):
        for name, tensor in whole[key].items():
            torch.testing.assert_close(resumed[key][name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [{"gdn": "abs"}, {"gdn": "none"}, {"architecture": "he2021-checkerboard"}])
@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_checkpoint_exports_what_was_trained(make_model, squares, tmp_path, shape, rounding):
    out = tmp_path / "a.ckpt"
    settings = QatSettings(clip=False, regularization=0.0, learn_scales=True, rounding=rounding)
    tune(make_model(**shape), squares, out, 3, settings)
    codec, content = load_codec(out)
    assert content["iteration"] == 3
    manifest = export_checkpoint(out, name="a")
    x = prepare(make_model(**shape), squares, equalization=0.0, crops=1).crops
    with torch.no_grad():
        out = codec(x)
    y = run_transform(manifest.g_a, torch.floor(x[0] * 255 + 0.5).long().numpy())
    np.testing.assert_array_equal(out["y"][0].numpy() * 2**manifest.latent_fraction_bits, y)
    assert manifest.provenance["quantization"]["settings"] == dataclasses.asdict(settings)


def test_errors_are_one_line(make_model, squares, tmp_path):
    model = make_model()
    with pytest.raises(TrainingError, match="regularisation"):
        QatSettings(regularization=-1.0)
    with pytest.raises(TrainingError, match="between calibrations"):
        QatSettings(recalibrate=-1)
    out = tmp_path / "a.ckpt"
    tune(model, squares, out, 1)
    with pytest.raises(TrainingError, match="other settings"):
        tune(model, squares, out, 2, QatSettings(clip=False, recalibrate=2))
    floats = tmp_path / "float.ckpt"
    save_checkpoint(floats, {"kind": "float", "config": model.config.as_dict(), "model": model.state_dict()})
    with pytest.raises(TrainingError, match="not quantised"):
        load_codec(floats)


@pytest.mark.parametrize("method", METHODS)
def test_verbs(method, squares, make_model, tmp_path, capsys):
    model = make_model()
    start = tmp_path / "float.ckpt"
    save_checkpoint(
        start, {"config": model.config.as_dict(), "model": model.state_dict(), "recipe": {"rate_lambda": 0.01}}
    )
    widths = tmp_path / "w.json"
    widths.write_text(json.dumps({"default": {"activation": 9}, "layers": {"g_a.2": {"weight": 6}}, "latent": 11}))
    out = tmp_path / "model"
    words = ["quantize", start, "--data", squares, "--out", out, "--crops", 2, "--method", method, "--widths", widths]
    words += ["--iterations", 2, "--batch", 1, "--crop", 64] if method != "ptq" else ["--clip", "none"]
    assert run(*words) == 0
    manifest = load_manifest(out)
    assert manifest.g_a.layers[2].weight_type.bits == 6
    assert manifest.g_a.output.bits == 11
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "## Quantisation" in card
    if method != "ptq":
        again = tmp_path / "again" / "model"
        assert run("export", f"{out}.ckpt", "--out", again) == 0
        assert load_manifest(again).hash == manifest.hash
        with pytest.raises(TrainingError, match="goes with --method ptq"):
            run(*words, "--force", "--clip", "12")
    capsys.readouterr()
