"""Arguments and body of ``licgate distill``."""

from __future__ import annotations

import argparse

from licgate.train.cli_train import (
    DEFAULT_ITERATIONS,
    add_recipe_arguments,
    add_shape_arguments,
    exit_code,
    recipe_from,
    shape_from,
)
from licgate.train.start import start_torch


def add_distill_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate distill``."""
    parser.add_argument("teacher", help="checkpoint of the trained larger model")
    add_recipe_arguments(parser)
    add_shape_arguments(parser)
    parser.add_argument(
        "--lambda", dest="rate_lambda", type=float, help="lambda of R + lambda 255^2 MSE (default: the teacher's)"
    )
    parser.add_argument("--student", metavar="CHECKPOINT", help="start from this student instead of a new one")
    parser.add_argument("--iterations", type=int, default=DEFAULT_ITERATIONS, help="steps to train (default 100000)")
    parser.add_argument(
        "--resnet50", metavar="FILE", help="compare pictures by features of these ResNet-50 weights, not by MS-SSIM"
    )
    for name, values, what in (
        ("early", (1.0, 0.1), "before"),
        ("late", (0.1, 1.0), "after"),
    ):
        parser.add_argument(
            f"--{name}",
            type=float,
            nargs=2,
            default=values,
            metavar=("ALPHA", "BETA"),
            help=f"weights of latent and perceptual term {what} the latents settle (default {values[0]} {values[1]})",
        )
    parser.add_argument("--gamma", type=float, default=0.5, help="weight of R + lambda D (default 0.5)")
    parser.add_argument(
        "--patience",
        type=int,
        default=2000,
        help="steps without one per cent less latent loss that end the first phase (default 2000)",
    )
    parser.add_argument(
        "--latest", type=float, default=0.5, help="part of the run after which it ends in any case (default 0.5)"
    )


def run_distill(args: argparse.Namespace) -> int:
    """Body of ``licgate distill``."""
    start_torch(args.threads)
    from dataclasses import replace
    from pathlib import Path

    from licgate.train.network.checkpoint import load_checkpoint, load_model, model_config
    from licgate.train.shrink.distill import DistillSettings, distill

    teacher, how = load_model(args.teacher)
    there = Path(args.out).exists()
    base = model_config(load_checkpoint(args.out)) if there else replace(teacher.config, widths=None)
    rate_lambda = how.get("rate_lambda", 0.013) if args.rate_lambda is None else args.rate_lambda
    content = distill(
        args.data,
        args.teacher,
        args.out,
        config=shape_from(args, base),
        recipe=recipe_from(args, rate_lambda=rate_lambda, iterations=args.iterations),
        settings=DistillSettings(
            early=tuple(args.early),
            late=tuple(args.late),
            gamma=args.gamma,
            patience=args.patience,
            latest=args.latest,
        ),
        student=args.student,
        resnet50=args.resnet50,
        checkpoint_minutes=args.checkpoint_minutes,
    )
    return exit_code(content)
