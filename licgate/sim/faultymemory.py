"""Memory that answers when it likes: a component for simulations, which changes cycles and must not change a bit."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.port import MemoryPort

__all__ = ["FaultyMemory"]


class FaultyMemory(Component):
    """Stands between a requester and a memory, and delays everything at random.

    Requests are accepted late, each beat of a write is taken late and each of a read comes late, and so does ``done``:
    nearly always by 0 to 3 cycles, and once in 32 times by up to 127, as when a refresh comes at the worst moment or
    many others are served first. Transactions are passed on one after the other, whole. On both sides the contract of
    :class:`MemoryPort` is kept, so it fits before or behind an arbiter.

    Parameters
    ----------
    beat_bits, address_bits : int
        Of the port.
    page_beats : int
        Of the memory, at most: beats that are held.
    seed : int
        1 to 2³² − 1.

    Members
    -------
    i : :py:`In(MemoryPort(beat_bits, address_bits))`
        From the requester.
    o : :py:`Out(MemoryPort(beat_bits, address_bits))`
        To the memory.

    It is not meant for synthesis: neither latency nor interval is bounded by less than 128 cycles a beat.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    def __init__(self, beat_bits: int, address_bits: int, *, page_beats: int = 512, seed: int = 1):
        if not isinstance(page_beats, int) or page_beats < 1:
            raise ValueError(f"page_beats must be a positive integer, not {page_beats!r}")
        if seed not in range(1, 1 << 32):
            raise ValueError(f"the seed must be 1 to 2^32 - 1, not {seed!r}")
        self.beat_bits, self.page_beats, self.seed = beat_bits, page_beats, seed
        port = MemoryPort(beat_bits, address_bits)
        super().__init__({"i": In(port), "o": Out(port)})

    def elaborate(self, platform):
        """Build the delays and what they hold."""
        m = Module()
        i, o = self.i, self.o
        pause, late = Signal(7), self._late(m)
        willing = pause == 0
        with m.If(~willing):
            m.d.sync += pause.eq(pause - 1)

        m.submodules.held = held = Memory(shape=self.beat_bits, depth=self.page_beats, init=[])
        write, read = held.write_port(), held.read_port(domain="comb")
        filled, drained = Signal(range(self.page_beats + 1)), Signal(range(self.page_beats + 1))
        request, final = Signal.like(i.request.payload), Signal()
        m.d.comb += [
            o.request.payload.eq(request),
            write.addr.eq(filled),
            read.addr.eq(drained),
            o.w.payload.eq(read.data),
            i.r_data.eq(read.data),
        ]
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += i.request.ready.eq(willing)
                with m.If(i.request.valid & willing):
                    m.d.sync += [request.eq(i.request.payload), pause.eq(late), filled.eq(0), drained.eq(0)]
                    _fork(m, i.request.payload.write, "TAKE", "PASS")
            with m.State("TAKE"):
                m.d.comb += [i.w.ready.eq(willing), write.data.eq(i.w.payload), write.en.eq(i.w.valid & willing)]
                with m.If(i.w.valid & willing):
                    m.d.sync += [filled.eq(filled + 1), pause.eq(late)]
                    with m.If(filled + 1 == request.beats):
                        m.next = "PASS"
            with m.State("PASS"):
                # Once offered, it stays: `pause` is not set again before it is taken.
                m.d.comb += o.request.valid.eq(willing)
                with m.If(willing & o.request.ready):
                    _fork(m, request.write, "GIVE", "READ")
            with m.State("GIVE"):
                m.d.comb += o.w.valid.eq(drained != request.beats)
                with m.If(o.w.valid & o.w.ready):
                    m.d.sync += drained.eq(drained + 1)
                with m.If(o.done):
                    m.d.sync += pause.eq(late)
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += i.done.eq(willing)
                with m.If(willing):
                    m.d.sync += pause.eq(late)
                    m.next = "ACCEPT"
            with m.State("READ"):
                m.d.comb += [write.data.eq(o.r_data), write.en.eq(o.r_valid)]
                m.d.sync += filled.eq(filled + o.r_valid)
                m.d.comb += [final.eq(drained + 1 == request.beats), i.r_valid.eq(willing & (drained != filled))]
                with m.If(i.r_valid):
                    m.d.sync += [drained.eq(drained + 1), pause.eq(late)]
                    with m.If(final):
                        m.d.comb += i.done.eq(1)
                        m.next = "ACCEPT"
        return m

    def _late(self, m):
        """Return how much later what comes next happens: anew in each cycle, by Marsaglia's xorshift."""
        coin, mixed, stirred, next_coin = Signal(32, init=self.seed), Signal(32), Signal(32), Signal(32)
        m.d.comb += [
            mixed.eq(coin ^ (coin << 13)),
            stirred.eq(mixed ^ (mixed >> 17)),
            next_coin.eq(stirred ^ (stirred << 5)),
        ]
        m.d.sync += coin.eq(next_coin)
        return Mux(coin[:5] == 0, coin[5:12], coin[5:7])


def _fork(m, condition, then, otherwise):
    """Go on with one of two states."""
    with m.If(condition):
        m.next = then
    with m.Else():
        m.next = otherwise
