"""Reading a stretch of external memory: requests that cross no page."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.port import MemoryPort

__all__ = ["PageCutter", "stretch_layout"]


def stretch_layout(address_bits, most_beats):
    """A stretch of memory: first address, and beats."""
    return data.StructLayout({"address": address_bits, "beats": range(most_beats + 1)})


class PageCutter(Component):
    """Cut stretches of memory into requests.

    Parameters
    ----------
    beat_bits, address_bits : int
        Of the memory's port.
    page_beats : int
        A power of two; no request crosses a multiple of it.
    most_beats : int
        Longest stretch.
    write : bool
        What is requested: writes or reads.

    Members
    -------
    i : :py:`In(stream.Signature(stretch_layout(address_bits, most_beats)))`
    request : :py:`Out(...)`
        As of a :class:`~licgate.gateware.memory.port.MemoryPort`.
    ends : :py:`Out(1)`
        The request is the last one of its stretch.

    Attributes
    ----------
    latency : int
        Cycles from a stretch to its first request: 2. interval: a request every two cycles, the next stretch one later.

    Resources: an adder of an address, three of a stretch.

    Raises
    ------
    ValueError
        ``page_beats`` is not a power of two, or ``most_beats`` not positive.
    """

    latency = 2
    interval = 2

    def __init__(self, beat_bits, address_bits, *, page_beats, most_beats, write=False):
        if not isinstance(page_beats, int) or page_beats < 1 or page_beats & (page_beats - 1):
            raise ValueError(f"page_beats must be a power of two, not {page_beats!r}")
        if not isinstance(most_beats, int) or most_beats < 1:
            raise ValueError(f"most_beats must be a positive integer, not {most_beats!r}")
        self._page_beats, self._write = page_beats, write
        request = MemoryPort(beat_bits, address_bits).members["request"].signature
        super().__init__(
            {
                "i": In(stream.Signature(stretch_layout(address_bits, most_beats))),
                "request": Out(request),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        page = self._page_beats
        address = Signal.like(self.i.payload.address)
        left = Signal.like(self.i.payload.beats)
        room, length = Signal(range(page + 1)), Signal(range(page + 1))
        # The stretch's last beat, counted from its first one and from the page's: in the same page if what lies above a
        # page's beats is 0.
        within, fits = Signal(range(page)), Signal()
        last, from_page = Signal.like(left, name="last"), Signal(1 + max(len(left), len(within)))
        # The state IDLE, without its decoding.
        free = Signal(init=1)
        m.d.comb += [
            within.eq(address),
            room.eq(page - within),
            from_page.eq(last + within),
            fits.eq(~from_page[page.bit_length() - 1 :].any()),
            self.i.ready.eq(free),
            self.request.payload.write.eq(int(self._write)),
            self.request.payload.address.eq(address),
            self.request.payload.beats.eq(length),
        ]
        with m.FSM():
            with m.State("IDLE"):
                # taken over whether there is one or not, so that few wait for `valid`
                m.d.sync += [
                    address.eq(self.i.payload.address),
                    left.eq(self.i.payload.beats),
                    last.eq(self.i.payload.beats - 1),
                ]
                with m.If(self.i.valid):
                    m.d.sync += free.eq(0)
                    m.next = "CUT"
            with m.State("CUT"):
                m.d.sync += [length.eq(Mux(fits, left, room)), self.ends.eq(fits)]
                m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.request.valid.eq(1)
                with m.If(self.request.ready):
                    m.d.sync += [address.eq(address + length), left.eq(left - length), last.eq(last - length)]
                    m.next = "CUT"
                    with m.If(self.ends):
                        m.d.sync += free.eq(1)
                        m.next = "IDLE"
        return m
