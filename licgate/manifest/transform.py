"""A transform: a chain of layers from one feature map to another."""

from dataclasses import dataclass
from fractions import Fraction

from licgate.errors import ManifestError
from licgate.manifest.checks import check_bool, check_int, check_positive, check_type
from licgate.manifest.geometry import layer_macs, layer_sizes, receptive_field, total_stride
from licgate.manifest.layers import Conv2d, Gdn, Layer
from licgate.manifest.types import IntType

__all__ = ["TRANSFORM_NAMES", "Transform"]

TRANSFORM_NAMES = ("g_a", "h_a", "h_s", "g_s", "context", "parameters")


@dataclass(frozen=True, eq=False, kw_only=True)
class Transform:
    """A chain of layers whose channels and types fit together.

    Parameters
    ----------
    name : str
        ``g_a``, ``h_a``, ``h_s``, ``g_s``, ``context`` or ``parameters``.
    in_channels : int
    input : IntType
        Of what enters the transform.
    input_scale : float
        Real value = integer * input_scale.
    layers : sequence of Conv2d and Gdn
    absolute_input : bool
        The first layer reads ``|x|``, as an unsigned type of the same bits.
    """

    name: str
    in_channels: int
    input: IntType
    input_scale: float
    layers: tuple[Layer, ...]
    absolute_input: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.name not in TRANSFORM_NAMES:
            raise ManifestError(f"{self.name!r} is not one of {', '.join(TRANSFORM_NAMES)}", "name")
        put(self, "in_channels", check_int(self.in_channels, 1, 4096, "in_channels"))
        check_type(self.input, IntType, "input")
        put(self, "input_scale", check_positive(self.input_scale, "input_scale"))
        check_bool(self.absolute_input, "absolute_input")
        put(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ManifestError("holds no layer", "layers")
        self._check_chain()

    def _check_chain(self) -> None:
        channels = self.in_channels
        kind = IntType(self.input.bits, signed=False) if self.absolute_input else self.input
        names = set()
        for index, layer in enumerate(self.layers):
            here = f"layers[{index}]"
            if not isinstance(layer, Conv2d | Gdn):
                raise ManifestError(f"{type(layer).__name__} is not Conv2d or Gdn", here)
            prefix, _, number = layer.name.partition(".")
            if prefix != self.name or not number.isdecimal() or layer.name in names:
                raise ManifestError(
                    f"{layer.name!r} is not a name of its own of the form {self.name}.NUMBER", f"{here}.name"
                )
            names.add(layer.name)
            if layer.in_channels != channels:
                field = "channels" if layer.kind == "gdn" else "in_channels"
                raise ManifestError(f"{layer.in_channels} channels follow {channels}", f"{here}.{field}")
            if layer.input != kind:
                raise ManifestError(f"{layer.input} follows {kind}", f"{here}.input")
            channels, kind = layer.out_channels, layer.output

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.layers[-1].out_channels

    @property
    def output(self) -> IntType:
        """Integer type of the output."""
        return self.layers[-1].output

    @property
    def output_scale(self) -> float:
        """Scale of the output: real value = integer * output_scale."""
        return self.layers[-1].output_scale

    @property
    def stride(self) -> int | Fraction:
        """Total downsampling: an int, or a Fraction below 1 for a transform that upsamples."""
        return total_stride(self.layers)

    @property
    def receptive_field(self) -> int:
        """Input pixels along an axis on which one output can depend."""
        return receptive_field(self.layers)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the output's (height, width) for an input of that size."""
        return layer_sizes(self.layers, height, width)[-1]

    def layer_sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return [(height, width), ...]: of the input, then of every layer's output."""
        return layer_sizes(self.layers, height, width)

    def macs(self, height: int, width: int, strict: bool = True) -> int:
        """Return the multiply-accumulates for an input of `height` x `width`; see `geometry.layer_macs`."""
        sizes = layer_sizes(self.layers, height, width)
        return sum(layer_macs(layer, *size, strict=strict) for layer, size in zip(self.layers, sizes, strict=False))
