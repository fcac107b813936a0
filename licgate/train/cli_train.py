"""Arguments and body of ``licgate train``, and what the other training verbs share with it."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from licgate.errors import TrainingError
from licgate.train.start import start_torch

if TYPE_CHECKING:
    from licgate.train.network.models import Codec, ModelConfig
    from licgate.train.recipe import Recipe

INTERRUPTED, TERMINATED = 130, 143
DEFAULT_ITERATIONS = 100_000


def add_recipe_arguments(parser: argparse.ArgumentParser, *, lr: float = 1e-3) -> None:
    """Add the options of everything that trains, but for the number of steps and λ."""
    parser.add_argument("--data", required=True, help="folder of photographs (or with a subfolder train)")
    parser.add_argument("--out", required=True, help="checkpoint file; an existing one is carried on")
    parser.add_argument("--batch", type=int, default=8, help="crops a step, on each device (default 8)")
    parser.add_argument(
        "--crop", type=int, default=128, help="side of a crop in pixels, a multiple of 64 (default 128)"
    )
    parser.add_argument(
        "--drawn", type=float, default=0.05, metavar="PART", help="part of the crops that are drawn (default 0.05)"
    )
    parser.add_argument(
        "--reduced",
        type=float,
        default=0.0,
        metavar="PART",
        help="part of the crops taken at half scale from large photographs (default 0)",
    )
    parser.add_argument("--lr", type=float, default=lr, help=f"highest learning rate (default {lr:g})")
    parser.add_argument("--optimizer", choices=("muon", "adam"), default="muon", help="(default muon)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default auto)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument(
        "--float32", dest="bfloat16", action="store_false", default=None, help="no bfloat16 autocast"
    )
    precision.add_argument(
        "--bfloat16", action="store_true", help="bfloat16 autocast (default: where the device has units for it)"
    )
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0, help="minutes between checkpoints (default 3)")


def recipe_from(args: argparse.Namespace, **more: object) -> Recipe:
    """Make the recipe of the options that `add_recipe_arguments` added."""
    from licgate.train.recipe import Recipe

    return Recipe(
        batch=args.batch,
        crop=args.crop,
        lr=args.lr,
        optimizer=args.optimizer,
        device=args.device,
        seed=args.seed,
        bfloat16=args.bfloat16,
        drawn=args.drawn,
        reduced=args.reduced,
        **more,
    )


def exit_code(content: dict) -> int:
    """Exit code of a run from what it returned: 0, or 130 or 143 when a signal ended it."""
    return {0: 0, signal.SIGINT: INTERRUPTED}.get(content.get("signal", 0), TERMINATED)


def add_shape_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that shape a model."""
    parser.add_argument(
        "--architecture",
        choices=("bmshj2018-hyperprior", "he2021-checkerboard", "mbt2018-mean", "mbt2018"),
        help="codec (default bmshj2018-hyperprior)",
    )
    # torchrun takes --n and --m behind the module's name for abbreviations of its own options, hence the capitals.
    parser.add_argument("--n", "--N", type=int, help="hidden channels (default 36); with torchrun write --N")
    parser.add_argument("--m", "--M", type=int, help="latent channels (default 96); with torchrun write --M")
    parser.add_argument(
        "--gdn", choices=("abs", "square_root", "none"), help="form of GDN; none: ReLU instead (default abs)"
    )
    parser.add_argument(
        "--widths",
        action="append",
        default=[],
        metavar="LAYER=N",
        help="output channels of one layer where they differ, e.g. g_a.0=24; may be repeated",
    )


def parse_widths(texts: list[str]) -> dict[str, int]:
    """Read ``LAYER=N`` texts (each may hold several, separated by commas).

    Raises
    ------
    TrainingError
        For a text of another form.
    """
    widths = {}
    for text in (part for whole in texts for part in whole.split(",")):
        layer, sign, count = text.partition("=")
        if not (sign and layer and count.isdecimal()):
            raise TrainingError(f"width {text!r} is not of the form LAYER=N, e.g. g_a.0=24")
        widths[layer] = int(count)
    return widths


