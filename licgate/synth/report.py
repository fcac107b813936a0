"""What a build found out, as one JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace

from licgate.synth.assumptions import assumptions
from licgate.synth.design import Design, Frame
from licgate.synth.flow import Routed
from licgate.target.board import Board

__all__ = ["Built", "headline", "lacking", "layer_rows", "make_report", "timing_of", "utilization_of"]

# what a layer has of the cycle model
_OF_THE_MODEL = ("macs", "products", "packed", "cycles", "utilization")


def timing_of(routes: list[Routed], clock_mhz: float) -> tuple[dict, Routed | None]:
    """Timing section, and the best of the runs (None without place-and-route)."""
    if not routes:
        return {"met": None, "clocks": {"sync": {"achieved_mhz": None, "constraint_mhz": clock_mhz}}}, None
    best = max(routes, key=lambda routed: routed.slack)
    achieved = [{"seed": routed.seed, "achieved_mhz": _design_clock(routed)["achieved_mhz"]} for routed in routes]
    timing = {
        "met": best.slack >= 1,
        "clocks": best.clocks,
        "seed": best.seed,
        "seeds": achieved,
        "median_mhz": statistics.median(run["achieved_mhz"] for run in achieved),
    }
    return timing, best


def _design_clock(routed: Routed) -> dict:
    return routed.clocks.get("design_clock") or max(routed.clocks.values(), key=lambda clock: clock["constraint_mhz"])


def utilization_of(board: Board, best: Routed | None, cells: Mapping[str, int]) -> dict:
    """Cells used and available: nextpnr's count after packing, or what the synthesised cells come to."""
    if best is not None:
        found = best.report["utilization"]
        return {
            cell: {"used": count["used"], "available": count["available"]}
            for cell, count in found.items()
            if count["used"] or cell in board.resources
        }

    def total(*prefixes: str) -> int:
        return sum(count for cell, count in cells.items() if cell.startswith(prefixes))

    used = {
        # as nextpnr packs them
        "TRELLIS_COMB": total("LUT4") + 2 * total("CCU2C") + 4 * total("TRELLIS_DPR16X4"),
        "TRELLIS_FF": total("TRELLIS_FF"),
        "MULT18X18D": total("MULT18X18D"),
        "DP16KD": total("DP16KD"),
        # those of UltraScale+ take eight
        "LUT": total("LUT", "INV", "SRL")
        + 4 * (total("RAM32M", "RAM64M") + total("RAM32M16", "RAM64M8"))
        + total("RAM32X", "RAM64X"),
        "FF": total("FD"),
        "DSP48E2": total("DSP48E2"),
        "RAMB36": total("RAMB36") + total("RAMB18") / 2,
    }
    return {cell: {"used": used[cell], "available": available} for cell, available in board.resources.items()}


def layer_rows(manifest, prediction) -> list[dict]:
    """One row per layer of the transforms: what it is (from the manifest), what it costs (from the cycle model)."""
    costs = {row["name"]: row for row in prediction.layers}
    rows = []
    for layer in (layer for row in prediction.transforms for layer in manifest.transforms[row["name"]].layers):
        convolution = layer.kind == "conv2d"
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "in_channels": layer.in_channels if convolution else layer.channels,
                "out_channels": layer.out_channels if convolution else layer.channels,
                "kernel": layer.kernel if convolution else 1,
                "stride": layer.stride if convolution else 1,
                "transposed": convolution and layer.transposed,
                "input_bits": layer.input.bits if convolution else layer.norm_bits,
                "weight_bits": (layer.weight_type if convolution else layer.gamma_type).bits,
                "accumulator_bits": layer.accumulator.bits,
                "output_bits": layer.output.bits,
                **{key: costs.get(layer.name, {}).get(key) for key in _OF_THE_MODEL},
            }
        )
    return rows


@dataclass(frozen=True)
class Built:
    """What the tools made of a design.

    Attributes
    ----------
    tools : dict of str to object
        Tools that ran, as the report tells them.
    timing : dict
    best : Routed or None
        See `timing_of`.
    cells : dict of str to int
        Of the synthesised design, all copies.
    components : list of dict
        Of one copy.
    clock_mhz : float
        That was asked of the tools.
    """

    tools: Mapping
    timing: dict
    best: Routed | None
    cells: Mapping[str, int]
    components: list[dict]
    clock_mhz: float

    @property
    def achieved_mhz(self) -> float:
        """Clock for which figures are given."""
        return _design_clock(self.best)["achieved_mhz"] if self.best else self.clock_mhz


