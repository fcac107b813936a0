"""The two kinds of layer: convolution (plain or transposed) and GDN."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from licgate.errors import ManifestError
from licgate.manifest.checks import (
    Integers,
    check_bool,
    check_int,
    check_positive,
    check_span,
    check_text,
    check_type,
    frozen_array,
    located,
)
from licgate.manifest.types import Accumulator, IntType, Requantize, Table, prove_convolution, prove_gdn

__all__ = ["Conv2d", "Gdn", "Layer", "gdn_exponent"]

CHANNELS = 4096


def check_proof(stored: Accumulator, proven: Accumulator) -> None:
    """Compare the stored accumulator with the one that the weights prove."""
    for name in ("bound", "bits"):
        have, want = getattr(stored, name), getattr(proven, name)
        if have != want:
            raise ManifestError(
                f"stored {have}, but the weights prove {want}; export the model again", f"accumulator.{name}"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d:
    """A convolution with its requantisation; ReLU is a clip at 0.

    Parameters
    ----------
    name : str
        As in CompressAI, e.g. ``g_a.0``.
    in_channels, out_channels, kernel, stride, padding : int
    transposed : bool
        Scatter instead of gather; the weight is then (I, O, K, K), as in torch.
    output_padding : int
        Extra rows and columns of a transposed convolution.
    input, weight_type, output : IntType
    weight : array of int, shape (O, I, K, K) or (I, O, K, K)
        Symmetric: the smallest number of a signed type is not used.
    bias : array of int, shape (O,)
        At accumulator scale.
    accumulator : Accumulator
        Must be what `prove_convolution` finds.
    requantize : Requantize
        Offsets must be 0.
    output_scale : float
        Real value = integer * output_scale.
    """

    kind: ClassVar[Literal["conv2d"]] = "conv2d"

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    transposed: bool = False
    output_padding: int = 0
    input: IntType
    weight_type: IntType
    weight: Integers
    bias: Integers
    accumulator: Accumulator
    requantize: Requantize
    output: IntType
    output_scale: float

    def __post_init__(self) -> None:
        put = object.__setattr__
        check_text(self.name, "name")
        check_bool(self.transposed, "transposed")
        limits = {"in_channels": (1, CHANNELS), "out_channels": (1, CHANNELS), "kernel": (1, 15), "stride": (1, 8)}
        for field, (low, high) in limits.items():
            put(self, field, check_int(getattr(self, field), low, high, field))
        put(self, "padding", check_int(self.padding, 0, self.kernel - 1, "padding"))
        most = self.stride - 1 if self.transposed else 0
        put(self, "output_padding", check_int(self.output_padding, 0, most, "output_padding"))
        check_type(self.input, IntType, "input")
        check_type(self.weight_type, IntType, "weight")
        if not self.weight_type.signed:
            raise ManifestError("weights are signed; set it to true", "weight.signed")
        pair = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        put(self, "weight", frozen_array(self.weight, (*pair, self.kernel, self.kernel), "weight"))
        check_span(self.weight, -self.weight_type.max, self.weight_type.max, "weight")
        put(self, "bias", frozen_array(self.bias, (self.out_channels,), "bias"))
        check_span(self.bias, -(1 << 47), 1 << 47, "bias")
        check_type(self.requantize, Requantize, "requantize")
        self.requantize.check(self.out_channels, self.output)
        check_span(self.requantize.offset, 0, 0, "requantize.offset")
        check_type(self.accumulator, Accumulator, "accumulator")
        with located("accumulator"):
            proven = prove_convolution(self.weight, self.bias, self.input, transposed=self.transposed)
        check_proof(self.accumulator, proven)
        put(self, "output_scale", check_positive(self.output_scale, "output_scale"))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) of the output for an input of that size, in pixels; never negative."""
        return self.output_length(height), self.output_length(width)

    def output_length(self, length: int) -> int:
        """Return the output's extent along one axis."""
        if self.transposed:
            return max((length - 1) * self.stride - 2 * self.padding + self.kernel + self.output_padding, 0)
        return max((length + 2 * self.padding - self.kernel) // self.stride + 1, 0)


def gdn_exponent(e: int, *, root: bool, inverse: bool) -> int:
    """Return the exponent of GDN's factor r for a sum whose leading one is bit `e`."""
    size = e >> 1 if root else e
    return size if inverse else -size


@dataclass(frozen=True, eq=False, kw_only=True)
class Gdn:
    """Generalised divisive normalisation, forward or inverse, with its requantisation (Balle et al., 2016).

    Parameters
    ----------
    name : str
    channels : int
    root : bool
        Divide by the root of the weighted sum instead of the sum.
    square : bool
        Sum squares instead of absolute values.
    inverse : bool
        Multiply instead of dividing.
    input, gamma_type, output : IntType
        `gamma_type` is unsigned.
    norm_shift, norm_bits : int
        How a magnitude is brought to the multiplier's port: rounded shift of 0 to 31, then 1 to 17 bits.
    gamma : array of int, shape (C, C)
        Dense, [out, in].
    beta : array of int, shape (C,)
        1 or more.
    accumulator : Accumulator
        Must be what `prove_gdn` finds.
    table : Table
        2**index_bits entries, twice that with `root`.
    requantize : Requantize
        Every shift must stay in 0..63 for every exponent that the accumulator admits; no leak.
    output_scale : float
    """

    kind: ClassVar[Literal["gdn"]] = "gdn"

    name: str
    channels: int
    root: bool
    square: bool
    inverse: bool
    input: IntType
    norm_shift: int
    norm_bits: int
    gamma_type: IntType
    gamma: Integers
    beta: Integers
    accumulator: Accumulator
    table: Table
    requantize: Requantize
    output: IntType
    output_scale: float

    def __post_init__(self) -> None:
        put = object.__setattr__
        check_text(self.name, "name")
        put(self, "channels", check_int(self.channels, 1, CHANNELS, "channels"))
        for field in ("root", "square", "inverse"):
            put(self, field, check_bool(getattr(self, field), field))
        check_type(self.input, IntType, "input")
        put(self, "norm_shift", check_int(self.norm_shift, 0, 31, "norm.shift"))
        put(self, "norm_bits", check_int(self.norm_bits, 1, 17, "norm.bits"))
        check_type(self.gamma_type, IntType, "gamma")
        if self.gamma_type.signed:
            raise ManifestError("gamma is never negative; set it to false", "gamma.signed")
        put(self, "gamma", frozen_array(self.gamma, (self.channels, self.channels), "gamma"))
        check_span(self.gamma, 0, self.gamma_type.max, "gamma")
        put(self, "beta", frozen_array(self.beta, (self.channels,), "beta"))
        check_span(self.beta, 1, (1 << 48) - 1, "beta")
        check_type(self.accumulator, Accumulator, "accumulator")
        with located("accumulator"):
            proven = prove_gdn(self.gamma, self.beta, self.norm_bits)
        check_proof(self.accumulator, proven)
        check_type(self.table, Table, "table")
        entries = 1 << (self.table.index_bits + self.root)
        if self.table.entries != entries:
            raise ManifestError(f"holds {self.table.entries} entries, expected {entries}", "table.value")
        check_type(self.requantize, Requantize, "requantize")
        self.requantize.check(self.channels, self.output)
        check_int(self.requantize.leak, 0, 0, "requantize.leak")
        self._check_shift()
        put(self, "output_scale", check_positive(self.output_scale, "output_scale"))

    def _check_shift(self) -> None:
        largest = gdn_exponent(self.accumulator.bits - 1, root=self.root, inverse=self.inverse)
        low, high = (largest, 63) if self.inverse else (0, 63 + largest)
        with located("requantize"):
            check_span(self.requantize.shift, low, high, "shift")

    @property
    def in_channels(self) -> int:
        """Number of input channels."""
        return self.channels

    @property
    def out_channels(self) -> int:
        """Number of output channels."""
        return self.channels

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) unchanged."""
        return height, width

    def output_length(self, length: int) -> int:
        """Return `length` unchanged."""
        return length


Layer: TypeAlias = Conv2d | Gdn
"""A layer of a transform; ``kind`` tells which."""
