"""Cycles of an image, transform by transform and layer by layer, and the figures that reports are made of."""

from dataclasses import dataclass

from licgate.manifest.geometry import layer_macs
from licgate.manifest.patches import patches
from licgate.perf.core import CoreModel
from licgate.program import compile_program, input_widths
from licgate.program.strips import strips

__all__ = [
    "GAP",
    "Prediction",
    "image_runs",
    "input_sizes",
    "joined_predictions",
    "layer_row",
    "multiplier_cycles",
    "predict",
]

_PATCH = 7  # cycles of the patch scheduler in front of the core's start
_END = 2  # from the core's done to the next patch
GAP = _PATCH + _END
"""Cycles of a patch beside the core's."""


@dataclass(frozen=True)
class Prediction:
    """What an image costs.

    Attributes
    ----------
    cycles : int
        From start to done, as the register CYCLES counts them, of all transforms.
    macs : int
        Multiply-accumulates that the model needs on real pixels, margin included.
    utilization : float
        Share of the multipliers' cycles that those take, so many of them one as a multiplier makes in a cycle: macs /
        (multipliers * cycles) where that is one, 1 at most.
    recompute_factor : float
        macs over those of the whole image.
    layers : list of dict
        transform, name, kind, activation_bits, weight_bits, macs, products (multiply-accumulates of a multiplier in a
        cycle), packed, cycles (of array steps), utilization (macs over products * multipliers * cycles).
    transforms : list of dict
        name, runs (patches or strips), inputs (pixels or values sent), cycles, macs, utilization, recompute_factor.
    program : Program
    """

    cycles: int
    macs: int
    utilization: float
    recompute_factor: float
    layers: list
    transforms: list
    program: object

    @property
    def multiplier_cycles(self) -> float:
        """Cycles of one multiplier that ``macs`` take, two of a packed layer one."""
        return sum(layer["macs"] / layer["products"] for layer in self.layers)


def predict(manifest, config, width, height, *, windows=None, transforms=("g_a",)):
    """Predict what an image costs on the gateware.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    width, height : int
        Image in pixels. Where other transforms than g_a are asked for, its sides count as the codec pads them: to whole
        positions of the hyper latents.
    windows : list of Patch or None
        Patches of g_a; by default strips as wide as the line buffers hold.
    transforms : sequence of str
        What the accelerator contains, and runs one after the other.

    Returns
    -------
    Prediction

    Raises
    ------
    ConfigError
        The manifest has no such transform, or the line buffers hold no strip of the image.
    """
    widths = input_widths(manifest, transforms, config.max_width)
    program = compile_program([manifest.transforms[name] for name in transforms], config, widths)
    op_cycles, op_macs, rows = [0] * len(program.ops), [0] * len(program.ops), []
    sizes = {}
    for chain, size, runs in image_runs(program, manifest, config, width, height, windows=windows):
        transform = chain.transform
        sizes[transform.name] = size
        ops = [op for stage in program.stages_of(chain) for op in (stage.conv, stage.gdn) if op is not None]
        known, cycles = {}, 0
        for run in runs:
            if run not in known:
                model = CoreModel(program, chain, *run[:2], start=0, kept=run[2:] or None)
                known[run] = model.done, model.op_cycles
            done, steps = known[run]
            cycles += done + GAP
            for op, (height_in, width_in) in zip(ops, transform.layer_sizes(run[1], run[0]), strict=False):
                op_cycles[op.index] += steps[op.index]
                op_macs[op.index] += layer_macs(op.layer, height_in, width_in)
        macs, busy = sum(op_macs[op.index] for op in ops), sum(op_macs[op.index] / op.macs_per_product for op in ops)
        rows.append(
            {
                "name": transform.name,
                "runs": len(runs),
                "inputs": sum(run[0] * run[1] for run in runs) * (1 if chain.pixels else transform.in_channels),
                "cycles": cycles,
                "macs": macs,
                "utilization": busy / (config.multipliers * cycles),
                "recompute_factor": macs / transform.macs(size[1], size[0]),
            }
        )
    whole = sum(manifest.transforms[name].macs(size[1], size[0]) for name, size in sizes.items())
    cycles, macs = sum(row["cycles"] for row in rows), sum(op_macs)
    busy = sum(op_macs[op.index] / op.macs_per_product for op in program.ops)
    return Prediction(
        cycles,
        macs,
        busy / (config.multipliers * cycles),
        macs / whole,
        [layer_row(op, op_macs[op.index], op_cycles[op.index], config.multipliers) for op in program.ops],
        rows,
        program,
    )


