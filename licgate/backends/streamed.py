"""What backends with external memory share: weights and feature maps of any size come from there, block by block."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import reduce
from operator import add

from licgate.backends.base import Backend, arithmetic_of, arrays_first, needed_transforms, values_line
from licgate.backends.options import MEMORY_SHAPE, given
from licgate.errors import ConfigError
from licgate.perf.predict import input_sizes, joined_predictions
from licgate.perf.streamed.cost import streamed_cost
from licgate.program.cores import core_jobs
from licgate.program.streamed import compile_streamed
from licgate.synth.design import Frame
from licgate.synth.fit import streamed_fit
from licgate.target.streamed import StreamedConfig

__all__ = ["Streamed", "shape_of"]

_RING_STEP = 1024
_MOST_CORES = 16
#: Array where a board has none of its own for external memory.
_USUAL = (8, 16)


class Streamed(Backend):
    """Streamed cores; see :mod:`licgate.gateware.streamed`."""

    counts = "cycles"

    def config(self, args, board=None):
        """See `Backend.config`."""
        if getattr(args, "max_width", None) is not None:
            raise ConfigError(f"--memory {self.name} goes without --max-width: it takes images of any width")
        fields = given(args, "rows", "cols", "lanes", "lane_multipliers", *MEMORY_SHAPE)
        if board is not None:
            fields = dict(zip(("rows", "cols"), board.streamed or _USUAL)) | fields
        return StreamedConfig(**self._beats(args), **fields, **arithmetic_of(args, board))

    def _asked(self, args):
        return {"cores": args.cores}

    def fit(self, design, *, must_fit=True):
        """See `Backend.fit`.

        What is settled is the weight ring: one of no given length grows in steps of 1024 words for as long as it takes
        no more block RAMs.
        """
        board, config, cores = design.board, design.config, design.cores
        timing = self._timing(design)
        if not 1 <= cores <= _MOST_CORES:
            raise ConfigError(f"{cores} cores make no sense: give --cores from 1 to {_MOST_CORES}")
        if design.multipliers > board.multipliers:
            raise ConfigError(
                f"{cores} x {config.rows} x {config.cols} need {design.multipliers} multipliers, {board.device} "
                f"has {board.multipliers} {board.multiplier}: take fewer rows, columns or cores"
            )
        found = _at(design, config.weight_words)
        if config.weight_words is None:
            least = found.program.weight_words
            for words in range((least // _RING_STEP + 1) * _RING_STEP, 4 * least, _RING_STEP):
                larger = _at(design, words)
                if larger.fit.needed == found.fit.needed:
                    found = larger
        if must_fit and not found.fit.fits:
            raise ConfigError(
                f"{' and '.join(design.transforms)} of {design.manifest.name} on {cores} x {config.rows} x "
                f"{config.cols} with blocks of {config.block_rows} rows, bands of {config.band_groups} groups and "
                f"{found.program.weight_words} weight words needs {found.fit}, {board.device} has {board.memories}: "
                "take smaller --block-rows, --band-groups, --prefetch-words or --weight-words; --synthesis-only gives "
                "a report"
            )
        found = replace(found, config=replace(found.config, weight_words=found.program.weight_words), timing=timing)
        return replace(found, external=self._external(found))

    def cost(self, design, width, height):
        """See `Backend.cost`: copies have a frame each, cores of one share it."""
        parts = [
            streamed_cost(jobs, *size, design.timing, clock_mhz=design.clock_mhz)
            for jobs, size in _jobs(design, width, height)
        ]
        predictions, costs = zip(*parts)
        return Frame((width, height), joined_predictions(predictions), reduce(add, costs))

    def check_build(self, design, width, height, *, synthesis_only):
        """See `Backend.check_build`: the memory holds the maps."""
        for _ in _jobs(design, width, height):
            pass

    def told(self, design):
        """See `Backend.told`."""
        config, program = design.config, design.program
        return (
            f"{', '.join(design.transforms)} on {design.cores} x {config.rows} x {config.cols}, "
            f"{self._told_of_the_bus(design)}blocks of {config.block_rows} rows, bands of {config.band_groups} groups, "
            f"{program.slots} slots, {program.weight_words} weight words, {design.fit}"
        )

    def lines(self, result):
        """See `Backend.lines`."""
        exact = result["cycles_of_cores"] == result["cycles_predicted"]
        told = "as predicted" if exact else f"predicted: {result['cycles_predicted']}"
        if result["faults"] is not None:
            told = f"memory late at random, seed {result['faults']}; without: {max(result['cycles_predicted'])}"
        work = (
            f"{result['cycles']} cycles ({told}), {result['macs']} multiply-accumulates on {result['multipliers']} "
            f"multipliers of {result['cores']} core{'s' * (result['cores'] > 1)}: utilization "
            f"{100 * result['utilization']:.1f} %, recompute factor {result['recompute_factor']:.3f}"
        )
        return [values_line(result), work, self._memory_line(result)]

    #: Engines that run it, of those of :mod:`licgate.sim.engine`.
    engines: tuple[str, ...] = ("cxxrtl", "verilator")

    def _check_simulation(self, args):
        if args.engine not in self.engines:
            raise ConfigError(
                f"--memory {self.name} goes with the engine {' or '.join(self.engines)}, not {args.engine}"
            )

    def _beats(self, args) -> dict:
        """Fields of a configuration that depend on the memory."""
        return {}

    def _told_of_the_bus(self, design) -> str:
        return ""

    @abstractmethod
    def _timing(self, design):
        """Timing of the board's memory; a ConfigError if it has none."""

    @abstractmethod
    def _external(self, design) -> dict:
        """How the memory is used, for the report."""

    @abstractmethod
    def _memory_line(self, result) -> str:
        """What a simulation moved."""


def shape_of(design) -> dict:
    """What a report says of every external memory."""
    return {
        "cores": design.cores,
        "block_rows": design.config.block_rows,
        "band_groups": design.config.band_groups,
        "slots": design.program.slots,
        "weight_words": design.program.weight_words,
    }


def _jobs(design, width, height):
    """What the cores of one copy do for each transform, with width and height of its input."""
    program, names = design.program, design.transforms
    for name, size in input_sizes(design.manifest, names, width, height).items():
        yield core_jobs(program, program.chain_of(name), *size, design.cores // design.copies), size


def _at(design, words):
    """The design with a weight ring of so many words, and what that comes to."""
    chains = needed_transforms(design)
    design = replace(design, config=replace(design.config, weight_words=words))
    design, program = arrays_first(design, lambda config: compile_streamed(chains, config, weights=False))
    return replace(
        design, program=program, fit=streamed_fit(program, design.board, design.cores, link=design.link_block_rams)
    )
