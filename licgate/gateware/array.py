"""The systolic array: rows of pixels, columns of output channels."""

from amaranth.hdl import Module, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.multiplier import Multiplier
from licgate.gateware.pe import ProcessingElement, shift_layout

__all__ = ["SystolicArray"]


class SystolicArray(Component):
    """Output-stationary systolic array of any shape.

    Each cycle is a step: ``rows`` activations of one reduction index and ``cols`` weights of the same index enter, and
    PE (r, c) adds ``a[r] * w[c]`` to its sum. Operands travel one PE a cycle, right and down; every wire runs between
    neighbours. A cycle without work carries zeros.

    Sums leave at the right edge: each ``shift`` moves row r's finished sums one column to the right, so the sum of
    column ``cols - 1`` is seen first and that of column 0 last.

    Parameters
    ----------
    rows, cols : int
        Shape, 1 to 64 each.
    a_width, w_width, acc_width : int
    pack_shift, high_width : int or None
        See :class:`~licgate.gateware.pe.ProcessingElement`.

    Members
    -------
    a : :py:`In(signed(a_width)).array(rows)`
    w : :py:`In(signed(w_width)).array(cols)`
    last : :py:`In(1)`
        This step is the last of its sums.
    clear : :py:`In(1)`
        Forget all sums; PE (r, c) does so r + c cycles later.
    shift : :py:`In(shift_layout)`
        For row 0; row r obeys r cycles later. ``parity`` tells the sums apart, see ProcessingElement.
    results : :py:`Out(signed(acc_width)).array(rows)`
        Row r's rightmost finished sum.
    highs : :py:`Out(signed(high_width)).array(rows)`
        The second sum beside it, with packing.

    Attributes
    ----------
    latency : int
        Cycles from the last step to ``results[0]``: ``cols + 3``. ``results[r]`` follows r cycles later. interval is 1.

    Timing: two ``last`` steps are at least ``max(S * cols, 2 * cols + S)`` cycles apart when shifts come every S
    cycles, the first S cycles after ``results[0]`` appears. (Where both sums of an element are wanted, shifts come half
    as often.)

    Resources: ``rows * cols`` processing elements and ``rows * (rows - 1) / 2 * a_width + cols * (cols - 1) / 2 *
    w_width`` flip-flops of skew.
    """

    interval = 1

    def __init__(self, rows, cols, *, a_width, w_width, acc_width, pack_shift=None, high_width=None):
        for name, value in (("rows", rows), ("cols", cols)):
            if not isinstance(value, int) or not 1 <= value <= 64:
                raise ValueError(f"{name} must be an integer from 1 to 64, not {value!r}")
        self.rows, self.cols = rows, cols
        self.latency = ProcessingElement.latency + cols - 1
        options = {"pack_shift": pack_shift, "high_width": high_width}
        self._packing = pack_shift is not None
        self._pes = [
            [ProcessingElement(a_width, w_width, acc_width, site=(r, c), **options) for c in range(cols)]
            for r in range(rows)
        ]
        super().__init__({
            "a": In(signed(a_width)).array(rows),
            "w": In(signed(w_width)).array(cols),
            "last": In(1),
            "clear": In(1),
            "shift": In(shift_layout),
            "results": Out(signed(acc_width)).array(rows),
            **({"highs": Out(signed(high_width)).array(rows)} if self._packing else {}),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        pes = self._pes
        last = delayed(m, self.last, Multiplier.latency, name="last")
        clear, shift = self.clear, self.shift.as_value()
        for r in range(self.rows):
            a = delayed(m, self.a[r], r, name=f"a{r}", reset_less=True)
            for c in range(self.cols):
                m.submodules[f"pe_{r}_{c}"] = pe = pes[r][c]
                w = delayed(m, self.w[c], c, name=f"w{c}", reset_less=True) if r == 0 else pes[r - 1][c].w_out
                m.d.comb += [
                    pe.a.eq(pes[r][c - 1].a_out if c else a),
                    pe.last.eq(pes[r][c - 1].last_out if c else last),
                    pe.clear.eq(pes[r][c - 1].clear_out if c else clear),
                    pe.w.eq(w),
                    pe.shift.as_value().eq(pes[r][c + 1].shift_out.as_value() if c + 1 < self.cols else shift),
                    pe.shadow_in.eq(pes[r][c - 1].shadow if c else 0),
                ]
                if self._packing:
                    m.d.comb += pe.high_in.eq(pes[r][c - 1].high if c else 0)
            m.d.comb += self.results[r].eq(pes[r][-1].shadow)
            if self._packing:
                m.d.comb += self.highs[r].eq(pes[r][-1].high)
            last = delayed(m, last, 1, name=f"last_row{r}")
            clear = delayed(m, clear, 1, name=f"clear_row{r}")
            shift = delayed(m, shift, 1, name=f"shift_row{r}")
        return m
