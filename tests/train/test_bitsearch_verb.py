"""The search for widths on a real model: what it measures, and its verb."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.train.network.checkpoint import save_checkpoint
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.quant.calibrate import calibration_crops
from licgate.train.quant.widths import LayerBits, Widths, widths_from_json
from licgate.train.search.hwcost import equivalent_width
from licgate.train.search.imitation import ImitationEvaluator
from licgate.train.search.modelshape import shape_of


@pytest.fixture
def checkpoint(make_model, tmp_path):
    model = make_model()
    path = tmp_path / "tiny.ckpt"
    save_checkpoint(
        path,
        {
            "model": model.state_dict(),
            "config": model.config.as_dict(),
            "recipe": {"rate_lambda": 0.01},
            "iteration": 1,
        },
    )
    return path


def test_the_imitation_answers_alike_whatever_it_was_asked_before(make_model, pictures):
    model = make_model()
    evaluator = ImitationEvaluator(model, {"rate_lambda": 0.01}, pictures, crops=2, calibration=4)
    assert evaluator.reference == evaluator.measure_float(evaluator.crops)
    coarse = Widths(default=LayerBits(activation=5, weight=4, gdn=6, gamma=3), latent=10)
    there = evaluator.loss(coarse)
    assert there > evaluator.loss(Widths()) > 0
    again = ImitationEvaluator(model, {"rate_lambda": 0.01}, pictures, crops=2, calibration=4)
    assert again.loss(coarse) == there
    assert again.loss(Widths(default=coarse.default, latent=4)) == math.inf
    with pytest.raises(TrainingError, match="finetune-iterations"):
        evaluator.finetune(coarse, 3)


def test_the_float_measurement_is_that_of_the_model(make_model, squares):
    model = make_model()
    evaluator = ImitationEvaluator(model, {"rate_lambda": 0.01}, squares, crops=4, calibration=4)
    with torch.no_grad():
        out = model(evaluator.crops)
        mse = float(((out["x_hat"].clamp(0, 1) - evaluator.crops) ** 2).mean())
    assert evaluator.reference.mse == pytest.approx(mse, rel=0.02)


def test_the_verb_writes_widths_that_quantize_reads(checkpoint, pictures, tmp_path, capsys):
    out = tmp_path / "found.json"
    command = [
        "search",
        str(checkpoint),
        "--data",
        str(pictures),
        "--out",
        str(out),
        "--crops",
        "1",
        "--quiet",
        "--mode",
        "budget",
        "--pm",
        "8",
        "--board",
        "ulx3s-85f",
        "--size",
        "96x64",
    ]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "P_m, g_a" in text
    assert "ulx3s-85f: MULT18X18D of 156" in text
    content = json.loads(out.read_text())
    widths = widths_from_json(out)
    shape = shape_of(build_model(ModelConfig(n=5, m=7)), height=64, width=96)
    assert equivalent_width(shape, widths) <= 8
    costs = {name: made["cost"]["equivalent_width"]["all"] for name, made in content["configurations"].items()}
    assert costs["found"] <= 8 == costs["uniform 8 bits"] < costs["8, latent 12"]
    assert content["loss"]["found"] <= content["measured"]["crops of the search"]["uniform 8 bits"]["loss"]
    assert len(content["trials"]["rows"]) == content["search"]["trials_made"] > 20
    assert main(command) == 0
    assert json.loads(out.read_text())["search"]["trials_made"] == 0
    assert widths_from_json(out) == widths


@pytest.mark.parametrize(
    ("option", "limit", "read"),
    [
        ("--bit-operations", "0.12", lambda cost: cost["bit_operations"]["all"] / 1e9),
        ("--memory-kbit", "400", lambda cost: sum(cost["boards"]["ulx3s-85f"]["memory_bits"].values()) / 1e3),
        ("--block-rams", "43", lambda cost: cost["boards"]["ulx3s-85f"]["block_rams"]),
    ],
)
def test_every_budget_is_kept(checkpoint, pictures, tmp_path, capsys, option, limit, read):
    out = tmp_path / "found.json"
    command = [
        "search",
        str(checkpoint),
        "--data",
        str(pictures),
        "--out",
        str(out),
        "--crops",
        "1",
        "--quiet",
        "--mode",
        "budget",
        option,
        limit,
        "--board",
        "ulx3s-85f",
        "--size",
        "96x64",
        "--kinds",
        "activation,latent",
    ]
    code = main(command)
    print(capsys.readouterr())
    assert code == 0
    configurations = json.loads(out.read_text())["configurations"]
    assert read(configurations["found"]["cost"]) <= float(limit) < read(configurations["baseline"]["cost"])


def test_the_verb_fine_tunes_before_it_answers(checkpoint, tmp_path, capsys):
    folder = tmp_path / "large"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((128, 128), Image.Resampling.BICUBIC).save(folder / "p.png")
    out = tmp_path / "found.json"
    command = [
        "search",
        str(checkpoint),
        "--data",
        str(folder),
        "--out",
        str(out),
        "--crops",
        "1",
        "--quiet",
        "--tolerance",
        "50",
        "--kinds",
        "latent",
        "--finetune-iterations",
        "1",
        "--board",
        "zcu102",
    ]
    code = main(command)
    assert code == 0, capsys.readouterr().err
    content = json.loads(out.read_text())
    assert content["latent"] < 12
    assert any(row["tuned"] for row in content["trials"]["rows"])
    measured = content["measured"]["crops of the search"]
    assert measured["found, fine-tuned"]["loss"] == pytest.approx(content["loss"]["found"], rel=1e-6)
    assert (tmp_path / "found.json.kept").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mode", "budget"], "takes one of --pm"),
        (["--pm", "8"], "takes none of --pm"),
        (["--tolerance", "1", "--tolerance-db", "1"], "exclude each other"),
        (["--tolerance", "-1"], "tolerance -1"),
        (["--kinds", "weight,bias"], "'bias'"),
        (["--image", "0x9"], "'0x9'"),
        (["--board", "arty"], "'arty'"),
        (["--crops", "0"], "--crops 0"),
        (["--finetune-iterations", "-1"], "not negative"),
    ],
)
def test_bad_options_of_the_verb_are_one_line(checkpoint, pictures, tmp_path, capsys, options, message):
    command = ["search", str(checkpoint), "--data", str(pictures), "--out", str(tmp_path / "x.json"), *options]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.strip().splitlines()[-1].startswith("licgate: error: ")


def test_crops_of_the_search_are_those_of_the_folder(make_model, pictures):
    evaluator = ImitationEvaluator(make_model(), {"rate_lambda": 0.01}, pictures, crops=2, calibration=4)
    assert torch.equal(evaluator.crops, calibration_crops(pictures, count=4)[:2])
