"""Random designs against the reference and the cycle model, for as long as they are given.

    python -m tests.fuzz.run --seed 1 --minutes 60 --json counts.json

Every design has a number; one that differs is run again by ``--only NUMBER``. ``--arithmetic`` gives all of them one.
Designs that cannot be made are counted.
Counts, and the seconds of a core that they took, are written every minute.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from licgate.errors import ConfigError, ManifestError, SimulationError, ToolError
from licgate.files import write_whole
from licgate.target.arithmetic import ARITHMETICS
from tests.fuzz.check import differences
from tests.fuzz.designs import MEMORIES, draw

_TELL = 60  # seconds between lines of counts


def main(argv=None):
    """Run designs; 1 when one of them differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run")
    parser.add_argument("--seed", type=int, default=1, help="where the numbers begin: a million times this")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--memory", choices=MEMORIES, action="append", help="where memories are (default: each in turn)"
    )
    parser.add_argument(
        "--engine",
        choices=("amaranth", "cxxrtl", "verilator"),
        default="cxxrtl",
        help="simulator; amaranth: of designs on the chip, others on cxxrtl",
    )
    parser.add_argument("--arithmetic", choices=tuple(ARITHMETICS), help="of all designs (default: drawn, too)")
    parser.add_argument("--only", type=int, help="number of one design")
    parser.add_argument("--json", type=Path, help="write counts and differences")
    args = parser.parse_args(argv)
    # To compile for speed takes four times as long as not to, and such runs are short.
    os.environ.setdefault("CXXFLAGS", "-O0")
    memories, begun = args.memory or MEMORIES, time.monotonic()
    counts, wrong, told = Counter(), [], begun
    numbers = iter([args.only]) if args.only is not None else iter(range(args.seed * 1_000_000, sys.maxsize))
    for number in numbers:
        if args.only is None and time.monotonic() - begun > 60 * args.minutes:
            break
        for memory in memories:
            found = _run(number, memory, args, counts)
            wrong += found
            for line in found:
                print(line, flush=True)
            if time.monotonic() - told > _TELL:
                told = time.monotonic()
                _tell(counts, wrong, args.json)
    _tell(counts, wrong, args.json)
    return 1 if wrong else 0


def _tell(counts, wrong, path):
    """Say what has run, and keep it."""
    seconds = round(sum(os.times()[:4]))
    print(f"{dict(sorted(counts.items()))}; {seconds} s of a core; {len(wrong)} differences", flush=True)
    if path is not None:
        write_whole(path, json.dumps({"counts": counts, "core_s": seconds, "differences": wrong}, indent=1))


def _run(number, memory, args, counts):
    try:
        design = draw(number, memory, args.arithmetic)
        found = differences(design, args.engine)
    except (ConfigError, ManifestError):
        counts[f"{memory}, not made"] += 1
        return []
    except (SimulationError, ToolError) as error:
        found = [str(error)]
    counts[f"{memory}, designs"] += 1
    counts[f"{memory}, runs"] += len(design.inputs)
    arithmetic = f" --arithmetic {args.arithmetic}" if args.arithmetic else ""
    return [f"--memory {memory}{arithmetic} --only {number}: {line}; {design}" for line in found]


if __name__ == "__main__":
    sys.exit(main())
