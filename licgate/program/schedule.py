"""From a streamed program and the size of an input to its commands and a map of the external memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from licgate.manifest.checks import AnyIntegers
from licgate.program.commands import Command, encode
from licgate.program.depthform import from_depth_form
from licgate.program.plan import Block, Plan, make_plan, stage_ops
from licgate.program.program import Chain
from licgate.program.records import Beats, MapLayout, pack_weights
from licgate.program.streamed import StreamedProgram

__all__ = ["Schedule", "make_schedule"]


@dataclass(frozen=True)
class Schedule:
    """One run.

    Attributes
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
        Of the input.
    maps : tuple of MapLayout
        Input of each stage of the chain, then the output; the first and the last are whole.
    weights : tuple of int
        Address of each stage's weight tiles.
    commands : tuple
        (kind, fields) each, see :func:`licgate.program.commands.command_fields`.
    blocks : tuple of (int, int)
        Stage of the program, and first output row, in their order.
    address : int
        Of the first command.
    origin, beats : int
        First beat of external memory in use, and how many are.
    """

    program: StreamedProgram
    chain: Chain
    width: int
    height: int
    maps: tuple[MapLayout, ...]
    weights: tuple[int, ...]
    commands: tuple[Command, ...]
    blocks: tuple[tuple[int, int], ...]
    address: int
    origin: int
    beats: int

    def memory(self, x: AnyIntegers) -> Beats:
        """Contents of the memory in use before the run, uint64 (beats,); ``x`` (C, H, W) is the input."""
        found = np.zeros(self.beats, dtype=np.uint64)
        program, origin = self.program, self.origin
        for stage, first in zip(program.stages_of(self.chain), self.weights, strict=True):
            first -= origin
            for op in stage_ops(stage):
                beats = pack_weights(op.tiled_words, program.word_bits(op), op.weights, program.beat_bits)
                found[first : first + len(beats)] = beats
                first += len(beats)
        whole = self.maps[0]
        if self.chain.transform.absolute_input:
            x = np.abs(x)  # who writes the input takes its magnitudes
        found[whole.base - origin : whole.base - origin + whole.beats] = whole.packed(x)
        commands = encode(program, self.commands)
        found[self.address - origin : self.address - origin + len(commands)] = commands
        return found

    def output(self, memory: AnyIntegers) -> AnyIntegers:
        """The output (C', H', W') in the contents of the memory in use, after the run."""
        first = self.maps[-1].base - self.origin
        return self.unpacked(memory[first : first + self.maps[-1].beats])

    def unpacked(self, beats: AnyIntegers) -> AnyIntegers:
        """The output (C', H', W') in the beats of the last map."""
        found = self.maps[-1].unpacked(beats)
        return from_depth_form(found) if self.program.stages[self.chain.last].conv.depth_form else found

    def macs(self) -> int:
        """Products that the input needs: multiplications of a weight by a value, zeros beyond the border counted."""
        return self.chain.transform.macs(self.height, self.width)


def make_schedule(
    program: StreamedProgram, chain: Chain, width: int, height: int, *, origin: int = 0, beats: int | None = None
) -> Schedule:
    """Give a plan its addresses and commands; parameters and errors are those of `make_plan`.

    Returns
    -------
    Schedule
    """
    plan = make_plan(program, chain, width, height, origin=origin, beats=beats)
    place = origin
    weights: list[int] = []
    maps: list[MapLayout] = []
    for size in plan.weight_beats:
        weights.append(place)
        place += size
    for layout in plan.maps:
        maps.append(replace(layout, base=place))
        place += layout.beats
    return Schedule(
        program,
        chain,
        width,
        height,
        tuple(maps),
        tuple(weights),
        (*_commands(program, chain, plan, maps, weights), ("end", {})),
        tuple((chain.first + block.stage, block.row) for block in plan.blocks),
        place,
        origin,
        plan.beats,
    )


def _commands(
    program: StreamedProgram, chain: Chain, plan: Plan, maps: Sequence[MapLayout], weights: Sequence[int]
) -> Iterator[Command]:
    """Commands of the blocks."""
    slot = 0
    for block in plan.blocks:
        k, number = block.stage, chain.first + block.stage
        stage, source, target = program.stages[number], maps[k], maps[k + 1]
        for band in plan.bands[k]:
            if band.weights:
                yield "weights", {"stage": number, "address": weights[k]}
            band_slot = (slot - band.back) % program.slots
            for word in range(band.first, band.end):
                yield "load", _load(number, source, word, slot, block)
                slot = (slot + 1) % program.slots
            first = (band.group + band.groups - 1) * program.group_columns  # column of the last group
            yield (
                "band",
                {
                    "stage": number,
                    "groups": band.groups,
                    "rows": block.rows,
                    "slot": band_slot,
                    "word": band.word,
                    "words": source.words,
                    "top": block.top,
                    "height": block.height,
                    "target": target.address(block.row, program.group_records(stage) * band.group),
                    "pitch": target.pitch,
                    "loads": band.loads,
                    "loads_first": band.loads_first,
                    "release_first": band.release_first,
                    "release": band.release,
                    "keep": band.keep,
                    "pixels": min(program.group_columns, stage.group_columns(source.width, target.width) - first),
                },
            )


def _load(stage: int, source: MapLayout, word: int, slot: int, block: Block) -> dict[str, int]:
    """Fetch a word column: rows ``top`` to ``height`` of a slot whose row 0 is row ``nominal`` of the input."""
    first, rows = block.nominal + block.top, block.height - block.top
    before = min(rows, source.ring - first % source.ring)
    return {
        "stage": stage,
        "slot": slot,
        "row": block.top,
        "rows": rows,
        "before": before,
        "address": source.address(first, word),
        "wrapped": source.address(0, word),
        "pitch": source.pitch,
        "after": block.after,
    }