def shape_from(args: argparse.Namespace, base: ModelConfig | None) -> ModelConfig:
    """Make the model configuration of the shape options; what is not given comes from ``base`` or the defaults.

    Raises
    ------
    TrainingError
        For a width of a layer that is not there.
    """
    from licgate.train.network.models import ModelConfig, build_model

    names = ("architecture", "n", "m", "gdn")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    widths = parse_widths(args.widths)
    if "n" in given or "m" in given:
        given["widths"] = widths or None
    elif widths:
        given["widths"] = {**((base and base.widths) or {}), **widths}
    config = replace(base or ModelConfig(), **given) if given else base or ModelConfig()
    if widths:
        layers = dict(build_model(config).named_modules())
        for layer in widths:
            name = layer.replace("parameters.", "entropy_parameters.", 1) if layer.startswith("parameters.") else layer
            if not hasattr(layers.get(name), "weight"):
                raise TrainingError(f"width {layer}={widths[layer]} names no layer: there are g_a.0, g_s.2, h_a.4 ...")
    return config


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate train``."""
    add_recipe_arguments(parser)
    add_shape_arguments(parser)
    parser.add_argument(
        "--lambda", dest="rate_lambda", type=float, default=0.013, help="lambda of R + lambda 255^2 MSE (default 0.013)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="start from the weights of a checkpoint, or from the integers of a model folder; steps from 0",
    )
    parser.add_argument("--iterations", type=int, help="steps to train (default 100000 unless --minutes is given)")
    parser.add_argument("--minutes", type=float, help="end, and finish the decay, after so many minutes of training")


def run_train(args: argparse.Namespace) -> int:
    """Body of ``licgate train``."""
    start_torch(args.threads)
    import torch

    from licgate.train.loop import train
    from licgate.train.network.checkpoint import load_checkpoint, model_config
    from licgate.train.network.models import build_model
    from licgate.train.objective import RateDistortion

    iterations = args.iterations if args.iterations is not None or args.minutes is not None else DEFAULT_ITERATIONS
    recipe = recipe_from(args, rate_lambda=args.rate_lambda, iterations=iterations, minutes=args.minutes)
    torch.manual_seed(recipe.seed)
    start = None
    if Path(args.out).exists():
        content = load_checkpoint(args.out)
        base, origin = model_config(content), content["recipe"].get("start")
    elif args.start:
        start, origin = open_start(args.start)
        base = start.config
    else:
        base = origin = None
    recipe = replace(recipe, start=origin)
    config = shape_from(args, base)
    torch.manual_seed(recipe.seed)
    model = build_model(config)
    if start is not None:
        adopt(model, start, args.start)
    content = train(
        args.data,
        args.out,
        objective=RateDistortion(model, recipe.rate_lambda),
        recipe=recipe,
        checkpoint_minutes=args.checkpoint_minutes,
    )
    return exit_code(content)


def open_start(name: str) -> tuple[Codec, str]:
    """Open what a run starts from: a checkpoint, or a folder with a manifest.

    Returns
    -------
    Codec
    str
        Its name, without the folders before it.
    """
    from licgate.manifest.store import MANIFEST_FILE, load_manifest
    from licgate.train.network.checkpoint import load_model
    from licgate.train.network.dequantize import dequantize

    path = Path(name)
    if path.name == MANIFEST_FILE or (path / MANIFEST_FILE).is_file():
        manifest = load_manifest(path)
        return dequantize(manifest), manifest.name
    return load_model(path)[0], path.name


def adopt(model, start, name: str) -> None:
    """Give a model the weights of another: all of them, or what fits when the architectures differ.

    Raises
    ------
    TrainingError
        When the two are of one architecture but differ in shape, or nothing fits.
    """
    from licgate.train.network.warmstart import warm_start

    if model.config.architecture != start.config.architecture:
        taken = len(warm_start(model, start.state_dict()))
        if not taken:
            raise TrainingError(f"checkpoint {name} has no tensor that fits: give --n, --m and --gdn as it has them")
        print(f"{taken} of {len(model.state_dict())} tensors are those of {name}", file=sys.stderr, flush=True)
        return
    try:
        model.load_state_dict(start.state_dict())
    except RuntimeError:
        raise TrainingError(f"checkpoint {name} holds a model of another shape: leave out what shapes it") from None
