"""Convolution and transposed convolution, by matrix products that are exact in float64.

Products and every partial sum are integers below the layer's proven accumulator bound, which a manifest holds
to 48 bits; float64 holds all integers to 53, float32 those to 24.
"""

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest.numeric import requantize

__all__ = ["carrier", "conv2d"]

# elements of the unfolded input, or of the output, that are held at a time: few enough for a cache of some MiB
BLOCK = 1 << 20


def carrier(accumulator):
    """Return the floating-point type in which sums within the accumulator's bound are exact."""
    return np.float32 if accumulator.bound < 1 << 24 else np.float64


def conv2d(layer, x):
    """Return the output of a convolution.

    Parameters
    ----------
    layer : Conv2d
    x : ndarray of int, shape (I, H, W)

    Returns
    -------
    ndarray of int64, shape (O, H', W')

    Raises
    ------
    ConfigError
        If the input is smaller than the kernel, so that there is no output.
    """
    height, width = layer.output_size(*x.shape[1:])
    if not height or not width:
        size = f"{x.shape[2]} x {x.shape[1]}"
        raise ConfigError(f"{layer.name}: nothing comes out of an input of {size}; it is too small")
    out = np.empty((layer.out_channels, height, width), dtype=np.int64)
    deep = max(layer.in_channels * layer.kernel**2, layer.out_channels)
    rows = max(BLOCK // (deep * width), 1)
    accumulate = _scatter(layer, x) if layer.transposed else _gather(layer, x)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        wide = accumulate(start, stop) + layer.bias[:, None, None]
        out[:, start:stop] = requantize(wide, layer.requantize)
    return out


def _gather(layer, x):
    kind, pad, kernel, stride = carrier(layer.accumulator), layer.padding, layer.kernel, layer.stride
    padded = np.pad(x.astype(kind), ((0, 0), (pad, pad), (pad, pad)))
    matrix = layer.weight.reshape(layer.out_channels, -1).astype(kind)
    width = layer.output_length(x.shape[2])

    def accumulate(start, stop):
        rows = stop - start
        unfolded = np.empty((layer.in_channels, kernel, kernel, rows, width), dtype=kind)
        for ky in range(kernel):
            first = start * stride + ky
            band = padded[:, first : first + (rows - 1) * stride + 1 : stride]
            for kx in range(kernel):
                unfolded[:, ky, kx] = band[:, :, kx : kx + (width - 1) * stride + 1 : stride]
        product = matrix @ unfolded.reshape(matrix.shape[1], rows * width)
        return product.astype(np.int64).reshape(-1, rows, width)

    return accumulate


def _scatter(layer, x):
    """Each input row scatters one product into `kernel` output rows; a band of rows gathers those it gets."""
    kind, kernel, stride, pad = carrier(layer.accumulator), layer.kernel, layer.stride, layer.padding
    count, in_height, in_width = x.shape
    x = x.astype(kind)
    width = layer.output_length(in_width)
    # columns before the crop that padding and output size make: wide enough for every scattered position
    span = max((in_width - 1) * stride + kernel, pad + width)

    def accumulate(start, stop):
        full = np.zeros((layer.out_channels, stop - start, span), dtype=np.int64)
        for ky in range(kernel):
            # output row = i * stride + ky - pad
            low = max(-((ky - pad - start) // stride), 0)
            high = min((stop - 1 + pad - ky) // stride, in_height - 1)
            if low > high:
                continue
            band = x[:, low : high + 1].reshape(count, -1)
            row = low * stride + ky - pad - start
            for kx in range(kernel):
                product = layer.weight[:, :, ky, kx].T.astype(kind) @ band
                product = product.astype(np.int64).reshape(layer.out_channels, high - low + 1, in_width)
                target = full[:, row : row + (high - low) * stride + 1 : stride]
                target[:, :, kx : kx + (in_width - 1) * stride + 1 : stride] += product
        return full[:, :, pad : pad + width]

    return accumulate
