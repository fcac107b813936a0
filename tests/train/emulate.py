"""The integer network on torch float64 as carrier: exact below 2**53, and written without a line of the reference."""

import numpy as np
import torch
import torch.nn.functional as F


def rounded_shift(value, shift):
    shift = torch.as_tensor(shift, dtype=torch.float64)
    return torch.floor(value / 2.0**shift + torch.where(shift > 0, 0.5, 0.0))


def column(array):
    return torch.from_numpy(np.array(array, dtype=np.float64))[:, None, None]


def requantize(value, parameters, exponent):
    port = rounded_shift(value, float(parameters.pre_shift)).clamp(-(2.0**17), 2.0**17 - 1)
    result = rounded_shift(port * column(parameters.multiplier), column(parameters.shift) - exponent)
    return (result + column(parameters.offset)).clamp(*parameters.clip)


def convolution(layer, x):
    weight, bias = (torch.from_numpy(np.array(a, dtype=np.float64)) for a in (layer.weight, layer.bias))
    if layer.transposed:
        wide = F.conv_transpose2d(x[None], weight, bias, layer.stride, layer.padding, layer.output_padding)[0]
    else:
        wide = F.conv2d(x[None], weight, bias, layer.stride, layer.padding)[0]
    return requantize(wide, layer.requantize, 0.0)


def normalisation(layer, x):
    size = x * x if layer.square else x.abs()
    norm = rounded_shift(size, float(layer.norm_shift)).clamp_max(2.0**layer.norm_bits - 1)
    gamma = torch.from_numpy(np.array(layer.gamma, dtype=np.float64))
    v = column(layer.beta) + torch.einsum("ij,jhw->ihw", gamma, norm)
    # frexp gives a mantissa in 0.5..1, so the leading one of v has the weight 2**(exponent - 1)
    e = torch.frexp(v)[1].double() - 1
    table = layer.table
    mantissa = torch.floor((v / 2.0**e - 1) * 2.0 ** (table.index_bits + table.fraction_bits))
    k, f = torch.floor(mantissa / 2.0**table.fraction_bits), mantissa % 2.0**table.fraction_bits
    if layer.root:
        k = k + (e % 2) * 2.0**table.index_bits
        e = torch.floor(e / 2)
    value, slope = (torch.from_numpy(np.array(a, dtype=np.float64))[k.long()] for a in (table.value, table.slope))
    r = value + torch.floor(slope * f / 2.0**table.fraction_bits)
    return requantize(x * r, layer.requantize, e if layer.inverse else -e)


def transform(part, x):
    """Run a transform of a manifest on integers (C, H, W)."""
    x = torch.from_numpy(np.array(x, dtype=np.float64))
    x = x.abs() if part.absolute_input else x
    for layer in part.layers:
        x = convolution(layer, x) if layer.kind == "conv2d" else normalisation(layer, x)
    return x.numpy().astype(np.int64)
