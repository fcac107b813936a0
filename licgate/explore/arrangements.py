"""Body of ``licgate plan --encoder``."""

from __future__ import annotations

import argparse
import json
import sys

from licgate.errors import ConfigError
from licgate.files import write_whole

__all__ = ["run_plan_encoder"]

#: Frames a second of an encoder one after the other and pipelined, and the share of the multipliers' time that the
#: former uses: Mazouz et al., Table X.
PAPER = {"sequential": 17.3, "pipelined": 43.6, "busy": 0.56}

_NAMES = {
    "sequential": "one after the other",
    "overlapped": "one array, coder beside it",
    "pipelined_equal_total": "pipelined, as many in all",
    "pipelined_equal_arrays": "pipelined, as many each",
}


def run_plan_encoder(args: argparse.Namespace, board, clock: float) -> int:
    """Compare the arrangements of an encoder's stages, print them, and write them where JSON is asked for."""
    from licgate.explore.encoder import compare_arrangements, picture_of
    from licgate.explore.progress import Progress
    from licgate.manifest import find_model
    from licgate.perf.encoder import measure_coder

    if args.fps is not None or args.channels or len(args.model or ()) > 1:
        raise ConfigError("--encoder takes one --model and neither --fps nor --channels")
    manifest = find_model(*(args.model or ()))
    width, height = args.size
    print(f"coding a picture of {width} x {height} to time the coder", file=sys.stderr, flush=True)
    coder = measure_coder(manifest, picture_of(width, height))
    found = compare_arrangements(
        manifest, board.multipliers, width, height, clock, coder, say=Progress("splits of the multipliers tried")
    )
    print(
        f"{manifest.name}, encoder of {width} x {height}, {board.multipliers} {board.multiplier} of {board.title} in "
        f"arrays, {clock:g} MHz assumed: a prediction, nothing is fitted, placed or routed"
    )
    print("\n".join(_lines(found)))
    if args.json:
        result = {"board": board.name, "device": board.device, "clock": "assumed", **found, "paper": PAPER}
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return 0


def _lines(found: dict) -> list[str]:
    rows, coder = found["arrangements"], found["coder"]
    lines = []
    for name, row in rows.items():
        arrays = ", ".join(f"{a['rows']} x {a['cols']} for {' + '.join(a['cycles'])}" for a in row["arrays"])
        gain = "" if name == "sequential" else f" ({row['speedup']:.2f} times)"
        lines.append(
            f"{_NAMES[name]:27}{row['fps']:.2f} frames/s{gain}: {arrays}; {100 * row['utilization']:.1f} % of their "
            f"multipliers busy, bound by {row['binds']}"
        )
    lines.append(
        f"coder: {1e3 * coder['seconds']:.1f} ms on this machine for {coder['symbols']} symbols in {coder['bytes']} "
        f"bytes, {1e3 * coder['coding_seconds']:.1f} of them in the range coder: {coder['cycles']} cycles"
    )
    busy = rows["sequential"]["utilization"]
    cycles = rows["sequential"]["arrays"][0]["cycles"]
    lines.append(
        f"g_a takes {100 * cycles['g_a'] / sum(cycles.values()):.1f} % of the transforms' cycles, and one after the "
        f"other the multipliers are busy for {100 * busy:.1f} % of the time: no arrangement of as many gains more than "
        f"{1 / busy:.2f} times"
    )
    gain, room = PAPER["pipelined"] / PAPER["sequential"], 1 / PAPER["busy"]
    lines.append(f"(the {gain:.2f} times of Mazouz et al. begin at {100 * PAPER['busy']:.0f} %: room for {room:.2f})")
    return lines
