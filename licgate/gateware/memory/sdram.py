"""Controller of a 32 MiB SDR SDRAM: whole transactions as one burst, the next row opened meanwhile."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import delayed
from licgate.gateware.memory.phy import sdram_bus
from licgate.gateware.memory.port import BEATS_BITS, SDRAM_PAGE_BEATS, MemoryPort
from licgate.gateware.memory.start import SdramStart
from licgate.target.sdram import SdramCycles, SdramTiming

__all__ = ["ADDRESS_BITS", "BEAT_BITS", "SdramController"]

BEAT_BITS = 16
ADDRESS_BITS = 24
_COLUMN, _BANK = range(0, 9), range(9, 11)
_ROW = range(11, ADDRESS_BITS)


class SdramController(Component):
    """Serve transactions in their order, each as one full-page burst that its precharge ends.

    The next request is held beside the one under way; when it lies in another bank its row is opened meanwhile. From
    one burst to the next there is then one cycle, that of the precharge command (after a write ``wr`` cycles).
    Consecutive pages lie in different banks: an address is row, bank, column from the top.

    Parameters
    ----------
    timing : SdramTiming
        Of the chip.
    clock_mhz : float
        Of the design, and of the chip.
    options
        ``cas``, ``round_trip`` and ``postpone``, as of :meth:`SdramCycles.at` and of the PHY. While nothing is
        requested, a refresh comes when it is due.

    Members
    -------
    port : :py:`In(MemoryPort(16, 24))`
    bus : :py:`Out(sdram_bus)`
        To a PHY with one register each way.

    Attributes
    ----------
    cycles : SdramCycles
        All of the timing, in cycles.
    page_beats : int
        512: no transaction crosses a multiple.
    first_beat : int
        Cycles from the acceptance of a read to its first beat, with none under way: ``rcd + cas + 4 + round_trip``.
    interval : int
        Cycles from one read to the next in another bank: its beats and 1. For a write ``wr`` instead of 1.
        A read after a write loses nothing more, a write after a read ``cas + round_trip`` cycles.

    Resources: 172 LUT4, 13 carries and 154 flip-flops on ECP5, no block RAM. With an :class:`Arbiter` of 7, 14 and
    28 ports it closes at 166, 168 and 158 MHz on an LFE5U-85F of speed grade 6.

    Raises
    ------
    ValueError
        A parameter is out of range, or the clock too fast or too slow for the chip.
    """

    page_beats = SDRAM_PAGE_BEATS

    def __init__(self, timing: SdramTiming, clock_mhz: float, **options: int | None):
        self.cycles = SdramCycles.at(timing, clock_mhz, **options)
        self.timing, self.clock_mhz, self.round_trip = timing, clock_mhz, self.cycles.round_trip
        self.first_beat = self.cycles.rcd + self.cycles.cas + 4 + self.round_trip
        super().__init__({"port": In(MemoryPort(BEAT_BITS, ADDRESS_BITS)), "bus": Out(sdram_bus)})

    def elaborate(self, platform):
        m = Module()
        cycles, port = self.cycles, self.port
        m.submodules.start = start = SdramStart(cycles)
        # The request that waits: its row is opened while the one before it bursts.
        waiting, opened, single, held = Signal(), Signal(), Signal(), Signal.like(port.request.payload)
        bank, row = held.address[_BANK.start : _BANK.stop], held.address[_ROW.start :]
        clear, activate, refresh, begin = Signal(), Signal(), Signal(), Signal()
        burst, ending, turned = self._burst(m, begin, held, single)
        under_way = burst.bursting | burst.closing
        quiet = _timer(m, "quiet", max(cycles.rp, cycles.rfc))
        to_column = _timer(m, "to_column", cycles.rcd)
        owed, urgent = self._refreshes(m, start.tick, refresh)
        m.d.comb += [
            clear.eq(start.running & ~opened & (quiet == 0)),
            activate.eq(clear & waiting & ~urgent & ~ending & (~under_way | (bank != burst.bank))),
            refresh.eq(clear & (owed != 0) & ~under_way & (urgent | ~waiting)),
            begin.eq(opened & (to_column == 0) & (~under_way | ending) & (~held.write | (port.w.valid & turned))),
            port.request.ready.eq(~waiting),
            port.w.ready.eq(burst.bursting & burst.writing),
        ]
        with m.If(port.request.valid & ~waiting):
            m.d.sync += [waiting.eq(1), held.eq(port.request.payload), single.eq(port.request.payload.beats == 1)]
        with m.If(activate):
            m.d.sync += [opened.eq(1), to_column.eq(cycles.rcd - 2)]
        with m.If(ending):
            m.d.sync += quiet.eq(cycles.rp - 1)
        with m.If(refresh):
            m.d.sync += quiet.eq(cycles.rfc - 1)
        with m.If(begin):
            m.d.sync += [waiting.eq(0), opened.eq(0)]

        # Registers here and at the pins: the way from one to the other takes a cycle.
        bus = self.bus
        m.d.sync += [
            bus.cke.eq(1),
            bus.cs.eq(1),
            bus.ba.eq(Mux(activate, bank, burst.bank)),
            bus.a.eq(Mux(start.running, Mux(activate, row, burst.column), start.a)),
            bus.dqm.eq(((burst.closing & burst.writing) | ~start.running).replicate(2)),
            bus.dq_o.eq(port.w.payload),
            bus.dq_oe.eq(burst.bursting & burst.writing),
            bus.ras.eq(activate | ending | refresh | start.ras),
            bus.cas.eq(burst.first | refresh | start.cas),
            bus.we.eq((burst.first & burst.writing) | ending | start.we),
        ]
        self._answer(m, burst)
        return m

    def _burst(self, m, begin, held, single):
        """Carry out a transaction, from the column command to the precharge.

        Returns
        -------
        burst : View
            What is under way; ``first`` is its column command.
        ending, turned
            The precharge, and that a write may begin behind a read.
        """
        cycles = self.cycles
        flags = dict.fromkeys(("first", "bursting", "closing", "last", "writing"), 1)
        burst = Signal(StructLayout({**flags, "bank": len(_BANK), "column": len(_COLUMN)}))
        left, ending = Signal(BEATS_BITS), Signal()
        hold, recovery = _timer(m, "hold", cycles.hold), _timer(m, "recovery", cycles.wr)
        turn = _timer(m, "turn", cycles.turn)
        m.d.comb += ending.eq(burst.closing & (recovery == 0) & (hold == 0))
        m.d.sync += burst.first.eq(begin)
        with m.If(ending):
            m.d.sync += burst.closing.eq(0)
            with m.If(~burst.writing):
                m.d.sync += turn.eq(cycles.turn - 2)
        with m.If(burst.bursting):
            m.d.sync += [left.eq(left - 1), burst.last.eq(left == 2)]
            with m.If(burst.last):
                m.d.sync += [burst.bursting.eq(0), burst.closing.eq(1)]
                m.d.sync += recovery.eq(Mux(burst.writing, cycles.wr - 1, 0))
        with m.If(begin):
            m.d.sync += [
                burst.bursting.eq(1),
                burst.last.eq(single),
                left.eq(held.beats),
                hold.eq(cycles.hold),
                burst.writing.eq(held.write),
                burst.bank.eq(held.address[_BANK.start : _BANK.stop]),
                burst.column.eq(held.address[_COLUMN.start : _COLUMN.stop]),
            ]
        return burst, ending, (turn == 0) & ~((burst.bursting | burst.closing) & ~burst.writing)

    def _refreshes(self, m, tick, refresh):
        """Count the refreshes that are owed, and say whether they go before what waits, down to the last."""
        owed, urgent = Signal(4), Signal()
        m.d.sync += owed.eq(owed + tick - refresh)
        with m.If(owed >= self.cycles.postpone):
            m.d.sync += urgent.eq(1)
        with m.Elif(owed == 0):
            m.d.sync += urgent.eq(0)
        return owed, urgent

    def _answer(self, m, burst):
        """Hand on the beats that come back: CAS latency, two registers there, one back and the chip's edge later."""
        port, reads, writes = self.port, burst.bursting & ~burst.writing, burst.bursting & burst.writing
        came = delayed(m, Cat(reads, reads & burst.last), self.cycles.cas + 3 + self.round_trip, name="came")
        # As late as no beat of a read before it is.
        committed = delayed(m, writes & burst.last, 2, name="committed")
        m.d.comb += [port.r_valid.eq(came[0]), port.r_data.eq(self.bus.dq_i), port.done.eq(came[1] | committed)]


def _timer(m, name, most):
    """Count down to zero; whoever sets it to n − 1 is followed by what waits for it n cycles later."""
    count = Signal(range(most + 1), name=name)
    with m.If(count != 0):
        m.d.sync += count.eq(count - 1)
    return count
