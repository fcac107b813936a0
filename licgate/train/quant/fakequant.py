"""The integer layers of a manifest as differentiable torch functions: forward exact, backward straight-through.

Numbers are integers on a floating-point carrier. In float64 every result is that of `licgate.reference`, bit for bit;
in float32, which training takes for speed, a wide product can lose its last bit and a rounding flip here and there.
The gradient is that of the real function a layer approximates, and zero where its clip holds (Jacob et al. 2018;
Bengio et al. 2013).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from licgate.manifest import Conv2d, Gdn, Requantize, Table
from licgate.train.precision import has_bfloat16

PORT = 2.0**17


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, smooth, exact):
        return exact.view_as(exact)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Give the value of ``exact`` and the gradient of ``smooth``."""
    return _StraightThrough.apply(smooth, exact)


def shifted(value: Tensor, shift: int) -> Tensor:
    """``rsr`` on a float carrier; a shift of 0 is exact because ``value`` is whole."""
    return torch.mul(value, 2.0**-shift).add_(0.5).floor_()


def power_of_two(exponent: Tensor, carrier: torch.dtype) -> Tensor:
    """``2.0**exponent`` of integers, put together from bits: exact, and faster than a power."""
    if carrier == torch.float64:
        return ((exponent.long() + 1023) << 52).view(torch.float64)
    return ((exponent.int() + 127) << 23).view(torch.float32)


def tensor_of(array: np.ndarray, like: Tensor) -> Tensor:
    """Copy an array of a manifest, which is read-only, to the type and device of ``like``."""
    return torch.from_numpy(np.array(array, dtype=np.float64)).to(like)


def column(array: np.ndarray, like: Tensor) -> Tensor:
    """Per-channel numbers (C,) as (C, 1, 1) of the type and device of ``like``."""
    return tensor_of(array, like)[:, None, None]


class _Convolution(torch.autograd.Function):
    """A convolution in the carrier's own type; gradients are computed in bfloat16 where there are units for it."""

    @staticmethod
    def forward(ctx, x, weight, stride, padding, output_padding, transposed):
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding, output_padding, transposed
        return _plain_convolution(x, weight, stride, padding, output_padding, transposed)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, padding, output_padding, transposed = ctx.geometry
        low = torch.bfloat16 if has_bfloat16(x.device) else x.dtype
        need = (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False)
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad.to(low),
            x.to(low),
            weight.to(low),
            None,
            [stride] * 2,
            [padding] * 2,
            [1, 1],
            transposed,
            [output_padding] * 2,
            1,
            need,
        )
        cast = [None if g is None else g.to(x.dtype) for g in (grad_x, grad_weight)]
        return *cast, None, None, None, None


def _plain_convolution(x, weight, stride, padding, output_padding, transposed):
    if transposed:
        return F.conv_transpose2d(x, weight, None, stride, padding, output_padding)
    return F.conv2d(x, weight, None, stride, padding)


def requantize(wide: Tensor, smooth: Tensor, parameters: Requantize, exponent: Tensor | None = None) -> Tensor:
    """Bring exact wide integers to the output type; ``smooth`` is the real number that the result stands for.

    Parameters
    ----------
    wide, smooth : Tensor
        (B, C, H, W).
    parameters : Requantize
    exponent : Tensor of int, optional
        Subtracted from the shift (GDN).
    """
    with torch.no_grad():
        exact = shifted(wide, parameters.pre_shift).clamp_(-PORT, PORT - 1)
        exact.mul_(column(parameters.multiplier * 2.0**-parameters.shift, wide))
        if exponent is not None:
            exact.mul_(power_of_two(exponent, wide.dtype))
        exact.add_(0.5).floor_()
        if parameters.offset.any():
            exact.add_(column(parameters.offset, wide))
        if parameters.leak:
            exact = torch.where(exact < 0, shifted(exact * parameters.leak, 16), exact)
    if parameters.leak:
        smooth = F.leaky_relu(smooth, parameters.leak * 2.0**-16)
    return torch.clamp(straight_through(smooth, exact), *parameters.clip)


