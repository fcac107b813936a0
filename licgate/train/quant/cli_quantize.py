"""Arguments and bodies of ``licgate quantize`` and ``licgate export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from licgate.errors import TrainingError
from licgate.train.start import start_torch

if TYPE_CHECKING:
    from licgate.manifest import Manifest
    from licgate.train.quant.qat import QatSettings
    from licgate.train.quant.widths import Widths

METHODS = ("ptq", "qat", "draq")
FINE_TUNING_ITERATIONS = 2000
REGULARIZATION = 1e-4


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", required=True, help="model folder to write, e.g. models/my-model; its last part is the name"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the model that --out holds; its .lic files cannot be decoded then"
    )
    parser.add_argument("--evaluate", metavar="DIR", help="measure rate and PSNR on these images and store them")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")


def add_quantize_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate quantize``."""
    parser.add_argument("checkpoint", help="float checkpoint")
    parser.add_argument("--data", required=True, help="photographs to calibrate and to train on")
    _add_output_arguments(parser)
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="ptq",
        help="after training (default), by quantisation-aware training, or that with DRAQ's clip and regularisation",
    )
    widths = parser.add_argument_group("widths in bits")
    widths.add_argument("--activation-bits", type=int, default=10, help="activations between layers (default 10)")
    widths.add_argument("--weight-bits", type=int, default=8, help="weights of convolutions (default 8)")
    widths.add_argument("--gdn-bits", type=int, default=12, help="what a convolution hands to its GDN (default 12)")
    widths.add_argument("--gamma-bits", type=int, default=8, help="gamma of GDN, unsigned (default 8)")
    widths.add_argument("--latent-bits", type=int, default=12, help="latents with their fraction (default 12)")
    widths.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="LAYER=A[,W[,G]]",
        help="activation, weight and GDN bits of one convolution, e.g. g_a.2=5,6,8; may be repeated",
    )
    widths.add_argument("--widths", metavar="FILE", help="all widths from a file of licgate search instead")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--clip",
        metavar="auto|none|draq|K",
        help="clip at mean +- K sigma; draq: K = 625 lambda + 2; auto: per layer by loss (ptq only, and its default)",
    )
    how.add_argument(
        "--rounding",
        choices=("compensated", "nearest"),
        default="compensated",
        help="weights, where fine-tuning starts, too: errors make up for each other (default), or each to the nearest",
    )
    how.add_argument(
        "--equalization",
        type=float,
        default=0.75,
        metavar="S",
        help="how far channels around a GDN are brought to the same range, 0..1 (default 0.75)",
    )
    how.add_argument("--crops", type=int, default=64, help="calibration crops of 256 x 256 pixels (default 64)")
    tuning = parser.add_argument_group("fine-tuning (qat and draq)")
    tuning.add_argument(
        "--checkpoint", dest="work", metavar="FILE", help="where it goes on and can be resumed (default OUT.ckpt)"
    )
    tuning.add_argument(
        "--iterations", type=int, default=FINE_TUNING_ITERATIONS, help=f"(default {FINE_TUNING_ITERATIONS})"
    )
    tuning.add_argument("--lr", type=float, default=3e-4, help="highest learning rate (default 3e-4)")
    tuning.add_argument("--batch", type=int, default=8, help="crops a step (default 8)")
    tuning.add_argument("--crop", type=int, default=128, help="side of a crop, a multiple of 64 (default 128)")
    tuning.add_argument("--seed", type=int, default=0)
    tuning.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default auto)")
    tuning.add_argument(
        "--regularization",
        type=float,
        metavar="B",
        help=f"of outlying weights, DRAQ eq. 5 (default {REGULARIZATION:g} with draq, else 0)",
    )
    tuning.add_argument("--learn-scales", action="store_true", help="train the scales of activations, too (LSQ)")
    tuning.add_argument(
        "--recalibrate", type=int, default=200, metavar="STEPS", help="between calibrations, 0 for never (default 200)"
    )


def _widths(args: argparse.Namespace) -> Widths:
    from licgate.train.quant.widths import LayerBits, Widths, parse_override, widths_from_json

    if args.widths:
        return widths_from_json(args.widths)
    default = LayerBits(
        activation=args.activation_bits, weight=args.weight_bits, gdn=args.gdn_bits, gamma=args.gamma_bits
    )
    return Widths(default=default, layers=dict(parse_override(t, default) for t in args.bits), latent=args.latent_bits)


def _settings(args: argparse.Namespace) -> QatSettings:
    from licgate.train.quant.qat import QatSettings

    draq = args.method == "draq"
    clip = args.clip or ("draq" if draq else "none")
    if clip not in ("draq", "none"):
        raise TrainingError(f"clip {clip!r} goes with --method ptq only: fine-tuning takes draq or none")
    weight = (REGULARIZATION if draq else 0.0) if args.regularization is None else args.regularization
    return QatSettings(
        clip=clip == "draq",
        regularization=weight,
        learn_scales=args.learn_scales,
        rounding=args.rounding,
        recalibrate=args.recalibrate,
    )


