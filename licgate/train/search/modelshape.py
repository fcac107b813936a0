"""What a search sees of a model: its layers, the feature maps of free width, and what the multipliers get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from licgate.manifest.geometry import layer_macs, layer_sizes
from licgate.train.measure.cost import READS, float_layers
from licgate.train.quant.export import NORM_BITS
from licgate.train.quant.widths import Widths

PIXEL_BITS = 8


@dataclass(frozen=True)
class Map:
    """A feature map whose width is free: the output of a convolution (with its GDN), or the latents."""

    part: str
    owner: str  # the convolution, or "latent"
    channels: int
    height: int
    width: int

    def bits(self, widths: Widths) -> int:
        """Width of its values."""
        return widths.latent if self.owner == "latent" else widths.of(self.owner).activation

    def footprint(self, kind: str) -> int:
        """Values in one line of it, which is what a streamed accelerator holds, or in all of it."""
        return self.channels * self.width * (self.height if kind == "map" else 1)


@dataclass(frozen=True)
class Product:
    """What the multipliers get for one layer.

    Attributes
    ----------
    name, part, kind : str
    macs : int
        Multiply-accumulates an image.
    activation, weight : int
        Stored bits of the operands.
    signed : tuple of bool
        Of activation and weight.
    """

    name: str
    part: str
    kind: str
    macs: int
    activation: int
    weight: int
    signed: tuple[bool, bool]

    @property
    def operands(self) -> tuple[int, int]:
        """Signed widths of activation and weight."""
        return self.activation + (not self.signed[0]), self.weight + (not self.signed[1])

    @property
    def bit_operations(self) -> int:
        """Product of multiply-accumulates, activation bits and weight bits."""
        return self.macs * self.activation * self.weight


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """Layers of a model and the image they are counted for.

    Attributes
    ----------
    transforms : dict of str to list
        Layers by transform, as `licgate.train.measure.cost.float_layers` lists them.
    gdn : {"abs", "square_root", "none"}
    height, width : int
        Of the image in pixels.
    readers : tuple of str
        Transforms that read latents at their full width.
    context : bool
        The entropy parameters are computed from the outputs of ``h_s`` and ``context``, which share one width.
    inputs : dict of str to int
        Bits of the other inputs, of which calibration decides (whole latents of ``h_s`` and ``g_s``); 8 if not given.
    """

    transforms: Mapping[str, list]
    gdn: str
    readers: tuple[str, ...] = ("h_a",)
    context: bool = False
    height: int = 512
    width: int = 768
    inputs: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _macs(self) -> dict[str, int]:
        return {
            layer.name: layer_macs(layer, *size)
            for part, sizes in self.sizes().items()
            for layer, size in zip(self.transforms[part], sizes, strict=False)
        }

    def sizes(self) -> dict[str, list[tuple[int, int]]]:
        """Size of what enters each transform, then of every layer's output."""
        start = {"x": (self.height, self.width)}
        for part, source, result in (("g_a", "x", "y"), ("h_a", "y", "z")):
            start[result] = layer_sizes(self.transforms[part], *start[source])[-1]
        return {part: layer_sizes(layers, *start[READS[part]]) for part, layers in self.transforms.items()}

    def stages(self, part: str) -> list[tuple]:
        """Pairs of a convolution and the GDN behind it, or None."""
        pairs: list[tuple] = []
        for layer in self.transforms[part]:
            if layer.kind == "gdn":
                pairs[-1] = (pairs[-1][0], layer)
            else:
                pairs.append((layer, None))
        return pairs

    def is_free(self, conv) -> bool:
        """Whether the output of a convolution (with its GDN) has a width of its own, unlike levels, pixels, latents."""
        part = conv.name.split(".")[0]
        return conv.name != self.stages(part)[-1][0].name or (self.context and part == "h_s")

    @cached_property
    def maps(self) -> list[Map]:
        """List the maps of free width: outputs of all but the last stages, latents behind g_a and before g_s."""
        found = []
        for part, sizes in self.sizes().items():
            layers = self.transforms[part]
            stages = self.stages(part)
            ends = [(gdn or conv) for conv, gdn in stages]
            place = {layer.name: size for layer, size in zip(layers, sizes[1:], strict=True)}
            if part == "g_s":
                found.append(Map(part, "latent", layers[0].in_channels, *sizes[0]))
            for (conv, _), end in zip(stages, ends, strict=True):
                if self.is_free(conv):
                    found.append(Map(part, conv.name, conv.out_channels, *place[end.name]))
            if part == "g_a":
                found.append(Map(part, "latent", layers[-1].out_channels, *sizes[-1]))
        return found

    def products(self, widths: Widths) -> list[Product]:
        """List what the multipliers get in every layer, in the order of the layers."""
        found = []
        root = self.gdn == "square_root"
        macs = self._macs
        for part in self.transforms:
            width, signed = self._input(part, widths)
            for conv, gdn in self.stages(part):
                own = widths.of(conv.name)
                found.append(Product(conv.name, part, "conv2d", macs[conv.name], width, own.weight, (signed, True)))
                if gdn is not None:
                    size = min((own.gdn - 1) * (2 if root else 1), NORM_BITS[root])
                    found.append(Product(gdn.name, part, "gdn", macs[gdn.name], size, own.gamma, (False, False)))
                width, signed = own.activation, gdn is not None
        return found

    def _input(self, part: str, widths: Widths) -> tuple[int, bool]:
        if part == "g_a":
            return PIXEL_BITS, False
        if part in self.readers:
            return widths.latent, part != "h_a"
        if part == "parameters":
            return widths.of(self.stages("h_s")[-1][0].name).activation, True
        return self.inputs.get(part, 8), True


def shape_of(model, *, height: int = 512, width: int = 768, inputs: Mapping[str, int] | None = None) -> ModelShape:
    """Take the shape of a float model (an ``nn.Module`` with a ``config``)."""
    kind = model.config.kind
    transforms = {}
    for part, layers in float_layers(model).items():
        # as the layers of a manifest are called: context_prediction is context.0
        names = [f"{part}.{index if index.isdecimal() else 0}" for index in (x.name.split(".")[-1] for x in layers)]
        transforms[part] = [replace(layer, name=name) for layer, name in zip(layers, names, strict=True)]
    return ModelShape(
        transforms=transforms,
        gdn=model.config.gdn,
        readers=("h_a", *(("context",) if kind.context else ()), *(("g_s",) if kind.means else ())),
        context=bool(kind.context),
        height=height,
        width=width,
        inputs=dict(inputs or {}),
    )
