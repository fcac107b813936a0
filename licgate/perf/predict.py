"""Cycles of an image, layer by layer, and the figures that reports are made of."""

from dataclasses import dataclass

from licgate.manifest.geometry import layer_macs, patches, recompute_factor
from licgate.perf.core import CoreModel
from licgate.program import compile_program

__all__ = ["Prediction", "predict"]

_PATCH = 5  # cycles of the patch scheduler in front of the core's start
_END = 1  # from the core's done to the next patch


@dataclass(frozen=True)
class Prediction:
    """What an image costs.

    Attributes
    ----------
    cycles : int
        From start to done, as the register CYCLES counts them.
    macs : int
        Multiply-accumulates that the model needs on real pixels, halo included.
    utilization : float
        macs / (multipliers * cycles).
    recompute_factor : float
        macs over those of the whole image.
    layers : list of dict
        name, kind, activation_bits, weight_bits, macs, cycles (of array steps), utilization (macs over multipliers *
        cycles).
    program : Program
    """

    cycles: int
    macs: int
    utilization: float
    recompute_factor: float
    layers: list
    program: object


def predict(manifest, config, width, height, *, windows=None):
    """Predict what an image costs on the gateware.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    width, height : int
        Image in pixels.
    windows : list of Patch or None
        Patches; by default strips as wide as the line buffers hold.

    Returns
    -------
    Prediction
    """
    transform = manifest.transforms["g_a"]
    program = compile_program(transform, config)
    if windows is None:
        patch_width, patch_height = config.patch_size(transform, width, height)
        windows = patches(width, height, patch_width=patch_width, patch_height=patch_height, transform=transform)
    cycles, op_cycles, op_macs = 0, [0] * len(program.ops), [0] * len(program.ops)
    known = {}
    for p in windows:
        key = (p.width, p.height, p.skip_x, p.skip_y, p.out_width, p.out_height)
        if key not in known:
            model = CoreModel(program, p.width, p.height, start=0, kept=key[2:])
            known[key] = model.done, model.op_cycles
        done, steps = known[key]
        cycles += done + _PATCH + _END
        sizes = transform.layer_sizes(p.height, p.width)
        for op, (height_in, width_in) in zip(program.ops, sizes, strict=False):
            op_cycles[op.index] += steps[op.index]
            op_macs[op.index] += layer_macs(op.layer, height_in, width_in)
    macs = sum(op_macs)
    layers = [
        {
            "name": op.layer.name,
            "kind": op.layer.kind,
            "channels": [op.channels_in, op.channels_out],
            "activation_bits": op.layer.input.bits,
            "weight_bits": op.weight_bits,
            "output_bits": op.layer.output.bits,
            "accumulator_bits": op.layer.accumulator.bits,
            "macs": op_macs[op.index],
            "cycles": op_cycles[op.index],
            "utilization": op_macs[op.index] / (config.multipliers * op_cycles[op.index]),
        }
        for op in program.ops
    ]
    factor = recompute_factor(transform, windows, width, height)
    return Prediction(cycles, macs, macs / (config.multipliers * cycles), factor, layers, program)
