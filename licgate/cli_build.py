"""Arguments and body of ``licgate build`` and ``licgate boards``."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from licgate.backends.options import (
    add_array_arguments,
    add_channels_argument,
    add_frame_arguments,
    add_memory_arguments,
    add_old_names,
    clock_of,
    positive,
)
from licgate.errors import ConfigError
from licgate.target.link import LINKS

if TYPE_CHECKING:
    from licgate.target.board import Board

__all__ = [
    "add_boards_arguments",
    "add_build_arguments",
    "add_link_arguments",
    "add_shape_arguments",
    "fitted_design",
    "link_of",
    "run_boards",
    "run_build",
    "say",
]


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate build``."""
    add_shape_arguments(parser)
    add_link_arguments(parser)
    parser.add_argument("--synthesis-only", action="store_true", help="report, fitting or not, without place-and-route")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds of place-and-route; the fastest stays")
    parser.add_argument("--jobs", type=positive, help="seeds routed at the same time (default: one per core)")
    parser.add_argument("--timing-allow-fail", action="store_true", help="write a bitstream even if timing is missed")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor fill the build cache")
    parser.add_argument("--out", type=Path, help="output folder (default: out/BOARD-MODEL)")


def run_build(args: argparse.Namespace) -> int:
    """Body of ``licgate build``."""
    from licgate.backends import get_backend
    from licgate.caches import cache_folder
    from licgate.synth.build import Wishes, build
    from licgate.synth.output import OutputFolder
    from licgate.target.board import find_board

    board, backend = find_board(args.board), get_backend(args.memory)
    route = board.routed and not args.synthesis_only
    design = fitted_design(args, backend, board, must_fit=route)
    width, height = args.size
    backend.check_build(design, width, height, synthesis_only=args.synthesis_only)
    out = args.out or Path("out") / _folder_name(design)
    OutputFolder(out)
    for line in _headlines(backend, design):
        say(line)
    say(f"cycle model: an image of {width} x {height}")
    frame = backend.cost(design, width, height)
    prediction = frame.prediction
    say(f"cycle model: {prediction.cycles} cycles, utilisation {100 * prediction.utilization:.1f} %")
    wishes = Wishes(
        out=out,
        seeds=args.seed,
        timing_allow_fail=args.timing_allow_fail,
        cache_folder=None if args.no_cache else cache_folder(),
        jobs=args.jobs,
        route=route,
        say=say,
    )
    report = build(backend.accelerator(design), design, frame, wishes)
    if "verilog" in report.get("files", {}):
        say(
            f"Verilog, {out / report['files']['verilog']}: module licgate, {design.copies} of them beside the processor"
        )
    _say_result(report, args.size, out)
    return 0


def add_shape_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a build is made of: board, model, array and memory."""
    add_frame_arguments(parser)
    add_old_names(parser)
    parser.add_argument("--model", help="name under models/, or a path (default: the default model)")
    add_channels_argument(parser, "build a made-up model: the layers of --model with N and M channels, not trained")
    width = "widest patch that the line buffers hold (default: the board's, or what fits of it)"
    add_array_arguments(parser, "the board's", max_width=width)
    add_memory_arguments(parser)


def add_link_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the host link."""
    parser.add_argument("--link", choices=LINKS, help="way to the host (default: the board's first, see docs/board.md)")
    parser.add_argument("--ip", metavar="ADDRESS", help="IPv4 address, with --link udp (default: 169.254.76.71)")


def link_of(args: argparse.Namespace, board: Board) -> dict:
    """``link`` and ``ethernet`` of a design, from the options of `add_link_arguments`.

    Raises
    ------
    ConfigError
        The board has no such link, or the address makes no sense.
    """
    from licgate.target.ethernet import EthernetFacts

    asked, ip = getattr(args, "link", None), getattr(args, "ip", None)
    link = board.check_link(asked) if asked else board.default_link
    if ip is not None and link != "udp":
        raise ConfigError(f"--ip goes with --link udp, not {link}")
    facts = {} if ip is None else {"ip": ip}
    return {"link": link, "ethernet": EthernetFacts(**facts) if link == "udp" else None}


def fitted_design(args: argparse.Namespace, backend, board: Board, *, must_fit: bool):
    """The fitted design of the options of `add_shape_arguments`; a ConfigError if they make no sense."""
    design = backend.design(args, _model(args), board, _clock(clock_of(args, board), board))
    return backend.fit(replace(design, **link_of(args, board)), must_fit=must_fit)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _model(args: argparse.Namespace):
    """The manifest of ``--model`` and ``--channels``."""
    from licgate.manifest import find_model
    from licgate.manifest.scaled import scaled_manifest

    manifest = find_model(args.model)
    return manifest if args.channels is None else scaled_manifest(manifest, *args.channels)


def _clock(wanted: float, board) -> float:
    """Clock that the board's PLL makes for one that is wanted; memories are timed for that."""
    from licgate.synth.pll import ecp5_pll

    return ecp5_pll(board.clock_input, wanted).f_out if board.routed else wanted


def _folder_name(design) -> str:
    parts = [design.board.name, design.manifest.name]
    parts += [design.mode] if design.mode != "analysis" else []
    parts += [design.memory] if design.external else []
    return "-".join(parts + ([design.link] if design.link != design.board.default_link else []))


def _headlines(backend, design):
    """What is going to be built."""
    board, config = design.board, design.config
    logic = ", multipliers of the lanes in logic" if config.lane_multipliers == "fabric" else ""
    yield f"{design.manifest.name} on {board.title} ({board.device}): {backend.told(design)}{logic}"
    if config.arithmetic != "direct":
        yield f"arithmetic: {config.arithmetic}"
    if config.packing:
        packed = [op.layer.name for op in design.program.ops if op.packed]
        none = "no layer's widths allow it, or no layer is faster with it"
        told = f"two products a multiplier in {', '.join(packed)}"
        yield f"packing: {told if packed else none}"


def _say_result(report: dict, size: tuple[int, int], out: Path) -> None:
    """Say what a build came to."""
    performance, (width, height) = report["performance"], size
    print(
        f"{performance['fps']:.2f} frames/s of {width} x {height} at {performance['clock_mhz']:g} MHz, "
        f"utilisation {100 * performance['utilization']:.1f} %, "
        f"recompute factor {performance['recompute_factor']:.3f}, "
        f"{performance['lut_per_multiplier']:g} LUT per multiplier"
    )
    print(f"report: {out / 'report.html'}")


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
