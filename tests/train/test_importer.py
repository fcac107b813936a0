"""Import of CompressAI's state dicts and of plain arrays, against a forward pass written here from the papers."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.train.network.checkpoint import load_model
from licgate.train.network.flow import code
from licgate.train.network.importer import import_arrays, import_compressai, renamed
from licgate.train.network.models import ARCHITECTURES, ModelConfig, build_model

N, M = 4, 6
PEDESTAL = 2.0**-36


def zoo_state(architecture, seed=0):
    """Return a random state dict as the zoo has it: shapes by hand, ``_matrix0`` names, buffers of the coder."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0):
        return torch.randn(shape, generator=generator) * scale

    state = {}

    def conv(name, o, i, k, gain=1.0):
        state[f"{name}.weight"], state[f"{name}.bias"] = normal(o, i, k, k, scale=gain / (i * k * k) ** 0.5), normal(o)

    for part, ends in (("g_a", (3, N, N, N, M)), ("g_s", (M, N, N, N, 3))):
        for index in range(4):
            i, o = ends[index], ends[index + 1]
            pair = (o, i) if part == "g_a" else (i, o)
            conv(f"{part}.{2 * index}", *pair, 5, gain=30.0 if (part, index) == ("g_a", 3) else 1.0)
            state[f"{part}.{2 * index}.bias"] = normal(o)
            if index < 3:
                state[f"{part}.{2 * index + 1}.beta"] = 0.8 + 0.4 * torch.rand(N, generator=generator)
                state[f"{part}.{2 * index + 1}.gamma"] = 0.5 * torch.rand(N, N, generator=generator)
                state[f"{part}.{2 * index + 1}.beta_reparam.pedestal"] = torch.tensor([PEDESTAL])
                state[f"{part}.{2 * index + 1}.gamma_reparam.lower_bound.bound"] = torch.tensor([2.0**-18])
    wide = architecture != "bmshj2018-hyperprior"
    conv("h_a.0", N, M, 3, gain=0.3)
    conv("h_a.2", N, N, 5)
    conv("h_a.4", N, N, 5, gain=5.0)
    first, second, last = (M, 3 * M // 2, 2 * M) if wide else (N, N, M)
    conv("h_s.0", N, first, 5)
    state["h_s.0.bias"] = normal(first)
    conv("h_s.2", first, second, 5)
    state["h_s.2.bias"] = normal(second)
    conv("h_s.4", last, second, 3, gain=3.0)
    if architecture == "mbt2018":
        conv("context_prediction", 2 * M, M, 5)
        state["context_prediction.mask"] = torch.ones(2 * M, M, 5, 5)
        for index, (o, i) in enumerate(((10 * M // 3, 4 * M), (8 * M // 3, 10 * M // 3), (2 * M, 8 * M // 3))):
            conv(f"entropy_parameters.{2 * index}", o, i, 1, gain=2.0)
    widths = (1, 3, 3, 3, 3, 1)
    for i in range(5):
        state[f"entropy_bottleneck._matrix{i}"] = normal(N, widths[i + 1], widths[i])
        state[f"entropy_bottleneck._bias{i}"] = normal(N, widths[i + 1], 1)
        if i < 4:
            state[f"entropy_bottleneck._factor{i}"] = normal(N, widths[i + 1], 1)
    state["entropy_bottleneck.quantiles"] = torch.tensor([-10.0, 1.0, 10.0]).repeat(N, 1, 1)
    state["entropy_bottleneck.target"] = torch.zeros(3)
    state["entropy_bottleneck._offset"] = torch.zeros(N, dtype=torch.int32)
    state["entropy_bottleneck._quantized_cdf"] = torch.zeros(N, 9, dtype=torch.int32)
    state["entropy_bottleneck._cdf_length"] = torch.zeros(N, dtype=torch.int32)
    state["gaussian_conditional.scale_table"] = torch.ones(64)
    state["gaussian_conditional.lower_bound_scale.bound"] = torch.tensor([0.11])
    return state


def forward(state, architecture, x):
    """Code one batch with whole medians; contexts position by position. Gives y, σ, x_hat and bits."""

    def layer(name, x, stride=2, up=False):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if up:
            return F.conv_transpose2d(x, weight, bias, stride=2, padding=2, output_padding=1)
        return F.conv2d(x, weight, bias, stride=stride, padding=weight.shape[2] // 2)

    def gdn(name, x, inverse):
        beta = torch.clamp(state[f"{name}.beta"], min=(1e-6 + PEDESTAL) ** 0.5) ** 2 - PEDESTAL
        gamma = torch.clamp(state[f"{name}.gamma"], min=PEDESTAL**0.5) ** 2 - PEDESTAL
        norm = torch.sqrt(beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x * x))
        return x * norm if inverse else x / norm

    def act(x):
        return torch.where(x < 0, 0.01 * x, x) if architecture.startswith("mbt") else torch.relu(x)

    y = x
    for i in (0, 2, 4):
        y = gdn(f"g_a.{i + 1}", layer(f"g_a.{i}", y), False)
    y = layer("g_a.6", y)
    z = layer("h_a.0", y.abs() if architecture.startswith("bmshj") else y, stride=1)
    z = layer("h_a.4", act(layer("h_a.2", act(z))))
    z_hat = torch.round(z - 1) + 1
    out = act(layer("h_s.2", act(layer("h_s.0", z_hat, up=True)), up=True))
    out = layer("h_s.4", out, stride=1)
    if architecture == "bmshj2018-hyperprior":
        sigma, mean = torch.relu(out), torch.zeros(())
        y_hat = torch.round(y)
    elif architecture == "mbt2018-mean":
        sigma, mean = out[:, :M], out[:, M:]
        y_hat = torch.round(y - mean) + mean
    else:
        y_hat, sigma, mean = torch.zeros_like(y), torch.zeros_like(y), torch.zeros_like(y)
        mask = torch.zeros(5, 5)
        mask[:2] = 1
        mask[2, :2] = 1
        for r in range(y.shape[2]):
            for c in range(y.shape[3]):
                weight = state["context_prediction.weight"] * mask
                context = F.conv2d(y_hat, weight, state["context_prediction.bias"], padding=2)
                p = torch.cat([out, context], dim=1)
                p = act(layer("entropy_parameters.2", act(layer("entropy_parameters.0", p, 1)), 1))
                p = layer("entropy_parameters.4", p, 1)[:, :, r, c]
                sigma[:, :, r, c], mean[:, :, r, c] = p[:, :M], p[:, M:]
                y_hat[:, :, r, c] = torch.round(y[:, :, r, c] - p[:, M:]) + p[:, M:]
    pixels = y_hat
    for i in (0, 2, 4):
        pixels = gdn(f"g_s.{i + 1}", layer(f"g_s.{i}", pixels, up=True), True)
    return {"y": y, "z": z_hat, "sigma": sigma, "mean": mean, "y_hat": y_hat, "x_hat": layer("g_s.6", pixels, up=True)}


def close(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-3, atol=2e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("architecture", ["bmshj2018-hyperprior", "mbt2018-mean", "mbt2018"])
def test_an_imported_model_computes_what_its_source_does(architecture, tmp_path):
    state = zoo_state(architecture)
    torch.save(state, tmp_path / "zoo.pth.tar")
    model = import_compressai(tmp_path / "zoo.pth.tar")
    assert model.config.architecture == architecture
    x = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(1))
    seen = {}

    def run(part, value):
        seen[part] = value
        out = model.part(part)(value)
        if part == model.config.kind.source and architecture != "mbt2018":
            seen["sigma"] = out[:, :M]
        return out

    with torch.no_grad():
        wanted = forward(state, architecture, x)
        found = code(run, x, architecture, scale=model.config.scale)
    assert float(wanted["y"].abs().max()) > 3
    close(found["y"], wanted["y"])
    np.testing.assert_array_equal(seen["h_s"].numpy(), wanted["z"].numpy())
    assert len(wanted["z"].unique()) > 3
    close(found["y_hat"], wanted["y_hat"])
    close(found["x_hat"], wanted["x_hat"])
    if "sigma" in seen:
        close(seen["sigma"], wanted["sigma"])
    if wanted["mean"].ndim:
        close(found["mean"], wanted["mean"])
    table = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
    nearest = np.abs(np.log(np.maximum(wanted["sigma"].numpy(), 0.11))[..., None] - np.log(table)).argmin(axis=-1)
    assert len(np.unique(nearest)) > 5
    assert np.mean(found["level"].numpy() != nearest) < 0.01


def test_all_key_styles_name_the_same_tensors(tmp_path):
    new = zoo_state("bmshj2018-hyperprior")
    wanted = renamed(new)
    plurals = {"_matrix": "matrices.", "_bias": "biases.", "_factor": "factors."}
    for prefix in ("", "_"):
        for wrap in (False, True):
            style = {}
            for key, value in new.items():
                for single, plural in plurals.items():
                    if key.startswith(f"entropy_bottleneck.{single}"):
                        key = f"entropy_bottleneck.{prefix}{plural}{key[-1]}"
                style[f"module.{key}" if wrap else key] = value
            torch.save({"epoch": 3, "state_dict": style} if wrap else style, tmp_path / "zoo.pth")
            found = import_compressai(tmp_path / "zoo.pth").state_dict()
            assert set(found) == set(wanted)
            assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_safetensors_are_read_too(tmp_path):
    from safetensors.torch import save_file

    save_file(zoo_state("mbt2018-mean"), tmp_path / "zoo.safetensors")
    assert import_compressai(tmp_path / "zoo.safetensors").config.activation == "leaky"


def without(prefix):
    return lambda state: [state.pop(key) for key in list(state) if key.startswith(prefix)]


@pytest.mark.parametrize(
    ("architecture", "change", "message"),
    [
        ("bmshj2018-hyperprior", without("h_"), "has no hyperprior"),
        ("bmshj2018-hyperprior", without("g_a.6"), r"lacks the tensor g_a\.6\.weight: it is none of"),
        ("bmshj2018-hyperprior", without("entropy_bottleneck._matrix3"), r"entropy_bottleneck\.matrices\.3 is missing"),
        (
            "bmshj2018-hyperprior",
            lambda s: s.update({"g_a.3.gamma": torch.ones(N, N + 1)}),
            r"shape \(4, 5\), expected",
        ),
        (
            "bmshj2018-hyperprior",
            lambda s: s["h_s.0.bias"].fill_(torch.nan),
            r"h_s\.0\.bias holds numbers .* not finite",
        ),
        (
            "mbt2018",
            lambda s: s.update({"attention.weight": torch.ones(3)}),
            r"attention\.weight has no place in a model",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(architecture, change, message, tmp_path):
    state = zoo_state(architecture)
    change(state)
    torch.save(state, tmp_path / "zoo.pth")
    with pytest.raises(TrainingError, match=message) as caught:
        import_compressai(tmp_path / "zoo.pth")
    assert "\n" not in str(caught.value)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("code of the checkpoint ran",))


@pytest.mark.parametrize("new", [False, True])
def test_code_in_a_checkpoint_is_not_run(tmp_path, new):
    path, state = tmp_path / "trap.pth", zoo_state("bmshj2018-hyperprior")
    torch.save({"state_dict": Trap()}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(
        TrainingError, match=r"holds no tensors by name: where it was made, write them with torch\.save"
    ):
        import_compressai(path)
    torch.save({"args": Trap(), "state_dict": state}, path, _use_new_zipfile_serialization=new)
    assert import_compressai(path).config.n == N
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(TrainingError, match="is not a readable file of tensors"):
        import_compressai(path)


class Wrapper(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model


WRAPPED = {
    "a level down": lambda state: {"model": state, "itr": 7},
    "two levels down": lambda state: {"checkpoint": {"net": state}, "epoch": 1},
    "numpy's numbers": lambda state: {"epoch": np.int64(3), "loss": np.float64(1.2), "state_dict": state},
    "arrays beside it": lambda state: {"losses": np.arange(3.0), "state_dict": state},
    "options beside it": lambda state: {"args": argparse.Namespace(lr=1, path=Path("a")), "state_dict": state},
    "torch.compile": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "compiled inside": lambda state: {key.replace("g_a.", "g_a._orig_mod."): value for key, value in state.items()},
    "module twice": lambda state: {f"module.module.{key}": value for key, value in state.items()},
    "Lightning": lambda state: {
        "state_dict": {f"model.{key}": value for key, value in state.items()} | {"criterion.w": torch.ones(2)},
        "pytorch-lightning_version": "2.4.0",
        "hyper_parameters": {"lr": 1e-4},
    },
    "the optimiser first": lambda state: {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "model": state},
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_model_is_found_in_what_is_around_it(tmp_path, wrapped):
    state, path = zoo_state("bmshj2018-hyperprior"), tmp_path / "a.pth"
    torch.save(WRAPPED[wrapped](state), path)
    found, wanted = import_compressai(path).state_dict(), renamed(state)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_tensors_of_a_whole_module_are_read_and_its_code_is_not(tmp_path):
    model = build_model(ModelConfig(n=N, m=M, gdn="square_root", scale="linear"))
    torch.save(Wrapper(model), tmp_path / "a.pth")
    found = import_compressai(tmp_path / "a.pth").state_dict()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())


def test_two_models_in_one_file_are_refused(tmp_path):
    state = zoo_state("bmshj2018-hyperprior")
    torch.save(
        {f"{who}.{key}": value for who in ("student", "teacher") for key, value in state.items()}, tmp_path / "a"
    )
    with pytest.raises(TrainingError, match=r"holds several models, student\., teacher\.: give a state dict of one"):
        import_compressai(tmp_path / "a")


def test_a_program_is_refused_with_what_to_do(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(2)), tmp_path / "a.pt")
    with pytest.raises(TrainingError, match=r"is a TorchScript program: where you trust it, write its tensors with"):
        import_compressai(tmp_path / "a.pt")


def test_what_the_gateware_does_not_run_is_said_at_import(tmp_path, capsys):
    for architecture in ("mbt2018-mean", "bmshj2018-hyperprior"):
        torch.save(zoo_state(architecture), tmp_path / "a.pth")
        assert main(["import", str(tmp_path / "a.pth"), "--out", str(tmp_path / f"{architecture}.ckpt")]) == 0
    line = (
        "h_a, h_s of mbt2018-mean have leaky ReLUs, which the gateware does not: build and simulate take g_a, g_s; "
        "encode and decode in software all of it"
    )
    assert capsys.readouterr().err == f"licgate: note: {line}\n"


def test_the_verb_writes_a_checkpoint_that_loads(tmp_path, capsys):
    torch.save(zoo_state("mbt2018"), tmp_path / "zoo.pth.tar")
    out = tmp_path / "own.ckpt"
    arguments = ["import", str(tmp_path / "zoo.pth.tar"), "--out", str(out), "--lambda", "0.0067"]
    assert main(arguments) == 0
    model, recipe = load_model(out)
    assert (model.config.architecture, model.config.scale, model.config.gdn) == ("mbt2018", "linear", "square_root")
    assert recipe["rate_lambda"] == 0.0067
    assert main(arguments) == 2
    assert main(["import", str(out), "--out", str(tmp_path / "again.ckpt")]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert "exists: give another --out" in error[0]
    assert "is licgate's own already" in error[1]


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


def test_architectures_have_compressai_names():
    names = {"mbt2018": zoo_state("mbt2018"), "mbt2018-mean": zoo_state("mbt2018-mean")}
    for architecture in ARCHITECTURES:
        model = build_model(ModelConfig(architecture=architecture, n=N, m=M, gdn="square_root", affine=False))
        if architecture in names:
            wanted = {key: value.shape for key, value in renamed(names[architecture]).items()}
            assert {key: value.shape for key, value in model.state_dict().items()} == wanted
