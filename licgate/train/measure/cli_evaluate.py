"""The verb ``licgate evaluate``."""

from __future__ import annotations

import argparse
import sys

from licgate.train.start import start_torch


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate evaluate``."""
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="model name, folder, manifest.json or checkpoint (default: the default model); several make one curve",
    )
    parser.add_argument("images", metavar="DIR", help="folder of pictures")
    parser.add_argument("--json", metavar="FILE", help="write CompressAI's result JSON, with the single images")
    parser.add_argument("--name", help="name of the curve (default: of the models)")
    parser.add_argument("--checkpoint", metavar="FILE", help="float model to measure beside one model")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first so many images")
    parser.add_argument("--macs", type=_size, metavar="WxH", help="also count multiply-accumulates for that image")
    parser.add_argument("--threads", type=int, default=1, help="images at a time (default 1)")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 768x512")
    return int(width), int(height)


class Progress:
    """A line an image: overwritten on a terminal, plain elsewhere."""

    def __init__(self, name: str, stream) -> None:
        self._name, self._stream, self._terminal, self._done = name, stream, stream.isatty(), 0

    def __call__(self, entry: dict, total: int) -> None:
        """Show one image of ``total``."""
        self._done += 1
        start, end = ("\r\033[K", "\n" if self._done == total else "") if self._terminal else ("", "\n")
        text = "not readable" if "reason" in entry else f"{entry['bpp']:.4f} bpp, {entry['psnr']:.3f} dB"
        line = f"{self._name} {self._done}/{total} {entry['name']}: {text}"
        print(start + line, end=end, file=self._stream, flush=True)


def run_evaluate(args: argparse.Namespace) -> int:
    """Body of ``licgate evaluate``."""
    start_torch(args.threads)
    import torch

    from licgate.errors import TrainingError
    from licgate.train.measure.codecs import open_codec
    from licgate.train.measure.cost import cost_text, model_cost
    from licgate.train.measure.evaluate import difference, evaluate_folder
    from licgate.train.measure.results import check_writable, result_document, write_json

    if args.checkpoint and len(args.models) > 1:
        raise TrainingError("--checkpoint goes with one model: name the checkpoints among the models instead")
    if args.json:
        check_writable(args.json)
    codecs = [open_codec(model) for model in args.models or [None]]
    if args.checkpoint:
        codecs.append(open_codec(args.checkpoint))
    torch.set_num_threads(1)  # the threads work on images of their own
    points = []
    for codec in codecs:
        result = evaluate_folder(
            codec.code, args.images, limit=args.limit, threads=args.threads, report=Progress(codec.name, sys.stderr)
        )
        point = {"name": codec.name, "kind": codec.kind, **codec.details, **result}
        if args.macs:
            point["cost"] = model_cost(codec.network, args.macs[1], args.macs[0])
        points.append(point)
    for skipped in points[0]["skipped"]:
        print(f"licgate: note: skipped {skipped['reason']}", file=sys.stderr)
    if points[0]["ms_ssim"] is None:
        print(f"licgate: note: no MS-SSIM: {points[0]['ms_ssim_missing']}", file=sys.stderr)
    print(table(points))
    for point in points if args.macs else ():
        print(f"\n{point['name']}\n{cost_text(point['cost'])}")
    if args.checkpoint:
        beside = points.pop()
        rate_lambda = beside.get("rate_lambda") or 0.013
        points[0]["beside"] = beside
        # ideal code lengths on both sides: a float model makes no file
        own = {**points[0], "bpp": points[0].get("bpp-estimate", points[0]["bpp"])}
        points[0]["difference"] = gap = difference(beside, own, rate_lambda)
        line = "against {name}: {rate_percent:+.2f} % rate, {psnr_db:+.3f} dB, loss {loss_percent:+.2f} % of rate"
        print(line.format(name=beside["name"], **gap))
    if args.json:
        kinds = " and ".join(sorted({point["kind"] for point in points}))
        count = len(points[0]["images"])
        rate = "size of real files" if all("bpp-estimate" in point for point in points) else "ideal code length"
        description = f"licgate evaluate, {kinds}; {rate}, 8-bit reconstructions, mean of {count} images"
        write_json(args.json, result_document(args.name or curve_name(points), description, points))
    return 0


def curve_name(points: list[dict]) -> str:
    """Name a curve after its models: what their names begin with, or all of them."""
    names = [point["name"] for point in points]
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same].rstrip("-_. ") or ", ".join(names)


def table(points: list[dict]) -> str:
    """Show the means of every model, one line each; beside the size of files, the ideal code length."""
    from licgate.train.measure.metrics import ms_ssim_db

    width = max(len(point["name"]) for point in points) + 2
    lines = [f"{'model':{width}}{'bpp':>10}{'estimate':>10}{'PSNR (dB)':>12}{'MS-SSIM':>10}{'(dB)':>8}{'images':>8}"]
    for point in points:
        similarity = point["ms_ssim"]
        cells = f"{'-':>10}{'-':>8}" if similarity is None else f"{similarity:10.4f}{ms_ssim_db(similarity):8.2f}"
        ideal = point.get("bpp-estimate")
        rate = f"{point['bpp']:10.4f}" + (f"{'-':>10}" if ideal is None else f"{ideal:10.4f}")
        lines.append(f"{point['name']:{width}}{rate}{point['psnr']:12.3f}{cells}{len(point['images']):8}")
    skipped = len(points[0]["skipped"])
    return "\n".join(lines + ([f"{skipped} skipped as not readable or not codable"] if skipped else []))
