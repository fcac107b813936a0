"""Import of plain arrays."""

import numpy as np
import pytest
import torch

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.train.network.checkpoint import load_model
from licgate.train.network.importer import import_arrays
from tests.train.zoo import close


def arrays_of(model, order):
    """Take a model apart into the arrays of an .npz."""
    arrays = {}
    for part in ("g_a", "g_s", "h_a", "h_s"):
        for index, module in getattr(model, part).named_children():
            name = f"{part}.{index}"
            if hasattr(module, "gamma"):
                beta, gamma, *_ = module.effective()
                gamma = gamma.clamp_min(0)
                arrays |= {f"{name}.beta": beta, f"{name}.gamma": gamma.T if order == "in-out" else gamma}
            elif hasattr(module, "weight"):
                axes = (2, 3, 0, 1) if isinstance(module, torch.nn.ConvTranspose2d) else (2, 3, 1, 0)
                arrays |= {f"{name}.kernel": module.weight.permute(axes), f"{name}.bias": module.bias}
    return {name: value.detach().numpy() for name, value in arrays.items()}


@pytest.mark.parametrize("order", ["in-out", "out-in"])
@pytest.mark.parametrize("gdn", ["abs", "square_root"])
def test_plain_arrays_make_the_same_network(order, gdn, make_model, tmp_path):
    model = make_model(gdn=gdn, affine=False, widths={"g_a.2": 3, "g_s.4": 2})
    np.savez(tmp_path / "weights.npz", **arrays_of(model, order))
    found, untrained = import_arrays(tmp_path / "weights.npz", gdn=gdn, gamma_order=order)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for part, value in (("g_a", x), ("g_s", torch.round(5 * torch.randn(1, 7, 4, 4)))):
            close(found.part(part)(value), model.part(part)(value))
    assert {name.split(".")[0] for name in untrained} == {"entropy_bottleneck"}


def test_arrays_without_hyper_transforms_say_so(make_model, tmp_path, capsys):
    arrays = {k: v for k, v in arrays_of(make_model(affine=False), "in-out").items() if k.startswith("g_")}
    np.savez(tmp_path / "weights.npz", **arrays)
    assert main(["import", str(tmp_path / "weights.npz"), "--out", str(tmp_path / "own.ckpt")]) == 0
    assert "entropy_bottleneck, h_a, h_s: not in weights.npz, random" in capsys.readouterr().err
    assert load_model(tmp_path / "own.ckpt")[0].config.m == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("g_s.4.kernel"), r"array g_s\.4\.kernel is missing"),
        (lambda a: a.pop("g_a.3.gamma"), "beta or gamma of a GDN is missing"),
        (lambda a: a.update({"g_a.1.beta": -a["g_a.1.beta"]}), r"array g_a\.1\.beta holds -.*not negative"),
        (lambda a: a.update({"g_a.0.kernel": a["g_a.0.kernel"][0]}), r"has shape \(5, 3, 5\), expected 4 axes"),
        (lambda a: a.update({"g_a.0.kernel": a["g_a.0.kernel"][1:]}), r"expected \(5, 3, 5, 5\)"),
        (lambda a: a.update({"conv1": np.ones(3)}), "array conv1 has no place"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(change, message, make_model, tmp_path):
    arrays = arrays_of(make_model(affine=False), "in-out")
    change(arrays)
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(TrainingError, match=message) as caught:
        import_arrays(tmp_path / "weights.npz")
    assert "\n" not in str(caught.value)
