"""The demo photograph, and the figures of the default model: what `make demo` and `make bench` run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from licgate.images import demo_image


def save_photograph(path: Path, crop: tuple[int, int] | None) -> None:
    """Write the photograph, or `crop` (width, height) from the middle of it."""
    picture = demo_image()
    if crop:
        width, height = min(crop[0], picture.shape[1]), min(crop[1], picture.shape[0])
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        picture = picture[top : top + height, left : left + width]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def run(board: str, out: Path) -> int:
    """Simulate the whole photograph, build with three seeds, and print what came of it."""
    out.mkdir(parents=True, exist_ok=True)
    save_photograph(out / "photograph.png", None)
    licgate = [sys.executable, "-m", "licgate"]
    simulate = [*licgate, "simulate", "--image", str(out / "photograph.png"), "--json", str(out / "simulate.json")]
    build = [*licgate, "build", "--board", board, "--seed", "1", "2", "3", "--out", str(out / board)]
    codes = [subprocess.run(command, check=False).returncode for command in (simulate, build)]
    if not any(codes):
        simulated = json.loads((out / "simulate.json").read_text())
        built = json.loads((out / board / "report.json").read_text())
        print(f"mismatches {simulated['mismatches']} of {simulated['values']}, cycles {simulated['cycles']}")
        print(f"utilisation {simulated['utilization']:.4f}, recompute factor {simulated['recompute_factor']:.4f}")
        print(f"clock, median of three seeds: {built['timing']['median_mhz']:.1f} MHz")
        print(f"LUT per multiplier: {built['performance']['lut_per_multiplier']}")
    return max(codes)


def main() -> int:
    """Run the verb on the command line."""
    parser = argparse.ArgumentParser(prog="figures", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    save = verbs.add_parser("photograph", help="write the demo photograph")
    save.add_argument("--crop", metavar="WxH", help="only this much of its middle")
    save.add_argument("--out", type=Path, required=True)
    bench = verbs.add_parser("run", help="simulate and build the default model")
    bench.add_argument("--board", default="ulx3s-85f")
    bench.add_argument("--out", type=Path, default=Path("out/bench"))
    args = parser.parse_args()
    if args.verb == "photograph":
        save_photograph(args.out, tuple(map(int, args.crop.split("x"))) if args.crop else None)
        return 0
    return run(args.board, args.out)


if __name__ == "__main__":
    sys.exit(main())
