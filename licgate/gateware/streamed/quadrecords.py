"""From a pass that makes quads to its records: what the record writer packs one after the other."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import record_layout
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.streamed.layouts import record_offset
from licgate.target.points import QUAD

__all__ = ["QuadRecords"]


class QuadRecords(Component):
    """Make a record of each of the four words that a pass of quads has of a channel; pass on what has one.

    The records of a group lie behind each other. Of an upsampling stage they are two groups of four, A and B: the pass
    makes every second record of both, in pairs, without those of B where they lie beyond the image. What is not of
    quads and lies beyond goes no further.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    i : :py:`In(stream.Signature(record_layout(program)))`
        Always taken; none comes in the three cycles behind another.
    o : :py:`Out(stream.Signature(record_layout(program)))`
        Descriptors of one record each, ``count`` its channels; for who always takes them.

    Attributes
    ----------
    latency : int
        1 cycle. interval is 4.

    Resources: a register for a descriptor, and an adder of addresses.
    """

    latency = 1
    interval = 4

    def __init__(self, program):
        self._program = program
        layout = record_layout(program)
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        program, coming, held = self._program, self.i.payload, Signal.like(self.i.payload)
        number, left = Signal(range(QUAD)), Signal(range(QUAD + 1))
        place, count = Signal(3), Mux(coming.quads, QUAD, 1)
        m.d.comb += place.eq(number)
        if program.upsampling:
            pair = of_stage(held.stage, (stage.upsampling for stage in program.stages))
            count = Mux(coming.quads, Mux(coming.beyond, QUAD // 2, QUAD), ~coming.beyond)
            with m.If(pair & held.quads):
                m.d.comb += place.eq(Mux(held.beyond, number << 1, Cat(0, number[1], number[0])))
        m.d.comb += [
            self.i.ready.eq(1),
            self.o.valid.eq(left != 0),
            self.o.payload.eq(held),
            self.o.payload.address.eq(held.address + record_offset(program, held.stage, place)),
            self.o.payload.count.eq(Mux(held.quads, held.count >> 2, held.count)),
        ]
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), number.eq(number + 1)]
        with m.If(self.i.valid):
            m.d.sync += [held.eq(coming), left.eq(count), number.eq(0)]
        return m
