"""Multiply-accumulates, against numbers that are known and against what torch computes."""

import pytest

torch = pytest.importorskip("torch")

from licgate.manifest import find_model  # noqa: E402
from licgate.train.measure.cost import cost_text, float_layers, model_cost  # noqa: E402
from licgate.train.network.models import ModelConfig, build_model  # noqa: E402


def test_the_known_numbers_of_the_hyperprior():
    model = build_model(ModelConfig(n=128, m=192))
    g_a = model_cost(model, 720, 1280)["transforms"]["g_a"]
    assert g_a["convolution"] / (1280 * 720) == 36_800
    assert g_a["gdn"] / (1280 * 720) == 5_376
    assert 2 * g_a["macs"] / 1e9 == pytest.approx(77.7, abs=0.05)


def test_the_known_numbers_of_the_large_hyperprior():
    g_a = model_cost(build_model(ModelConfig(n=192, m=320)), 512, 768)["transforms"]["g_a"]
    assert g_a["convolution"] / (512 * 768) == 81_600
    assert g_a["gdn"] / (512 * 768) == 12_096


@pytest.mark.parametrize("architecture", ["bmshj2018-hyperprior", "mbt2018-mean", "mbt2018", "he2021-checkerboard"])
def test_float_layers_are_what_torch_runs(architecture):
    # in training, a model that decodes symbol by symbol runs its context in one pass
    model = build_model(ModelConfig(architecture=architecture, n=5, m=7)).train()
    macs = {}

    def count(name):
        def hook(module, inputs, output):
            side = inputs[0] if isinstance(module, torch.nn.ConvTranspose2d) else output
            taps = module.kernel_size[0] ** 2 * module.in_channels * module.out_channels
            macs[name] = taps * side.shape[-1] * side.shape[-2]

        return hook

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.register_forward_hook(count(name))
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 128))
    cost = model_cost(model, 64, 128)
    listed = {layer.name for layers in float_layers(model).values() for layer in layers if layer.kind == "conv2d"}
    assert listed == set(macs)
    assert sum(entry["convolution"] for entry in cost["transforms"].values()) == sum(macs.values())
    assert cost["gflop"] == 2 * cost["macs"] / 1e9
    assert ("parameters" in cost["transforms"]) == (architecture in ("mbt2018", "he2021-checkerboard"))


def test_a_manifest_and_a_float_model_of_its_shape_cost_the_same():
    manifest = find_model()
    first = manifest.g_a.layers[0].out_channels
    model = build_model(ModelConfig(n=first, m=manifest.g_a.out_channels))
    for size, strict in (((512, 768), False), ((100, 70), True)):
        assert model_cost(manifest, *size, strict=strict) == model_cost(model, *size, strict=strict)
    assert model_cost(model, 64, 64, strict=True)["macs"] < model_cost(model, 64, 64)["macs"]


def test_relu_has_no_gdn_products_and_pruned_layers_cost_less():
    gdn, relu = (model_cost(build_model(ModelConfig(n=8, m=8, gdn=form)), 64, 64) for form in ("abs", "none"))
    assert relu["transforms"]["g_a"]["gdn"] == 0
    assert gdn["macs"] - relu["macs"] == 2 * 64 * (32 * 32 + 16 * 16 + 8 * 8)
    thin = model_cost(build_model(ModelConfig(n=8, m=8, widths={"g_a.2": 3})), 64, 64)["transforms"]["g_a"]
    saved = 25 * (8 * 5 * 16 * 16 + 5 * 8 * 8 * 8) + (64 - 9) * 16 * 16
    assert gdn["transforms"]["g_a"]["macs"] - thin["macs"] == saved


def test_the_table_states_size_and_unit():
    text = cost_text(model_cost(build_model(ModelConfig(n=4, m=4)), 512, 768))
    assert text.endswith("image of 768 x 512 pixels; 1 MAC = 2 FLOP")
    assert [line.split()[0] for line in text.splitlines()[1:-1]] == ["g_a", "g_s", "h_a", "h_s", "all"]
