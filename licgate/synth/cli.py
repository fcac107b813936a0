"""Arguments and body of ``licgate build`` and ``licgate boards``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from licgate.errors import ConfigError
from licgate.manifest.architectures import MODES

if TYPE_CHECKING:
    from licgate.target.board import Board

__all__ = [
    "add_boards_arguments",
    "add_build_arguments",
    "chosen_model",
    "packed_line",
    "print_result",
    "run_boards",
    "run_build",
]


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    return int(width), int(height)


def _channels(text: str) -> tuple[int, int]:
    inner, _, latents = text.partition(",")
    return _positive(inner), _positive(latents)


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate build``."""
    from licgate.gateware.streamed.options import add_memory_arguments

    parser.add_argument("--board", required=True, help="name (see: licgate boards) or path of a board file")
    parser.add_argument("--model", help="name under models/, or a path (default: the default model)")
    parser.add_argument(
        "--channels",
        type=_channels,
        metavar="N,M",
        help="build a made-up model: the layers of --model with N and M channels, not trained",
    )
    parser.add_argument(
        "--mode",
        choices=tuple(MODES),
        default="analysis",
        help="which transforms the accelerator contains: g_a alone, those of an encoder (g_a, h_a, h_s), those of a "
        "decoder (h_s, g_s), or both (default: %(default)s)",
    )
    parser.add_argument("--rows", type=_positive, help="rows of the array (default: the board's)")
    parser.add_argument("--cols", type=_positive, help="columns of the array (default: the board's)")
    parser.add_argument("--lanes", type=_positive, help="post-processing lanes (default: enough for the model)")
    parser.add_argument(
        "--max-width",
        type=_positive,
        metavar="PIXELS",
        help="widest patch that the line buffers hold (default: the board's, or what fits of it)",
    )
    parser.add_argument(
        "--packing", action="store_true", help="two products a multiplier where a layer's widths allow it"
    )
    add_memory_arguments(parser)
    parser.add_argument("--synthesis-only", action="store_true", help="report, fitting or not, without place-and-route")
    parser.add_argument("--frequency", type=float, metavar="MHZ", help="clock wanted (default: the board's)")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds of place-and-route; the fastest stays")
    parser.add_argument("--image", type=_size, default=(768, 512), metavar="WxH", help="image the prediction is for")
    parser.add_argument("--jobs", type=_positive, help="seeds routed at the same time (default: one per core)")
    parser.add_argument("--timing-allow-fail", action="store_true", help="write a bitstream even if timing is missed")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor fill the build cache")
    parser.add_argument("--out", type=Path, help="output folder (default: out/BOARD-MODEL)")


