"""The interpolation tables of GDN: 1/v, 1/sqrt(v), v and sqrt(v) on a normalised mantissa."""

import numpy as np
import numpy.typing as npt

from licgate.manifest.types import Table

__all__ = ["gdn_table"]


def gdn_table(*, root: bool, inverse: bool, index_bits: int = 6, fraction_bits: int = 10) -> Table:
    """Return the table of GDN's factor r, scaled by 2**16.

    Each entry is the chord of its segment, moved by half of its largest error, so that the error is
    the same above and below. 64 entries give 2**-14 for 1/v.

    Parameters
    ----------
    root, inverse : bool
        As in `Gdn`.
    index_bits, fraction_bits : int
        As in `Table`.

    Returns
    -------
    Table
    """
    entries = 1 << index_bits
    value, slope = [], []
    for parity in range(1 + root):
        edges = (1 + np.arange(entries + 1) / entries) * 2**parity
        middle = (edges[1:] + edges[:-1]) / 2
        ends, centre = _factor(edges, root, inverse), _factor(middle, root, inverse)
        # the largest distance between arc and chord lies close to the middle of so short a segment
        lift = (centre - (ends[1:] + ends[:-1]) / 2) / 2
        # half a unit makes up for the floor of the interpolation's shift
        low = np.clip(np.floor(ends[:-1] + lift + 1.0), 0, 2**17 - 1)
        high = np.clip(np.floor(ends[1:] + lift + 1.0), 0, 2**17)
        value.append(low)
        slope.append(high - low)
    return Table(
        index_bits=index_bits,
        fraction_bits=fraction_bits,
        value=np.concatenate(value).astype(np.int64),
        slope=np.concatenate(slope).astype(np.int64),
    )


def _factor(mantissa: npt.NDArray[np.float64], root: bool, inverse: bool) -> npt.NDArray[np.float64]:
    power = (0.5 if root else 1.0) * (1 if inverse else -1)
    return 2.0**16 * mantissa**power
