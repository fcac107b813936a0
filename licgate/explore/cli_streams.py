"""Body of ``licgate explore --memory sdram``."""

from __future__ import annotations

import json

from licgate.errors import ConfigError
from licgate.explore.cli_explore import LEAST, results_folder, route_best, table
from licgate.explore.exact import exact_frames
from licgate.explore.options import packing_note
from licgate.explore.pareto import thinned
from licgate.explore.plot import pareto_plot
from licgate.explore.progress import Progress
from licgate.explore.space import Budget
from licgate.explore.streamsearch import search_streams
from licgate.explore.streamspace import StreamSpace, sdram_cycles
from licgate.files import write_whole
from licgate.perf.roofline import Roofline

__all__ = ["explore_streams", "nothing_fits", "stream_row"]


def explore_streams(args, board, clock, manifest, cluster) -> int:
    """Show the Pareto set of shapes with external memory, and count or build the best of it.

    Raises
    ------
    ConfigError
        The board has no SDRAM, the array does not run the model, or nothing fits.
    """
    width, height = args.size
    cores = tuple(args.cores or (1,))
    space = StreamSpace(manifest, board, width, height, sdram_cycles(board, clock), cores=cores, packing=args.packing)
    budget = Budget.of(board)
    found = search_streams(space, budget, least=LEAST, say=Progress("arrays bounded"), more=Progress("arrays searched"))
    if not found:
        raise nothing_fits(space)
    fastest = min(candidate.bound for candidate in found)
    front, margin = thinned([c for c in found if c.bound * LEAST <= fastest], args.points)
    rows = [stream_row(candidate, clock) for candidate in front]
    print(
        f"{manifest.name} on {board.title} ({board.device}) with SDRAM, g_a of {width} x {height}, {clock:g} MHz "
        f"assumed{packing_note(args)}\n"
        f"{len(found)} shapes estimated; of the Pareto set over frames/s, {board.multiplier} and {board.memory}, down "
        f"to {100 * LEAST:g} % of the fastest, {len(rows)} are listed; a shape that takes more is listed if it is "
        f"{100 * margin:g} % faster"
    )
    print(_table(rows, board))
    result = {
        "board": board.name,
        "device": board.device,
        "memory": "sdram",
        "mode": space.mode,
        "image": [width, height],
        "model": {"name": manifest.name, "hash": manifest.hash},
        "macs": space.macs,
        "clock_mhz": clock,
        "clock": "assumed",
        "cycles": "estimated",
        "packing": args.packing,
        "shapes_estimated": len(found),
        "margin": margin,
        "pareto": rows,
    }
    if args.plot:
        title = f"{manifest.name}, g_a, {width} x {height}, {clock:g} MHz assumed, {board.title} with SDRAM"
        plot = pareto_plot(rows, title=title, macs=space.least_work, clock_mhz=clock, blocks=board.memories)
        write_whole(args.plot, plot)
    _write(args, result)
    best = sorted(range(len(front)), key=lambda index: front[index].bound)
    if args.exact:
        chosen = best[: args.exact]
        figures = exact_frames(
            space,
            [front[index] for index in chosen],
            out=results_folder(args, space),
            clock_mhz=clock,
            say=lambda line: print(line, flush=True),
        )
        for index, exact in zip(chosen, figures, strict=True):
            rows[index]["exact"] = exact
        _write(args, result)
    if args.route:
        route_best(args, space, [front[index] for index in best[: args.route]], clock, cluster)
    return 0


def _write(args, result) -> None:
    if args.json:
        write_whole(args.json, json.dumps(result, indent=2) + "\n")


def stream_row(candidate, clock_mhz: float) -> dict:
    """A shape and its estimated figures for JSON."""
    config, found = candidate.config, candidate.estimate
    multipliers = candidate.cores * config.multipliers
    roofline = Roofline(macs=candidate.work, multipliers=multipliers, clock_mhz=clock_mhz)
    moved = {kind: beats * config.beat_bits // 8 for kind, beats in found.beats.items()}
    return {
        "cores": candidate.cores,
        "rows": config.rows,
        "cols": config.cols,
        "lanes": config.lanes,
        "block_rows": config.block_rows,
        "band_groups": config.band_groups,
        "prefetch_words": config.prefetch_words,
        "weight_words": config.weight_words,
        "output_words": config.output_words,
        "buffers": f"blocks of {config.block_rows}, bands of {config.band_groups}, ring of {config.weight_words}",
        "multipliers": candidate.multipliers,
        "blocks": candidate.blocks,
        "lut_estimate": candidate.lut,
        "cycles": candidate.bound,
        "clock_mhz": clock_mhz,
        "fps": clock_mhz * 1e6 / candidate.bound,
        "utilization": roofline.utilization(candidate.bound),
        "traffic": moved,
        "memory_busy": sum(found.beats.values()) / candidate.bound,
    }


def _table(rows, board) -> str:
    head = (
        "array",
        "lanes",
        "block",
        "band",
        "ahead",
        "ring",
        "results",
        board.multiplier,
        board.memory,
        "LUT (est.)",
        "cycles (est.)",
        "frames/s",
        "busy",
        "memory",
    )
    cells = [
        (
            f"{row['cores']} x {row['rows']} x {row['cols']}",
            *(
                str(row[name])
                for name in (
                    "lanes",
                    "block_rows",
                    "band_groups",
                    "prefetch_words",
                    "weight_words",
                    "output_words",
                    "multipliers",
                    "blocks",
                    "lut_estimate",
                    "cycles",
                )
            ),
            f"{row['fps']:.3f}",
            f"{100 * row['utilization']:.1f} %",
            f"{100 * row['memory_busy']:.0f} %",
        )
        for row in rows
    ]
    return table(head, cells)


def nothing_fits(space) -> ConfigError:
    """Why no shape fits: the array does not run the model, or the least that it takes."""
    budget, needed = Budget.of(space.board), []
    for rows, cols in ((4, 4), (8, 4), (8, 8), (8, 16)):
        array = space.usual(rows, cols)
        if array.multipliers <= budget.multipliers:
            needed += [
                space.blocks(bands, bands.prefetch[0], bands.rings[0], bands.results[0])
                for bands in space.bands(array, 1 << 30)
            ]
    board = space.board
    least = f"it takes {min(needed)} {board.memory} at least" if needed else "its arrays take too many multipliers"
    return ConfigError(
        f"g_a of {space.manifest.name} fits {board.device} with SDRAM in no shape: {least}, of {board.memories}; take "
        "a smaller model or a larger board"
    )
