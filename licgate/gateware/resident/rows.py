"""Which rows of each feature map exist, and which stage could therefore compute one."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.gateware.passes import address_width

__all__ = ["DIMENSION", "RowTracker"]

DIMENSION = 16


class RowTracker(Component):
    """Count rows in and out of every line buffer and hold the addresses of the next ones.

    Parameters
    ----------
    program : Program

    Members
    -------
    start, chain, width, height
        ``start`` forgets the image before; chain and size of its input stay stable afterwards. Stages of other chains
        have no rows.
    input_row, row_done, row_line
        A row from the host is complete; a row of line buffer ``row_line`` is complete.
    released : :py:`In(1)`
        The feeder has read what a row of the chain's first convolution needs.
    skip, finish, stage
        Stage ``stage`` moves its first input row by one; it has issued its row.
    ready, more : :py:`Out(1).array(stages)`
        The stage has the input rows for its next row and room for the result; it has rows left to compute.
    rows, first, need : :py:`Out(16).array(stages)`
        Next row; its first input row inside the image; the input rows, counted from the top, that it needs.
    above, advance : :py:`Out(...).array(stages)`
        Kernel rows of the next row that lie above the image; rows that ``first`` moves on with the row behind it.
    read_base, write_base : :py:`Out(...).array(stages)`
        Line buffer address of ``first`` in the stage's own line buffer; of the row that is written next to it.
    widths_in, heights_in, widths_out, heights_out : :py:`Out(16).array(stages)`
        Sizes of every stage's input and output.
    input_room, input_missing : :py:`Out(1)`
        There is room for another row from the host; the chain's first stage waits for one.

    Timing: all outputs follow their causes within ``settle`` cycles, sizes within ``settle + stages``; ``ready`` is
    never early.

    Attributes
    ----------
    settle : int
        5 cycles.
    """

    settle = 5

    def __init__(self, program):
        self._program = program
        count = len(program.stages)
        stage = range(max(2, count))
        address = address_width(program)
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(program.chains)))),
                "width": In(DIMENSION),
                "height": In(DIMENSION),
                "input_row": In(1),
                "row_done": In(1),
                "row_line": In(stage),
                "released": In(1),
                "skip": In(1),
                "finish": In(1),
                "stage": In(stage),
                "ready": Out(1).array(count),
                "more": Out(1).array(count),
                **{name: Out(DIMENSION).array(count) for name in ("rows", "first", "need")},
                "above": Out(range(1 + max(s.most_above for s in program.stages))).array(count),
                "advance": Out(2).array(count),
                **{name: Out(address).array(count) for name in ("read_base", "write_base")},
                **{f"{n}_{way}": Out(DIMENSION).array(count) for n in ("widths", "heights") for way in ("in", "out")},
                "input_room": Out(1),
                "input_missing": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        stages = program.stages
        # Rows are told apart by their low bits: none that are compared are further from each other.
        short = 2 + ceil_log2(2 * program.kernel_rows + max(stage.ring for stage in stages))
        complete = [Signal(short, name=f"complete_{k}") for k in range(len(stages))]
        self._sizes(m)
        restart = []
        for k, stage in enumerate(stages):
            rows, height = self.rows[k], self.heights_in[k]
            wanted, room = Signal(DIMENSION + 2, name=f"wanted_{k}"), Signal(name=f"room_{k}", init=1)
            begin, end = stage.span(rows)
            following = _inside(stage.span(rows + 1)[0])
            m.d.sync += [
                wanted.eq(end),
                self.need[k].eq(Mux(wanted < height, wanted, height)),
                self.first[k].eq(_inside(begin)),
                self.above[k].eq(Mux(begin < 0, -begin, 0)),
                self.advance[k].eq(following - _inside(begin)),
                self.more[k].eq(rows != self.heights_out[k]),
                self.ready[k].eq(self.more[k] & room & ~_behind(complete[k], self.need[k])),
            ]
            if not stage.last:
                held = Signal(signed(short), name=f"held_{k}")
                m.d.sync += [held.eq(rows - self.first[k + 1]), room.eq(held < stages[k + 1].ring)]
            arrived = (
                self.input_row & (self.chain == stage.chain) if stage.first else (self.row_done & (self.row_line == k))
            )
            with m.If(arrived):
                m.d.sync += complete[k].eq(complete[k] + 1)
            skip, finish = Signal(name=f"skip_{k}"), Signal(name=f"finish_{k}")
            m.d.sync += [skip.eq(self.skip & (self.stage == k)), finish.eq(self.finish & (self.stage == k))]
            restart += _next_row(m, skip, self.read_base[k], stage, f"read_{k}")
            with m.If(finish):
                m.d.sync += rows.eq(rows + 1)
            if not stage.last:
                restart += _next_row(m, finish, self.write_base[k + 1], stages[k + 1], f"write_{k + 1}")

        released = Signal(DIMENSION)
        with m.If(self.released):
            m.d.sync += released.eq(released + 1)
        firsts = [chain.first for chain in program.chains]
        room, missing, of_image = [], [], [*self.rows, *complete, released]
        for k in firsts:
            first_released = Signal(DIMENSION, name=f"first_released_{k}")
            waiting = Signal(signed(short), name=f"waiting_{k}")
            m.d.sync += [
                first_released.eq(_inside(stages[k].span(released)[0])),
                waiting.eq(complete[k] - first_released),
            ]
            of_image += [first_released, waiting]
            room.append(waiting < stages[k].ring)
            missing.append(self.more[k] & _behind(complete[k], self.need[k]))
        m.d.sync += [
            self.input_room.eq(Array(room)[self.chain]),
            self.input_missing.eq(Array(missing)[self.chain]),
        ]
        with m.If(self.start):
            m.d.sync += [*(s.eq(0) for s in of_image), *restart]
            for k, stage in enumerate(stages):
                m.d.sync += [self.read_base[k].eq(stage.base), self.write_base[k].eq(stage.base)]
        return m

    def _sizes(self, m):
        for k, stage in enumerate(self._program.stages):
            for ins, outs, size in (
                (self.widths_in, self.widths_out, self.width),
                (self.heights_in, self.heights_out, self.height),
            ):
                m.d.comb += ins[k].eq(Mux(self.chain == stage.chain, size, 0) if stage.first else outs[k - 1])
                m.d.sync += outs[k].eq(stage.output_length(ins[k]))


def _behind(row, other):
    """A row comes before another, by their low bits."""
    return (row - other)[len(row) - 1]


def _inside(row):
    """The row, or the image's first one where it lies above the image."""
    return Mux(row < 0, 0, row)


def _next_row(m, moves, base, stage, name):
    """Move an address on to the next row of a line buffer; return what begins again with an image.

    Rows are counted beside the address, so that nothing waits for a comparison as wide as that.
    """
    index, last = (
        Signal(range(max(2, stage.ring)), name=f"{name}_index"),
        Signal(name=f"{name}_last", init=stage.ring == 1),
    )
    with m.If(moves):
        m.d.sync += [
            base.eq(Mux(last, stage.base, base + stage.row_stride)),
            index.eq(Mux(last, 0, index + 1)),
            last.eq(Mux(last, stage.ring == 1, index == stage.ring - 2)),
        ]
    return [index.eq(0), last.eq(stage.ring == 1)]
