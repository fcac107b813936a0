"""From a real factor to the integers of a requantisation."""

import numpy as np
import numpy.typing as npt

from licgate.errors import ManifestError
from licgate.manifest.checks import Integers, check_int
from licgate.manifest.types import Requantize

__all__ = ["make_requantize"]


def make_requantize(
    factor: npt.ArrayLike,
    *,
    bound: int | Integers,
    clip: tuple[int, int],
    offset: Integers | None = None,
    early: bool = True,
    leak: int = 0,
) -> Requantize:
    """Return the `Requantize` nearest to ``output = factor * wide + offset``.

    The pre-shift is the smallest for which the 18-bit port saturates only values that the clip would clip anyway
    (`early`), or none at all.

    Parameters
    ----------
    factor : array of float, shape (C,)
        Output steps per wide step, 0 or more. GDN: output steps per step of ``x * r`` at exponent 0.
    bound : int or array of int, shape (C,)
        Largest magnitude of the wide number.
    clip : (int, int)
    offset : array of int, shape (C,), optional
    early : bool
        Set it to False where an exponent scales the output too (GDN).
    leak : int
        As in `Requantize`.

    Raises
    ------
    ManifestError
        If a factor is negative, not finite, or too large for a multiplier of 17 bits.
    """
    factor = np.atleast_1d(np.asarray(factor, dtype=np.float64))
    if not np.isfinite(factor).all() or (factor < 0).any():
        raise ManifestError("a factor is negative or not finite", "factor")
    offset = np.zeros(len(factor), dtype=np.int64) if offset is None else np.asarray(offset)
    pre_shift = _pre_shift(factor, bound, clip, offset, early, leak)
    mantissa, exponent = np.frexp(factor * 2.0**pre_shift)
    multiplier = np.floor(mantissa * 2**17 + 0.5).astype(np.int64)
    shift = 17 - exponent.astype(np.int64)
    over = multiplier == 1 << 17
    multiplier[over] >>= 1
    shift[over] -= 1
    # a factor below 2**-46 loses bits, then vanishes; one of 2**17 or more has no shift
    excess = np.clip(shift - 63, 0, 18)
    multiplier >>= excess
    shift = np.where(multiplier == 0, 0, np.minimum(shift, 63))
    if (shift < 0).any():
        channel = int(np.argmin(shift))
        raise ManifestError(f"{factor[channel]} is too large for a multiplier of 17 bits", f"factor[{channel}]")
    return Requantize(pre_shift=pre_shift, multiplier=multiplier, shift=shift, offset=offset, clip=clip, leak=leak)


def _pre_shift(
    factor: npt.NDArray[np.float64],
    bound: int | Integers,
    clip: tuple[int, int],
    offset: Integers,
    early: bool,
    leak: int,
) -> int:
    needed = np.broadcast_to(np.asarray(bound, dtype=np.float64), factor.shape).copy()
    if early:
        high, low = np.abs(clip[1] - offset) + 2.0, np.abs(clip[0] - offset) + 2.0
        # what a leak makes small was large before
        reach = np.maximum(high, (low - 1.0) * 2**16 / leak if leak else low)
        with np.errstate(divide="ignore"):
            needed = np.minimum(needed, reach / factor)
    port = float((1 << 17) - 1)
    shift = max(0, int(np.ceil(np.log2(max(needed.max(), 1.0) / port))))
    return check_int(shift, 0, 31, "pre_shift")
