"""The verb ``licgate import``."""

from __future__ import annotations

import argparse
import sys

from licgate.train.start import start_torch


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate import``."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="CompressAI's .pth.tar, .pth or .safetensors (bmshj2018-hyperprior, mbt2018-mean, mbt2018), or an .npz of "
        "arrays g_a.0.kernel (HWIO), g_a.0.bias, g_a.1.beta, g_a.1.gamma and so on",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="checkpoint to write; it must not exist")
    parser.add_argument("--architecture", metavar="NAME", help="instead of what the tensors tell (not for .npz)")
    parser.add_argument(
        "--lambda", dest="rate_lambda", type=float, help="lambda it was trained with, which quantize takes up"
    )
    parser.add_argument("--gdn", choices=("abs", "square_root"), default="abs", help=".npz: form of GDN (default abs)")
    parser.add_argument(
        "--gamma", choices=("in-out", "out-in"), default="in-out", help=".npz: axes of gamma (default in-out)"
    )


def run_import(args: argparse.Namespace) -> int:
    """Body of ``licgate import``."""
    from pathlib import Path

    from licgate.errors import TrainingError
    from licgate.files import check_new

    out, source = Path(args.out), Path(args.checkpoint)
    if out.exists():
        raise TrainingError(f"checkpoint {out} exists: give another --out")
    if args.rate_lambda is not None and not 0 < args.rate_lambda < 100:
        raise TrainingError(f"lambda {args.rate_lambda} must be larger than 0 and below 100")
    check_new(out)
    start_torch(1)
    from licgate.train.network.checkpoint import save_checkpoint
    from licgate.train.network.importer import import_arrays, import_compressai, without_gateware

    untrained: list[str] = []
    if source.suffix == ".npz":
        if args.architecture not in (None, "bmshj2018-hyperprior"):
            raise TrainingError(f"arrays make no {args.architecture}: leave --architecture out")
        model, untrained = import_arrays(source, gdn=args.gdn, gamma_order=args.gamma)
    else:
        model = import_compressai(source, args.architecture)
    recipe = {"imported": source.name}
    if args.rate_lambda is not None:
        recipe["rate_lambda"] = args.rate_lambda
    save_checkpoint(out, {"config": model.config.as_dict(), "recipe": recipe, "model": model.state_dict()})
    for line in without_gateware(model):
        print(f"licgate: note: {line}", file=sys.stderr)
    config = model.config
    widths = config.widths or {}
    print(f"{out}: {config.architecture}, N={config.n} M={widths.get('g_a.6', config.m)}, GDN {config.gdn}")
    if untrained:
        parts = ", ".join(sorted({name.split(".")[0] for name in untrained}))
        print(f"licgate: {parts}: not in {source.name}, random; train before quantising", file=sys.stderr)
    return 0
