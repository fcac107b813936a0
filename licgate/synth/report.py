"""What a build found out, as one JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace

from licgate.synth.flow import Routed
from licgate.target.board import Board

__all__ = ["headline", "lacking", "layer_rows", "make_report", "timing_of", "utilization_of"]


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
                **{key: costs.get(layer.name, {}).get(key) for key in ("macs", "products", "cycles", "utilization")},
            }
        )
    return rows


def make_report(
    *,
    board,
    manifest,
    config,
    prediction,
    mode,
    fit,
    image,
    tools,
    timing,
    best,
    cells,
    blocks,
    clock_mhz,
    cost=None,
    external=None,
    copies=1,
) -> dict:
    """All that report.json holds but the files; the keys are part of the command line's contract.

    ``cost`` is what a frame costs, a :class:`licgate.perf.causes.FrameCost`; without it nothing is said of that.
    ``external`` says how external memory is used, where it is: ``cores``, and what else is to be told. ``copies`` of
    the design share the device, each with a frame of its own: cells are those of all, blocks those of one.
    """
    utilization = utilization_of(board, best, cells)
    clock = _design_clock(best)["achieved_mhz"] if best else clock_mhz
    multipliers = config.rows * config.cols * (external or {}).get("cores", 1)
    if cost is not None and external:
        # the memory has the design's clock
        cost = replace(cost, bandwidth=cost.bandwidth * clock / clock_mhz)
    lut = "TRELLIS_COMB" if "TRELLIS_COMB" in utilization else "LUT"
    width, height = image
    assumptions = list(board.notes)
    if best:
        assumptions.append(
            f"The PLL runs the design at {clock_mhz:g} MHz; frames per second are given for the {clock:g} MHz which it "
            "achieved. nextpnr times the slowest corner it knows of the speed grade and does not time REG_PIPELINE of "
            "the multipliers."
        )
        link = board.baud / 10 / (3 * sum(row["inputs"] for row in prediction.transforms))
        assumptions.append(
            f"Frames per second are those of the accelerator fed without a pause. The serial port at {board.baud} baud "
            f"carries {link:.2f} such frames per second: it is for bring-up."
        )
    elif board.routed:
        assumptions.append(
            "Synthesis only, clock assumed: nothing was placed or routed. Cells are those that synthesis made, a carry "
            "chain's two bits counted as two LUT and 64 bits of LUT RAM as four."
        )
    if copies > 1:
        assumptions.append(
            f"The design was synthesised once. It stands {copies} times on the device, and so do its cells in the "
            "table of resources; the table of blocks is of one. Each has a frame and a bus of its own."
        )
    if external and external.get("bus"):
        assumptions.append(
            "Frames per second are a projection: the clock and the memory's latency and rate are assumed. The "
            "processor system, the interconnect of its ports and what else uses that memory are not part of it."
        )
    if mode != "analysis":
        assumptions.append(
            "The transforms run one after the other, on one image padded to whole hyper latents. The entropy coder is "
            "not part of the accelerator, nor is its time of the figures."
        )
    assumptions.append(
        f"Cycles come from the exact cycle model, for one image of {width} x {height} pixels, with the first layer, "
        "GDN, loads and drains in them. Utilisation is multiply-accumulates of the model (no padding, no idle lanes), "
        "recomputed halo included, over multipliers times cycles; the recompute factor stands beside it."
    )
    if packed := [row["name"] for row in prediction.layers if row.get("products") == 2]:
        assumptions.append(
            f"Packed: a multiplier makes two products in a cycle in {', '.join(packed)}. In utilisation they count as "
            "one, so that 100 % is all that the multipliers can do."
        )
    if cost is not None:
        assumptions.append(
            "What the cycles are spent on is counted by the cycle model too, for a host that is always there. Products "
            "and edges share the array's steps."
        )
    return {
        "board": board.name,
        "title": board.title,
        "device": board.device,
        "model": {"name": manifest.name, "hash": manifest.hash},
        "mode": mode,
        "tools": tools,
        "timing": timing,
        "utilization": utilization,
        "performance": {
            "rows": config.rows,
            "cols": config.cols,
            "multipliers": multipliers,
            "lane_multipliers": config.lane_multipliers,
            "macs_per_multiplier_cycle": copies * prediction.macs / (multipliers * prediction.cycles),
            "macs": prediction.macs,
            "cycles": prediction.cycles,
            "utilization": prediction.utilization,
            "recompute_factor": prediction.recompute_factor,
            "image": [width, height],
            "max_width": None if external else config.max_width,
            "external": external,
            "fps": copies * clock * 1e6 / prediction.cycles,
            "clock_mhz": clock,
            "lut_per_multiplier": round(utilization[lut]["used"] / multipliers, 1),
        },
        "transforms": list(prediction.transforms),
        **({} if cost is None else {"cost": cost_section(cost, prediction, multipliers, clock, board)}),
        "layers": layer_rows(manifest, prediction),
        "memories": {
            "cell": fit.cell,
            "needed": fit.needed,
            "available": fit.available,
            "by": [{"holds": name, **row} for name, row in fit.by.items()],
        },
        "blocks": blocks,
        "assumptions": assumptions,
    }


def cost_section(cost, prediction, multipliers: int, clock_mhz: float, board: Board) -> dict:
    """What a frame's cycles are spent on, what it moves, and the bound that this sets."""
    # two products of a packed layer are one piece of the multipliers' work
    work = sum(row["macs"] / row.get("products", 1) for row in prediction.layers)
    roofline = cost.roofline(work, multipliers, clock_mhz)
    return {
        "cycles": cost.cycles,
        "traffic": cost.traffic,
        "bytes": cost.bytes,
        "bandwidth": cost.bandwidth,
        "link": {"in": cost.link_in, "out": cost.link_out, "bandwidth": board.baud / 10 if board.baud else None},
        "roofline": {
            "peak_fps": roofline.peak / work,
            "attainable_fps": roofline.attainable / work,
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
