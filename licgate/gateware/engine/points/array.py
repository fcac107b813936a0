"""The systolic array whose rows make four outputs each."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.engine.points.element import PointElement
from licgate.gateware.engine.points.reader import RESULTS, SumReader, store_layout
from licgate.gateware.engine.points.rowend import RowEnd
from licgate.gateware.engine.points.rowsum import PointRowSum
from licgate.gateware.engine.points.sums import sum_layout
from licgate.program.collecting import point_reads, point_trees
from licgate.program.timing import array_latency
from licgate.target.arithmetic import FIP_F4
from licgate.target.points import SUMS

__all__ = ["PointArray", "point_drain_shape", "step_layout"]

#: What comes with the operands of a step. sum: which one it belongs to. last: the step is the last one of its pass,
#: which has one sum a column (single), or some for the point at infinity.
step_layout = data.StructLayout({"sum": sum_layout, "last": 1, "single": 1, "infinity": 1})


def point_drain_shape(cols):
    """What is asked of results: the word, counted from the pass's first one, and that this is the cycle of it."""
    return data.StructLayout({"enable": 1, "column": range(max(RESULTS, 4 * cols))})


class PointArray(Component):
    """Output-stationary systolic array that sums point by point, of any shape.

    A step brings ``rows`` words of pixels at a point and ``cols`` words of weights there, of two reduction indices
    each; element (r, c) adds their fast inner product to the sum that the step says. Operands travel as in a
    :class:`~..array.SystolicArray`. A pass ends with the last steps of its sums, within six cycles; from these the rows
    make four results a column, in their order, or one where a pass has a single sum.

    Parameters
    ----------
    rows, cols : int
        Shape, 1 to 64 each.
    a_width, w_width, width, acc_width : int
        See :class:`~.element.PointElement`.
    interval : int
        Cycles in which a result leaves, 2 to 64.

    Members
    -------
    a, w : :py:`In(signed(2 * width)).array(...)`
        Bubbles need zeros only within a pass of a single sum.
    step : :py:`In(step_layout)`
    clear : :py:`In(1)`
        Stop reading sums; element (r, c) forgets its own with their next first step.
    drain : :py:`In(point_drain_shape(cols))`
        For row 0: the result that is wanted, ``4 * c + i`` for output i of column c, or ``c``; in their order,
        ``interval`` cycles apart. Row r obeys r cycles later.
    results : :py:`Out(signed(acc_width)).array(rows)`
        ``r + 2`` cycles after ``drain.enable``, 0 in cycles that nothing was asked for: see
        :class:`~.rowend.RowEnd`.

    Attributes
    ----------
    latency : int
        Cycles from the last step of a pass to the earliest one in which ``results[0]`` can show its first result.
        interval is 1.

    Timing: last steps of passes are :func:`licgate.program.timing.point_gap` cycles apart.

    Resources: ``rows * cols`` :class:`~.element.PointElement`, ``rows`` of :class:`~.rowsum.PointRowSum` and
    :class:`~.rowend.RowEnd`, and the skew of operands.
    """

    interval = 1

    def __init__(self, rows, cols, *, a_width, w_width, width, acc_width, interval):
        for name, value, low in (("rows", rows, 1), ("cols", cols, 1), ("interval", interval, 2)):
            if not isinstance(value, int) or not low <= value <= 64:
                raise ValueError(f"{name} must be an integer from {low} to 64, not {value!r}")
        self.rows, self.cols = rows, cols
        self.latency = array_latency(cols, FIP_F4, a_width)
        self._reads, self._trees = point_reads(cols, a_width), point_trees(cols)
        self._elements = [
            [PointElement(a_width, w_width, width, acc_width, site=(r, c, rows, cols)) for c in range(cols)]
            for r in range(rows)
        ]
        self._row_sums = [PointRowSum(a_width, acc_width) for _ in range(rows)]
        self._ends = [RowEnd(cols, acc_width) for _ in range(rows)]
        self._reader = SumReader(cols, interval)
        super().__init__(
            {
                "a": In(signed(2 * a_width)).array(rows),
                "w": In(signed(2 * w_width)).array(cols),
                "step": In(step_layout),
                "clear": In(1),
                "drain": In(point_drain_shape(cols)),
                "results": Out(signed(acc_width)).array(rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        elements, reader = self._elements, self._reader
        lead, latency = PointElement.lead, PointElement.latency
        step = delayed(m, self.step.sum, lead, name="step", reset_less=True)
        store = self._stores(m, delayed(m, step, latency - lead + self._trees, name="stored", reset_less=True))
        bank, toggles = Signal(name="bank"), delayed(m, self.step.last, self._row_sums[0].latency, name="toggles")
        m.d.sync += bank.eq(bank ^ toggles)
        m.submodules.reader = reader
        fields = ("last", "single", "infinity")
        going = delayed(m, Cat(self.step[name] for name in fields), self._reads - reader.latency, name="going")
        # the bank moves on in the cycle behind the last of a row's own sums, before they are read or with that
        behind = self._reads - reader.latency - self._row_sums[0].latency
        m.d.comb += [
            Cat(reader.go, reader.single, reader.infinity).eq(going),
            reader.bank.eq(delayed(m, bank, behind, name="bank_read")),
            reader.clear.eq(self.clear),
        ]
        end, drain = reader.end.as_value(), delayed(m, self.drain.as_value(), 1, name="drain")
        for r in range(self.rows):
            a = delayed(m, self.a[r], r, name=f"a{r}", reset_less=True)
            for c in range(self.cols):
                m.submodules[f"pe_{r}_{c}"] = element = elements[r][c]
                w = delayed(m, self.w[c], c, name=f"w{c}", reset_less=True) if r == 0 else elements[r - 1][c].w_out
                m.d.comb += [
                    element.a.eq(elements[r][c - 1].a_out if c else a),
                    element.w.eq(w),
                    element.step.eq(elements[r][c - 1].step_out if c else step),
                ]
            self._row(m, r, a, step, store[r:], (end, drain, bank))
            step = delayed(m, step, 1, name=f"step_row{r}", reset_less=True)
            end = delayed(m, end, 1, name=f"end_row{r}", reset_less=True)
            drain = delayed(m, drain, 1, name=f"drain_row{r}")
            bank = delayed(m, bank, 1, name=f"bank_row{r}")
        return m

    def _stores(self, m, ended):
        """What tree t of row r stores, at index r + t: a wave that goes through both."""
        columns, found = [], 0
        for block in range(-(-self.cols // SUMS)):
            late = data.View(sum_layout, delayed(m, ended, SUMS * block, name=f"block_{block}", reset_less=True))
            columns.append(Cat(late.ends, late.ends.replicate(len(late.place)) & late.place, _number(late, block)))
        for column in columns:
            found = found | column
        wave = [found[: store_layout(self.cols).size]]
        for k in range(1, self.rows + SUMS):
            wave.append(delayed(m, wave[-1], 1, name=f"wave_{k}", reset_less=True))
        return wave

    def _row(self, m, r, a, step, stores, control):
        """A row's own sums, and its end."""
        end, drain, bank = control
        m.submodules[f"row_sum_{r}"], m.submodules[f"row_end_{r}"] = own, last = self._row_sums[r], self._ends[r]
        wanted = data.View(point_drain_shape(self.cols), drain)
        m.d.comb += [
            own.a.eq(a),
            own.step.eq(step),
            last.own.eq(own.sum),
            last.own_place.eq(own.place),
            last.own_ends.eq(own.ends),
            last.own_bank.eq(bank),
            last.end.eq(end),
            last.wanted.eq(wanted.column),
            last.shows.eq(wanted.enable),
            self.results[r].eq(last.result),
            *(target.eq(element.sum) for target, element in zip(last.sums, self._elements[r], strict=True)),
            *(target.eq(store) for target, store in zip(last.store, stores)),
        ]


def _number(late, block):
    """The number of a block of columns where one of its sums ends, else 0."""
    bits = max(1, block.bit_length())
    return late.ends.replicate(bits) & block
