"""When a board sends, and what: answers, data as they come, and data once more."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ethernet.parser import header_layout, place_layout
from licgate.gateware.ethernet.session import answer_layout
from licgate.target.datagrams import MAX_DATA, Flag

__all__ = ["SendControl"]

#: Cycles in which a `SendBuffer` settles what waits to be sent, and what is made of it here.
_SETTLES = 5


class SendControl(Component):
    """Choose what is sent next.

    Parameters
    ----------
    receive_depth, send_depth : int
        Of the two buffers.
    linger : int
        Cycles for which data that do not fill a datagram wait for more, from the last byte of them.
    retry : int
        Cycles without an acknowledgement after which data are sent again.
    retries : int
        How often, before the peer has to show itself.

    Members
    -------
    open, session, peer, expected, due, opened, missed, acknowledge, again, clear, stranger, waits, answered
        To and from a `SessionControl`.
    room, taken
        As of a `ReceiveBuffer`.
    sent, first, waiting, progress
        As of a `SendBuffer`.
    o_acknowledge, back, send : :py:`Out(1)`
        To it; kept back while a datagram is being measured.
    start, arp, target, flags, header, length, busy
        To and from a `PacketBuilder`.

    Attributes
    ----------
    latency : int
        From a pulse of ``due``, with nothing else to send, to ``start``: 7 cycles.
    """

    latency = 7

    def __init__(self, *, receive_depth, send_depth, linger, retry, retries=255):
        for name, value in (("linger", linger), ("retry", retry), ("retries", retries)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        self.receive_depth, self.send_depth = receive_depth, send_depth
        self.linger, self.retry, self.retries = linger, retry, retries
        level = range(send_depth + 1)
        inputs = (
            "open",
            "due",
            "opened",
            "missed",
            "acknowledge",
            "again",
            "clear",
            "waits",
            "taken",
            "progress",
            "busy",
        )
        super().__init__(
            {
                **{name: In(1) for name in inputs},
                **{name: Out(1) for name in ("answered", "o_acknowledge", "back", "send", "start", "arp")},
                "session": In(32),
                "peer": In(place_layout),
                "expected": In(32),
                "stranger": In(answer_layout),
                "room": In(range(receive_depth + 1)),
                "first": In(32),
                "sent": In(level),
                "waiting": In(level),
                "target": Out(place_layout),
                "flags": Out(8),
                "header": Out(header_layout),
                "length": Out(range(MAX_DATA + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        due, opened, missed, measuring = (Signal(name=name) for name in ("is_due", "has_opened", "misses", "measuring"))
        told, wanted = Signal(), Signal()
        settles, sequence = Signal(range(_SETTLES + 1)), Signal(32)
        self._wanted(m, wanted, told)
        self._repeated(m, measuring)
        m.d.sync += sequence.eq(self.first + self.sent)
        m.d.comb += [
            self.arp.eq(self.stranger.arp & ~measuring),
            self.target.eq(Mux(measuring, self.peer, self.stranger.place)),
            self.header.session.eq(Mux(measuring, self.session, self.stranger.session)),
            self.header.sequence.eq(Mux(measuring, sequence, 0)),
            self.header.acknowledged.eq(Mux(measuring, self.expected, 0)),
            self.header.window.eq(Mux(measuring, self.room, 0)),
        ]
        of_ours = Cat(opened, Const(0, 1), missed)
        of_others = Mux(self.stranger.taken, Flag.TAKEN, Flag.CLOSED)
        m.d.comb += self.flags.eq(Mux(measuring, of_ours, of_others))
        short = Signal(range(MAX_DATA + 1))
        m.d.sync += short.eq(Mux(self.waiting > MAX_DATA, MAX_DATA, self.waiting))
        m.d.comb += self.length.eq(Mux(measuring, short, 0))
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += settles.eq(_SETTLES)
                with m.If(~self.busy & self.waits):
                    m.d.comb += [self.start.eq(1), self.answered.eq(1)]
                with m.Elif(~self.busy & self.open & ~self.clear & (due | wanted)):
                    m.next = "MEASURE"
            with m.State("MEASURE"):
                m.d.comb += measuring.eq(1)
                m.d.sync += settles.eq(Mux(settles == 0, 0, settles - 1))
                with m.If(self.clear):
                    m.next = "IDLE"
                # what was accepted in this cycle counts in the acknowledgement, and not in the room yet
                with m.Elif((settles == 0) & ~self.acknowledge):
                    m.d.comb += [self.start.eq(1), self.send.eq(1), told.eq(1)]
                    m.d.sync += [due.eq(0), opened.eq(0), missed.eq(0)]
                    m.next = "IDLE"
        with m.If(self.due | self.missed | self._freed(m, told)):
            m.d.sync += due.eq(1)
        with m.If(self.opened):
            m.d.sync += opened.eq(1)
        with m.If(self.missed):
            m.d.sync += missed.eq(1)
        with m.If(~self.open):
            m.d.sync += [due.eq(0), opened.eq(0), missed.eq(0)]
        return m

    def _wanted(self, m, wanted, told):
        """Whether data are to be sent: a datagram of them, or fewer behind which nothing comes any more."""
        lingers, before = Signal(range(self.linger + 1), init=self.linger), Signal.like(self.waiting)
        m.d.sync += before.eq(self.waiting)
        m.d.sync += wanted.eq((self.waiting >= MAX_DATA) | ((self.waiting != 0) & (lingers == 0)))
        with m.If((self.waiting == 0) | (self.waiting != before) | told | self.clear):
            m.d.sync += lingers.eq(self.linger)
        with m.Elif(lingers != 0):
            m.d.sync += lingers.eq(lingers - 1)
        with m.If(told):
            m.d.sync += wanted.eq(0)

    def _freed(self, m, told):
        """Whether so much room has come since the peer was told that it is worth an answer."""
        worth = self.receive_depth // 4
        freed, enough = Signal(range(worth + 1)), Signal()
        m.d.sync += enough.eq(freed == worth)
        with m.If(self.taken & (freed != worth)):
            m.d.sync += freed.eq(freed + 1)
        with m.If(told | self.clear):
            m.d.sync += [freed.eq(0), enough.eq(0)]
        return enough & ~told

    def _repeated(self, m, measuring):
        """Hand on acknowledgements, and what they ask for, or time, once nothing is being measured."""
        word, back, count = Signal(), Signal(), Signal(range(self.retries + 1))
        timer, late = Signal(range(self.retry + 1), init=self.retry), Signal()
        m.d.comb += [self.o_acknowledge.eq(word & ~measuring), self.back.eq(back & ~word & ~measuring)]
        with m.If(~measuring):
            m.d.sync += word.eq(0)
            with m.If(~word):
                m.d.sync += back.eq(0)
        m.d.sync += late.eq((timer == 1) & (count != self.retries))
        with m.If((self.sent == 0) | self.progress | self.back | self.clear):
            m.d.sync += [timer.eq(self.retry), late.eq(0)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.If(late):
            m.d.sync += [back.eq(1), count.eq(count + 1)]
        with m.If(self.acknowledge):
            m.d.sync += [word.eq(1), back.eq(back | self.again), count.eq(0)]
            # one that had given up
            with m.If(timer == 0):
                m.d.sync += timer.eq(self.retry)
        with m.If(self.clear):
            m.d.sync += [word.eq(0), back.eq(0), count.eq(0)]
