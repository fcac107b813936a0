"""The verb ``licgate compare``; it needs no torch."""

from __future__ import annotations

import argparse
import sys

from licgate.errors import TrainingError
from licgate.train.measure.results import METRICS


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate compare``."""
    parser.add_argument(
        "results", nargs="+", metavar="FILE", help="results of evaluate or CompressAI; the first is the reference"
    )
    parser.add_argument("--metric", choices=tuple(METRICS), default="psnr-rgb", help="default psnr-rgb; both in dB")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves: .svg, .png or .pdf")
    parser.add_argument("--max-rate", type=float, metavar="BPP", help="largest rate of the plot (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write the comparison as JSON")


def run_compare(args: argparse.Namespace) -> int:
    """Body of ``licgate compare``."""
    from licgate.train.measure.compare import compare_curves, comparison_text, read_curves
    from licgate.train.measure.plot import plot_curves, plot_format
    from licgate.train.measure.results import check_writable, write_json

    if args.max_rate is not None and not args.max_rate > 0:
        raise TrainingError(f"rate {args.max_rate:g} bpp of --max-rate is not positive")
    for path in filter(None, (args.plot, args.json)):
        check_writable(path)
    if args.plot:
        plot_format(args.plot)
    curves = read_curves(args.results, args.metric)
    rows, notes = compare_curves(curves)
    for note in notes:
        print(f"licgate: note: {note}", file=sys.stderr)
    print(comparison_text(curves[0], rows, args.metric))
    if args.json:
        write_json(args.json, {"metric": args.metric, "reference": curves[0].name, "curves": rows, "notes": notes})
    if args.plot:
        plot_curves(args.plot, curves, args.metric, args.max_rate)
    return 0
