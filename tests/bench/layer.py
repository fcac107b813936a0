"""One layer side by side with NNgen: 64 x 64 x 32 to 32 x 32 x 32, 5 x 5, stride 2, int8, at most 100 multipliers."""

import numpy as np
from amaranth.back import rtlil

from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.sim.simulate import compare
from licgate.synth.buildplan import ECP5_BEFORE, ECP5_OPTIONS
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.bench import nngen
from tests.bench.kit import Options, cells_of
from tests.bench.wide import WORD, WideGateware, wide_image

MULTIPLIERS, SIDE, CHANNELS, SEED = 100, 64, 32, 0
GOAL = {"cycles": 264_000, "DP16KD": 60}


def bench(options: Options) -> dict:
    """Search our best shape by the cycle model, simulate it, count its cells; and NNgen's."""
    manifest = synthetic_manifest(channels=(CHANNELS, CHANNELS), seed=SEED)
    transform = manifest.g_a
    macs = {"needed": transform.macs(SIDE, SIDE), "with padding": transform.macs(SIDE, SIDE, strict=False)}
    shapes = shapes_by_cycles(manifest)
    cycles, rows, cols = shapes[0]
    config = shape(rows, cols)
    ours = {
        "rows": rows,
        "cols": cols,
        "multipliers": config.multipliers,
        "cycles_model": cycles,
        "utilization": {how: count / (config.multipliers * cycles) for how, count in macs.items()},
        "shapes": [{"cycles": c, "rows": r, "cols": k} for c, r, k in shapes[:10]],
    }
    options.say(f"licgate, {rows} x {cols}: simulated")
    result = simulated(manifest, config)
    ours |= {"cycles_simulated": result["cycles"], "mismatches": result["mismatches"], "counters": result["counters"]}
    ours["cells"] = cells_of(
        "read_rtlil top.il",
        top="top",
        files={"top.il": text_of(manifest, config, options)},
        before=ECP5_BEFORE,
        options=" ".join(ECP5_OPTIONS),
        say=options.say,
    )
    figures = {"licgate": ours, "goal": GOAL}
    headline = {
        "licgate": f"{result['cycles']} cycles simulated, {cycles} predicted, {rows} x {cols} multipliers, "
        f"{100 * ours['utilization']['needed']:.1f} % busy with needed products, {cell_line(ours['cells'])}",
    }
    if options.quick:
        figures["nngen"] = {"skipped": "quick"}
    else:
        figures["nngen"] = nngen.measure(options, macs=macs)
    if "skipped" in figures["nngen"]:
        headline["nngen"] = f"skipped: {figures['nngen']['skipped']}"
    else:
        for bus, row in figures["nngen"]["buses"].items():
            runs = ", ".join(f"{run['cycles']} ({name})" for name, run in row["memories"].items())
            cells = f"; {cell_line(row['cells'])}" if "cells" in row else ""
            headline[f"nngen, bus of {bus} bits"] = f"cycles {runs}{cells}"
        best = min(run["cycles"] for row in figures["nngen"]["buses"].values() for run in row["memories"].values())
        figures["ratios"] = {"cycles, licgate over nngen": cycles / best}
        headline["cycles, licgate over nngen's best"] = f"{cycles / best:.4f}"
    return {
        "headline": headline,
        "configuration": {
            "layer": f"{SIDE}x{SIDE}x{CHANNELS} to {SIDE // 2}x{SIDE // 2}x{CHANNELS}, 5x5, stride 2, padding 2, int8",
            "macs": macs,
            "multipliers_at_most": MULTIPLIERS,
            "board": options.board,
            "cells": "of the accelerator alone, by synth_lattice; licgate has its weights on the chip and takes and "
            "gives streams, nngen has its memory bus",
        },
        "seeds": [SEED],
        "figures": figures,
    }


def shape(rows: int, cols: int) -> AcceleratorConfig:
    """The accelerator of that many multipliers."""
    return AcceleratorConfig(rows=rows, cols=cols, max_width=SIDE)


def shapes_by_cycles(manifest) -> list[tuple[int, int, int]]:
    """Cycles, rows and columns of all arrays that could be the fastest, by the cycle model."""
    # an array that is smaller in both ways than another one of these is never faster
    found = [
        (rows, cols)
        for rows in range(1, 65)
        for cols in [min(MULTIPLIERS // rows, CHANNELS)]
        if rows * cols > MULTIPLIERS // 2
    ]
    # columns that save no pass only cost
    found += [(rows, -(-CHANNELS // -(-CHANNELS // cols))) for rows, cols in found]
    return sorted(
        (predict(manifest, shape(rows, cols), SIDE, SIDE).cycles, rows, cols) for rows, cols in sorted(set(found))
    )


def simulated(manifest, config, engine: str = "cxxrtl") -> dict:
    """The layer in simulation, every value held against the reference; its picture is noise."""
    words = np.random.default_rng(SEED).integers(0, 1 << WORD, (SIDE, SIDE))
    gateware = WideGateware(manifest, config, ("g_a",), engine, words)
    result, _ = compare(gateware, "g_a", wide_image(words, CHANNELS))
    return result


def text_of(manifest, config, options) -> str:
    """The accelerator in RTLIL, for the board's device."""
    platform = find_board(options.board).make_platform()
    accelerator = Accelerator(manifest, config, transforms=("g_a",))
    return rtlil.convert(accelerator, name="top", platform=platform, emit_src=False)


def cell_line(cells: dict) -> str:
    """Cells in words."""
    return f"{cells['lut']} LUT, {cells['MULT18X18D']} MULT18X18D, {cells['DP16KD']} DP16KD"
