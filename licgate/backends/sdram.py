"""Weights and feature maps in an SDR SDRAM, which the cores share: each takes a part of the frame."""

from __future__ import annotations

from licgate.backends.streamed import Streamed, shape_of
from licgate.errors import ConfigError
from licgate.gateware.top.streamed import StreamedAccelerator
from licgate.sim.streamedsdram import SdramGateware
from licgate.target.sdram import SdramCycles

__all__ = ["Sdram", "sdram_cycles"]


class Sdram(Streamed):
    """A board's SDRAM, or in simulation a chip that satisfies the data sheets of all ULX3S boards."""

    name = "sdram"
    engines = (*Streamed.engines, "netlist", "routed")

    def accelerator(self, design):
        """See `Backend.accelerator`."""
        return StreamedAccelerator(
            design.manifest,
            design.config,
            design.board.sdram,
            design.clock_mhz,
            cores=design.cores,
            transforms=design.transforms,
        )

    def simulate(self, args, manifest, transforms):
        """See `Backend.simulate`."""
        self._check_simulation(args)
        return SdramGateware(
            manifest,
            self.config(args),
            transforms,
            cores=getattr(args, "cores", 1),
            faults=getattr(args, "faults", None),
            engine=args.engine,
            random=getattr(args, "random", None),
        )

    def _timing(self, design):
        board = design.board
        if not hasattr(board.platform(), "get_sdram"):
            raise ConfigError(f"board {board.name} has no SDRAM for a build: take another --board, or --memory chip")
        return sdram_cycles(board, design.clock_mhz)

    def _external(self, design):
        return shape_of(design) | {"memory": design.board.sdram.name}

    def _memory_line(self, result):
        moved, cycles, chip = (
            sum(sum(of_core.values()) for of_core in result["bytes"]),
            result["cycles"],
            result["chip"],
        )
        return (
            f"SDRAM: {moved} bytes, {100 * moved / 2 / cycles:.1f} % of the cycles a beat, "
            f"{chip['misses']} rows changed, {chip['refreshes']} refreshes"
        )


def sdram_cycles(board, clock_mhz: float) -> SdramCycles:
    """Timing of a board's SDRAM.

    Raises
    ------
    ConfigError
        The board has none, or it does not run at that clock.
    """
    if board.sdram is None:
        raise ConfigError(f"board {board.name} has no SDRAM: take another --board, or --memory chip")
    try:
        return SdramCycles.at(board.sdram, clock_mhz)
    except ValueError as error:
        raise ConfigError(f"{error}: take another --clock") from None
