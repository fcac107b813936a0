"""Arguments and body of ``licgate explore``."""

from __future__ import annotations

import argparse
import contextlib
import json
from functools import partial
from pathlib import Path

from licgate.errors import ConfigError
from licgate.explore.options import add_shared_arguments, channels, clock_of, packing_note, positive
from licgate.files import write_whole

__all__ = ["add_explore_arguments", "results_folder", "route_best", "run_explore", "table"]

LEAST = 0.5  # share of the fastest shape's rate below which shapes are not shown


def add_explore_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate explore``."""
    from licgate.gateware.streamed.options import MEMORIES

    add_shared_arguments(parser)
    parser.add_argument("--model", help="name under models/, or a path (default: the default model)")
    parser.add_argument(
        "--channels",
        type=channels,
        metavar="N,M",
        help="explore a made-up model: the layers of --model with N and M channels, not trained",
    )
    parser.add_argument("--points", type=positive, default=24, help="shapes to show, at most (default: %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the Pareto set")
    parser.add_argument(
        "--memory",
        choices=MEMORIES,
        default="chip",
        help="where weights and feature maps lie: on the "
        "chip, or in an SDR SDRAM, for models of any size (default: %(default)s)",
    )
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
        help="with --memory sdram: count the K fastest shapes "
        "of the set cycle by cycle; what is in --out already is not counted again",
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


def run_explore(args: argparse.Namespace) -> int:
    """Body of ``licgate explore``."""
    from licgate.target.board import find_board

    board = find_board(args.board)
    clock = clock_of(args, board)
    if args.route and not board.routed:
        raise ConfigError(f"there is no open place-and-route for {board.device}: leave --route out")
    if args.scheduler is not None and not args.route:
        raise ConfigError("--scheduler is for what --route K builds: give --route as well")
    if args.scheduler is not None and args.jobs:
        raise ConfigError("--jobs is for builds on this machine: leave it out, with --scheduler its workers decide")
    if args.memory == "chip" and (args.exact or args.cores):
        raise ConfigError("--cores and --exact go with --memory sdram: shapes on the chip have one core, always exact")
    if args.memory == "sdram" and args.mode != "analysis":
        raise ConfigError(f"--memory sdram goes with --mode analysis, not {args.mode}")
    manifest = _model(args)
    with contextlib.ExitStack() as stack:
        # before the search: that takes a while, and is no use to one whose cluster is not there
        cluster = stack.enter_context(_cluster(args.scheduler)) if args.scheduler is not None else None
        if args.memory == "sdram":
            from licgate.explore.cli_streams import explore_streams

            return explore_streams(args, board, clock, manifest, cluster)
        return _explore(args, board, clock, manifest, cluster)


def _model(args):
    """The model, or one with its layers and other channels."""
    from licgate.manifest import find_model
    from licgate.manifest.scaled import scaled_manifest

    manifest = find_model(args.model)
    return scaled_manifest(manifest, *args.channels) if args.channels else manifest


def _explore(args, board, clock, manifest, cluster) -> int:
    from licgate.explore.cycles import CycleCounter
    from licgate.explore.pareto import measured, thinned
    from licgate.explore.plan import shape_row
    from licgate.explore.plot import pareto_plot
    from licgate.explore.progress import Progress
    from licgate.explore.space import Budget, Space

    width, height = args.size
    space, budget = Space(manifest, board, args.mode, width, height, packing=args.packing), Budget.of(board)
    candidates = space.search(budget, least=LEAST, say=Progress("arrays tried"))
    if not candidates:
        raise ConfigError(
            f"mode {args.mode} of {manifest.name} fits {board.device} in no shape: it takes {space.least_blocks()} "
            f"{board.memory} at least, of {board.memories}; take another --mode, a smaller model or a larger board"
        )
    fastest = min(candidate.bound for candidate in candidates)
    chosen, margin = thinned([c for c in candidates if c.bound * LEAST <= fastest], args.points)
    front = measured(space, chosen, CycleCounter(), say=Progress("cycles counted"))
    rows = [shape_row(candidate, cycles, clock) for candidate, cycles in front]
    print(
        f"{manifest.name} on {board.title} ({board.device}), {args.mode} of {width} x {height}, {clock:g} MHz assumed"
        f"{packing_note(args)}\n"
        f"{len(candidates)} shapes fit; of the Pareto set over frames/s, {board.multiplier} and {board.memory}, down "
        f"to {100 * LEAST:g} % of the fastest, {len(rows)} are listed; a shape that takes more is listed if it is "
        f"{100 * margin:g} % faster"
    )
    head = ("array", "lanes", "lines", board.multiplier, board.memory, "LUT (est.)", "cycles", "frames/s", "busy")
    print(table(head, [_cells(row) for row in rows]))
    if args.json:
        result = {
            "board": board.name,
            "device": board.device,
            "mode": args.mode,
            "image": [width, height],
            "model": {"name": manifest.name, "hash": manifest.hash},
            "macs": space.macs,
            "clock_mhz": clock,
            "clock": "assumed",
            "packing": args.packing,
            "shapes_that_fit": len(candidates),
            "margin": margin,
            "pareto": rows,
        }
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    if args.plot:
        title = f"{manifest.name}, {args.mode}, {width} x {height}, {clock:g} MHz assumed, {board.title}"
        plot = pareto_plot(rows, title=title, macs=space.least_work, clock_mhz=clock, blocks=board.memories)
        write_whole(args.plot, plot)
    if args.route:
        best = sorted(front, key=lambda item: item[1])[: args.route]
        route_best(args, space, [candidate for candidate, _ in best], clock, cluster)
    return 0


def _cells(row) -> tuple:
    return (
        f"{row['rows']} x {row['cols']}",
        str(row["lanes"]),
        str(row["max_width"]),
        str(row["multipliers"]),
        str(row["blocks"]),
        str(row["lut_estimate"]),
        str(row["cycles"]),
        f"{row['fps']:.2f}",
        f"{100 * row['utilization']:.1f} %",
    )


def table(head, cells) -> str:
    """Columns of text, each as wide as it must be."""
    widths = [max(len(line[index]) for line in (head, *cells)) for index in range(len(head))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths)) for line in (head, *cells))


def _cluster(address):
    from licgate.explore.scheduler import connect

    return connect(address)


def results_folder(args, space) -> Path:
    """Where builds and exact counts are kept."""
    return args.out or Path("out") / f"explore-{space.board.name}-{space.manifest.name}-{space.mode}"


def route_best(args, space, candidates, clock, cluster) -> None:
    """Place and route shapes, and say what became of them."""
    from licgate.explore.route import route_shapes, run_here

    out, model = results_folder(args, space), args.model
    if args.channels:
        # a build knows a model by name or path
        from licgate.manifest import save_manifest

        model = str(out / "model")
        save_manifest(space.manifest, model)
    here = partial(run_here, model=model, jobs=args.jobs or 1)
    run = partial(cluster.run, manifest=space.manifest, board=space.board.own_file) if cluster else here
    results = route_shapes(
        space, candidates, out=out, clock_mhz=clock, seeds=args.seed, say=lambda line: print(line, flush=True), run=run
    )
    met = sum(result["status"] == "met" for result in results)
    print(f"{met} of {len(results)} met {clock:g} MHz; results: {out}")