def multiplier_cycles(program, chain, width, height):
    """Cycles of one multiplier that the products of a run of a chain take: two products one where they are packed."""
    ops = [op for stage in program.stages_of(chain) for op in (stage.conv, stage.gdn) if op is not None]
    sizes = chain.transform.layer_sizes(height, width)
    return sum(layer_macs(op.layer, *size) / op.macs_per_product for op, size in zip(ops, sizes, strict=False))


def image_runs(program, manifest, config, width, height, *, windows=None):
    """Return what the core runs for an image of ``width`` x ``height`` pixels; see :func:`predict`.

    Returns
    -------
    list of (Chain, tuple, list)
        Each transform of the program, width and height of its whole input, and its runs: width, height, and what
        :class:`licgate.perf.core.CoreModel` takes as ``kept``, where it is not all.
    """
    sizes = input_sizes(manifest, [chain.transform.name for chain in program.chains], width, height)
    found = []
    for chain in program.chains:
        transform, size = chain.transform, sizes[chain.transform.name]
        if chain.pixels:
            runs = _pixel_runs(transform, config, *size, windows)
        else:
            # A map is run in strips where it is wider than the line buffers; all that a strip gives is sent.
            runs = [(strip.width, size[1]) for strip in strips(transform, size[0], chain.max_width)]
        found.append((chain, size, runs))
    return found


def input_sizes(manifest, transforms, width, height):
    """Width and height of what enters each transform, by its name, for an image of ``width`` x ``height`` pixels.

    Where other transforms than g_a are among them, the image counts as the codec pads it.
    """
    if list(transforms) == ["g_a"]:
        return {"g_a": (width, height)}
    latent = manifest.g_a.stride
    hyper = latent * manifest.h_a.stride if "h_a" in manifest.transforms else latent
    padded = [-(-side // hyper) * hyper for side in (width, height)]
    scale = {"g_a": 1, "h_s": hyper}
    return {name: tuple(side // scale.get(name, latent) for side in padded) for name in transforms}


def _pixel_runs(transform, config, width, height, windows):
    if windows is None:
        patch_width, patch_height = config.patch_size(transform, width, height)
        windows = patches(width, height, patch_width=patch_width, patch_height=patch_height, transform=transform)
    return [(p.width, p.height, p.skip_x, p.skip_y, p.out_width, p.out_height) for p in windows]


def layer_row(op, macs, cycles, multipliers):
    """Figures of a layer, as `Prediction.layers` holds them.

    Parameters
    ----------
    op : Op
    macs : int
        That the model needs, of all multipliers.
    cycles : float
        Steps of an array that they take.
    multipliers : int
        Of all arrays.
    """
    return {
        "transform": op.layer.name.split(".")[0],
        "name": op.layer.name,
        "kind": op.layer.kind,
        "channels": [op.channels_in, op.channels_out],
        "activation_bits": op.layer.input.bits,
        "weight_bits": op.weight_bits,
        "output_bits": op.layer.output.bits,
        "accumulator_bits": op.layer.accumulator.bits,
        "macs": macs,
        "products": op.macs_per_product,
        "packed": op.packed,
        "cycles": round(cycles),
        "utilization": macs / (op.macs_per_product * multipliers * cycles),
    }


def joined_predictions(parts):
    """Transforms that run one after the other on the same program: one Prediction of several."""
    if len(parts) == 1:
        return parts[0]
    cycles, macs = sum(part.cycles for part in parts), sum(part.macs for part in parts)
    return Prediction(
        cycles,
        macs,
        sum(part.utilization * part.cycles for part in parts) / cycles,
        macs / sum(part.macs / part.recompute_factor for part in parts),
        [row for part in parts for row in part.layers],
        [row for part in parts for row in part.transforms],
        parts[0].program,
    )
