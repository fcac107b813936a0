"""Which rows of each feature map exist, and which stage could therefore compute one."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.gateware.passes import address_width

__all__ = ["DIMENSION", "RowTracker", "row_layout"]

DIMENSION = 16


def row_layout(program):
    """The next row of a stage.

    columns: width that is cut into groups. width: of the input. odd: the row's parity. above, kernel_rows: rows of the
    kernel that lie above the image, and inside it. advance: rows that the first input row moves on with the row behind
    it. read_base, write_base: line buffer address of the first input row inside the image; of the row that is written.
    """
    return data.StructLayout(
        {
            "columns": DIMENSION,
            "width": DIMENSION,
            "odd": 1,
            "above": range(1 + max(s.most_above for s in program.stages)),
            "kernel_rows": range(program.kernel_rows + 1),
            "advance": 2,
            "read_base": address_width(program),
            "write_base": address_width(program),
        }
    )


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
    row : :py:`Out(row_layout(program))`
        The next row of ``stage``, a cycle late.
    out_width, out_height : :py:`Out(16)`
        Size of what the chain makes.
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
                "row": Out(row_layout(program)),
                "out_width": Out(DIMENSION),
                "out_height": Out(DIMENSION),
                "input_room": Out(1),
                "input_missing": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stages = self._program.stages
        # Rows are told apart by their low bits: none that are compared are further from each other.
        short = 2 + ceil_log2(2 * self._program.kernel_rows + max(stage.ring for stage in stages))

        def each(shape, name):
            return [Signal(shape, name=f"{name}_{k}") for k in range(len(stages))]

        # Next row; its first input row inside the image; the input rows, counted from the top, that it needs.
        self._rows, self._first, self._need = (each(DIMENSION, name) for name in ("rows", "first", "need"))
        self._above, self._advance = each(self.row.above.shape(), "above"), each(2, "advance")
        self._read_base, self._write_base = (each(self.row.read_base.shape(), f"{n}_base") for n in ("read", "write"))
        self._complete = each(short, "complete")
        self._sizes(m, each)
        restart = [signal.eq(0) for signal in (*self._rows, *self._complete)]
        for k in range(len(stages)):
            restart += self._stage_rows(m, k)
        restart += self._host_rows(m, short)
        with m.If(self.start):
            m.d.sync += restart
        self._row_at_work(m)
        return m

    def _sizes(self, m, each):
        """Sizes of every stage's input and output, each a cycle behind that of the stage before."""
        program = self._program
        sizes = (("width", self.width, self.out_width), ("height", self.height, self.out_height))
        for name, size, out in sizes:
            ins, outs = each(DIMENSION, f"{name}_in"), each(DIMENSION, f"{name}_out")
            for k, stage in enumerate(program.stages):
                m.d.comb += ins[k].eq(Mux(self.chain == stage.chain, size, 0) if stage.first else outs[k - 1])
                m.d.sync += outs[k].eq(stage.output_length(ins[k]))
            m.d.comb += out.eq(Array(outs[chain.last] for chain in program.chains)[self.chain])
            setattr(self, f"_{name}s", (ins, outs))

    def _stage_rows(self, m, k):
        """Rows of a stage: what the next one needs, and where it lies; return what begins again with an image."""
        stages = self._program.stages
        stage, rows, complete = stages[k], self._rows[k], self._complete[k]
        height, height_out = (part[k] for part in self._heights)
        wanted, room = Signal(DIMENSION + 2, name=f"wanted_{k}"), Signal(name=f"room_{k}", init=1)
        begin, end = stage.span(rows)
        following = _inside(stage.span(rows + 1)[0])
        m.d.sync += [
            wanted.eq(end),
            self._need[k].eq(Mux(wanted < height, wanted, height)),
            self._first[k].eq(_inside(begin)),
            self._above[k].eq(Mux(begin < 0, -begin, 0)),
            self._advance[k].eq(following - _inside(begin)),
            self.more[k].eq(rows != height_out),
            self.ready[k].eq(self.more[k] & room & ~_behind(complete, self._need[k])),
        ]
        if not stage.last:
            held = Signal(signed(len(complete)), name=f"held_{k}")
            m.d.sync += [held.eq(rows - self._first[k + 1]), room.eq(held < stages[k + 1].ring)]
        arrived = self.input_row & (self.chain == stage.chain) if stage.first else self.row_done & (self.row_line == k)
        with m.If(arrived):
            m.d.sync += complete.eq(complete + 1)
        skip, finish = Signal(name=f"skip_{k}"), Signal(name=f"finish_{k}")
        m.d.sync += [skip.eq(self.skip & (self.stage == k)), finish.eq(self.finish & (self.stage == k))]
        restart = [self._read_base[k].eq(stage.base), self._write_base[k].eq(stage.base)]
        restart += _next_row(m, skip, self._read_base[k], stage, f"read_{k}")
        with m.If(finish):
            m.d.sync += rows.eq(rows + 1)
        if not stage.last:
            restart += _next_row(m, finish, self._write_base[k + 1], stages[k + 1], f"write_{k + 1}")
        return restart

    def _host_rows(self, m, short):
        """Room for rows from the host, which are wanted or not; return what begins again with an image."""
        stages, chains = self._program.stages, self._program.chains
        released = Signal(DIMENSION)
        with m.If(self.released):
            m.d.sync += released.eq(released + 1)
        room, missing, of_image = [], [], [released]
        for k in (chain.first for chain in chains):
            first_released = Signal(DIMENSION, name=f"first_released_{k}")
            waiting = Signal(signed(short), name=f"waiting_{k}")
            m.d.sync += [
                first_released.eq(_inside(stages[k].span(released)[0])),
                waiting.eq(self._complete[k] - first_released),
            ]
            of_image += [first_released, waiting]
            room.append(waiting < stages[k].ring)
            missing.append(self.more[k] & _behind(self._complete[k], self._need[k]))
        m.d.sync += [
            self.input_room.eq(Array(room)[self.chain]),
            self.input_missing.eq(Array(missing)[self.chain]),
        ]
        return [signal.eq(0) for signal in of_image]

    def _row_at_work(self, m):
        stages, row = self._program.stages, self.row
        stage = Signal.like(self.stage)
        m.d.sync += stage.eq(self.stage)
        widths, last = self._widths, len(stages) - 1

        def chosen(values):
            return Array(list(values))[stage]

        m.d.comb += [
            row.columns.eq(chosen(s.group_columns(widths[0][k], widths[1][k]) for k, s in enumerate(stages))),
            row.width.eq(chosen(widths[0])),
            row.odd.eq(chosen(rows[0] if s.upsampling else 0 for rows, s in zip(self._rows, stages, strict=True))),
            row.above.eq(chosen(self._above)),
            row.kernel_rows.eq(chosen(self._need) - chosen(self._first)),
            row.advance.eq(chosen(self._advance)),
            row.read_base.eq(chosen(self._read_base)),
            row.write_base.eq(chosen(self._write_base[min(k + 1, last)] for k in range(len(stages)))),
        ]


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
