"""Arguments and bodies of the command-line verbs of this package; torch is imported only when a verb runs."""

from __future__ import annotations

import argparse

from licgate.train.start import start_torch


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate train``."""
    parser.add_argument("--data", required=True, help="folder of PNG or JPEG photographs (or with a subfolder train)")
    parser.add_argument("--out", required=True, help="checkpoint file; an existing one is carried on")
    parser.add_argument("--n", type=int, default=36, help="hidden channels (default 36)")
    parser.add_argument("--m", type=int, default=48, help="latent channels (default 48)")
    parser.add_argument(
        "--lambda", dest="rate_lambda", type=float, default=0.013, help="lambda of R + lambda 255^2 MSE (default 0.013)"
    )
    parser.add_argument("--gdn", choices=("abs", "square_root"), default="abs", help="form of GDN (default abs)")
    parser.add_argument("--iterations", type=int, help="steps to train (default 100000 unless --minutes is given)")
    parser.add_argument("--minutes", type=float, help="end, and finish the decay, after so many minutes of training")
    parser.add_argument("--batch", type=int, default=8, help="crops a step (default 8)")
    parser.add_argument(
        "--crop", type=int, default=128, help="side of a crop in pixels, a multiple of 64 (default 128)"
    )
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate (default 1e-3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 autocast")
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0, help="minutes between checkpoints (default 3)")


def run_train(args: argparse.Namespace) -> int:
    """Body of ``licgate train``."""
    start_torch(args.threads)
    from licgate.train.loop import Recipe, train
    from licgate.train.models import ModelConfig

    iterations = args.iterations if args.iterations is not None or args.minutes is not None else 100_000
    recipe = Recipe(
        rate_lambda=args.rate_lambda,
        iterations=iterations,
        minutes=args.minutes,
        batch=args.batch,
        crop=args.crop,
        lr=args.lr,
        seed=args.seed,
        bfloat16=not args.float32,
    )
    train(
        args.data,
        args.out,
        config=ModelConfig(n=args.n, m=args.m, gdn=args.gdn),
        recipe=recipe,
        checkpoint_minutes=args.checkpoint_minutes,
    )
    return 0


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