def run_quantize(args: argparse.Namespace) -> int:
    """Body of ``licgate quantize``."""
    _check_output(args)
    start_torch(args.threads)
    from licgate.train.network.checkpoint import load_model
    from licgate.train.quant.calibrate import draq_k
    from licgate.train.quant.finetune import export_checkpoint, fine_tune
    from licgate.train.quant.quantize import quantize_model
    from licgate.train.recipe import Recipe, crops_of

    widths = _widths(args)
    model, source = load_model(args.checkpoint)
    rate_lambda = source.get("rate_lambda", 0.013)
    name = Path(args.out).name
    if args.method == "ptq":
        clip = f"{draq_k(rate_lambda)}" if args.clip == "draq" else args.clip or "auto"
        manifest = quantize_model(
            model,
            source,
            args.data,
            name=name,
            widths=widths,
            clip=clip,
            rounding=args.rounding,
            equalization=args.equalization,
            crops=args.crops,
        )
    else:
        work = Path(args.work or f"{args.out}.ckpt")
        recipe = Recipe(
            rate_lambda=rate_lambda,
            iterations=args.iterations,
            batch=args.batch,
            crop=args.crop,
            lr=args.lr,
            optimizer="adam",
            warm_up=min(50, args.iterations // 10),
            ema=0.99,
            seed=args.seed,
            device=args.device,
            **crops_of(source),
        )
        content = fine_tune(
            model,
            source,
            args.data,
            work,
            recipe=recipe,
            settings=_settings(args),
            widths=widths,
            equalization=args.equalization,
            crops=args.crops,
        )
        if content["signal"]:
            return 128 + content["signal"]
        manifest = export_checkpoint(work, name=name)
        model, _ = load_model(args.checkpoint)
    _write(manifest, args, model, rate_lambda)
    return 0


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate export``."""
    parser.add_argument("checkpoint", help="checkpoint that quantize --method qat or draq, or search, has written")
    _add_output_arguments(parser)


def run_export(args: argparse.Namespace) -> int:
    """Body of ``licgate export``."""
    _check_output(args)
    start_torch(args.threads)
    from licgate.train.quant.finetune import export_checkpoint

    manifest = export_checkpoint(args.checkpoint, name=Path(args.out).name)
    fine_tuning = manifest.provenance["quantization"]["fine_tuning"]
    _write(manifest, args, None, fine_tuning["rate_lambda"])
    return 0


def _check_output(args: argparse.Namespace) -> None:
    """Refuse an output that cannot be written, or that holds something else, before any work."""
    from licgate.files import check_new
    from licgate.manifest.store import MANIFEST_FILE

    out = Path(args.out)
    check_new(out / MANIFEST_FILE)
    if not args.force:
        if (out / MANIFEST_FILE).exists():
            raise TrainingError(
                f"{out} holds a model already, whose files could not be decoded any more: give another --out, or "
                "--force to replace it"
            )
        if (out / "README.md").exists():
            raise TrainingError(f"{out} is a folder with a README.md of its own: give another --out, or --force")
    if args.evaluate:
        from licgate.train.data import list_images

        list_images(args.evaluate, None)


def _say_limits(manifest: Manifest) -> None:
    """Say what of a model the gateware does not run."""
    import sys

    from licgate.errors import ConfigError
    from licgate.manifest.transform import TRANSFORM_NAMES
    from licgate.program.stages import check_convolution

    for name in TRANSFORM_NAMES:
        layers = manifest.transforms[name].layers if name in manifest.transforms else ()
        for layer in layers:
            try:
                if layer.kind == "conv2d":
                    check_convolution(layer)
            except ConfigError as error:
                print(f"licgate: note: {name} is left to software: {error}", file=sys.stderr)
                break


def _write(manifest: Manifest, args: argparse.Namespace, model, rate_lambda: float) -> None:
    import dataclasses

    from licgate.manifest import save_manifest
    from licgate.train.measure.evaluate import measure
    from licgate.train.quant.card import model_card, write_card

    if args.evaluate:
        measured = measure(args.evaluate, model=model, manifest=manifest, rate_lambda=rate_lambda)
        named = {"set": Path(args.evaluate).resolve().name, **measured}
        manifest = dataclasses.replace(manifest, measured=named)
    manifest = save_manifest(manifest, args.out)
    write_card(Path(args.out) / "README.md", model_card(manifest))
    _say_limits(manifest)
    print(f"{args.out}: {manifest.hash}")