def run_build(args: argparse.Namespace) -> int:
    """Body of ``licgate build``."""
    from licgate.caches import cache_folder
    from licgate.synth.build import build, check_shape
    from licgate.synth.fit import choose_config
    from licgate.synth.output import OutputFolder
    from licgate.target.board import find_board
    from licgate.target.config import AcceleratorConfig

    board = find_board(args.board)
    if args.frequency is not None and not 1 <= args.frequency <= 1000:
        raise ConfigError(f"a clock of {args.frequency:g} MHz makes no sense: give --frequency from 1 to 1000")
    if args.memory == "axi":
        from licgate.synth.cli_axi import run_build_axi

        return run_build_axi(args, board)
    if args.memory == "sdram":
        from licgate.synth.cli_streaming import run_build_external

        return run_build_external(args, board)
    rows, cols = (given or default for given, default in zip((args.rows, args.cols), board.shape(args.mode)))
    check_shape(board, rows=rows, cols=cols)
    manifest = chosen_model(args)
    route = board.routed and not args.synthesis_only
    config, fit = choose_config(
        manifest,
        board,
        args.mode,
        AcceleratorConfig(rows=rows, cols=cols, lanes=args.lanes, packing=args.packing, packed_bits=board.packed_bits),
        max_width=args.max_width,
        must_fit=route,
    )
    suffix = "" if args.mode == "analysis" else f"-{args.mode}"
    out = args.out or Path("out") / f"{board.name}-{manifest.name}{suffix}"
    OutputFolder(out)

    from licgate.gateware.top.resident import Accelerator
    from licgate.perf import predict
    from licgate.perf.causes import frame_cost

    width, height = args.image
    transforms = MODES[args.mode]
    print(
        f"{manifest.name} on {board.title} ({board.device}): {', '.join(transforms)} on an array of {rows} x {cols}, "
        f"lines of {config.max_width} pixels, {fit}"
        + (", multipliers of the lanes in logic" if config.lane_multipliers == "fabric" else ""),
        flush=True,
    )
    accelerator = Accelerator(manifest, config, transforms=transforms)
    if config.packing:
        print(packed_line([op for op in accelerator.program.ops if op.packed]), flush=True)
    report = build(
        accelerator,
        board=board,
        manifest=manifest,
        config=config,
        prediction=predict(manifest, config, width, height, transforms=transforms),
        cost=frame_cost(manifest, config, width, height, transforms=transforms),
        mode=args.mode,
        fit=fit,
        route=route,
        image=args.image,
        out=out,
        frequency=args.frequency,
        seeds=args.seed,
        timing_allow_fail=args.timing_allow_fail,
        cache_folder=None if args.no_cache else cache_folder(),
        jobs=args.jobs,
        say=lambda line: print(line, flush=True),
    )
    print_result(report, args.image, out)
    return 0


def chosen_model(args: argparse.Namespace):
    """The manifest of ``--model`` and ``--channels``."""
    from licgate.manifest import find_model
    from licgate.manifest.scaled import scaled_manifest

    manifest = find_model(args.model)
    return manifest if args.channels is None else scaled_manifest(manifest, *args.channels)


def print_result(report: dict, image: tuple[int, int], out: Path) -> None:
    """Say what a build came to."""
    performance, (width, height) = report["performance"], image
    print(
        f"{performance['fps']:.2f} frames/s of {width} x {height} at {performance['clock_mhz']:g} MHz, "
        f"utilisation {100 * performance['utilization']:.1f} %, "
        f"recompute factor {performance['recompute_factor']:.3f}, "
        f"{performance['lut_per_multiplier']:g} LUT per multiplier"
    )
    print(f"report: {out / 'report.html'}")


def packed_line(ops) -> str:
    """Say which operations make two products a multiplier."""
    if not ops:
        return "packing: no layer's widths allow it, or no layer is faster with it"
    return f"packing: two products a multiplier in {', '.join(op.layer.name for op in ops)}"


def add_boards_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate boards``."""
    parser.add_argument("boards", metavar="BOARD", nargs="*", help="name, or path of a board file (default: all)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run_boards(args: argparse.Namespace) -> int:
    """Body of ``licgate boards``."""
    from licgate.target.board import board_files, find_board

    rows = []
    for name in args.boards or board_files():
        try:
            rows.append(_board_row(find_board(name)))
        except ConfigError as error:
            if args.boards:
                raise
            # one broken file hides none of the others
            rows.append({"name": name, "error": str(error)})
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        if "error" in row:
            print(f"{row['name']:12} broken: {row['error']}")
            continue
        flow = "bitstream" if row["routed"] else "synthesis only"
        print(
            f"{row['name']:12} {row['title']:27} {row['device']:22} {row['frequency']:4g} MHz  "
            f"{row['multipliers']:4} {row['multiplier']}  {row['memories']:3} {row['memory']}  "
            f"{row['rows']} x {row['cols']}  {flow}"
        )
    return 0


def _board_row(board: Board) -> dict:
    keys = ("name", "title", "device", "family", "routed", "frequency", "rows", "cols", "max_width")
    keys += ("multiplier", "multipliers", "packed_bits", "memory", "memories")
    row = {key: getattr(board, key) for key in keys}
    return row | {"resources": dict(board.resources), "file": str(board.path)}
