"""Train a tiny model, quantise it, code a picture with it, and run it through simulated gateware: two minutes.

    pip install 'licgate[train]'
    python examples/train_a_tiny_model.py [--out FOLDER] [--photographs FOLDER] [--iterations 1000]

The pictures are drawn on the spot, so the model is good for nothing but to show the way; with a few hundred photographs
of one's own and an hour it is one like those under models/. Each step is the verb of the command line that is printed.
"""

import argparse
import shlex
import time
from pathlib import Path

from licgate.cli import main as licgate
from licgate.images import save_image, synthetic_image


def draw_pictures(folder, count=12, side=192):
    """Draw pictures to train on, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        save_image(synthetic_image(side, side, seed), folder / f"{seed:02}.png")


def step(*words):
    """Show and run one verb of the command line."""
    words = [str(word) for word in words]
    print(f"\n$ licgate {shlex.join(words)}", flush=True)
    started = time.monotonic()
    code = licgate(words)
    print(f"({time.monotonic() - started:.0f} s)", flush=True)
    if code:
        raise SystemExit(code)


def main():
    """Walk from pictures to gateware."""
    parser = argparse.ArgumentParser(description="Train, quantise and simulate a tiny model.")
    parser.add_argument("--out", type=Path, default=Path("out/tiny"), help="folder for all that is made (%(default)s)")
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="train on these instead of drawn pictures")
    parser.add_argument("--iterations", type=int, default=1000, help="steps of training (%(default)s)")
    parser.add_argument("--crop", default="64x64", metavar="WxH", help="what the gateware is given (%(default)s)")
    parser.add_argument("--engine", default="cxxrtl", help="simulator: cxxrtl or amaranth (%(default)s)")
    args = parser.parse_args()

    out, pictures = args.out, args.photographs or args.out / "pictures"
    if args.photographs is None:
        draw_pictures(pictures)
    float_model, model = out / "tiny.ckpt", out / "tiny"
    picture, coded, decoded = out / "picture.png", out / "picture.lic", out / "decoded.png"
    save_image(synthetic_image(128, 192, seed=99), picture)  # none of those that it was trained on

    shape = ("--n", 8, "--m", 12, "--lambda", 0.013)
    how = ("--iterations", args.iterations, "--batch", 4, "--crop", 64, "--lr", 0.003, "--seed", 0)
    step("train", "--data", pictures, "--out", float_model, *shape, *how)
    step("quantize", float_model, "--data", pictures, "--out", model, "--crops", 8)
    step("encode", picture, "-o", coded, "--model", model, "--verify")
    step("decode", coded, "-o", decoded, "--model", model)
    array = ("--rows", 4, "--cols", 4, "--engine", args.engine)
    step("simulate", "--model", model, "--image", picture, "--crop", args.crop, *array)


if __name__ == "__main__":
    main()
