"""Multiply-accumulates of a model, counted once for all: float models and manifests, at any image size.

The unit is the multiply-accumulate (MAC); 1 MAC = 2 FLOP. Counted are convolutions and the γ products of GDN, by the
usual formula of `licgate.manifest.geometry.layer_macs` (every tap, zero padding and masked taps included); biases,
activations and GDN's division are left out, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from licgate.manifest import Conv2d, Manifest
from licgate.manifest.geometry import layer_macs, layer_sizes

FLOP_PER_MAC = 2

# which feature map each transform reads; the names of a manifest, and of a float model where they differ
READS = {"g_a": "x", "h_a": "y", "h_s": "z", "context": "y", "parameters": "y", "g_s": "y"}
FLOAT_NAMES = {"context_prediction": "context", "entropy_parameters": "parameters"}


@dataclass(frozen=True, kw_only=True)
class FloatLayer:
    """Shape of a layer of a float model, as far as `licgate.manifest.geometry` asks for it."""

    name: str
    kind: str
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    transposed: bool = False
    output_padding: int = 0

    @property
    def channels(self) -> int:
        """Channels of a GDN."""
        return self.in_channels

    output_length = Conv2d.output_length

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) of the output for an input of that size."""
        return (height, width) if self.kind == "gdn" else Conv2d.output_size(self, height, width)


def float_layers(model) -> dict[str, list[FloatLayer]]:
    """List the convolutions and GDNs of every transform of a float model (an ``nn.Module``), in order."""
    from torch import nn

    from licgate.train.network.layers import GDN

    transforms: dict[str, list[FloatLayer]] = {}
    for name, module in model.named_modules():
        part = name.split(".")[0]
        part = FLOAT_NAMES.get(part, part)
        if part not in READS:
            continue
        if isinstance(module, GDN):
            layer = FloatLayer(name=name, kind="gdn", in_channels=module.channels, out_channels=module.channels)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            layer = FloatLayer(
                name=name,
                kind="conv2d",
                in_channels=module.in_channels,
                out_channels=module.out_channels,
                kernel=module.kernel_size[0],
                stride=module.stride[0],
                padding=module.padding[0],
                transposed=isinstance(module, nn.ConvTranspose2d),
                output_padding=module.output_padding[0],
            )
        else:
            continue
        transforms.setdefault(part, []).append(layer)
    return transforms


def transform_layers(model) -> Mapping[str, list]:
    """List the layers of every transform of a manifest or of a float model."""
    if isinstance(model, Manifest):
        return {name: list(transform.layers) for name, transform in model.transforms.items()}
    return float_layers(model)


def model_cost(model, height: int, width: int, *, strict: bool = False) -> dict:
    """Count the multiply-accumulates of every transform for one image.

    Parameters
    ----------
    model : Manifest or nn.Module
    height, width : int
        Of the image in pixels.
    strict : bool
        Count only taps that fall on real pixels.

    Returns
    -------
    dict
        ``height``, ``width``; ``transforms``: for each ``convolution``, ``gdn`` and ``macs`` (MAC an image) and
        ``macs_per_pixel`` (of the image); ``macs``, ``macs_per_pixel`` and ``gflop`` of all transforms together
        (10^9 FLOP an image).
    """
    transforms = transform_layers(model)
    sizes = {"x": (height, width)}
    for part, source, result in (("g_a", "x", "y"), ("h_a", "y", "z")):
        if part in transforms:
            sizes[result] = layer_sizes(transforms[part], *sizes[source])[-1]
    counted = {}
    for part, layers in transforms.items():
        if READS[part] not in sizes:
            continue
        split = {"conv2d": 0, "gdn": 0}
        for layer, size in zip(layers, layer_sizes(layers, *sizes[READS[part]]), strict=False):
            split[layer.kind] += layer_macs(layer, *size, strict=strict)
        macs = sum(split.values())
        counted[part] = {
            "convolution": split["conv2d"],
            "gdn": split["gdn"],
            "macs": macs,
            "macs_per_pixel": macs / (height * width),
        }
    total = sum(entry["macs"] for entry in counted.values())
    return {
        "height": height,
        "width": width,
        "transforms": counted,
        "macs": total,
        "macs_per_pixel": total / (height * width),
        "gflop": gflop(total),
    }


def gflop(macs: int) -> float:
    """Express multiply-accumulates in 10^9 floating-point operations, two for each."""
    return FLOP_PER_MAC * macs / 1e9


def cost_text(cost: dict) -> str:
    """Show a cost as a table, one line a transform."""
    lines = [f"{'transform':12}{'conv MAC/pixel':>16}{'GDN MAC/pixel':>16}{'GMAC':>10}{'GFLOP':>10}"]
    pixels = cost["height"] * cost["width"]
    for name, entry in cost["transforms"].items():
        lines.append(
            f"{name:12}{entry['convolution'] / pixels:16.1f}{entry['gdn'] / pixels:16.1f}"
            f"{entry['macs'] / 1e9:10.3f}{gflop(entry['macs']):10.3f}"
        )
    lines.append(f"{'all':12}{cost['macs_per_pixel']:32.1f}{cost['macs'] / 1e9:10.3f}{cost['gflop']:10.3f}")
    lines.append(f"image of {cost['width']} x {cost['height']} pixels; 1 MAC = {FLOP_PER_MAC} FLOP")
    return "\n".join(lines)
