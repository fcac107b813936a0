"""GDN and its inverse, with the table and the rounding of `docs/numerics.md`."""

import numpy as np

from licgate.manifest.layers import gdn_exponent
from licgate.manifest.numeric import requantize, rsr
from licgate.reference.convolution import carrier

__all__ = ["factor", "gdn"]

# elements of a feature map that are worked on at a time
BLOCK = 1 << 18


def factor(layer, total):
    """Return the factor r and its exponent for the weighted sums `total` (v of the numerics page).

    Parameters
    ----------
    layer : Gdn
    total : ndarray of int64
        1 or more, below 2**48.

    Returns
    -------
    r, exponent : ndarray of int64
    """
    table = layer.table
    # frexp gives the exponent after the leading one, and is exact below 2**53
    e = np.frexp(total.astype(np.float64))[1].astype(np.int64) - 1
    kept = table.index_bits + table.fraction_bits
    aligned = (total << np.maximum(kept - e, 0)) >> np.maximum(e - kept, 0)
    below = aligned - (np.int64(1) << kept)
    index = below >> table.fraction_bits
    fraction = below & ((1 << table.fraction_bits) - 1)
    if layer.root:
        index = index + ((e & 1) << table.index_bits)
    r = table.value[index] + ((table.slope[index] * fraction) >> table.fraction_bits)
    return r, gdn_exponent(e, root=layer.root, inverse=layer.inverse)


def gdn(layer, x):
    """Return the output of a GDN layer.

    Parameters
    ----------
    layer : Gdn
    x : ndarray of int, shape (C, H, W)

    Returns
    -------
    ndarray of int64, shape (C, H, W)
    """
    kind = carrier(layer.accumulator)
    gamma, flat = layer.gamma.astype(kind), np.asarray(x, dtype=np.int64).reshape(layer.channels, -1)
    out = np.empty_like(flat)
    columns = max(BLOCK // layer.channels, 1)
    for start in range(0, flat.shape[1], columns):
        part = flat[:, start : start + columns]
        magnitude = part * part if layer.square else np.abs(part)
        norm = np.minimum(rsr(magnitude, layer.norm_shift), (1 << layer.norm_bits) - 1)
        total = layer.beta[:, None] + (gamma @ norm.astype(kind)).astype(np.int64)
        r, exponent = factor(layer, total)
        out[:, start : start + columns] = requantize(part * r, layer.requantize, exponent=exponent)
    return out.reshape(x.shape)
