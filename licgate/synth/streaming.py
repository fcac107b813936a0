"""Accelerators with external memory: their configuration on a board, and whether it fits before anything is built."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from licgate.errors import ConfigError
from licgate.perf.memories import streaming_memories
from licgate.program.streamed import compile_streamed
from licgate.synth.fit import Fit
from licgate.target.board import Board
from licgate.target.streamed import StreamedConfig

__all__ = ["choose_streaming", "streaming_fit"]


_RING_STEP = 1024


def streaming_fit(program, board: Board, cores: int, *, memory: str = "sdram") -> Fit:
    """Count the memory cells that cores with a streaming program take on a board."""
    cells, bits = Counter(), Counter()
    for use in streaming_memories(program):
        cells[use.holds] += cores * use.cells(board.blocks)
        bits[use.holds] += cores * use.bits
    if memory == "sdram":
        cells["host link"] += board.host_blocks
    by = {name: {"cells": cells[name], "bits": bits[name] or None} for name in cells}
    return Fit(board.memory, sum(cells.values()), board.memories, by)


def choose_streaming(
    manifest, board: Board, config: StreamedConfig, *, cores: int, must_fit: bool, memory: str = "sdram"
):
    """Settle the configuration of a build with external memory, and see that it fits.

    Parameters
    ----------
    manifest : Manifest
    board : Board
        With an SDRAM, or with AXI4 ports.
    config : StreamedConfig
        Where the device's multipliers do not suffice for arrays and lanes, those of the lanes are made of logic. A
        weight ring of no given length grows in steps of 1024 words for as long as it takes no more memory cells.
    cores : int
    must_fit : bool
        Refuse what does not fit.
    memory : {"sdram", "axi"}

    Returns
    -------
    StreamedConfig, StreamedProgram, Fit

    Raises
    ------
    ConfigError
        It does not fit, the board has no such memory, or the array does not run the model.
    """
    if memory == "axi" and not board.axi_ports:
        raise ConfigError(f"board {board.name} has no memory behind AXI4: take another --board, or another --memory")
    if memory == "axi" and not 1 <= cores <= board.axi_ports:
        raise ConfigError(
            f"{cores} cores make no sense: board {board.name} has AXI4 ports for {board.axi_ports}, give --cores from 1"
        )
    if memory == "sdram" and not hasattr(board.platform(), "get_sdram"):
        raise ConfigError(f"board {board.name} has no SDRAM for a build: take another --board, or --memory chip")
    if not 1 <= cores <= 16:
        raise ConfigError(f"{cores} cores make no sense: give --cores from 1 to 16")
    if cores * config.multipliers > board.multipliers:
        raise ConfigError(
            f"{cores} x {config.rows} x {config.cols} need {cores * config.multipliers} multipliers, {board.device} "
            f"has {board.multipliers} {board.multiplier}: take fewer rows, columns or cores"
        )

    def at(words):
        changed = replace(config, weight_words=words)
        program = compile_streamed([manifest.g_a], changed, weights=False)
        if cores * program.multiplier_cells > board.multipliers:
            # The arrays come first.
            changed = replace(changed, lane_multipliers="fabric")
            program = compile_streamed([manifest.g_a], changed, weights=False)
        return changed, program, streaming_fit(program, board, cores, memory=memory)

    found = at(config.weight_words)
    if config.weight_words is None:
        least = found[1].weight_words
        for words in range((least // _RING_STEP + 1) * _RING_STEP, 4 * least, _RING_STEP):
            larger = at(words)
            if larger[2].needed == found[2].needed:
                found = larger
    if must_fit and not found[2].fits:
        config = found[0]
        raise ConfigError(
            f"g_a of {manifest.name} on {cores} x {config.rows} x {config.cols} with blocks of {config.block_rows} "
            f"rows, bands of {config.band_groups} groups and {found[1].weight_words} weight words needs {found[2]}, "
            f"{board.device} has {board.memories}: take smaller --block-rows, --band-groups, --prefetch-words or "
            "--weight-words; --synthesis-only gives a report"
        )
    return found
