"""The end of a row: sums of points are collected, and become results."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.points.outputs import QuadOutputs
from licgate.gateware.engine.points.reader import RESULTS, end_layout, store_layout
from licgate.gateware.engine.points.sums import PLACES
from licgate.gateware.engine.trees import joined
from licgate.program.collecting import point_trees
from licgate.target.points import SUMS

__all__ = ["RowEnd"]


class RowEnd(Component):
    """Collect the sums of a row's elements, take the row's own off, and make outputs of them.

    Columns end a cycle after each other, each in six: so every sixth column has a common tree, in which but one of them
    is not 0, and a memory behind it.

    Parameters
    ----------
    cols, width : int
        Columns, and the width of sums and results, which wrap.

    Members
    -------
    sums : :py:`In(signed(width)).array(cols)`
        Of the elements: 0 but in the cycles in which they end.
    store : :py:`In(store_layout(cols)).array(6)`
        For each tree, what comes out of it.
    own : :py:`In(signed(width))`, own_place, own_ends, own_bank : :py:`In(...)`
        A sum of the row's own, and where it is kept.
    end : :py:`In(end_layout(cols))`
    wanted : :py:`In(range(16))`, shows : :py:`In(1)`
        The result that is to be shown in the next cycle, and that one is.
    result : :py:`Out(signed(width))`
        24 times an output of a quad, or twice a single sum, see :class:`~.outputs.QuadOutputs`; 0 where none was asked
        for.

    Attributes
    ----------
    latency : int
        Registers of the trees. interval is 1.

    Resources: a :class:`~.outputs.QuadOutputs`, an adder; distributed memory of six times as many sums as columns,
    8 a column, and of 32 more; a LUT4 a bit and four columns.
    """

    interval = 1

    def __init__(self, cols, width):
        self._cols, self._trees = cols, min(SUMS, cols)
        self.latency = point_trees(cols)
        word = signed(width)
        super().__init__(
            {
                "sums": In(word).array(cols),
                "store": In(store_layout(cols)).array(SUMS),
                "own": In(word),
                "own_place": In(range(PLACES)),
                "own_ends": In(1),
                "own_bank": In(1),
                "end": In(end_layout(cols)),
                "wanted": In(range(RESULTS)),
                "shows": In(1),
                "result": Out(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        end, word = self.end, self.result.shape()
        found = []
        for tree in range(self._trees):
            total = joined(m, list(self.sums)[tree::SUMS], f"tree_{tree}", most=-(-self._cols // SUMS))
            store = self.store[tree]
            depth = PLACES * -(-self._cols // SUMS)
            found.append(self._memory(m, f"sums_{tree}", depth, total, store.address, store.enable, end.address))
        own_address = Cat(self.own_place, self.own_bank)
        own_read = Cat(end.address[: len(self.own_place)], end.bank)
        own = self._memory(m, "own_sums", 2 * PLACES, self.own, own_address, self.own_ends, own_read)
        picked, mine, less = (Signal(word, name=name, reset_less=True) for name in ("picked", "mine", "less"))
        m.submodules.outputs = outputs = QuadOutputs(len(self.result))
        m.d.sync += [
            picked.eq(Mux(end.none, 0, Array(found)[end.tree])),
            mine.eq(Mux(end.none, 0, own)),
            less.eq(picked - mine),
        ]
        shown = Signal(word, name="shown", reset_less=True)
        result = self._memory(m, "results", RESULTS, outputs.output, end.result, end.write, self.wanted)
        m.d.sync += shown.eq(Mux(self.shows, result, 0))
        m.d.comb += [outputs.sum.eq(less), outputs.control.eq(end.output), self.result.eq(shown)]
        return m

    def _memory(self, m, name, depth, value, address, enable, wanted):
        """A small memory that is written, and what it shows at the address that is wanted."""
        memory = Memory(shape=len(value), depth=depth, init=[], attrs={"ram_style": "distributed"})
        m.submodules[name] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(address),
            write.data.eq(value),
            write.en.eq(enable),
            read.addr.eq(wanted),
        ]
        return read.data
