"""Arguments and body of ``licgate explore``."""

from __future__ import annotations

import argparse
import contextlib
import json
from functools import partial
from pathlib import Path

from licgate.backends.options import (
    add_channels_argument,
    add_frame_arguments,
    add_memory_argument,
    clock_of,
    positive,
)
from licgate.errors import ConfigError
from licgate.files import write_whole

__all__ = ["add_explore_arguments", "run_explore"]

# those that there is a search for
_MEMORIES = ("chip", "sdram")


def add_explore_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate explore``."""
    add_frame_arguments(parser)
    parser.add_argument("--model", help="name under models/, or a path (default: the default model)")
    add_channels_argument(parser, "explore a made-up model: the layers of --model with N and M channels, not trained")
    parser.add_argument("--points", type=positive, default=24, help="shapes to show, at most (default: %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the Pareto set")
    add_memory_argument(parser, _MEMORIES)
    parser.add_argument(
        "--cores",
        type=positive,
        nargs="+",
        metavar="C",
        help="with --memory sdram: numbers of arrays at one memory that are tried (default: 1)",
    )
    parser.add_argument(
        "--exact",
        type=positive,
        metavar="K",
        help="with --memory sdram: count the K fastest shapes of the set cycle by cycle; what is in --out already is "
        "not counted again",
    )
    parser.add_argument("--route", type=positive, metavar="K", help="place and route the K fastest shapes of the set")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds of place-and-route; the fastest stays")
    parser.add_argument("--jobs", type=positive, help="builds at the same time (default: 1)")
    parser.add_argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="build on the workers of a Dask cluster, not on this machine"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the builds; what is there already is not built again (default: out/explore-BOARD-MODEL-MODE)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON as well")


def run_explore(args: argparse.Namespace) -> int:
    """Body of ``licgate explore``."""
    from licgate.explore.searches import SEARCHES
    from licgate.target.board import find_board

    board = find_board(args.board)
    clock = clock_of(args, board)
    if args.route and not board.routed:
        raise ConfigError(f"there is no open place-and-route for {board.device}: leave --route out")
    if args.scheduler is not None and not args.route:
        raise ConfigError("--scheduler is for what --route K builds: give --route as well")
    if args.scheduler is not None and args.jobs:
        raise ConfigError("--jobs is for builds on this machine: leave it out, with --scheduler its workers decide")
    manifest = _model(args)
    with contextlib.ExitStack() as stack:
        # before the search: that takes a while, and is no use to one whose cluster is not there
        cluster = stack.enter_context(_cluster(args.scheduler)) if args.scheduler is not None else None
        found = SEARCHES[args.memory](args, board, clock, manifest)
        _show(args, found, clock)
        result = _result(args, found, clock)
        _write(args, result)
        if args.exact:
            _count(args, found, clock)
            _write(args, result)
        if args.route:
            _route(args, found, clock, cluster)
    return 0


def _model(args):
    """The model, or one with its layers and other channels."""
    from licgate.manifest import find_model
    from licgate.manifest.scaled import scaled_manifest

    manifest = find_model(args.model)
    return scaled_manifest(manifest, *args.channels) if args.channels else manifest


def _show(args, found, clock) -> None:
    """Print the table, and draw the picture."""
    from licgate.explore.planner import arithmetic_note
    from licgate.explore.plot import pareto_plot
    from licgate.explore.searches import LEAST

    space, (width, height) = found.space, args.size
    board, manifest = space.board, space.manifest
    print(
        f"{manifest.name} on {board.title} ({board.device}){found.memory}, {found.transforms} of {width} x {height}, "
        f"{clock:g} MHz assumed{arithmetic_note(**space.sums)}\n"
        f"{found.counted}; of the Pareto set over frames/s, {board.multiplier} and {board.memory}, down to "
        f"{100 * LEAST:g} % of the fastest, {len(found.rows)} are listed; a shape that takes more is listed if it is "
        f"{100 * found.margin:g} % faster"
    )
    print(_table(found.head, found.cells))
    if args.plot:
        what = f"{manifest.name}, {found.transforms}, {width} x {height}"
        title = f"{what}, {clock:g} MHz assumed, {board.title}{found.memory}"
        plot = pareto_plot(found.rows, title=title, macs=space.least_work, clock_mhz=clock, block_rams=board.memories)
        write_whole(args.plot, plot)


def _table(head, cells) -> str:
    """Columns of text, each as wide as it must be."""
    widths = [max(len(line[index]) for line in (head, *cells)) for index in range(len(head))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths)) for line in (head, *cells))


def _result(args, found, clock) -> dict:
    space = found.space
    return {
        "board": space.board.name,
        "device": space.board.device,
        "mode": args.mode,
        "image": list(args.size),
        "model": {"name": space.manifest.name, "hash": space.manifest.hash},
        "macs": space.macs,
        "clock_mhz": clock,
        "clock": "assumed",
        **found.facts,
        "margin": found.margin,
        "pareto": found.rows,
    }


def _write(args, result) -> None:
    if args.json:
        write_whole(args.json, json.dumps(result, indent=2) + "\n")


def _count(args, found, clock) -> None:
    """Count the fastest shapes cycle by cycle, and put that into their rows."""
    from licgate.explore.exact import exact_frames

    chosen, out = found.fastest(args.exact), _results_folder(args, found.space)
    candidates = [found.candidates[index] for index in chosen]
    figures = exact_frames(found.space, candidates, out=out, clock_mhz=clock, say=partial(print, flush=True))
    for index, exact in zip(chosen, figures, strict=True):
        found.rows[index]["exact"] = exact


def _cluster(address):
    from licgate.explore.scheduler import connect

    return connect(address)


def _results_folder(args, space) -> Path:
    """Where builds and exact counts are kept."""
    return args.out or Path("out") / f"explore-{space.board.name}-{space.manifest.name}-{space.mode}"


def _route(args, found, clock, cluster) -> None:
    """Place and route the fastest shapes, and say what became of them."""
    from licgate.explore.route import route_shapes, run_here

    space = found.space
    out, model = _results_folder(args, space), args.model
    if args.channels:
        # a build knows a model by name or path
        from licgate.manifest import save_manifest

        model = str(out / "model")
        save_manifest(space.manifest, model)
    here = partial(run_here, model=model, jobs=args.jobs or 1)
    run = partial(cluster.run, manifest=space.manifest, board=space.board.own_file) if cluster else here
    candidates = [found.candidates[index] for index in found.fastest(args.route)]
    results = route_shapes(
        space, candidates, out=out, clock_mhz=clock, seeds=args.seed, say=partial(print, flush=True), run=run
    )
    met = sum(result["status"] == "met" for result in results)
    print(f"{met} of {len(results)} met {clock:g} MHz; results: {out}")
