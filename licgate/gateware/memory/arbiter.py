"""Many memory ports to one: fair, in order, with every wide multiplexer between registers."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.port import BEATS_BITS, MemoryPort

__all__ = ["Arbiter"]

#: Beats of a write that are fetched ahead.
DEPTH = 8


class Arbiter(Component):
    """Share a memory between ports, in the order in which a round robin finds their requests.

    Two transactions are in flight at most: the memory looks at the next one while the first bursts. The ports see none
    of it: a request is accepted after its port's last transaction is done, and writes are accepted one after the
    other's beats.

    Parameters
    ----------
    count : int
        Ports, at least 1.
    beat_bits, address_bits : int
        Of every port.
    count_waits : bool
        Count how long each port waited.

    Members
    -------
    i : array of :py:`In(MemoryPort(beat_bits, address_bits))`
        The port served last comes last.
    o : :py:`Out(MemoryPort(beat_bits, address_bits))`
        To the memory, which serves requests in order, and may accept the second before the first is done. From a
        ``done`` to the next read's first beat it takes two cycles or more.
    waits : array of :py:`Out(32)`
        For each port, the cycles in which a request was valid and not accepted; only with ``count_waits``.

    Attributes
    ----------
    decision : int
        A request that is valid in cycle t can be chosen in t + 1, and is valid at ``o`` in t + 4.
    acceptance : int
        It is accepted in t + 4 at the earliest, ``w`` taken from t + 5 on; the first beat is valid at ``o`` in t + 7.
        At most 8 beats are taken before the memory takes them. Two cycles after the ``done`` of the port's last one.
    interval : int
        4 cycles from one choice to the next.
    latency : int
        1 cycle from what is read, and from ``done``, to the port.

    Resources on ECP5, with beats of 16 bits: 134 LUT4 and 145 flip-flops for one port, 417 and 410 for seven, 725 and
    718 for fourteen; the queue is 4 cells of distributed memory.

    Raises
    ------
    ValueError
        ``count`` is not a positive integer, or a width not one.
    """

    decision, acceptance, interval, latency = 4, 4, 4, 1

    def __init__(self, count: int, beat_bits: int, address_bits: int, *, count_waits: bool = False):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"an arbiter needs at least one port, not {count!r}")
        self.count, self.beat_bits, self.count_waits = count, beat_bits, count_waits
        port = MemoryPort(beat_bits, address_bits)
        members = {"i": In(port).array(count), "o": Out(port)}
        super().__init__(members | ({"waits": Out(32).array(count)} if count_waits else {}))

    def elaborate(self, platform):
        m = Module()
        count, ports, o = self.count, self.i, self.o

        # What waits, seen through a register; and the port that is chosen from it.
        seen, candidates, chosen, after = Signal(count), Signal(count), Signal(count), Signal(count)
        choosing, picking, granting, holding, accepting = Signal(init=1), Signal(), Signal(), Signal(), Signal()
        # Who is in flight: the one that the memory answers, and the one behind it.
        owner, second = Signal(count), Signal(count)
        flying = Signal(range(3))
        fetching = Signal()

        m.d.sync += seen.eq(Cat(port.request.valid & ~port.request.ready for port in ports))
        late = seen & after
        m.d.comb += Cat(port.request.ready for port in ports).eq(chosen & accepting.replicate(count))

        # A request stays as it is until it is accepted, so it is chosen from registers: ports are far from each other.
        held = [Signal.like(port.request.payload, reset_less=True) for port in ports]
        m.d.sync += [target.eq(port.request.payload) for target, port in zip(held, ports, strict=True)]
        granted = self._select(chosen, held)
        request = Signal.like(o.request.payload)
        m.d.comb += request.eq(granted)
        blocked = Signal()
        is_write = Mux(granting, request.write, o.request.payload.write)
        m.d.comb += blocked.eq(((chosen & owner) != 0) & (flying != Mux(granting, 0, 1)) | (is_write & fetching))

        with m.If(choosing & (seen != 0) & (flying != 2) & ~o.request.valid):
            m.d.sync += [candidates.eq(Mux(late != 0, late, seen)), choosing.eq(0), picking.eq(1)]
        with m.If(picking):
            lowest = candidates & (~candidates + 1)[:count]
            m.d.sync += [chosen.eq(lowest), picking.eq(0), granting.eq(1)]
        with m.If(granting):
            m.d.sync += [granting.eq(0), o.request.payload.eq(request), o.request.valid.eq(1)]
            # Of the ports above the chosen one: in later choices they come first.
            m.d.sync += after.eq(~(chosen | (chosen - 1))[:count])
        with m.If(granting | holding):
            m.d.sync += [holding.eq(blocked), accepting.eq(~blocked)]
        with m.If(accepting):
            m.d.sync += [accepting.eq(0), choosing.eq(1)]
        with m.If(o.request.valid & o.request.ready):
            m.d.sync += o.request.valid.eq(0)

        self._follow(m, granting, chosen, owner, second, flying)
        self._fetch(m, accepting & o.request.payload.write, chosen, o.request.payload.beats, fetching)

        m.d.sync += Cat(port.r_valid for port in ports).eq(owner & o.r_valid.replicate(count))
        m.d.sync += Cat(port.done for port in ports).eq(owner & o.done.replicate(count))
        data = Signal(self.beat_bits, reset_less=True)
        m.d.sync += data.eq(o.r_data)
        m.d.comb += [port.r_data.eq(data) for port in ports]
        if self.count_waits:
            for port, waits in zip(ports, self.waits):
                m.d.sync += waits.eq(waits + (port.request.valid & ~port.request.ready))
        return m

    @staticmethod
    def _select(chosen, values):
        """The value of the one that is chosen."""
        casts = [Value.cast(value) for value in values]
        return reduce(or_, (cast & one.replicate(len(cast)) for cast, one in zip(casts, chosen)))

    def _follow(self, m, granting, chosen, owner, second, flying):
        """Keep who is in flight: `owner` is whom the memory answers."""
        done = self.o.done
        m.d.sync += flying.eq(flying + granting - done)
        with m.If(done):
            m.d.sync += owner.eq(second)
        with m.If(granting):
            with m.If((flying == 0) | ((flying == 1) & done)):
                m.d.sync += owner.eq(chosen)
            with m.Else():
                m.d.sync += second.eq(chosen)

    def _fetch(self, m, begin, chosen, beats, fetching):
        """Move a write's beats from its port to a queue before the memory."""
        count, o = self.count, self.o
        source, left, final = Signal(count), Signal(BEATS_BITS), Signal()
        credit = Signal(range(DEPTH + 1), init=DEPTH)
        take = Signal()
        m.d.comb += take.eq(fetching & (credit != 0))
        m.d.comb += Cat(port.w.ready for port in self.i).eq(source & take.replicate(count))
        with m.If(begin):
            m.d.sync += [source.eq(chosen), left.eq(beats), final.eq(beats == 1), fetching.eq(1)]
        with m.If(take):
            m.d.sync += [left.eq(left - 1), final.eq(left == 2)]
            with m.If(final):
                m.d.sync += fetching.eq(0)

        beat, came = Signal(self.beat_bits, reset_less=True), Signal()
        m.d.sync += [beat.eq(self._select(source, [port.w.payload for port in self.i])), came.eq(take)]
        m.submodules.queue = queue = Memory(shape=self.beat_bits, depth=DEPTH, init=[])
        write, read = queue.write_port(), queue.read_port(domain="comb")
        level = Signal(range(DEPTH + 1))
        leaves = Signal()
        m.d.comb += [
            leaves.eq(o.w.valid & o.w.ready),
            write.data.eq(beat),
            write.en.eq(came),
            o.w.payload.eq(read.data),
            o.w.valid.eq(level != 0),
        ]
        m.d.sync += [
            credit.eq(credit - take + leaves),
            level.eq(level + came - leaves),
            write.addr.eq(write.addr + came),
            read.addr.eq(read.addr + leaves),
        ]
