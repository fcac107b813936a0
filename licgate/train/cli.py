"""Arguments and bodies of the command-line verbs of this package; torch is imported only when a verb runs."""

from __future__ import annotations

import argparse

from licgate.train.start import start_torch


def add_quantize_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate quantize``."""
    parser.add_argument("checkpoint", help="checkpoint of licgate train")
    parser.add_argument("--data", required=True, help="photographs to calibrate on")
    parser.add_argument(
        "--out", required=True, help="model folder to write, e.g. models/my-model; its last part is the name"
    )
    parser.add_argument("--activation-bits", type=int, default=10, help="activations between layers (default 10)")
    parser.add_argument("--weight-bits", type=int, default=8, help="weights of convolutions (default 8)")
    parser.add_argument("--gdn-bits", type=int, default=12, help="what a convolution hands to its GDN (default 12)")
    parser.add_argument("--gamma-bits", type=int, default=8, help="gamma of GDN, unsigned (default 8)")
    parser.add_argument("--latent-bits", type=int, default=12, help="latents with their fraction (default 12)")
    parser.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="LAYER=A[,W[,G]]",
        help="activation, weight and GDN bits of one convolution, e.g. g_a.2=5,6,8; may be repeated",
    )
    parser.add_argument(
        "--clip",
        default="auto",
        metavar="auto|none|K",
        help="clip at mean +- K sigma; auto tries none, 20, 14 and DRAQ's 625 lambda + 2 for each layer (default)",
    )
    parser.add_argument(
        "--rounding",
        choices=("compensated", "nearest"),
        default="compensated",
        help="let weights make up for each other's rounding errors (default), or round each to the nearest",
    )
    parser.add_argument(
        "--equalization",
        type=float,
        default=0.75,
        metavar="S",
        help="how far channels around a GDN are brought to the same range, 0..1 (default 0.75)",
    )
    parser.add_argument("--crops", type=int, default=64, help="calibration crops of 256 x 256 pixels (default 64)")
    parser.add_argument(
        "--evaluate", metavar="DIR", help="measure float and integer rate and PSNR on these images and store them"
    )
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")


def run_quantize(args: argparse.Namespace) -> int:
    """Body of ``licgate quantize``."""
    import dataclasses
    from pathlib import Path

    start_torch(args.threads)
    from licgate.manifest import save_manifest
    from licgate.train.card import model_card, write_card
    from licgate.train.checkpoint import load_model
    from licgate.train.evaluate import measure
    from licgate.train.quantize import quantize_model
    from licgate.train.widths import LayerBits, Widths, parse_override

    default = LayerBits(
        activation=args.activation_bits, weight=args.weight_bits, gdn=args.gdn_bits, gamma=args.gamma_bits
    )
    widths = Widths(
        default=default, layers=dict(parse_override(t, default) for t in args.bits), latent=args.latent_bits
    )
    model, recipe = load_model(args.checkpoint)
    rate_lambda = recipe.get("rate_lambda", 0.013)
    manifest = quantize_model(
        model,
        recipe,
        args.data,
        name=Path(args.out).name,
        widths=widths,
        clip=args.clip,
        rounding=args.rounding,
        equalization=args.equalization,
        crops=args.crops,
    )
    if args.evaluate:
        manifest = dataclasses.replace(
            manifest, measured=measure(args.evaluate, model=model, manifest=manifest, rate_lambda=rate_lambda)
        )
    manifest = save_manifest(manifest, args.out)
    write_card(Path(args.out) / "README.md", model_card(manifest))
    print(f"{args.out}: {manifest.hash}")
    return 0
