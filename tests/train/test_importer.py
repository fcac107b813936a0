"""Import of CompressAI's state dicts, against a forward pass written here from the papers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from licgate.cli import main
from licgate.errors import TrainingError
from licgate.train.network.checkpoint import load_model
from licgate.train.network.flow import code
from licgate.train.network.importer import import_compressai, renamed
from licgate.train.network.models import ARCHITECTURES, ModelConfig, build_model
from tests.train.zoo import PEDESTAL, M, N, close, zoo_state


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


def test_architectures_have_compressai_names():
    names = {"mbt2018": zoo_state("mbt2018"), "mbt2018-mean": zoo_state("mbt2018-mean")}
    for architecture in ARCHITECTURES:
        model = build_model(ModelConfig(architecture=architecture, n=N, m=M, gdn="square_root", affine=False))
        if architecture in names:
            wanted = {key: value.shape for key, value in renamed(names[architecture]).items()}
            assert {key: value.shape for key, value in model.state_dict().items()} == wanted
