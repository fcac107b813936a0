"""Arguments and bodies of ``licgate slim`` and ``licgate prune``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from licgate.train.cli_train import add_recipe_arguments, exit_code, recipe_from
from licgate.train.start import start_torch

if TYPE_CHECKING:
    from licgate.train.network.models import Codec


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="trained model to make smaller")
    parser.add_argument(
        "--lambda", dest="rate_lambda", type=float, help="lambda of R + lambda 255^2 MSE (default: the checkpoint's)"
    )
    parser.add_argument(
        "--multiple-of", type=int, default=1, metavar="K", help="round channel counts up to multiples of K (default 1)"
    )


def _lambda_of(args: argparse.Namespace) -> float:
    from licgate.train.network.checkpoint import load_checkpoint

    if args.rate_lambda is not None:
        return args.rate_lambda
    return load_checkpoint(args.checkpoint).get("recipe", {}).get("rate_lambda", 0.013)


def _report(before: Codec, content: dict) -> None:
    """Print the widths and multiply-accumulates before and after, once."""
    from licgate.train.ranks import reports
    from licgate.train.shrink.slim import transform_macs
    from licgate.train.shrink.stages import model_of
    from licgate.train.shrink.surgery import hidden_layers

    if not reports():
        return
    after = model_of(content)
    for one, other in zip(hidden_layers(before), hidden_layers(after), strict=True):
        print(f"{one.name}: {one.channels} -> {other.channels} channels")
    macs = [transform_macs(model.config, {}) for model in (before, after)]
    for part in ("g_a", "g_s"):
        print(f"{part}: {macs[1][part] / macs[0][part]:.1%} of its multiply-accumulates are left")


def add_slim_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate slim``."""
    _add_shared(parser)
    add_recipe_arguments(parser, lr=5e-4)
    parser.add_argument("--eta", type=float, default=1e-3, help="strength of the L1 term (default 1e-3)")
    parser.add_argument("--iterations", type=int, default=20_000, help="steps with the L1 term (default 20000)")
    parser.add_argument("--finetune-iterations", type=int, default=20_000, help="steps after pruning (default 20000)")
    parser.add_argument(
        "--epsilon", type=float, default=0.01, help="channels with |a| below it are removed (default 0.01)"
    )
    parser.add_argument(
        "--target-macs",
        type=float,
        metavar="F",
        help="instead of --epsilon: leave at most this part of the multiply-accumulates of g_a and of g_s, e.g. 0.8",
    )
    parser.add_argument(
        "--importance",
        choices=("energy", "a"),
        default="energy",
        help="what --target-macs goes by: |a|, or its part in the next layer for its cost (default energy)",
    )
    parser.add_argument(
        "--slimmed", metavar="FILE", help="keep the model before pruning here, to prune it in several ways"
    )


def run_slim(args: argparse.Namespace) -> int:
    """Body of ``licgate slim``."""
    start_torch(args.threads)
    from licgate.train.network.checkpoint import load_model
    from licgate.train.shrink.slim import SlimSettings, slim

    settings = SlimSettings(
        eta=args.eta,
        epsilon=args.epsilon,
        target_macs=args.target_macs,
        importance=args.importance,
        multiple_of=args.multiple_of,
    )
    recipes = [
        recipe_from(args, rate_lambda=_lambda_of(args), iterations=iterations)
        for iterations in (args.iterations, args.finetune_iterations)
    ]
    content = slim(
        args.data,
        args.checkpoint,
        args.out,
        settings=settings,
        slimming=recipes[0],
        finetuning=recipes[1],
        slimmed=args.slimmed,
        checkpoint_minutes=args.checkpoint_minutes,
    )
    if not content["signal"]:
        _report(load_model(args.checkpoint)[0], content)
    return exit_code(content)


def add_prune_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate prune``."""
    _add_shared(parser)
    add_recipe_arguments(parser, lr=5e-4)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of pruning and fine-tuning (default 3)")
    parser.add_argument(
        "--part", type=float, default=0.1, help="part of the original filters that a round removes (default 0.1)"
    )
    parser.add_argument("--iterations", type=int, default=10_000, help="steps after each round (default 10000)")


def run_prune(args: argparse.Namespace) -> int:
    """Body of ``licgate prune``."""
    start_torch(args.threads)
    from licgate.train.network.checkpoint import load_model
    from licgate.train.shrink.prune import PruneSettings, prune

    content = prune(
        args.data,
        args.checkpoint,
        args.out,
        settings=PruneSettings(part=args.part, rounds=args.rounds, multiple_of=args.multiple_of),
        recipe=recipe_from(args, rate_lambda=_lambda_of(args), iterations=args.iterations),
        checkpoint_minutes=args.checkpoint_minutes,
    )
    if not content["signal"]:
        _report(load_model(args.checkpoint)[0], content)
    return exit_code(content)
