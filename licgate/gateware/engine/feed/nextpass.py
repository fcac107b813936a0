"""The place where the next pass waits, with what it says of itself."""

from amaranth.hdl import Array, Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.feed.kinds import PassKinds
from licgate.gateware.passes import address_width, pass_layout

__all__ = ["NextPass", "next_layout"]


def next_layout(program):
    """A pass and what was looked up of it while it arrived.

    gdn, one_row: kind, kernel rows. shortest: with one kernel row, its last tap row is its first. begin: line buffer
    address of its first word. first, last: of the first and the last row of its line buffer, where the pass's
    ``offset`` comes on top. bounds: which of the sorted ``gate_bounds`` is its own. margin: see ``PassKinds``.
    """
    kinds = PassKinds(program)
    return data.StructLayout(
        {
            "work": pass_layout(program),
            "gdn": 1,
            "shortest": 1,
            "one_row": 1,
            **dict.fromkeys(("begin", "first", "last"), address_width(program)),
            "bounds": len(set(kinds.gate_bounds)),
            "margin": range(program.window_words + 1),
        }
    )


class NextPass(Component):
    """One register for a pass, so that whoever sends it has the length of the one before to find it.

    Parameters
    ----------
    program : Program

    Members
    -------
    i, o : :py:`In(stream.Signature(pass_layout(program)))`, :py:`Out(stream.Signature(next_layout(program)))`
        What was taken from ``o`` stays there for a cycle more.

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        2 cycles: the register is filled or emptied.

    Resources: the register; a table of kinds for each fact, an adder. Nothing is added up behind a table.
    """

    latency = 1
    interval = 2

    def __init__(self, program):
        self._program = program
        super().__init__(
            {"i": In(stream.Signature(pass_layout(program))), "o": Out(stream.Signature(next_layout(program)))}
        )

    def elaborate(self, platform):
        m = Module()
        kinds, work, following = PassKinds(self._program), self.i.payload, self.o.payload
        bounds = sorted(set(kinds.gate_bounds))

        def of_stage(name):
            return Array(kinds.of_stage([getattr(stage, name) for stage in self._program.stages]))[work.pass_kind]

        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.o.valid.eq(1)
        # An empty place takes whatever stands in front of it: what enables so many registers waits for no offer.
        with m.If(self.i.ready):
            m.d.sync += [
                following.work.eq(work),
                following.gdn.eq(Array(kinds.gdn)[work.pass_kind]),
                following.shortest.eq(Array(kinds.shortest)[work.pass_kind]),
                following.one_row.eq(work.kernel_rows == 1),
                following.begin.eq(work.row + work.offset),
                following.first.eq(of_stage("base")),
                following.last.eq(of_stage("last_row")),
                following.bounds.eq(Array(1 << bounds.index(bound) for bound in kinds.gate_bounds)[work.pass_kind]),
                following.margin.eq(Array(kinds.margins)[work.pass_kind]),
            ]
        return m
