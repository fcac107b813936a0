"""The systolic array: rows of pixels, columns of output channels."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.engine.pe import ProcessingElement
from licgate.gateware.engine.rowsum import RowSum
from licgate.gateware.engine.trees import joined
from licgate.program.collecting import FINISHED, collect_levels, settling
from licgate.program.timing import array_latency
from licgate.target.arithmetic import DIRECT

__all__ = ["SystolicArray", "drain_shape"]


def drain_shape(cols):
    """What is asked of finished sums: the column, and that this is the cycle of it."""
    return data.StructLayout({"enable": 1, "column": range(max(2, cols))})


class SystolicArray(Component):
    """Output-stationary systolic array of any shape.

    Each cycle is a step: ``rows`` activations of one reduction index and ``cols`` weights of the same index enter, and
    PE (r, c) adds ``a[r] * w[c]`` to its sum. Operands travel one PE a cycle, right and down; every wire of a step runs
    between neighbours. A cycle without work carries zeros.

    With the fast inner product a step is two reduction indices. An element of logic beside each row's first one sums
    the row's xi, which is taken off each of its sums on their way; the weights' eta is in the results, which are modulo
    ``2**acc_width``, and bubbles need zeros as weights, see :mod:`licgate.target.arithmetic`.

    The sums of a row end one column a cycle. So one word a cycle is enough to bring them, by OR of outputs that are 0
    in all other cycles, to a small memory at the row's end, from which ``drain`` reads them in any order.

    Parameters
    ----------
    rows, cols : int
        Shape, 1 to 64 each.
    a_width, w_width, acc_width : int
    pack_shift, high_width : int or None
    arithmetic : Arithmetic
        See :class:`~licgate.gateware.engine.pe.ProcessingElement`.

    Members
    -------
    a : :py:`In(signed(arithmetic.indices * a_width)).array(rows)`
    w : :py:`In(signed(arithmetic.indices * w_width)).array(cols)`
    last : :py:`In(1)`
        This step is the last of its sums.
    clear : :py:`In(1)`
        Forget all sums; PE (r, c) does so r + c cycles later.
    drain : :py:`In(drain_shape(cols))`
        For row 0: the column whose sum is wanted; row r obeys r cycles later.
    results : :py:`Out(signed(acc_width)).array(rows)`
        Row r's sum ``r + 2`` cycles after ``drain.enable``, 0 in cycles that nothing was asked for.
    highs : :py:`Out(signed(high_width)).array(rows)`
        The second sum beside it, with packing.

    Attributes
    ----------
    latency : int
        Cycles from the last step to the earliest cycle in which ``results[0]`` can show its column 0: 8, and one for
        each power of four that the columns exceed, the zeroth included; three more with the fast inner product, four
        for one column, and what a :class:`~.rowsum.RowSum` waits. Column c follows c cycles later. A column's sum
        can be read until that of the next ``last`` arrives in the same way. interval is 1.

    Timing: two ``last`` steps are at least ``cols`` cycles apart; ``S * cols`` when columns are read in order, one
    every S cycles.

    Resources: ``rows * cols`` processing elements, ``rows * (rows - 1) / 2 * a_width + cols * (cols - 1) / 2 *
    w_width`` flip-flops of skew, and in each row, for each bit of a sum, a LUT4 for three to four columns and a bit of
    distributed memory of ``cols`` words. With the fast inner product both skews double, and each row has a
    :class:`~.rowsum.RowSum` and a subtractor.
    """

    interval = 1

    def __init__(self, rows, cols, *, a_width, w_width, acc_width, pack_shift=None, high_width=None, arithmetic=DIRECT):
        for name, value in (("rows", rows), ("cols", cols)):
            if not isinstance(value, int) or not 1 <= value <= 64:
                raise ValueError(f"{name} must be an integer from 1 to 64, not {value!r}")
        self.rows, self.cols = rows, cols
        self.arithmetic = arithmetic
        self.latency = array_latency(cols, arithmetic, a_width)
        options = {"pack_shift": pack_shift, "high_width": high_width, "arithmetic": arithmetic}
        self._packing = pack_shift is not None
        self._pes = [
            [ProcessingElement(a_width, w_width, acc_width, site=(r, c, rows, cols), **options) for c in range(cols)]
            for r in range(rows)
        ]
        self._row_sums = [RowSum(a_width, acc_width) for _ in range(rows if arithmetic.row_sum else 0)]
        self._settling = settling(cols, arithmetic, a_width)
        super().__init__(
            {
                "a": In(signed(arithmetic.indices * a_width)).array(rows),
                "w": In(signed(arithmetic.indices * w_width)).array(cols),
                "last": In(1),
                "clear": In(1),
                "drain": In(drain_shape(cols)),
                "results": Out(signed(acc_width)).array(rows),
                **({"highs": Out(signed(high_width)).array(rows)} if self._packing else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pes = self._pes
        late = delayed(m, self.last, self.arithmetic.lead + Multiplier.latency, name="last")
        restart, quiet = Signal(), Signal(init=1)
        m.d.sync += [restart.eq(late | self.clear), quiet.eq(~late)]
        write = self._first_write(m, delayed(m, late, FINISHED - 4 + self._settling, name="arrives"))
        read = delayed(m, self.drain.as_value(), 1, name="drain")
        for r in range(self.rows):
            a = delayed(m, self.a[r], r, name=f"a{r}", reset_less=True)
            for c in range(self.cols):
                m.submodules[f"pe_{r}_{c}"] = pe = pes[r][c]
                w = delayed(m, self.w[c], c, name=f"w{c}", reset_less=True) if r == 0 else pes[r - 1][c].w_out
                m.d.comb += [
                    pe.a.eq(pes[r][c - 1].a_out if c else a),
                    pe.restart.eq(pes[r][c - 1].restart_out if c else restart),
                    pe.quiet.eq(pes[r][c - 1].quiet_out if c else quiet),
                    pe.w.eq(w),
                ]
            own = self._row_sum(m, r, a, restart, quiet) if self.arithmetic.row_sum else None
            self._collect(m, f"sums_{r}", [pe.sum for pe in pes[r]], self.results[r], write, read, own)
            if self._packing:
                self._collect(m, f"highs_{r}", [pe.high for pe in pes[r]], self.highs[r], write, read)
            restart = delayed(m, restart, 1, name=f"restart_row{r}")
            quiet = delayed(m, quiet, 1, name=f"quiet_row{r}", init=1)
            write = delayed(m, write, 1, name=f"write_row{r}")
            read = delayed(m, read, 1, name=f"drain_row{r}")
        return m

    def _first_write(self, m, begin):
        """Enable and column of the writes to row 0's memory, which begin a cycle after ``begin``."""
        write = Signal(drain_shape(self.cols), name="write")
        with m.If(write.column == self.cols - 1):
            m.d.sync += write.enable.eq(0)
        m.d.sync += write.column.eq(write.column + 1)
        with m.If(begin):
            m.d.sync += [write.column.eq(0), write.enable.eq(1)]
        return write.as_value()

    def _row_sum(self, m, r, a, restart, quiet):
        """A row's xi, held from the cycle in which column 0 has come through the trees, and those of one column."""
        m.submodules[f"row_sum_{r}"] = element = self._row_sums[r]
        m.d.comb += [element.a.eq(a), element.restart.eq(restart), element.quiet.eq(quiet)]
        wait = self._settling - 2 - element.wait
        ends = delayed(m, element.ends, wait, name=f"xi_ends{r}")
        own = delayed(m, element.sum, wait, name=f"xi_sum{r}", reset_less=True)
        held = Signal.like(element.sum, name=f"xi_{r}", reset_less=True)
        with m.If(ends):
            m.d.sync += held.eq(own)
        return held

    def _collect(self, m, name, sums, result, write, read, own=None):
        """A row's sums, less its own, into its memory, and the one that is wanted."""
        value = joined(m, sums, name)
        if own is not None:
            less = Signal.like(result, name=f"{name}_less", reset_less=True)
            lag = self._settling - 1 - len(collect_levels(self.cols))
            m.d.sync += less.eq(delayed(m, value, lag, name=f"{name}_late", reset_less=True) - own)
            value = less
        memory = Memory(shape=len(result), depth=max(2, self.cols), init=[])
        m.submodules[name] = memory
        port, out = memory.write_port(), memory.read_port(domain="comb")
        write, read = (data.View(drain_shape(self.cols), value) for value in (write, read))
        shown = Signal.like(result, name=f"{name}_shown", reset_less=True)
        m.d.comb += [
            port.addr.eq(write.column),
            port.data.eq(value),
            port.en.eq(write.enable),
            out.addr.eq(read.column),
            result.eq(shown),
        ]
        m.d.sync += shown.eq(Mux(read.enable, out.data, 0))
