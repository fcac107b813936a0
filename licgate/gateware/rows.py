"""Which rows of each feature map exist, and which stage could therefore compute one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.feeder import address_width

__all__ = ["DIMENSION", "RowTracker"]

DIMENSION = 16


class RowTracker(Component):
    """Count rows in and out of every line buffer and hold the addresses of the next ones.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, width, height
        ``start`` forgets the image before; the sizes stay stable afterwards.
    input_row, row_done, row_line
        A row of pixels is complete; a row of line buffer ``row_line`` is complete.
    released : :py:`In(1)`
        The feeder has read what a row of the first convolution needs.
    skip, finish, stage
        Stage ``stage`` moves its first input row by one; it has issued its row.
    ready, more : :py:`Out(1).array(stages)`
        The stage has the input rows for its next row and room for the result; it has rows left to compute.
    rows, first, need : :py:`Out(16).array(stages)`
        Next row; its first input row inside the image; the input rows, counted from the top, that it needs.
    read_base, write_base : :py:`Out(...).array(stages)`
        Line buffer address of ``first`` in the stage's own line buffer; of the row that is written next to it.
    widths, heights : :py:`Out(16).array(stages + 1)`
        Sizes of the pixels and of every stage's output.
    input_room, input_missing : :py:`Out(1)`
        There is room for another row of pixels; the first stage waits for one.

    Timing: all outputs follow their causes within ``settle`` cycles, sizes within ``settle + stages``; ``ready`` is
    never early.

    Attributes
    ----------
    settle : int
        3 cycles.
    """

    settle = 3

    def __init__(self, program):
        self._program = program
        count = len(program.stages)
        stage = range(max(2, count))
        address = address_width(program)
        super().__init__({
            "start": In(1), "width": In(DIMENSION), "height": In(DIMENSION),
            "input_row": In(1), "row_done": In(1), "row_line": In(stage), "released": In(1),
            "skip": In(1), "finish": In(1), "stage": In(stage),
            "ready": Out(1).array(count), "more": Out(1).array(count),
            **{name: Out(DIMENSION).array(count) for name in ("rows", "first", "need")},
            **{name: Out(address).array(count) for name in ("read_base", "write_base")},
            **{name: Out(DIMENSION).array(count + 1) for name in ("widths", "heights")},
            "input_room": Out(1), "input_missing": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        program = self._program
        stages, padding = program.stages, program.padding
        m.d.comb += [self.heights[0].eq(self.height), self.widths[0].eq(self.width)]
        complete = [Signal(DIMENSION, name=f"complete_{k}") for k in range(len(stages))]
        for k, stage in enumerate(stages):
            rows, heights, widths = self.rows[k], self.heights, self.widths
            m.d.sync += [heights[k + 1].eq((heights[k] + 1) >> 1), widths[k + 1].eq((widths[k] + 1) >> 1)]
            wanted, room = Signal(DIMENSION + 2, name=f"wanted_{k}"), Signal(name=f"room_{k}", init=1)
            m.d.comb += wanted.eq((rows << 1) + program.kernel - padding)
            m.d.sync += [
                self.need[k].eq(Mux(wanted < heights[k], wanted, heights[k])),
                self.first[k].eq(_first(rows, padding)),
                self.more[k].eq(rows != heights[k + 1]),
                self.ready[k].eq(self.more[k] & room & (complete[k] >= self.need[k])),
            ]
            if k + 1 < len(stages):
                m.d.sync += room.eq(rows - self.first[k + 1] < stages[k + 1].ring)
            arrived = self.row_done & (self.row_line == k) if k else self.input_row
            with m.If(arrived):
                m.d.sync += complete[k].eq(complete[k] + 1)
            with m.If(self.skip & (self.stage == k)):
                m.d.sync += self.read_base[k].eq(_next_row(self.read_base[k], stage))
            with m.If(self.finish & (self.stage == k)):
                m.d.sync += rows.eq(rows + 1)
                if k + 1 < len(stages):
                    m.d.sync += self.write_base[k + 1].eq(_next_row(self.write_base[k + 1], stages[k + 1]))

        released, first_released = Signal(DIMENSION), Signal(DIMENSION)
        with m.If(self.released):
            m.d.sync += released.eq(released + 1)
        m.d.sync += [
            first_released.eq(_first(released, padding)),
            self.input_room.eq(complete[0] - first_released < stages[0].ring),
            self.input_missing.eq(self.more[0] & (complete[0] < self.need[0])),
        ]
        with m.If(self.start):
            m.d.sync += [s.eq(0) for s in (*self.rows, *complete, released)]
            for k, stage in enumerate(stages):
                m.d.sync += [self.read_base[k].eq(stage.base), self.write_base[k].eq(stage.base)]
        return m


def _first(row, padding):
    """First input row, inside the image, of an output row."""
    return Mux((row << 1) > padding, (row << 1) - padding, 0)


def _next_row(base, stage):
    """Address of the next row of a line buffer."""
    return Mux(base == stage.last_row, stage.base, base + stage.row_stride)