def make_report(design: Design, frame: Frame, built: Built) -> dict:
    """All that report.json holds but the files; the keys are part of the command line's contract."""
    board, manifest, fit = design.board, design.manifest, design.fit
    utilization = utilization_of(board, built.best, built.cells)
    return {
        "board": board.name,
        "title": board.title,
        "device": board.device,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "mode": design.mode,
        "tools": built.tools,
        "timing": built.timing,
        "utilization": utilization,
        "performance": _performance(design, frame, built.achieved_mhz, utilization),
        "transforms": list(frame.prediction.transforms),
        **({} if frame.cost is None else {"cost": _cost_section(design, frame, built)}),
        "layers": layer_rows(manifest, frame.prediction),
        "memories": {
            "cell": fit.cell,
            "needed": fit.needed,
            "available": fit.available,
            "by": [{"holds": name, **row} for name, row in fit.by.items()],
        },
        "components": built.components,
        "assumptions": list(assumptions(design, frame, built)),
    }


def _performance(design: Design, frame: Frame, clock: float, utilization: dict) -> dict:
    config, prediction, multipliers = design.config, frame.prediction, design.multipliers
    lut = "TRELLIS_COMB" if "TRELLIS_COMB" in utilization else "LUT"
    return {
        "rows": config.rows,
        "cols": config.cols,
        "multipliers": multipliers,
        "lane_multipliers": config.lane_multipliers,
        "arithmetic": config.arithmetic,
        "macs_per_multiplier_cycle": design.copies * prediction.macs / (multipliers * prediction.cycles),
        "macs": prediction.macs,
        "cycles": prediction.cycles,
        "utilization": prediction.utilization,
        "recompute_factor": prediction.recompute_factor,
        "image": list(frame.image),
        "max_width": None if design.external else config.max_width,
        "external": design.external,
        "fps": frame.fps(design, clock),
        "clock_mhz": clock,
        "lut_per_multiplier": round(utilization[lut]["used"] / multipliers, 1),
    }


def _cost_section(design: Design, frame: Frame, built: Built) -> dict:
    """What a frame's cycles are spent on, what it moves, and the bound that this sets."""
    cost, prediction = frame.cost, frame.prediction
    if design.external:
        # the memory has the design's clock
        cost = replace(cost, bandwidth=cost.bandwidth * built.achieved_mhz / built.clock_mhz)
    roofline = cost.roofline(frame.work, design.multipliers, built.achieved_mhz)
    return {
        "cycles": cost.cycles,
        "traffic": cost.traffic,
        "bytes": cost.bytes,
        "bandwidth": cost.bandwidth,
        "link": {"in": cost.link_in, "out": cost.link_out, "bandwidth": design.link_bandwidth},
        "roofline": {
            "peak_fps": roofline.peak / frame.work,
            "attainable_fps": roofline.attainable / frame.work,
            "macs_per_byte": prediction.macs / cost.bytes if cost.bytes else None,
            "memory_bound": roofline.memory_bound,
        },
    }


def lacking(report: dict) -> dict:
    """Cells of which the design needs more than the device has."""
    return {cell: n for cell, n in report["utilization"].items() if n["used"] > n["available"]}


def headline(report: dict) -> str:
    """First line of the HTML page and last line of the command: whether timing is met."""
    timing = report["timing"]
    if timing["met"] is None:
        if over := lacking(report):
            numbers = ", ".join(f"{n['used']:g} {cell} of {n['available']:g}" for cell, n in over.items())
            return f"DOES NOT FIT: {numbers} (synthesis only)"
        (clock,) = timing["clocks"].values()
        return f"Synthesis only, clock assumed: {clock['constraint_mhz']:g} MHz"
    name, clock = min(timing["clocks"].items(), key=lambda item: item[1]["achieved_mhz"] / item[1]["constraint_mhz"])
    numbers = f"{name} achieves {clock['achieved_mhz']:g} MHz of {clock['constraint_mhz']:g} MHz"
    return f"Timing met: {numbers}" if timing["met"] else f"TIMING NOT MET: {numbers}"
