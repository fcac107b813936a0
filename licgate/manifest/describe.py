"""What `licgate inspect` shows of a manifest: as a dict for JSON, and as text."""

from licgate.manifest.document import Document
from licgate.manifest.geometry import layer_macs
from licgate.manifest.layers import Layer
from licgate.manifest.model import Manifest

__all__ = ["describe", "describe_text", "packed_bytes"]


def packed_bytes(layer: Layer) -> int:
    """Return the bytes of a layer's parameters when each is packed to its exact bits.

    Weights (or gamma) take their own bits, biases (or betas) those of the accumulator, and each channel of the
    requantisation 17 + 6 + 18 bits for multiplier, shift and offset (no offset in convolutions).
    """
    if layer.kind == "conv2d":
        bits = layer.weight.size * layer.weight_type.bits + layer.out_channels * (layer.accumulator.bits + 17 + 6)
    else:
        bits = layer.gamma.size * layer.gamma_type.bits + layer.channels * (layer.accumulator.bits + 17 + 6 + 18)
        bits += layer.table.entries * (17 + 18)
    return -(-bits // 8)


def describe(manifest: Manifest) -> Document:
    """Return everything about a manifest as a dict of JSON values.

    Multiply-accumulates are per input pixel of the transform, as the usual formula counts them (padding included),
    on an image large and even enough that every layer divides it.
    """
    transforms = {}
    for name, transform in manifest.transforms.items():
        stride = transform.stride
        unit = max(int(stride), 1) * 8
        sizes = transform.layer_sizes(unit, unit)
        layers = [_layer(layer, size, unit) for layer, size in zip(transform.layers, sizes)]
        transforms[name] = {
            "in_channels": transform.in_channels,
            "out_channels": transform.out_channels,
            "input": str(transform.input),
            "output": str(transform.output),
            "stride": stride if isinstance(stride, int) else str(stride),
            "receptive_field": transform.receptive_field,
            "macs_per_pixel": sum(layer["macs_per_pixel"] for layer in layers),
            "bytes": sum(layer["bytes"] for layer in layers),
            "layers": layers,
        }
    entropy = {
        name: {"tables": t.count, "precision": t.precision, "entries": sum(len(c) for c in t.cdf)}
        for name, t in (manifest.entropy or {}).items()
    }
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "hash": manifest.hash,
        "latent_fraction_bits": manifest.latent_fraction_bits,
        "transforms": transforms,
        "entropy": entropy or None,
        "measured": manifest.measured,
        "provenance": manifest.provenance,
    }


def _layer(layer: Layer, size: tuple[int, int], unit: int) -> Document:
    row = {
        "name": layer.name,
        "kind": layer.kind,
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "input": str(layer.input),
        "output": str(layer.output),
        "accumulator_bits": layer.accumulator.bits,
        "clip": list(layer.requantize.clip),
        "macs_per_pixel": layer_macs(layer, *size, strict=False) / (unit * unit),
        "bytes": packed_bytes(layer),
    }
    if layer.kind == "conv2d":
        row.update(weight=str(layer.weight_type), kernel=layer.kernel, stride=layer.stride, transposed=layer.transposed)
        if layer.requantize.leak:
            row["leak"] = layer.requantize.leak / 2**16
    else:
        row.update(
            weight=str(layer.gamma_type),
            root=layer.root,
            square=layer.square,
            inverse=layer.inverse,
            norm_bits=layer.norm_bits,
            table=layer.table.entries,
        )
    return row


def describe_text(manifest: Manifest) -> str:
    """Return the same for reading: one line a layer."""
    info = describe(manifest)
    lines = [f"{info['name']}  {info['architecture']}", f"hash {info['hash']}"]
    head = ("layer", "operation", "channels", "input", "weight", "accumulator", "output", "MAC/pixel", "bytes")
    for name, transform in info["transforms"].items():
        title = (
            f"{name}: {transform['in_channels']} to {transform['out_channels']} channels, stride "
            f"{transform['stride']}, receptive field {transform['receptive_field']}, "
            f"{transform['macs_per_pixel']:.0f} MAC/pixel, {transform['bytes']} bytes"
        )
        lines += ["", title]
        rows = [head] + [_row(layer) for layer in transform["layers"]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        for row in rows:
            lines.append("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if info["entropy"]:
        lines += ["", "entropy"]
        lines += [
            f"  {name}: {e['tables']} tables of {e['precision']} bits, {e['entries']} entries"
            for name, e in info["entropy"].items()
        ]
    for title in ("measured", "provenance"):
        if info[title]:
            lines += ["", title] + [f"  {key}: {value}" for key, value in info[title].items()]
    return "\n".join(lines) + "\n"


def _row(layer: Document) -> tuple[str, ...]:
    if layer["kind"] == "conv2d":
        arrow = "up" if layer["transposed"] else "down"
        scale = f" {arrow} {layer['stride']}" if layer["stride"] > 1 else ""
        operation = f"conv {layer['kernel']}x{layer['kernel']}{scale}" + (" leaky" if "leak" in layer else "")
    else:
        operation = ("inverse " if layer["inverse"] else "") + "gdn " + ("x2" if layer["square"] else "abs")
        operation += " root" if layer["root"] else ""
    return (
        layer["name"],
        operation,
        f"{layer['in_channels']} to {layer['out_channels']}",
        layer["input"],
        layer["weight"],
        f"{layer['accumulator_bits']} bits",
        layer["output"],
        f"{layer['macs_per_pixel']:.1f}",
        str(layer["bytes"]),
    )
