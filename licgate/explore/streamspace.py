"""Accelerators with external memory that a board could hold: array, cores, lanes and what lies between, with figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from licgate.errors import ConfigError
from licgate.explore.cells import estimate_lut
from licgate.explore.space import LARGEST, Budget, Candidate
from licgate.gateware.extmem.timing import ULX3S_SDRAM, SdramCycles
from licgate.gateware.streaming.config import StreamingConfig
from licgate.perf.memories import BLOCKS
from licgate.perf.predict import multiplier_cycles
from licgate.perf.streamestimate import StreamEstimate, estimate_frame, least_frame
from licgate.program.packing import shift_range
from licgate.program.streaming import StreamProgram, compile_streaming
from licgate.synth.streaming import streaming_fit

__all__ = ["StreamCandidate", "StreamSpace", "sdram_cycles"]

#: Rows of a block and groups of a band that are tried.
BLOCK_ROWS = (1, 2, 3, 4, 5, 6, 8)
BAND_GROUPS = (1, 2, 3, 4, 6, 8)
_ROUGH = {"block_rows": 4, "band_groups": 4}
# what else is tried, from narrow to wide: word columns ahead, words of results for each channel of a pass
_PREFETCH = (1, 2, 3, 4, 6, 8, 12, 16)
_RESULTS = (2, 4, 8, 16, 32, 48)
_LANES = 3  # fewer lanes than hold nothing up are tried so many times


@dataclass(frozen=True, kw_only=True)
class StreamCandidate(Candidate):
    """One shape with external memory; ``bound`` are estimated cycles of a frame, or fewer where it has no estimate.

    Attributes
    ----------
    cores : int
    estimate : StreamEstimate or None
    """

    cores: int
    estimate: StreamEstimate | None = None


def sdram_cycles(board, clock_mhz: float) -> SdramCycles:
    """Timing of a board's SDRAM.

    Raises
    ------
    ConfigError
        The board has none, or it does not run at that clock.
    """
    platform = board.make_platform()
    if not hasattr(platform, "get_sdram"):
        raise ConfigError(f"board {board.name} has no SDRAM: take another --board, or --memory chip")
    try:
        return SdramCycles.at(getattr(platform, "sdram_timing", ULX3S_SDRAM), clock_mhz)
    except ValueError as error:
        raise ConfigError(f"{error}: take another --clock") from None


class StreamSpace:
    """All shapes for g_a of a model, a board and an image.

    Parameters
    ----------
    manifest : Manifest
    board : Board
    width, height : int
        Image in pixels.
    cycles : SdramCycles
        Of the board's memory.
    cores : tuple of int
        Numbers of cores that are tried.
    packing : bool
        Two products a multiplier where a layer's widths allow it.

    Raises
    ------
    ConfigError
        The array does not run the model, or a number of cores is out of range.
    """

    mode = "analysis"

    def __init__(self, manifest, board, width, height, cycles, *, cores=(1,), packing=False):
        for count in cores:
            if not 1 <= count <= 16:
                raise ConfigError(f"{count} cores make no sense: give --cores from 1 to 16")
        self.manifest, self.board, self.packing = manifest, board, packing
        self.width, self.height, self.cycles = width, height, cycles
        self.cores = tuple(sorted(set(cores)))
        self.macs = manifest.g_a.macs(height, width)
        self._program = lru_cache(maxsize=4096)(lambda config: compile_streaming([manifest.g_a], config, weights=False))
        self.least_work = self._least_work()

    def program(self, config: StreamingConfig) -> StreamProgram:
        """The program of a shape, without weights."""
        return self._program(config)

    def candidate(self, config: StreamingConfig, cores: int) -> StreamCandidate:
        """A shape with what it takes; its bound counts neither waits nor what a transaction costs.

        Raises
        ------
        ConfigError
            The array does not run the model in this shape, or the memory is too small.
        """
        program = self.program(config)
        if cores * program.multiplier_cells > self.board.multipliers and config.lane_multipliers == "dsp":
            # as `licgate build` does: the arrays come first
            config = replace(config, lane_multipliers="fabric")
            program = self.program(config)
        chain = program.chains[0]
        return StreamCandidate(
            replace(config, lanes=program.lanes, weight_words=program.weight_words),
            cores * program.multiplier_cells,
            streaming_fit(program, self.board, cores).needed,
            cores * estimate_lut(program, family=self.board.family),
            least_frame(program, chain, self.width, self.height, cores=cores),
            multiplier_cycles(program, chain, self.width, self.height),
            cores=cores,
        )

    def estimated(self, candidate: StreamCandidate) -> StreamCandidate:
        """A candidate with the estimate of its cycles."""
        if candidate.estimate is not None:
            return candidate
        program = self.program(candidate.config)
        found = estimate_frame(
            program, program.chains[0], self.width, self.height, self.cycles, cores=candidate.cores
        )
        return replace(candidate, bound=max(found.cycles, candidate.bound), estimate=found)

    def arrays(self, budget: Budget, say: Callable = lambda done, of: None) -> list[StreamCandidate]:
        """Cores, rows, columns and lanes within a budget of multipliers, with rough buffers; the fastest first."""
        shapes = [
            (count, rows, cols) for count in self.cores for rows in range(1, LARGEST + 1) for cols in self._columns()
            if count * rows * cols <= budget.multipliers
        ]  # fmt: skip
        found = []
        for done, (count, rows, cols) in enumerate(shapes):
            say(done, len(shapes))
            known, lanes = set(), None
            for _ in range(_LANES):
                candidate = self._tried(count, rows=rows, cols=cols, lanes=lanes, **_ROUGH)
                if candidate is None or candidate.lut > budget.lut or candidate.multipliers > budget.multipliers:
                    break
                if candidate.config.lanes not in known:
                    known.add(candidate.config.lanes)
                    found.append(candidate)
                lanes = candidate.config.lanes - 1
                if not lanes:
                    break
        say(len(shapes), len(shapes))
        return sorted(found, key=lambda c: (c.bound, *c.costs))

    def buffers(self, array: StreamCandidate, budget: Budget) -> Iterator[tuple[StreamCandidate, list]]:
        """For each height of blocks and width of bands that fit: the narrowest buffers, and what could be wider.

        Yields
        ------
        StreamCandidate, list of (str, list of int)
            What is wider is a field of the configuration, with its values from narrow to wide.
        """
        config = array.config
        for rows in BLOCK_ROWS:
            for groups in BAND_GROUPS:
                narrow = {
                    "block_rows": rows, "band_groups": groups, "prefetch_words": _PREFETCH[0],
                    "weight_words": None, "output_words": _RESULTS[0] * (config.cols << self.packing),
                }  # fmt: skip
                wide = self._tried(array.cores, config=replace(config, **narrow))
                if wide is None:
                    continue
                rings = self._rings(self.program(wide.config))
                candidate = self._tried(array.cores, config=replace(wide.config, weight_words=rings[0]))
                if candidate is None or budget.lacks(candidate):
                    continue
                most = max(stage.stride for stage in self.program(candidate.config).stages) * groups
                yield candidate, [
                    ("prefetch_words", [words for words in _PREFETCH if words <= most]),
                    ("weight_words", rings),
                    ("output_words", [times * (config.cols << self.packing) for times in _RESULTS]),
                ]

    def _rings(self, program) -> list[int]:
        """Lengths of the weight ring: the longest for each number of memory cells, from the least to the usual one."""
        largest = max(op.phases[0].steps for op in program.ops)
        gdns = [sum(program.tile_words(stage.gdn)) for stage in program.stages if stage.gdn is not None]
        least, step = max(largest, *gdns, 0), min(deep for deep, _ in BLOCKS[self.board.memory])
        usual = 2 * largest + max(gdns, default=0)
        return list(range(-(-least // step) * step, -(-usual // step) * step + 1, step))

    def _tried(self, cores, *, config=None, **shape) -> StreamCandidate | None:
        """A candidate, or None where the array does not run the model."""
        try:
            if config is None:
                config = StreamingConfig(packing=self.packing, packed_bits=self.board.packed_bits, **shape)
            return self.candidate(config, cores)
        except ConfigError:
            return None

    def _columns(self) -> list[int]:
        """Columns of arrays, but for those that save no pass, packed or not."""
        seen, found = set(), []
        layers = self.manifest.g_a.layers
        for count in range(1, LARGEST + 1):
            each = {count, count << self.packing}
            passes = tuple(-(-layer.out_channels // cols) for cols in sorted(each) for layer in layers)
            if passes not in seen:
                seen.add(passes)
                found.append(count)
        return found

    def _least_work(self) -> float:
        """Cycles of one multiplier that the image takes at least, whatever is packed."""
        from licgate.manifest.geometry import layer_macs

        sizes = self.manifest.g_a.layer_sizes(self.height, self.width)
        return sum(
            layer_macs(layer, *size) / (1 + (self.packing and bool(shift_range(layer, self.board.packed_bits))))
            for layer, size in zip(self.manifest.g_a.layers, sizes, strict=False)
        )
