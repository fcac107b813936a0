"""Compensated rounding and equalisation: what they change and what they must not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from licgate.errors import TrainingError
from licgate.train.quant.assemble import settle_offsets
from licgate.train.quant.calibrate import apply_layer
from licgate.train.quant.equalize import channel_ranges, equalize
from licgate.train.quant.export import grid_for, quantize_weight
from licgate.train.quant.floatnet import FloatConv, FloatGdn, float_layers
from licgate.train.quant.quantize import quantize_model
from licgate.train.quant.rounding import patches, phases, round_layer, round_weights
from licgate.train.quant.widths import LayerBits, Widths


def convolution(transposed, kernel=5, stride=2, seed=0, channels=(3, 4)):
    rng = np.random.default_rng(seed)
    pair = channels if transposed else channels[::-1]
    return FloatConv(
        name="g_a.0",
        weight=rng.normal(size=(*pair, kernel, kernel)),
        bias=rng.normal(size=channels[1]),
        stride=stride,
        padding=kernel // 2,
        output_padding=stride - 1 if transposed else 0,
        transposed=transposed,
        relu=False,
    )


def smooth_input(channels=3, size=24):
    torch.manual_seed(1)
    return F.avg_pool2d(torch.randn(2, channels, size + 6, size + 6), 7, 1) * 5 + 1


@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1), (3, 2), (5, 3)])
@pytest.mark.parametrize("transposed", [False, True])
def test_weights_times_patches_is_the_convolution(transposed, kernel, stride):
    layer = convolution(transposed, kernel, stride)
    x = torch.randn(1, 3, 7, 9)
    expected = np.sort(
        (apply_layer(layer, x)[0] - torch.tensor(layer.bias)[:, None, None].float()).numpy().reshape(4, -1)
    )
    found = []
    for columns in phases(layer):
        ky, kx = np.array(columns).T
        weight = np.moveaxis(layer.weight, layer.output_axis, 0)[:, :, ky, kx].reshape(4, -1)
        found.append(weight @ patches(layer, columns, x).numpy())
    np.testing.assert_allclose(np.sort(np.concatenate(found, axis=1)), expected, atol=1e-4)


@pytest.mark.parametrize("transposed", [False, True])
def test_compensated_rounding_changes_the_output_less_than_nearest(transposed):
    layer, x = convolution(transposed), smooth_input()
    moments = []
    for columns in phases(layer):
        u = patches(layer, columns, x).double().numpy()
        moments.append((u.mean(axis=1), np.cov(u, bias=True)))
    rounded = round_layer(layer, 4, moments)
    errors = []
    for candidate in (layer, rounded):
        integers, step = quantize_weight(candidate, 4)
        assert np.abs(integers).max() <= 7
        shape = [1, 1, 1, 1]
        shape[layer.output_axis] = -1
        own = FloatConv(**{**layer.__dict__, "weight": integers * step.reshape(shape), "bias": candidate.bias})
        errors.append(float(((apply_layer(own, x) - apply_layer(layer, x)) ** 2).mean()))
    assert errors[1] < 0.3 * errors[0]


def test_rounded_weights_stay_one_step_grids(make_model, squares):
    net = float_layers(make_model())
    crops = torch.rand(2, 3, 64, 64)
    rounded = round_weights(net, Widths(default=LayerBits(weight=6)), crops, "bmshj2018-hyperprior")
    for part, layers in rounded.items():
        for before, after in zip(net[part], layers, strict=True):
            if isinstance(after, FloatConv):
                integers, step = after.rounded
                assert integers.shape == before.weight.shape
                assert np.abs(integers).max() == 31
                np.testing.assert_array_equal(step, quantize_weight(before, 6)[1])


def test_equalisation_leaves_the_function_and_levels_the_ranges(make_model):
    net = float_layers(make_model())
    crops = torch.rand(2, 3, 64, 64)
    level = equalize(net, channel_ranges(net, crops, "bmshj2018-hyperprior"), 1.0)
    ranges = channel_ranges(level, crops, "bmshj2018-hyperprior")
    for part in ("g_a", "g_s"):
        x = crops if part == "g_a" else torch.randn(1, 7, 4, 4)
        other = x
        for before, after in zip(net[part], level[part], strict=True):
            x, other = apply_layer(before, x), apply_layer(after, other)
            if isinstance(after, FloatGdn):
                np.testing.assert_allclose(ranges[after.name], ranges[after.name].max(), rtol=1e-3)
        np.testing.assert_allclose(other, x, rtol=1e-3, atol=1e-3 * float(x.abs().max()))


def test_offsets_on_the_grid_leave_the_next_layer_what_it_was(make_model):
    net = float_layers(make_model())
    crops = torch.rand(1, 3, 64, 64)
    step = 0.3
    grids = {layer.name: grid_for(-step * 127, step * 127, 8) for layers in net.values() for layer in layers}
    settled = settle_offsets(net, grids)
    for part, x in (("g_a", crops), ("g_s", torch.randn(1, 7, 8, 8))):
        for position, (before, after) in enumerate(zip(net[part], settled[part], strict=True)):
            if isinstance(before, FloatGdn):
                np.testing.assert_allclose(after.b / step, np.rint(after.b / step), atol=1e-9)
                assert np.abs(after.b - before.b).max() > 0.05
                own, other = (
                    apply_layer(net[part][position + 1], apply_layer(before, x)),
                    apply_layer(settled[part][position + 1], apply_layer(after, x)),
                )
                assert float((own - apply_layer(net[part][position + 1], apply_layer(after, x))).abs().max()) > 0.01
                # The border reads zeros instead of offsets, and phases of a transposed convolution share one bias.
                error = (own - other)[:, :, 4:-4, 4:-4]
                error = error.mean(dim=(2, 3)) if part == "g_s" else error
                if error.numel():
                    np.testing.assert_allclose(error, 0, atol=1e-3 * float(own.abs().max()))
            x = apply_layer(before, x)


def test_bad_options_are_one_line(make_model, squares):
    for option, message in (({"rounding": "up"}, "rounding 'up' is unknown"), ({"equalization": 2.0}, "outside 0..1")):
        with pytest.raises(TrainingError, match=message):
            quantize_model(make_model(), {}, squares, name="tiny", crops=1, quiet=True, **option)
