"""Who reads the sums of a row's columns, one after the other, and says what becomes of them."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.gateware.arith import delayed
from licgate.gateware.engine.points.outputs import ORDER, SLOTS, output_controls, output_layout
from licgate.gateware.engine.points.sums import PLACES
from licgate.target.points import QUAD, SUMS

__all__ = ["RESULTS", "SumReader", "end_layout", "store_layout"]

#: Results that a row keeps on their way out.
RESULTS = 16


def store_layout(cols):
    """A sum on its way into the memory behind its tree: whether there is one, and where it goes."""
    return data.StructLayout({"enable": 1, "address": ceil_log2(PLACES * -(-cols // SUMS))})


def end_layout(cols):
    """What the end of a row is told.

    tree, address: which memory, and where in it, is read; bank: of the row's own sums, likewise, where low bits of the
    address are the place; none: what is read counts for nothing. output: to :class:`~.outputs.QuadOutputs`. write,
    result: its output is kept there. Each comes when it is wanted: from ``address`` to the sum are two cycles.
    """
    return data.StructLayout(
        {
            "tree": range(SUMS),
            "address": store_layout(cols)["address"].width,
            "bank": 1,
            "none": 1,
            "output": output_layout,
            "write": 1,
            "result": range(RESULTS),
        }
    )


class SumReader(Component):
    """Read the finished sums of a pass, column by column: those of a quad in eight cycles, a single one in one.

    Parameters
    ----------
    cols : int
    interval : int
        Cycles of a result on its way out, at least 2: columns of quads are four of them apart.

    Members
    -------
    go : :py:`In(1)`
        The sums of a pass are there in the next cycle, those of column c at the latest c cycles later.
    single, infinity, bank : :py:`In(1)`
        Of that pass: it has one sum a column; one for the point at infinity; where the rows' own sums are.
    clear : :py:`In(1)`
        Stop.
    end : :py:`Out(end_layout(cols))`
        For row 0.

    Attributes
    ----------
    latency : int
        1 cycle from ``go`` to the first address.

    Resources: two counters, a chain of a dozen flip-flops.
    """

    latency = 1

    def __init__(self, cols, interval):
        self._cols, self._interval = cols, interval
        super().__init__(
            {**{name: In(1) for name in ("go", "single", "infinity", "bank", "clear")}, "end": Out(end_layout(cols))}
        )

    def elaborate(self, platform):
        m = Module()
        cols, end = self._cols, self.end
        active, single, infinity, bank = (Signal(name=name) for name in ("active", "single", "infinity", "bank"))
        slot, column = Signal(range(QUAD * self._interval), name="slot"), Signal(range(max(2, cols)), name="column")
        tree, block = Signal(range(SUMS), name="tree"), Signal(range(max(2, -(-cols // SUMS))), name="block")
        ends = slot == Mux(single, self._interval - 1, QUAD * self._interval - 1)
        with m.If(active):
            m.d.sync += slot.eq(slot + 1)
            with m.If(ends):
                m.d.sync += [slot.eq(0), column.eq(column + 1), tree.eq(tree + 1), active.eq(column != cols - 1)]
                with m.If(tree == SUMS - 1):
                    m.d.sync += [tree.eq(0), block.eq(block + 1)]
        with m.If(self.go):
            m.d.sync += [active.eq(1), slot.eq(0), column.eq(0), tree.eq(0), block.eq(0)]
            m.d.sync += [single.eq(self.single), infinity.eq(self.infinity), bank.eq(self.bank)]
        with m.If(self.clear):
            m.d.sync += active.eq(0)
        place = Mux(single, 0, Array([*ORDER, *[0] * (QUAD * self._interval - SLOTS)])[slot])
        m.d.comb += [
            end.tree.eq(tree),
            end.address.eq(Cat(Const(0, ceil_log2(PLACES)) | place, block)),
            end.bank.eq(bank),
            end.none.eq(~single & ~infinity & (slot == SLOTS - 1)),
        ]
        self._outputs(m, active & (slot == 0), single, column)
        return m

    def _outputs(self, m, begins, single, column):
        """What the transform does in each of a column's cycles: a token goes through them."""
        lead = 2  # from an address to the sum
        fields = {name: [] for name in (*output_layout.members, "write", "result")}
        for token, one in ((begins & ~single, False), (begins & single, True)):
            controls, outputs = output_controls(one)
            chain, columns = token, column
            for cycle in range(lead + max(len(controls), 1 + max(outputs))):
                if cycle:
                    chain = delayed(m, chain, 1, name=f"token_{one}_{cycle}")
                    columns = delayed(m, columns, 1, name=f"column_{one}_{cycle}", reset_less=True)
                at = cycle - lead
                if 0 <= at < len(controls):
                    for name, value in controls[at].items():
                        fields[name].append(Mux(chain, value, 0))
                if at in outputs:
                    where = columns[:4] if one else Cat(Const(outputs[at], 2), columns[:2])
                    fields["write"].append(chain)
                    fields["result"].append(Mux(chain, where, 0))
        for name, values in fields.items():
            total = values[0]
            for value in values[1:]:
                total = total | value
            target = self.end.output[name] if name in output_layout.members else self.end[name]
            m.d.comb += target.eq(total)
