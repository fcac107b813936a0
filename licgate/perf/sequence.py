"""The sequencer in time: passes of a band in their order, and what all kinds of cores wait for."""

import itertools
from typing import NamedTuple

from licgate.perf.engine import EngineModel
from licgate.program import IN_FLIGHT

__all__ = ["BandPass", "SequencerModel", "band_passes"]

_FIRST = 5  # from a band that is taken to the offer of its first pass
_INTERVAL = 5  # from a pass to the offer of the next one
_TO_GDN = 1  # more in front of a GDN
_END = 3  # from the last pass to the next band
_SEEN = 2  # from a pass that is through to the cycle that sees that another may be offered
_QUEUE = 1  # likewise where the queue of descriptors was full


class BandPass(NamedTuple):
    """A pass of a band.

    Attributes
    ----------
    op : Op
    tile, group, row, column : int
        Column is the parity of output columns, where a band has both.
    quarter : int
        Of a group, the one that a GDN behind quads takes, in their order.
    last_tile, row_ends, last_pixel : bool
        It is the last tile of its operation; the group's last column in the row; the band's last pixels.
    last_reader : bool
        It is the last one of a GDN that reads what a pass of the convolution made.
    """

    op: object
    tile: int
    group: int
    row: int
    column: int
    quarter: int
    last_tile: bool
    row_ends: bool
    last_pixel: bool
    last_reader: bool


def band_passes(stage, groups, rows=1, columns=1):
    """Passes of a band in their order: operation, tile, group, row, parity of columns, quarter."""
    pixels = list(itertools.product(range(groups), range(rows), range(columns)))

    quarters = stage.conv.outputs  # of a group, one pass of a convolution, as many of GDN

    def at(op, tile, pixel, quarter=0, count=1):
        group, row, column = pixel
        ends, last_tile = quarter == count - 1, tile == op.tiles - 1
        row_ends = column == columns - 1 and ends
        last_pixel = row_ends and row == rows - 1 and group == groups - 1
        return BandPass(op, tile, *pixel, quarter, last_tile, row_ends, last_pixel, last_tile and ends)

    for tile, pixel in itertools.product(range(stage.conv.tiles), pixels):
        yield at(stage.conv, tile, pixel)
    if stage.gdn is not None:
        for pixel, quarter, tile in itertools.product(pixels, range(quarters), range(stage.gdn.tiles)):
            yield at(stage.gdn, tile, pixel, quarter, quarters)


class SequencerModel:
    """Offer the passes of bands to an engine.

    Parameters
    ----------
    program : Program
    start : int
        Cycle from which on the engine takes passes.

    Attributes
    ----------
    engine : EngineModel
    free : int
        Cycle from which on the next band is taken.
    cycle : int
        Cycle from which on the next pass is offered.
    written : list of int
        Cycles in which passes are through.
    """

    def __init__(self, program, start):
        self.engine, self.written, self.free = EngineModel(program, start), [], start
        self.cycle = self._behind = 0

    def begin(self, cycle):
        """Take a band that comes in ``cycle``, or later; return when."""
        taken = max(cycle, self.free)
        self.cycle = taken + _FIRST
        return taken

    def results(self, one, pixels):
        """Cycle that sees that the results that a pass reads are there, of a band of so many pixels.

        A pass may be offered in the cycle behind the one that sees that all is there.
        """
        if not one.op.is_gdn:
            return 0
        if one.tile == one.group == one.row == one.column == one.quarter == 0:
            self.cycle += _TO_GDN
            self._behind = pixels - 1
        behind = self._behind
        self._behind += not one.last_reader
        return self.written[-behind - 1] + _SEEN if len(self.written) > behind else 0

    def place(self):
        """Cycle that sees that there is a place for the next pass's descriptors."""
        return self.written[-IN_FLIGHT - 1] + _QUEUE if len(self.written) > IN_FLIGHT else 0

    def feed(self, one, pass_kind, kernel_rows, seen):
        """Offer a pass as soon as what it waits for was seen; return its cycles."""
        fed = self.engine.feed(one.op, pass_kind, one.tile, kernel_rows, max(self.cycle, seen + 1))
        self.written.append(fed.written)
        self.cycle, self.free = fed.accepted + _INTERVAL, fed.accepted + _END
        return fed
