"""Controller of a 32 MiB SDR SDRAM: whole transactions as one burst, the next row opened meanwhile."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
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
    cas : int or None
        CAS latency, 2 or 3; by default the least that the clock allows.
    round_trip : int
        Extra cycles from the pins and back, 0 to 3, as of the PHY.
    postpone : int or None
        Refreshes that may be owed before they go before the next activation, all of them in a row; see
        :meth:`SdramCycles.at`. While nothing is requested, a refresh comes when it is due.

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

    def __init__(
        self,
        timing: SdramTiming,
        clock_mhz: float,
        *,
        cas: int | None = None,
        round_trip: int = 0,
        postpone: int | None = None,
    ):
        self.cycles = SdramCycles.at(timing, clock_mhz, cas=cas, round_trip=round_trip, postpone=postpone)
        self.timing, self.clock_mhz, self.round_trip = timing, clock_mhz, round_trip
        self.first_beat = self.cycles.rcd + self.cycles.cas + 4 + round_trip
        super().__init__({"port": In(MemoryPort(BEAT_BITS, ADDRESS_BITS)), "bus": Out(sdram_bus)})

    def elaborate(self, platform):
        m = Module()
        cycles, bus, port = self.cycles, self.bus, self.port
        m.submodules.start = start = SdramStart(cycles)

        # The request that waits: its row is opened while the one before it bursts.
        waiting, opened = Signal(), Signal()
        held = Signal.like(port.request.payload)
        single = Signal()
        # The transaction under way: from the column command to the precharge.
        first, bursting, closing, last = Signal(), Signal(), Signal(), Signal()
        writing, bank, column = Signal(), Signal(len(_BANK)), Signal(len(_COLUMN))
        left = Signal(BEATS_BITS)

        def timer(name, most):
            """Count down to zero; whoever sets it to n − 1 is followed by what waits for it n cycles later."""
            count = Signal(range(most + 1), name=name)
            with m.If(count != 0):
                m.d.sync += count.eq(count - 1)
            return count

        quiet = timer("quiet", max(cycles.rp, cycles.rfc))
        to_column = timer("to_column", cycles.rcd)
        hold = timer("hold", cycles.hold)
        recovery = timer("recovery", cycles.wr)
        turn = timer("turn", cycles.turn)
        # Refreshes that are owed, and whether they go before what waits, down to the last.
        owed, urgent = Signal(4), Signal()

        held_bank, held_row = Signal(len(_BANK)), Signal(len(_ROW))
        m.d.comb += [
            held_bank.eq(held.address[_BANK.start : _BANK.stop]),
            held_row.eq(held.address[_ROW.start :]),
        ]
        clear, ending, activate, refresh, begin = Signal(), Signal(), Signal(), Signal(), Signal()
        under_way = bursting | closing
        turned = (turn == 0) & ~(under_way & ~writing)
        m.d.comb += [
            ending.eq(closing & (recovery == 0) & (hold == 0)),
            clear.eq(start.running & ~opened & (quiet == 0)),
            activate.eq(clear & waiting & ~urgent & ~ending & (~under_way | (held_bank != bank))),
            refresh.eq(clear & (owed != 0) & ~under_way & (urgent | ~waiting)),
            begin.eq(opened & (to_column == 0) & (~under_way | ending) & (~held.write | (port.w.valid & turned))),
            port.request.ready.eq(~waiting),
            port.w.ready.eq(bursting & writing),
        ]
        m.d.sync += [first.eq(begin), owed.eq(owed + start.tick - refresh)]
        with m.If(owed >= cycles.postpone):
            m.d.sync += urgent.eq(1)
        with m.Elif(owed == 0):
            m.d.sync += urgent.eq(0)
        with m.If(port.request.valid & ~waiting):
            m.d.sync += [waiting.eq(1), held.eq(port.request.payload), single.eq(port.request.payload.beats == 1)]
        with m.If(activate):
            m.d.sync += [opened.eq(1), to_column.eq(cycles.rcd - 2)]
        with m.If(ending):
            m.d.sync += [closing.eq(0), quiet.eq(cycles.rp - 1)]
            with m.If(~writing):
                m.d.sync += turn.eq(cycles.turn - 2)
        with m.If(refresh):
            m.d.sync += quiet.eq(cycles.rfc - 1)
        with m.If(bursting):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
            with m.If(last):
                m.d.sync += [bursting.eq(0), closing.eq(1), recovery.eq(Mux(writing, cycles.wr - 1, 0))]
        with m.If(begin):
            m.d.sync += [
                waiting.eq(0),
                opened.eq(0),
                bursting.eq(1),
                last.eq(single),
                left.eq(held.beats),
                hold.eq(cycles.hold),
                writing.eq(held.write),
                bank.eq(held_bank),
                column.eq(held.address[_COLUMN.start : _COLUMN.stop]),
            ]

        # Registers here and at the pins: the way from one to the other takes a cycle.
        m.d.sync += [
            bus.cke.eq(1),
            bus.cs.eq(1),
            bus.ba.eq(Mux(activate, held_bank, bank)),
            bus.a.eq(Mux(start.running, Mux(activate, held_row, column), start.a)),
            bus.dqm.eq(((closing & writing) | ~start.running).replicate(2)),
            bus.dq_o.eq(port.w.payload),
            bus.dq_oe.eq(bursting & writing),
            bus.ras.eq(activate | ending | refresh | start.ras),
            bus.cas.eq(first | refresh | start.cas),
            bus.we.eq((first & writing) | ending | start.we),
        ]

        # A beat comes back the CAS latency, two registers on the way, one back, and the chip's own edge later.
        wait = cycles.cas + 3 + self.round_trip
        came = delayed(m, Cat(bursting & ~writing, bursting & ~writing & last), wait, name="came")
        committed = Signal()
        # As late as no beat of a read before it is.
        m.d.comb += committed.eq(delayed(m, bursting & writing & last, 2, name="committed"))
        m.d.comb += [port.r_valid.eq(came[0]), port.r_data.eq(bus.dq_i), port.done.eq(came[1] | committed)]
        return m
