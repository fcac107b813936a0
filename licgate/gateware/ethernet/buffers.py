"""Buffers of a session: bytes that came and wait for the accelerator, bytes that went and wait to be acknowledged."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

__all__ = ["ReceiveBuffer", "SendBuffer"]

#: Nobody uses a word that was read in the cycle of its write, so synthesis need not make that come out in any order.
ANY_ORDER = {"no_rw_check": 1}


def _check_depth(depth):
    if not isinstance(depth, int):
        raise TypeError(f"depth must be an integer, not {depth!r}")
    if depth < 4 or depth & depth - 1:
        raise ValueError(f"depth must be a power of two of at least 4, not {depth!r}")
    return depth


class ReceiveBuffer(Component):
    """Ring of bytes that are seen by their reader only once the datagram that brought them is accepted.

    Parameters
    ----------
    depth : int
        Bytes, a power of two of at least 4.

    Members
    -------
    begin : :py:`In(1)`
        A datagram begins: forget what was written and not accepted.
    data, strobe : :py:`In(8)`, :py:`In(1)`
        A byte of it; one that has no room is dropped.
    whole : :py:`Out(1)`
        All its bytes had room; settled the cycle behind ``strobe``.
    count : :py:`Out(range(depth + 1))`
        How many it had, likewise.
    accept : :py:`In(1)`
        Its bytes may be read. The next datagram has to begin by ``begin``.
    clear : :py:`In(1)`
        Forget everything; what ``o`` offers is withdrawn.
    room : :py:`Out(range(depth + 1))`
        Bytes that have room beside those which were accepted.
    taken : :py:`Out(1)`
        A byte has left the ring, and ``room`` has grown by it (pulse).
    o : :py:`Out(stream.Signature(8))`

    Attributes
    ----------
    latency : int
        From ``accept`` to the first byte at ``o``: 2 cycles.
    interval : int
        1 cycle.

    Resources on ECP5: a DP16KD for every 2048 bytes.
    """

    latency, interval = 2, 1

    def __init__(self, depth):
        self.depth = _check_depth(depth)
        level = range(depth + 1)
        super().__init__(
            {
                **{name: In(1) for name in ("begin", "strobe", "accept", "clear")},
                "data": In(8),
                "whole": Out(1),
                "count": Out(level),
                "room": Out(level, init=depth),
                "taken": Out(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m, depth = Module(), self.depth
        m.submodules.memory = memory = Memory(shape=8, depth=depth, init=[], attrs=ANY_ORDER)
        write, read = memory.write_port(), memory.read_port()
        # where the accepted bytes end, and where they begin
        end, start, level = Signal(range(depth)), Signal(range(depth)), Signal(range(depth + 1))
        fits, goes, lost = Signal(), Signal(), Signal()
        m.d.comb += [
            fits.eq(self.count != self.room),
            write.addr.eq((end + self.count)[: len(end)]),
            write.data.eq(self.data),
            write.en.eq(self.strobe & fits),
            read.addr.eq(start),
            read.en.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(read.data),
            goes.eq(read.en & (level != 0)),
            self.whole.eq(~lost),
        ]
        with m.If(self.strobe):
            m.d.sync += [self.count.eq(self.count + fits), lost.eq(lost | ~fits)]
        with m.If(self.begin):
            m.d.sync += [self.count.eq(0), lost.eq(0)]
        accepted = Mux(self.accept, self.count, 0)
        m.d.sync += [
            end.eq(end + accepted),
            level.eq(level + accepted - goes),
            self.room.eq(self.room - accepted + goes),
            start.eq(start + goes),
            self.taken.eq(goes),
        ]
        with m.If(read.en):
            m.d.sync += self.o.valid.eq(level != 0)
        with m.If(self.clear):
            m.d.sync += [end.eq(start), level.eq(0), self.room.eq(depth), start.eq(start), self.o.valid.eq(0)]
        return m


class SendBuffer(Component):
    """Ring of bytes that are kept until the other side has acknowledged them, and can be sent again.

    Three places in the stream follow each other: the first byte that is not acknowledged, the next one to be sent,
    and the next one to come.

    Parameters
    ----------
    depth : int
        Bytes, a power of two of at least 4.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Taken while there is room.
    acknowledge : :py:`In(1)`
        Forget the bytes in front of ``number``, unless it is none of a byte that is kept, or the next one; with it
        comes the room that the other side has from there on, ``window``.
    number, window : :py:`In(32)`, :py:`In(16)`
    back : :py:`In(1)`
        Send again from the first byte that is kept; not together with ``send``.
    send : :py:`In(1)`
        The next ``length`` bytes are sent, of which there have to be as many; they can be read from the cycle behind.
    length : :py:`In(range(depth + 1))`
    clear : :py:`In(1)`
        Forget everything; the next byte is number 0.
    first, sent, waiting : :py:`Out(32)`, :py:`Out(range(depth + 1))`, :py:`Out(range(depth + 1))`
        Number of the first byte kept, how many from there on have been sent, and how many more may be: those that have
        come and have room. ``waiting`` follows two cycles behind.
    progress : :py:`Out(1)`
        Bytes were acknowledged (pulse).
    r_next, r_data : :py:`In(1)`, :py:`Out(8)`
        A byte of those which are being sent, from the cycle behind ``r_next``, each in its turn.

    Attributes
    ----------
    latency : int
        From ``acknowledge`` to ``first`` and ``progress``: 2 cycles; no other may come meanwhile.
    interval : int
        1 cycle a byte at ``i``, and at ``r_data``.

    Resources on ECP5: a DP16KD for every 2048 bytes.
    """

    latency, interval = 2, 1

    def __init__(self, depth):
        self.depth = _check_depth(depth)
        level = range(depth + 1)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                **{name: In(1) for name in ("acknowledge", "back", "send", "clear", "r_next")},
                "number": In(32),
                "window": In(16),
                "length": In(level),
                "first": Out(32),
                "sent": Out(level),
                "waiting": Out(level),
                "progress": Out(1),
                "r_data": Out(8),
            }
        )

    def elaborate(self, platform):
        m, depth = Module(), self.depth
        m.submodules.memory = memory = Memory(shape=8, depth=depth, init=[], attrs=ANY_ORDER)
        write, read = memory.write_port(), memory.read_port()
        bits = len(write.addr)
        held, window = Signal(range(depth + 1), name="held"), Signal(16, name="granted")
        reading = Signal(bits)
        comes = Signal()
        m.d.comb += [
            self.i.ready.eq(~held[bits]),
            comes.eq(self.i.valid & self.i.ready),
            write.addr.eq((self.first + held)[:bits]),
            write.data.eq(self.i.payload),
            write.en.eq(comes),
            read.addr.eq(reading),
            read.en.eq(self.r_next),
            self.r_data.eq(read.data),
        ]
        took, acknowledged = self._acknowledged(m, held, window)
        m.d.sync += [
            self.first.eq(self.first + took),
            held.eq(held + comes - took),
            self.progress.eq(took != 0),
            reading.eq(reading + self.r_next),
        ]
        with m.If(self.send):
            m.d.sync += reading.eq((self.first + self.sent)[:bits])
        # what was sent before and is acknowledged only now may lie behind the next byte to be sent
        sent = self.sent + Mux(self.send, self.length, 0)
        m.d.sync += self.sent.eq(Mux(acknowledged & (took > sent), 0, sent - took))
        with m.If(self.back):
            m.d.sync += self.sent.eq(0)
        limit = Signal(range(depth + 1))
        m.d.sync += [
            limit.eq(Mux(window < held, window, held)),
            self.waiting.eq(Mux(limit > self.sent, limit - self.sent, 0)),
        ]
        with m.If(self.clear):
            m.d.sync += [self.first.eq(0), held.eq(0), self.sent.eq(0), window.eq(0), self.progress.eq(0)]
            m.d.sync += [limit.eq(0), self.waiting.eq(0)]
        return m

    def _acknowledged(self, m, held, window):
        """How many bytes are forgotten in this cycle, and whether there is word of it."""
        distance, room, fresh, took = Signal(32), Signal(16), Signal(), Signal(range(self.depth + 1))
        valid = Signal()
        m.d.sync += fresh.eq(self.acknowledge & ~self.clear)
        with m.If(self.acknowledge):
            m.d.sync += [distance.eq(self.number - self.first), room.eq(self.window)]
        m.d.comb += [valid.eq(fresh & (distance <= held)), took.eq(Mux(valid, distance, 0))]
        with m.If(valid):
            m.d.sync += window.eq(room)
        return took, valid
