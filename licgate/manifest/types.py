"""Number types and the parameters that several layers share."""

from dataclasses import dataclass

import numpy as np

from licgate.errors import ManifestError
from licgate.manifest.checks import Integers, check_bool, check_int, check_span, check_type, frozen_array

__all__ = ["Accumulator", "IntType", "Requantize", "Table", "prove_convolution", "prove_gdn"]

# 48 bits are the accumulator of a DSP48E2 and stay exact in float64, which carries the reference's products
ACCUMULATOR_BITS = 48


@dataclass(frozen=True)
class IntType:
    """An integer type of 2 to 16 bits.

    Parameters
    ----------
    bits : int
    signed : bool
        Two's complement when true.
    """

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", check_int(self.bits, 2, 16, "bits"))
        object.__setattr__(self, "signed", check_bool(self.signed, "signed"))

    @property
    def min(self) -> int:
        """Smallest number of the type."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest number of the type."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def magnitude(self) -> int:
        """Largest absolute value of the type."""
        return max(-self.min, self.max)

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


@dataclass(frozen=True)
class Accumulator:
    """The proven width of a layer's sum of products.

    Parameters
    ----------
    bits : int
        Bits of the register: signed for a convolution, unsigned for GDN.
    bound : int
        Largest magnitude that the weights admit, over all output channels.
    """

    bits: int
    bound: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", check_int(self.bits, 1, ACCUMULATOR_BITS, "bits"))
        object.__setattr__(self, "bound", check_int(self.bound, 0, (1 << ACCUMULATOR_BITS) - 1, "bound"))


def signed_bits(bound: int) -> int:
    """Return the bits of a signed register that holds every number of magnitude up to `bound`."""
    return int(bound).bit_length() + 1


def unsigned_bits(bound: int) -> int:
    """Return the bits of an unsigned register that holds 0 to `bound`."""
    return max(int(bound).bit_length(), 1)


def prove_convolution(
    weight: Integers, bias: Integers, input_type: IntType, *, transposed: bool = False
) -> Accumulator:
    """Return the `Accumulator` that a convolution's weights prove: largest ``sum |w| * max|x| + |bias|``.

    Parameters
    ----------
    weight : ndarray of int64, shape (O, I, K, K), or (I, O, K, K) when `transposed`
    bias : ndarray of int64, shape (O,)
    input_type : IntType
    transposed : bool

    Raises
    ------
    ManifestError
        If the sum needs more than 48 bits.
    """
    axes = (0, 2, 3) if transposed else (1, 2, 3)
    bound = int((np.abs(weight).sum(axis=axes) * input_type.magnitude + np.abs(bias)).max())
    return Accumulator(signed_bits(bound), bound)


def prove_gdn(gamma: Integers, beta: Integers, norm_bits: int) -> Accumulator:
    """Return the `Accumulator` of a GDN: largest ``beta + sum gamma * (2**norm_bits - 1)``, unsigned."""
    bound = int((beta + gamma.sum(axis=1) * ((1 << norm_bits) - 1)).max())
    return Accumulator(unsigned_bits(bound), bound)


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize:
    """The way from a wide number to the output type; `licgate.manifest.numeric.requantize` computes it.

    Parameters
    ----------
    pre_shift : int
        0 to 31, one for the layer.
    multiplier : array of int, shape (C,)
        0 to 2**17 - 1.
    shift : array of int, shape (C,)
        0 to 63.
    offset : array of int, shape (C,)
        Added after the shift; within 18 bits. Zero for convolutions.
    clip : (int, int)
        Lowest and highest output.
    leak : int
        0 to 2**16 - 1: 2**16 times the slope of a LeakyReLU, 0 for none.
    """

    pre_shift: int
    multiplier: Integers
    shift: Integers
    offset: Integers
    clip: tuple[int, int]
    leak: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "pre_shift", check_int(self.pre_shift, 0, 31, "pre_shift"))
        put(self, "multiplier", frozen_array(self.multiplier, (None,), "multiplier"))
        channels = len(self.multiplier)
        put(self, "shift", frozen_array(self.shift, (channels,), "shift"))
        put(self, "offset", frozen_array(self.offset, (channels,), "offset"))
        check_span(self.multiplier, 0, (1 << 17) - 1, "multiplier")
        check_span(self.shift, 0, 63, "shift")
        check_span(self.offset, -(1 << 17), (1 << 17) - 1, "offset")
        if not isinstance(self.clip, tuple | list) or len(self.clip) != 2:
            raise ManifestError("is not a pair [low, high]", "clip")
        low = check_int(self.clip[0], -(1 << 15), (1 << 16) - 1, "clip[0]")
        high = check_int(self.clip[1], -(1 << 15), (1 << 16) - 1, "clip[1]")
        if low > high:
            raise ManifestError(f"low {low} is above high {high}", "clip")
        put(self, "clip", (low, high))
        put(self, "leak", check_int(self.leak, 0, (1 << 16) - 1, "leak"))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.multiplier)

    def check(self, channels: int, output: IntType) -> None:
        """Check that there are `channels` channels and that the clip lies inside the type `output`."""
        check_type(output, IntType, "output")
        if self.channels != channels:
            raise ManifestError(f"holds {self.channels} channels, expected {channels}", "requantize.multiplier")
        low, high = self.clip
        if low < output.min or high > output.max:
            raise ManifestError(
                f"[{low}, {high}] leaves the output type {output} ({output.min}..{output.max})", "requantize.clip"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A function of the mantissa by linear interpolation: ``r = value[k] + ((slope[k] * f) >> fraction_bits)``.

    Parameters
    ----------
    index_bits : int
        1 to 10.
    fraction_bits : int
        0 to 17.
    value, slope : array of int, shape (2**index_bits,) or twice that for the root forms
        18-bit signed numbers such that 0 <= r < 2**17 for every index and fraction.
    """

    index_bits: int
    fraction_bits: int
    value: Integers
    slope: Integers

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "index_bits", check_int(self.index_bits, 1, 10, "index_bits"))
        put(self, "fraction_bits", check_int(self.fraction_bits, 0, 17, "fraction_bits"))
        put(self, "value", frozen_array(self.value, (None,), "value"))
        put(self, "slope", frozen_array(self.slope, (len(self.value),), "slope"))
        check_span(self.value, 0, (1 << 17) - 1, "value")
        check_span(self.slope, -(1 << 17), (1 << 17) - 1, "slope")
        # r is monotonic in the fraction, so its two ends bound it (the lower end is `value`, checked above)
        last = self.value + ((self.slope * ((1 << self.fraction_bits) - 1)) >> self.fraction_bits)
        bad = np.flatnonzero((last < 0) | (last >= 1 << 17))
        if len(bad):
            raise ManifestError(f"r comes to {last[bad[0]]}, outside 0..{(1 << 17) - 1}", f"slope[{bad[0]}]")

    @property
    def entries(self) -> int:
        """Number of entries."""
        return len(self.value)
