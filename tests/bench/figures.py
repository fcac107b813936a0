"""The demo photograph, for `make demo`; and place-and-route of the default model, one of the benches."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from licgate.errors import BuildError
from licgate.images import demo_image

if TYPE_CHECKING:
    from tests.bench.kit import Options


def save_photograph(path: Path, crop: tuple[int, int] | None) -> None:
    """Write the photograph, or `crop` (width, height) from the middle of it."""
    picture = demo_image()
    if crop:
        width, height = min(crop[0], picture.shape[1]), min(crop[1], picture.shape[0])
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        picture = picture[top : top + height, left : left + width]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def bench(options: Options) -> dict:
    """Build the default model with three seeds of place-and-route, as one of the benches."""
    from tests.bench.kit import licgate_verb

    seeds = [1] if options.quick else [1, 2, 3]
    out = options.out / options.board
    words = ("--board", options.board, "--seed", *map(str, seeds), "--out", str(out), "--timing-allow-fail")
    if licgate_verb("build", *words):
        raise BuildError(f"licgate build {' '.join(words)} failed: its last lines say why")
    report = json.loads((out / "report.json").read_text())
    timing, performance = report["timing"], report["performance"]
    headline = {
        f"clock, median of {len(seeds)} seeds": f"{timing['median_mhz']:.1f} MHz",
        "timing met at the board's clock": timing["met"],
        "frames/s at the best seed's clock": round(performance["fps"], 2),
        "LUT per multiplier": performance["lut_per_multiplier"],
    }
    figures = {key: report[key] for key in ("timing", "utilization", "performance", "model", "tools")}
    return {
        "headline": headline,
        "configuration": {"board": options.board, "mode": "analysis"},
        "seeds": seeds,
        "figures": figures,
    }


def main() -> int:
    """Run the verb on the command line."""
    parser = argparse.ArgumentParser(prog="figures", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    save = verbs.add_parser("photograph", help="write the demo photograph")
    save.add_argument("--crop", metavar="WxH", help="only this much of its middle")
    save.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    save_photograph(args.out, tuple(map(int, args.crop.split("x"))) if args.crop else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