def convolution(
    layer: Conv2d,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gain: Tensor | float = 1.0,
    *,
    fast: bool = False,
    rounded: bool = True,
) -> Tensor:
    """Run a convolution of a manifest.

    Parameters
    ----------
    layer : Conv2d
        Has the integers.
    x : Tensor
        Integers (B, I, H, W).
    weight, bias : Tensor
        The real numbers that the layer's integers round, in steps of those: they receive the gradient.
    gain : Tensor or float
        1 in value; scales of input and output that are learned enter the gradient by it.
    fast : bool
        Compute gradients of the convolution in bfloat16 where the device has units for it.
    rounded : bool
        Give the integers, or the real numbers that would be rounded to them.
    """
    integers = tensor_of(layer.weight, x)
    weight = straight_through(weight.to(x), integers)
    geometry = layer.stride, layer.padding, layer.output_padding, layer.transposed
    product = _Convolution.apply(x, weight, *geometry) if fast else _plain_convolution(x, weight, *geometry)
    wide = product + straight_through(bias.to(x), tensor_of(layer.bias, x))[:, None, None]
    parameters = layer.requantize
    factor = column(parameters.multiplier * 2.0 ** -(parameters.shift + parameters.pre_shift), x)
    smooth = wide * (factor * gain)
    if not rounded:
        return smooth.clamp(*parameters.clip)
    return requantize(wide.detach(), smooth, parameters)


def gdn(layer: Gdn, x: Tensor, gamma: Tensor, beta: Tensor, offset: Tensor, gain: Tensor | float = 1.0) -> Tensor:
    """Run a GDN of a manifest; x is rounded once, for numerator and denominator (DRAQ, section IV-C).

    Parameters
    ----------
    layer : Gdn
    x : Tensor
        Integers (B, C, H, W).
    gamma, beta, offset : Tensor
        The real numbers that the layer's integers round, in steps of those.
    gain : Tensor or float
        As in `convolution`; the slimmable factor a comes in here, too.
    """
    size = x * x if layer.square else x.abs()
    top = 2.0**layer.norm_bits - 1
    norm = straight_through(size * 2.0**-layer.norm_shift, shifted(size.detach(), layer.norm_shift)).clamp_max(top)
    gamma = straight_through(gamma.to(x), tensor_of(layer.gamma, x))
    beta = straight_through(beta.to(x), tensor_of(layer.beta, x))
    v = F.conv2d(norm, gamma[:, :, None, None], beta)
    # The gradient of the bounds on β and γ lives in the parameters; here v is at least 1 by construction.
    root = torch.sqrt(v) if layer.root else v
    smooth = x * root if layer.inverse else x / root
    with torch.no_grad():
        r, exponent = factor(layer, v.detach())
        wide = x.detach() * r
    parameters = layer.requantize
    scale = column(parameters.multiplier * 2.0 ** (16.0 - parameters.shift - parameters.pre_shift), x)
    smooth = smooth * (scale * gain) + offset.to(x)[:, None, None]
    return requantize(wide, smooth, parameters, exponent)


@lru_cache(maxsize=8)
def _whole_table(key: tuple) -> Tensor:
    """Every factor r that a table can give, by index and fraction."""
    _, fraction_bits, value, slope = key
    fraction = np.arange(1 << fraction_bits)
    value, slope = np.array(value)[:, None], np.array(slope)[:, None]
    return torch.from_numpy((value + ((slope * fraction) >> fraction_bits)).reshape(-1).astype(np.float64))


def _key(table: Table) -> tuple:
    return table.index_bits, table.fraction_bits, tuple(table.value.tolist()), tuple(table.slope.tolist())


def factor(layer: Gdn, v: Tensor) -> tuple[Tensor, Tensor]:
    """Give r and the (integer) exponent that the requantisation subtracts, for sums v ≥ 1 (docs/numerics.md)."""
    table = layer.table
    kept = table.index_bits + table.fraction_bits
    # The mantissa of the carrier has the bits of v below its leading one.
    if v.dtype == torch.float64:
        bits, width, bias = v.view(torch.int64), 52, 1023
    elif layer.accumulator.bits <= 24:
        bits, width, bias = v.float().view(torch.int32), 23, 127
    else:
        bits, width, bias = v.double().view(torch.int64), 52, 1023
    e = (bits >> width) - bias
    entry = ((bits >> (width - kept)) & ((1 << kept) - 1)).long()
    if layer.root:
        entry = entry + ((e & 1) << kept)
        e = e >> 1
    r = _whole_table(_key(table)).to(v.device, v.dtype)[entry]
    return r, e if layer.inverse else -e
