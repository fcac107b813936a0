"""Runs the benches: one JSON file each, and a summary. `make bench` is this with all of them.

To add one: a module with ``bench(options: Options) -> Result``, and its line in `BENCHES`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from licgate.errors import LicgateError
from licgate.files import write_whole
from tests.bench.kit import Options, versions

#: name: module with ``bench``; in this order, the quick ones first.
BENCHES = {
    "model-speed": "tests.bench.speed",
    "estimate": "tests.bench.estimate",
    "model-exact": "tests.bench.exact",
    "packing": "tests.bench.packing",
    "arithmetic": "tests.bench.arithmetic",
    "layer": "tests.bench.layer",
    "codec": "tests.bench.codec",
    "resources": "tests.bench.resources",
    "utilization": "tests.bench.utilization",
    "streamed": "tests.bench.streamed",
    "ethernet": "tests.bench.ethernet",
    "zcu102": "tests.bench.zcu102",
    "route": "tests.bench.figures",
}


def run_bench(name: str, module: str, options: Options) -> dict:
    """Run one bench and write its file; an error is written there as well.

    Returns
    -------
    dict
        What the summary says of it.
    """
    start = time.monotonic()
    document = {"bench": name, "versions": versions()}
    try:
        found = importlib.import_module(module).bench(options)
        headline = found.pop("headline")
        document |= found
        row = {"headline": headline}
        for label, value in headline.items():
            options.say(f"{name}: {label}: {value}")
    except (LicgateError, OSError) as error:
        row = {"error": " ".join(str(error).split())}
    except Exception as error:
        # a bench that is broken must not cost the others their figures
        traceback.print_exc()
        row = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    row["seconds"] = round(time.monotonic() - start, 1)
    if "error" in row:
        options.say(f"{name}: error: {row['error']}")
    write_whole(options.out / f"{name}.json", json.dumps(document | row, indent=1) + "\n")
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Run on the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=tuple(BENCHES), metavar="NAME", help=f"these alone, of {', '.join(BENCHES)}"
    )
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--board", default="ulx3s-85f")
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    options = Options(args.out, args.board, args.quick)
    rows = {}
    for name, module in BENCHES.items():
        if args.only is None or name in args.only:
            options.say(f"{name}: begun")
            rows[name] = run_bench(name, module, options)
            # after each, so that a run which is broken off leaves what it has
            summary = {"versions": versions(), "quick": args.quick, "benches": rows}
            write_whole(args.out / "summary.json", json.dumps(summary, indent=1) + "\n")
    options.say(f"figures: {args.out / 'summary.json'}")
    return int(any("error" in row for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
