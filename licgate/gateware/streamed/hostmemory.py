"""The host's way to external memory: what comes as pixels is written, what goes as latents has been read."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.ports import latent_layout
from licgate.gateware.stream import Queue
from licgate.gateware.streamed.burst import PageCutter

__all__ = ["HostMemory"]

_BYTE, _PIXEL, _HALF = 8, 3, 16


class HostMemory(Component):
    """Write a stretch of memory from words of three bytes, or read one as words of two.

    Beats come and go low byte first, without gaps between them: three beats of 16 bits are two words of the host's. A
    transaction is requested once all of its beats are there, or have room, so the host may be as late as it likes.

    Parameters
    ----------
    beat_bits : int
        A multiple of 16, up to 64.
    address_bits : int
    burst_beats : int
        Longest transaction, a power of two; none crosses a multiple of it.

    Members
    -------
    write, read : :py:`In(1)`
        Begin, for one cycle; only while not ``busy``.
    address, beats : :py:`In(address_bits)`, :py:`In(address_bits + 1)`
        Of the stretch, in that cycle and the next; no beats are nothing to do.
    busy : :py:`Out(1)`
        A stretch is under way (level). When a write ends it is in memory.
    i : :py:`In(stream.Signature(24))`
        Three bytes of a write; not taken while none is under way. What is left of the last one does not count.
    o : :py:`Out(stream.Signature(latent_layout))`
        Two bytes of a read, and whether they are the last.
    port : :py:`Out(MemoryPort(beat_bits, address_bits))`

    Attributes
    ----------
    latency : int
        Cycles from ``read`` to its request: 4.
    interval : int
        Cycles between two requests, at least: 3.

    Resources on ECP5, with beats of 16 bits, addresses of 24 and bursts of 32: 267 LUT4, 62 carries, 119 flip-flops, no
    block RAM; the queue is 16 cells of distributed memory.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    latency = 4
    interval = 3

    def __init__(self, beat_bits, address_bits, *, burst_beats=32):
        if beat_bits not in (16, 32, 48, 64):
            raise ValueError(f"beat_bits must be 16, 32, 48 or 64, not {beat_bits!r}")
        port = MemoryPort(beat_bits, address_bits)
        self._beat_bits, self._burst = beat_bits, burst_beats
        self._cutter = PageCutter(
            beat_bits, address_bits, page_beats=burst_beats, most_beats=(1 << (address_bits + 1)) - 1
        )
        super().__init__(
            {
                "write": In(1),
                "read": In(1),
                "address": In(address_bits),
                "beats": In(address_bits + 1),
                "busy": Out(1),
                "i": In(stream.Signature(_BYTE * _PIXEL)),
                "o": Out(stream.Signature(latent_layout)),
                "port": Out(port),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cutter = cutter = self._cutter
        m.submodules.queue = queue = Queue(self._beat_bits, 2 * self._burst)
        moving, writing = Signal(), Signal()
        # Beats that the host has still to give or to take: some, and one.
        some, final = Signal(), Signal()
        # A stretch is told, and a cycle later it is known whether there is anything to do.
        told, wanted, begins = Signal(), Signal(), Signal()
        m.d.sync += [told.eq((self.write | self.read) & ~self.busy), wanted.eq(self.beats != 0)]
        m.d.comb += [begins.eq(told & wanted), self.busy.eq(told | moving)]

        # The queue serves both ways.
        given = self._take(m, queue, moving, writing, some, begins)
        taken = self._give(m, queue, moving, writing, final, begins)
        self._count(m, given | taken, begins, some, final)
        under_way = self._request(m, writing, begins, Mux(writing, given, taken))
        with m.If((self.write | self.read) & ~self.busy):
            m.d.sync += writing.eq(self.write)
        with m.If(begins):
            m.d.sync += moving.eq(1)
        with m.Elif(~some & cutter.i.ready & ~under_way):
            m.d.sync += moving.eq(0)
        return m

    def _count(self, m, moved, begins, some, final):
        """Count the beats that the host has still to give or to take."""
        left, few = Signal.like(self.beats), Signal()
        # The upper bits have long been 0 when the lower ones count the last beats.
        m.d.sync += few.eq(left[4:] == 0)
        with m.If(moved):
            m.d.sync += [left.eq(left - 1), final.eq(few & (left[:4] == 2)), some.eq(~final)]
        with m.If(begins):
            m.d.sync += [some.eq(1), left.eq(self.beats), final.eq(self.beats == 1)]

    def _request(self, m, writing, begins, moved):
        """Ask for transactions whose beats wait, or have room; return that one is under way."""
        cutter, port, depth = self._cutter, self.port, 2 * self._burst
        request, accepted, under_way = cutter.request.payload, Signal(), Signal()
        # Beats that wait, or places, and no request has been made for.
        credit, enough = Signal(range(depth + 1)), Signal()
        m.d.comb += [
            cutter.i.payload.address.eq(self.address),
            cutter.i.payload.beats.eq(self.beats),
            cutter.i.valid.eq(begins),
            port.request.payload.eq(request),
            port.request.payload.write.eq(writing),
            port.request.valid.eq(cutter.request.valid & enough),
            accepted.eq(port.request.valid & port.request.ready),
            cutter.request.ready.eq(accepted),
        ]
        m.d.sync += [
            # not in the cycle in which the cutter shows the next one, so that `enough` is of this one
            enough.eq(cutter.request.valid & ~accepted & (credit >= request.beats)),
            credit.eq(credit + moved - Mux(accepted, request.beats, 0)),
        ]
        with m.If(begins):
            m.d.sync += credit.eq(Mux(writing, 0, depth))
        with m.If(accepted):
            m.d.sync += under_way.eq(1)
        with m.Elif(port.done):
            m.d.sync += under_way.eq(0)
        return under_way

    def _take(self, m, queue, moving, writing, some, begins):
        """Make beats of the host's words; return that one goes into the queue. Without a write, those read go there."""
        size, port, given = self._beat_bits, self.port, Signal()
        beat_bytes, full = size // _BYTE, Signal()
        held, count = Signal(_BYTE * (beat_bytes + _PIXEL - 1)), Signal(range(beat_bytes + _PIXEL))
        m.d.comb += [
            full.eq(count >= beat_bytes),
            self.i.ready.eq(moving & writing & some & ~full),
            given.eq(writing & full & some & queue.i.ready),
            queue.i.valid.eq(Mux(writing, given, port.r_valid)),
            queue.i.payload.eq(Mux(writing, held[:size], port.r_data)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [count.eq(count + _PIXEL), held.eq(held | (self.i.payload << (count << 3))[: len(held)])]
        with m.If(given):
            m.d.sync += [count.eq(count - beat_bytes), held.eq(held >> size)]
        with m.If(begins):
            m.d.sync += [count.eq(0), held.eq(0)]
        return given

    def _give(self, m, queue, moving, writing, final, begins):
        """Make the host's words of beats; return that one is gone from the queue. With a write, memory takes them."""
        halves, port, taken = self._beat_bits // _HALF, self.port, Signal()
        half, last_half = Signal(range(max(2, halves))), Signal()
        m.d.comb += [
            last_half.eq(half == halves - 1),
            self.o.valid.eq(moving & ~writing & queue.o.valid),
            self.o.payload.value.eq(queue.o.payload.word_select(half, _HALF)),
            self.o.payload.last.eq(last_half & final),
            taken.eq(self.o.valid & self.o.ready & last_half),
            queue.o.ready.eq(Mux(writing, port.w.ready, taken)),
            port.w.payload.eq(queue.o.payload),
            port.w.valid.eq(writing & queue.o.valid),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += half.eq(Mux(last_half, 0, half + 1))
        with m.If(begins):
            m.d.sync += half.eq(0)
        return taken
