"""Reads commands from external memory and hands them to the units."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.stream import connect
from licgate.gateware.streamed.blockqueue import BlockQueue
from licgate.gateware.streamed.burst import PageCutter
from licgate.gateware.streamed.layouts import command_layout
from licgate.program.commands import COMMANDS_READ, KINDS, command_beats

__all__ = ["Commander"]


class Commander(Component):
    """Fetch commands, ``COMMANDS_READ`` at a time, and give each to the unit of its kind, in order.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start, address : :py:`In(1)`, :py:`In(address_bits)`
        Begin with the command at ``address``.
    port : :py:`Out(MemoryPort(...))`
    weights, load, band : :py:`Out(stream.Signature(...))`
        Commands for each unit.
    ended : :py:`Out(1)`
        The ``end`` command has come (level, until the next ``start``).

    Attributes
    ----------
    interval : int
        Cycles from command to command: ``command_beats(program) + 1``.

    Resources: a block RAM, two registers a bit of a command.
    """

    def __init__(self, program):
        self._program = program
        self._beats = command_beats(program)
        self._read = COMMANDS_READ * self._beats
        self.interval = self._beats + 1
        self._cutter = PageCutter(
            program.beat_bits, program.address_bits, page_beats=program.burst_beats, most_beats=self._read
        )
        super().__init__(
            {
                "start": In(1),
                "address": In(program.address_bits),
                "port": Out(MemoryPort(program.beat_bits, program.address_bits)),
                **{kind: Out(stream.Signature(command_layout(program, kind))) for kind in KINDS[1:]},
                "ended": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = self._program.beat_bits
        m.submodules.cutter = cutter = self._cutter
        m.submodules.beats = beats = BlockQueue(2 * self._read, size)
        connect(m, cutter.request, flipped(self.port.request))

        # Reading ahead: what has been asked for finds room.
        address, promised, running = Signal.like(self.address), Signal(range(2 * self._read + 1)), Signal()
        ask, pop, drop = Signal(), Signal(), Signal()
        m.d.comb += [
            self.port.w.valid.eq(0),
            cutter.i.valid.eq(running & (promised <= self._read)),
            ask.eq(cutter.i.valid & cutter.i.ready),
            cutter.i.payload.address.eq(address),
            cutter.i.payload.beats.eq(self._read),
            beats.enable.eq(self.port.r_valid),
            beats.word.eq(self.port.r_data),
            beats.o.ready.eq(pop | drop),
        ]
        taken = beats.o.ready & beats.o.valid
        m.d.sync += promised.eq(promised + ask * self._read - taken)
        with m.If(ask):
            m.d.sync += address.eq(address + self._read)

        command, count = Signal(size * self._beats), Signal(range(self._beats + 1))
        kind = command[:2]
        with m.FSM():
            with m.State("IDLE"):
                # what was read beyond the end of the last run
                m.d.comb += drop.eq(1)
                with m.If(self.start):
                    m.d.sync += [address.eq(self.address), running.eq(1), self.ended.eq(0), count.eq(self._beats)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += pop.eq(1)
                with m.If(taken):
                    m.d.sync += [command.eq(Cat(command[size:], beats.o.payload)), count.eq(count - 1)]
                    with m.If(count == 1):
                        m.next = "GIVE"
            with m.State("GIVE"):
                m.d.sync += count.eq(self._beats)
                with m.If(kind == KINDS.index("end")):
                    m.d.sync += running.eq(0)
                    m.next = "DRAIN"
                for number, name in enumerate(KINDS):
                    if name != "end":
                        unit = getattr(self, name)
                        m.d.comb += unit.payload.as_value().eq(command[: len(unit.payload.as_value())])
                        with m.If(kind == number):
                            m.d.comb += unit.valid.eq(1)
                            with m.If(unit.ready):
                                m.next = "FETCH"
            with m.State("DRAIN"):
                m.d.comb += drop.eq(1)
                with m.If(promised == 0):
                    m.d.sync += self.ended.eq(1)
                    m.next = "IDLE"
        return m
