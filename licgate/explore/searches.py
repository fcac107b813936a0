"""Searches of shapes that ``licgate explore`` shows: one for each memory that there is a search for."""

from __future__ import annotations

from dataclasses import dataclass, field

from licgate.backends.sdram import sdram_cycles
from licgate.errors import ConfigError
from licgate.explore.cycles import CycleCounter
from licgate.explore.pareto import measured, thinned
from licgate.explore.plan import shape_row
from licgate.explore.planner import sums_of
from licgate.explore.progress import Progress
from licgate.explore.space import Budget, Space
from licgate.explore.streamedsearch import search_streams
from licgate.explore.streamedspace import StreamSpace
from licgate.manifest.architectures import MODES
from licgate.perf.roofline import Roofline

__all__ = ["SEARCHES", "Found"]

LEAST = 0.5  # share of the fastest shape's rate below which shapes are not shown

_FIGURES = ("lanes", "block_rows", "band_groups", "prefetch_words", "weight_words", "output_words")
_COSTS = ("multipliers", "block_rams", "lut_estimate", "cycles")


@dataclass(frozen=True)
class Found:
    """The Pareto set of a search.

    Attributes
    ----------
    space : Space or StreamSpace
    candidates : list of Candidate
    rows : list of dict
        Their figures for JSON, in the same order.
    counted : str
        How many shapes there are, in words.
    margin : float
        See `thinned`.
    head, cells : tuple of str, list of tuple of str
        The table.
    transforms, memory : str
        What is run, and with what, in words.
    facts : dict
        What JSON says of this memory.
    """

    space: object
    candidates: list
    rows: list[dict]
    counted: str
    margin: float
    head: tuple
    cells: list[tuple]
    transforms: str
    memory: str = ""
    facts: dict = field(default_factory=dict)

    def fastest(self, count: int) -> list[int]:
        """Indices of the fastest shapes."""
        return sorted(range(len(self.rows)), key=lambda index: self.rows[index]["cycles"])[:count]


def search_chip(args, board, clock_mhz: float, manifest) -> Found:
    """Search shapes whose weights lie on the chip; their cycles are exact.

    Raises
    ------
    ConfigError
        The array does not run the model, or nothing fits.
    """
    if args.exact or args.cores:
        raise ConfigError("--cores and --exact go with --memory sdram: shapes on the chip have one core, always exact")
    width, height = args.size
    sums = sums_of(args, board)
    space, budget = Space(manifest, board, args.mode, width, height, **sums), Budget.of(board)
    candidates = space.search(budget, least=LEAST, say=Progress("arrays tried"))
    if not candidates:
        raise ConfigError(
            f"mode {args.mode} of {manifest.name} fits {board.device} in no shape: it takes {space.least_block_rams()} "
            f"{board.memory} at least, of {board.memories}; take another --mode, a smaller model or a larger board"
        )
    chosen, margin = _front(candidates, args.points)
    front = measured(space, chosen, CycleCounter(), say=Progress("cycles counted"))
    rows = [shape_row(candidate, cycles, clock_mhz) for candidate, cycles in front]
    return Found(
        space,
        [candidate for candidate, _ in front],
        rows,
        f"{len(candidates)} shapes fit",
        margin,
        ("array", "lanes", "lines", board.multiplier, board.memory, "LUT (est.)", "cycles", "frames/s", "busy"),
        [
            (
                f"{row['rows']} x {row['cols']}",
                *(str(row[name]) for name in ("lanes", "max_width", *_COSTS)),
                f"{row['fps']:.2f}",
                f"{100 * row['utilization']:.1f} %",
            )
            for row in rows
        ],
        args.mode,
        facts={**sums, "shapes_that_fit": len(candidates)},
    )


def search_sdram(args, board, clock_mhz: float, manifest) -> Found:
    """Search shapes with an SDRAM; their cycles are estimates.

    Raises
    ------
    ConfigError
        The board has no SDRAM, the array does not run the model, or nothing fits.
    """
    timing, sums = sdram_cycles(board, clock_mhz), sums_of(args, board)
    options = {"cores": tuple(args.cores or (1,)), "mode": args.mode, **sums}
    space, budget = StreamSpace(manifest, board, *args.size, timing, **options), Budget.of(board)
    found = search_streams(space, budget, least=LEAST, say=Progress("arrays bounded"), more=Progress("arrays searched"))
    if not found:
        raise _nothing_fits(space)
    front, margin = _front(found, args.points)
    rows = [stream_row(candidate, clock_mhz) for candidate in front]
    head = ("array", "lanes", "block", "band", "ahead", "ring", "results", board.multiplier, board.memory)
    return Found(
        space,
        front,
        rows,
        f"{len(found)} shapes estimated",
        margin,
        (*head, "LUT (est.)", "cycles (est.)", "frames/s", "busy", "memory"),
        [
            (
                f"{row['cores']} x {row['rows']} x {row['cols']}",
                *(str(row[name]) for name in (*_FIGURES, *_COSTS)),
                f"{row['fps']:.3f}",
                f"{100 * row['utilization']:.1f} %",
                f"{100 * row['memory_busy']:.0f} %",
            )
            for row in rows
        ],
        "g_a" if args.mode == "analysis" else args.mode,
        " with SDRAM",
        {**sums, "memory": "sdram", "cycles": "estimated", "shapes_estimated": len(found)},
    )


#: Searches by what ``--memory`` calls the memory.
SEARCHES = {"chip": search_chip, "sdram": search_sdram}


def _front(candidates, points):
    """What of the Pareto set is shown, and the margin for that."""
    fastest = min(candidate.bound for candidate in candidates)
    return thinned([c for c in candidates if c.bound * LEAST <= fastest], points)


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
        "block_rams": candidate.block_rams,
        "lut_estimate": candidate.lut,
        "cycles": candidate.bound,
        "clock_mhz": clock_mhz,
        "fps": clock_mhz * 1e6 / candidate.bound,
        "utilization": roofline.utilization(candidate.bound),
        "traffic": moved,
        "memory_busy": sum(found.beats.values()) / candidate.bound,
    }


def _nothing_fits(space) -> ConfigError:
    """Why no shape fits: the array does not run the model, or the least that it takes."""
    budget, needed = Budget.of(space.board), []
    for rows, cols in ((4, 4), (8, 4), (8, 8), (8, 16)):
        array = space.usual(rows, cols)
        if array.multipliers <= budget.multipliers:
            needed += [
                space.block_rams(bands, bands.prefetch[0], bands.rings[0], bands.results[0])
                for bands in space.bands(array, 1 << 30)
            ]
    board = space.board
    least = f"it takes {min(needed)} {board.memory} at least" if needed else "its arrays take too many multipliers"
    return ConfigError(
        f"{' and '.join(MODES[space.mode])} of {space.manifest.name} fits {board.device} with SDRAM in no "
        f"shape: {least}, of {board.memories}; take a smaller model or a larger board"
    )
