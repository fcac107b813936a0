"""Elaborate one layer of a model as gateware, and simulate it against the integer reference.

    python examples/simulate_a_layer.py [--rows 4] [--cols 4] [--size 16]

The layer is the first one of the default model (3 to 36 channels, kernel 5, stride 2). It runs on Amaranth's own
simulator, so nothing has to be compiled; `engine="cxxrtl"` is the one for pictures, and what `licgate simulate` takes.
"""

import argparse
from dataclasses import replace

import numpy as np

from licgate.gateware import Accelerator, AcceleratorConfig
from licgate.images import demo_image
from licgate.manifest import Manifest, find_model, sealed
from licgate.perf import predict
from licgate.sim.simulate import simulate


def first_layer(manifest):
    """A manifest that holds nothing but the first convolution of g_a."""
    layer = replace(manifest.g_a.layers[0], output_scale=1.0)
    transform = replace(manifest.g_a, layers=(layer,))
    model = Manifest(name="one-layer", architecture="g_a", transforms={"g_a": transform}, latent_fraction_bits=0)
    return sealed(model)


def main():
    """Elaborate, predict, simulate."""
    parser = argparse.ArgumentParser(description="Elaborate one layer as gateware, and simulate it.")
    parser.add_argument("--rows", type=int, default=4, help="array rows: pixels side by side (default 4)")
    parser.add_argument("--cols", type=int, default=4, help="array columns: channels side by side (default 4)")
    parser.add_argument("--size", type=int, default=16, help="side of the picture in pixels (default 16)")
    args = parser.parse_args()

    manifest = first_layer(find_model())
    config = AcceleratorConfig(rows=args.rows, cols=args.cols, max_width=args.size)

    # an Amaranth component like any other; what it runs is a program, compiled from the manifest
    program = Accelerator(manifest, config).program
    (op,) = program.ops
    print(f"{op.layer.name}: {op.channels_in} to {op.channels_out} channels on an array of {args.rows} x {args.cols}")
    print(f"{op.tiles} passes of {op.steps} steps for each group of {args.rows} pixels")

    image = demo_image()[: args.size, : args.size]
    x = np.moveaxis(image, 2, 0).astype(np.int64)  # (C, H, W), what transforms take
    result = simulate(manifest, config, x, engine="amaranth")
    predicted = predict(manifest, config, args.size, args.size).cycles

    print(f"{result['values']} values, {result['mismatches']} of them other than the reference's")
    print(f"{result['cycles']} cycles simulated, {predicted} predicted")
    print(f"multipliers busy with needed products: {100 * result['utilization']:.1f} %")
    if not result["bit_exact"]:
        raise SystemExit("the gateware differs from the reference")


if __name__ == "__main__":
    main()
