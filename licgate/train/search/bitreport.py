"""The outcome of a search as plain data and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from licgate.train.quant.widths import Widths, widths_to_json
from licgate.train.search.bitsearch import Outcome, simplified
from licgate.train.search.hwcost import BoardCost, bit_operations, equivalent_width
from licgate.train.search.modelshape import ModelShape
from licgate.train.search.sensitivity import Coordinate, Point, coordinates, per_bit, width_of
from licgate.train.search.trials import Trials

COLUMNS = ("activation", "weight", "gdn", "gamma")


def costs(shape: ModelShape, boards: Sequence[BoardCost], widths: Widths) -> dict:
    """Count every cost of a configuration; bit operations are those of one image."""
    parts = ("g_a", "g_s", "all")
    return {
        "image": [shape.width, shape.height],
        "equivalent_width": {part: equivalent_width(shape, widths, part) for part in parts},
        "equivalent_width_whole_maps": {part: equivalent_width(shape, widths, part, footprint="map") for part in parts},
        "bit_operations": {part: bit_operations(shape, widths, part) for part in parts},
        "boards": {board.board.name: board.cost(widths) for board in boards},
    }


def search_result(
    outcome: Outcome,
    *,
    trials: Trials,
    shape: ModelShape,
    boards: Sequence[BoardCost],
    configurations: Mapping[str, Widths],
    measured: Mapping[str, Mapping[str, Point]],
    about: Mapping,
) -> dict:
    """Put everything that a search found into plain data, which `widths_from_json` reads as widths.

    Parameters
    ----------
    configurations : dict of str to Widths
        By name, the found one as ``found``.
    measured : dict of str to dict of str to Point
        By set of crops, then by configuration; ``float`` is the float model.
    about : dict
        How the search was called.
    """
    every = coordinates(shape)
    return {
        **widths_to_json(simplified(outcome.widths)),
        "search": dict(about),
        "loss": {
            "reference": trials.evaluator.reference.loss,
            "baseline": outcome.baseline_loss,
            "found": outcome.loss,
        },
        "configurations": {
            name: {"widths": widths_to_json(simplified(widths)), "cost": costs(shape, boards, widths)}
            for name, widths in configurations.items()
        },
        "measured": {
            crops: {name: {**point._asdict(), "psnr": point.psnr} for name, point in points.items()}
            for crops, points in measured.items()
        },
        "sensitivity": {
            str(c): {str(drop): _finite(loss) for drop, loss in added.items()}
            for c, added in outcome.sensitivity.items()
        },
        "trials": {"coordinates": [str(c) for c in every], "rows": trials.table()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def result_text(
    outcome: Outcome,
    shape: ModelShape,
    boards: Sequence[BoardCost],
    configurations: Mapping[str, Widths],
    measured: Mapping[str, Mapping[str, Point]],
) -> str:
    """Show an outcome: per layer widths (those of the baseline in brackets), sensitivities and products; then costs.

    A sensitivity is the loss, in thousandths of a bit a pixel, that one bit less than the baseline adds.
    """
    found, before = outcome.widths, outcome.baseline
    packs = {b.board.name: {x["name"]: x["would_pack"] for x in b.cost(found)["layers"]} for b in boards}
    macs = {p.name: p.macs for p in shape.products(found)}
    heads = "".join(f"{kind:>17}" for kind in COLUMNS)
    lines = [f"{'layer':14}{heads}{'MMAC':>9}" + "".join(f"{f'packs {name}':>18}" for name in packs)]
    kinds = set(coordinates(shape))
    for part in shape.transforms:
        for conv, gdn in shape.stages(part):
            cells = "".join(
                _cell(Coordinate(conv.name, kind), kinds, found, before, outcome.sensitivity) for kind in COLUMNS
            )
            total = macs[conv.name] + (macs[gdn.name] if gdn is not None else 0)
            names = [conv.name] if gdn is None else [conv.name, gdn.name]
            marks = ["/".join("yes" if pack[n] else "no" for n in names if n in pack) or "-" for pack in packs.values()]
            lines.append(f"{conv.name:14}{cells}{total / 1e6:9.1f}" + "".join(f"{mark:>18}" for mark in marks))
    lines.append(f"{'latent':14}" + _cell(Coordinate("latent", "latent"), kinds, found, before, outcome.sensitivity))
    lines += ["", *_cost_lines(shape, boards, configurations), "", *_measured_lines(measured)]
    return "\n".join(lines)


def _cell(coordinate: Coordinate, known: set, found: Widths, before: Widths, sensitivity: Mapping) -> str:
    if coordinate not in known:
        return f"{'-':>17}"
    bits, old = width_of(found, coordinate), width_of(before, coordinate)
    hurt = f" {1e3 * per_bit(sensitivity[coordinate]):.3g}" if coordinate in sensitivity else ""
    return f"{f'{bits} ({old}){hurt}':>17}"


def _cost_lines(shape: ModelShape, boards: Sequence[BoardCost], configurations: Mapping[str, Widths]) -> list[str]:
    counted = {name: costs(shape, boards, widths) for name, widths in configurations.items()}
    lines = [f"{'cost':42}" + "".join(f"{name:>16}" for name in counted)]

    def row(label: str, read) -> None:
        lines.append(f"{label:42}" + "".join(f"{read(cost):>16}" for cost in counted.values()))

    for part in ("g_a", "g_s", "all"):
        row(f"P_m, {part}", lambda cost, part=part: f"{cost['equivalent_width'][part]:.3f}")
    for part in ("g_a", "all"):
        row(f"10^9 bit operations, {part}", lambda cost, part=part: f"{cost['bit_operations'][part] / 1e9:.1f}")
    for board in boards:
        name, device = board.board.name, board.board

        def on(cost, key, name=name):
            return cost["boards"][name][key]

        row(f"{name}: {device.multiplier} of {device.multipliers}", lambda cost, on=on: on(cost, "multipliers"))
        row(f"{name}: {device.memory} of {device.memories}", lambda cost, on=on: on(cost, "block_rams"))
        row(f"{name}: memory, kbit", lambda cost, on=on: f"{sum(on(cost, 'memory_bits').values()) / 1e3:.0f}")
        row(f"{name}: would pack two products", lambda cost, on=on: "yes" if on(cost, "would_pack") else "no")
        row(f"{name}: frames/s", lambda cost, on=on: f"{on(cost, 'frames_per_second'):.2f}")
    return lines


def _measured_lines(measured: Mapping[str, Mapping[str, Point]]) -> list[str]:
    lines = []
    for crops, points in measured.items():
        lines.append(f"{crops:42}{'loss':>10}{'bpp':>10}{'PSNR dB':>10}")
        lines += [f"{'  ' + name:42}{p.loss:10.5f}{p.bpp:10.5f}{p.psnr:10.3f}" for name, p in points.items()]
    return lines
