"""Accelerators with external memory that a board could hold: arrays, cores, lanes and buffers, with their figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from licgate.errors import ConfigError
from licgate.explore.cells import estimate_lut
from licgate.explore.space import LARGEST, Budget
from licgate.explore.streamedshape import Bands, StreamCandidate
from licgate.manifest.architectures import MODES
from licgate.manifest.geometry import layer_macs
from licgate.perf.predict import input_sizes, multiplier_cycles
from licgate.perf.streamed.estimate import StreamedEstimate, estimate_frame, least_frame
from licgate.program.packing import shift_range
from licgate.program.streamed import StreamedProgram, compile_streamed
from licgate.synth.design import Design
from licgate.synth.fit import streamed_fit
from licgate.target.streamed import StreamedConfig

__all__ = ["StreamSpace"]

#: Rows of a block and groups of a band that are tried.
BLOCK_ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
BAND_GROUPS = (1, 2, 3, 4, 6, 8)
# what else is tried, from narrow to wide: word columns ahead, words of results for each channel of a pass
_PREFETCH = (1, 2, 3, 4, 6, 8, 12, 16)
_RESULTS = (2, 4, 8, 16, 32, 48)
_WAITS = 1.25
_LANES = 3  # fewer lanes than hold nothing up are tried so many times


class StreamSpace:
    """All shapes for a model, a board, a mode and an image.

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
    arithmetic : str
        One of `ARITHMETICS`.
    mode : str
        One of `MODES`.

    Raises
    ------
    ConfigError
        The array does not run the model, or a number of cores is out of range.
    """

    def __init__(
        self,
        manifest,
        board,
        width,
        height,
        cycles,
        *,
        cores=(1,),
        packing=False,
        arithmetic="direct",
        mode="analysis",
    ):
        for count in cores:
            if not 1 <= count <= 16:
                raise ConfigError(f"{count} cores make no sense: give --cores from 1 to 16")
        self.manifest, self.board = manifest, board
        self.sums = {"arithmetic": arithmetic, "packing": packing}
        self.width, self.height, self.cycles = width, height, cycles
        self.cores = tuple(sorted(set(cores)))
        self.mode, names = mode, MODES[mode]
        sizes = input_sizes(manifest, names, width, height)
        # each transform with width and height of its input
        self._transforms = [(manifest.transforms[name], sizes[name]) for name in names]
        self.macs = sum(transform.macs(*size[::-1]) for transform, size in self._transforms)
        chains = [transform for transform, _ in self._transforms]
        self._program = lru_cache(maxsize=4096)(lambda config: compile_streamed(chains, config, weights=False))
        self._estimates = {}
        self.least_work = self._least_work()

    def program(self, config: StreamedConfig) -> StreamedProgram:
        """The program of a shape, without weights."""
        return self._program(config)

    def design(self, candidate: StreamCandidate, clock_mhz: float) -> Design:
        """A shape as a design."""
        return Design(
            manifest=self.manifest,
            board=self.board,
            config=candidate.config,
            clock_mhz=clock_mhz,
            mode=self.mode,
            memory="sdram",
            cores=candidate.cores,
            timing=self.cycles,
            program=self.program(candidate.config),
        )

    def candidate(self, config: StreamedConfig, cores: int) -> StreamCandidate:
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
        chains = self._chains(program)
        return StreamCandidate(
            replace(config, lanes=program.lanes, weight_words=program.weight_words),
            cores * program.multiplier_cells,
            streamed_fit(program, self.board, cores).needed,
            cores * estimate_lut(program, family=self.board.family),
            sum(least_frame(program, chain, *size, cores=cores) for chain, size in chains),
            sum(multiplier_cycles(program, chain, *size) for chain, size in chains),
            cores=cores,
        )

    def estimated(self, candidate: StreamCandidate) -> StreamCandidate:
        """A candidate with the estimate of its cycles."""
        key = candidate.config, candidate.cores
        if key not in self._estimates:
            program = self.program(candidate.config)
            self._estimates[key] = _summed(
                estimate_frame(program, chain, *size, self.cycles, cores=candidate.cores)
                for chain, size in self._chains(program)
            )
        found = self._estimates[key]
        return replace(candidate, bound=max(found.cycles, candidate.bound), estimate=found)

    def _chains(self, program):
        """Chains of a program, with width and height of what enters each."""
        return [(program.chain_of(transform.name), size) for transform, size in self._transforms]

    def arrays(self, budget: Budget, least: float, say: Callable = lambda done, of: None) -> list[StreamCandidate]:
        """Cores, rows, columns and lanes within a budget of multipliers, with the widest bands; the fastest first.

        Parameters
        ----------
        budget : Budget
        least : float
            Share of the fastest one's rate that each might reach, if that waits for a fifth of its time at most.
        say : callable
            Gets how many of how many are done.
        """
        shapes = [
            (count * rows * cols, count, rows, cols)
            for count in self.cores
            for rows in range(1, LARGEST + 1)
            for cols in self._columns()
            if count * rows * cols <= budget.multipliers
        ]
        found, best = [], math.inf
        for done, (multipliers, count, rows, cols) in enumerate(sorted(shapes, reverse=True)):
            say(done, len(shapes))
            # no array is faster than its multipliers, never idle
            if self.least_work / multipliers * least > best * _WAITS:
                break
            known, lanes = set(), None
            for _ in range(_LANES):
                # whose weights come least often: buffers that hold less of them may suit another array better
                wide = {"block_rows": BLOCK_ROWS[-1], "band_groups": BAND_GROUPS[-1]}
                candidate = self._tried(count, rows=rows, cols=cols, lanes=lanes, **wide)
                if candidate is None or candidate.lut > budget.lut or candidate.multipliers > budget.multipliers:
                    break
                lanes = candidate.config.lanes
                if lanes not in known:
                    known.add(lanes)
                    found.append(candidate)
                    best = min(best, candidate.bound)
                lanes -= 1
                if not lanes:
                    break
        say(len(shapes), len(shapes))
        return sorted(found, key=lambda c: (c.bound, *c.costs))

    def bands(self, array: StreamCandidate, block_rams: int) -> Iterator[Bands]:
        """Heights of blocks and widths of bands for which an array's buffers can fit so many block RAMs."""
        config = array.config
        channels = config.cols << self.sums["packing"]
        for rows in BLOCK_ROWS:
            for groups in BAND_GROUPS:
                shape = replace(
                    config,
                    block_rows=rows,
                    band_groups=groups,
                    prefetch_words=None,
                    weight_words=None,
                    output_words=_RESULTS[-1] * channels,
                )
                wide = self._tried(array.cores, config=shape)
                if wide is None:
                    continue
                program = self.program(wide.config)
                most = max(program.group_step(stage) for stage in program.stages) * groups
                found = Bands(
                    wide,
                    program.slots - most,
                    tuple(words for words in _PREFETCH if words <= most),
                    self._rings(program),
                    tuple(times * channels for times in _RESULTS if times >= program.arithmetic.outputs),
                )
                if self.block_rams(found, found.prefetch[0], found.rings[0], found.results[0]) <= block_rams:
                    yield found

    def block_rams(self, bands: Bands, prefetch: int, ring: int, results: int) -> int:
        """Block RAMs that so wide buffers take, in microseconds."""
        program = self.program(bands.wide.config)
        changed = replace(program, slots=bands.slots + prefetch, weight_words=ring, output_words=results)
        return streamed_fit(changed, self.board, bands.wide.cores).needed

    def _rings(self, program) -> tuple[int, ...]:
        """Lengths of the weight ring from the least to the usual one, in steps of a block RAM's least depth."""
        largest = max(op.weights for op in program.ops)
        gdns = [sum(program.tile_words(stage.gdn)) for stage in program.stages if stage.gdn is not None]
        least, step = max(largest, *gdns, 0), min(deep for deep, _ in self.board.block_rams)
        usual = 2 * largest + max(gdns, default=0)
        return tuple(range(-(-least // step) * step, -(-usual // step) * step + 1, step))

    def usual(self, rows: int, cols: int) -> StreamCandidate:
        """One array with usual buffers, whether it fits or not.

        Raises
        ------
        ConfigError
            The array does not run the model, or external memory does not hold the image.
        """
        config = self._config(rows=rows, cols=cols)
        return self.candidate(config, self.cores[0])

    def _config(self, **shape) -> StreamedConfig:
        return StreamedConfig(packed_bits=self.board.packed_bits, **self.sums, **shape)

    def _tried(self, cores, *, config=None, **shape) -> StreamCandidate | None:
        """A candidate, or None where the array does not run the model."""
        try:
            if config is None:
                config = self._config(**shape)
            return self.candidate(config, cores)
        except ConfigError:
            return None

    def _columns(self) -> list[int]:
        """Columns of arrays, but for those that save no pass, packed or not."""
        seen, found = set(), []
        layers = [layer for transform, _ in self._transforms for layer in transform.layers]
        for count in range(1, LARGEST + 1):
            each = {count, count << self.sums["packing"]}
            passes = tuple(-(-layer.out_channels // cols) for cols in sorted(each) for layer in layers)
            if passes not in seen:
                seen.add(passes)
                found.append(count)
        return found

    def _least_work(self) -> float:
        """Cycles of one multiplier that the image takes at least, whatever is packed."""
        # of any shape: what a product is worth depends on the arithmetic alone
        program, work = self.program(self._config(rows=LARGEST, cols=LARGEST)), 0.0
        for (transform, (width, height)), chain in zip(self._transforms, program.chains, strict=True):
            ops = [op for stage in program.stages_of(chain) for op in (stage.conv, stage.gdn) if op is not None]
            for op, size in zip(ops, transform.layer_sizes(height, width), strict=False):
                packs = self.sums["packing"] and bool(shift_range(op.layer, self.board.packed_bits))
                work += layer_macs(op.layer, *size) / (op.macs_per_product / op.products * (1 + packs))
        return work


def _summed(estimates) -> StreamedEstimate:
    """Estimates of what runs one after the other."""
    estimates = list(estimates)
    beats = {kind: sum(estimate.beats[kind] for estimate in estimates) for kind in estimates[0].beats}
    return StreamedEstimate(sum(e.cycles for e in estimates), sum(e.steps for e in estimates), beats)
