"""Between a USB device's clock and an accelerator's: bytes both ways, and none of before when a host comes anew."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out

__all__ = ["PacketEnds", "UsbBridge"]


class UsbBridge(Component):
    """A queue of bytes each way between the domains ``usb`` and ``sync``, which a host that comes anew finds empty.

    ``begin`` raises ``clear``, ``abort`` follows in the other domain, and while both are up either side takes and drops
    what the queues hold. Then ``abort`` falls, and at the next ``token`` behind that ``clear`` does, so that no
    transaction is half before it and half behind.

    Parameters
    ----------
    depth : int
        Bytes of either queue, a power of two of at least 4.

    Members
    -------
    begin : :py:`In(1)`
        Of ``usb``, as all down to ``o_usb``: forget everything (pulse).
    token : :py:`In(1)`
        A transaction begins (pulse); ``clear`` has fallen when its data comes.
    clear : :py:`Out(1)`
        What is at the other ends in ``usb`` is to be held in reset (level): it offers nothing, and takes what comes.
    i_usb, o_usb : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        From and to the host.
    abort : :py:`Out(1)`
        Of ``sync``, as all below: what is at the other ends in ``sync`` is to be held in reset (level).
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        To and from the host.

    Attributes
    ----------
    cycles : int
        Of ``usb`` for which both sides empty the queues; ``sync`` has to be as fast as ``usb`` or faster.

    Raises
    ------
    ValueError
        The depth is no such power of two.
    """

    def __init__(self, *, depth=16):
        if not isinstance(depth, int) or depth < 4 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 4, not {depth!r}")
        self.depth, self.cycles = depth, 2 * depth + 16
        super().__init__(
            {
                "begin": In(1),
                "token": In(1),
                "clear": Out(1),
                "i_usb": In(stream.Signature(8)),
                "o_usb": Out(stream.Signature(8)),
                "abort": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.to_device = inward = AsyncFIFOBuffered(width=8, depth=self.depth, w_domain="usb", r_domain="sync")
        m.submodules.to_host = outward = AsyncFIFOBuffered(width=8, depth=self.depth, w_domain="sync", r_domain="usb")
        abort, clear = self.abort, self.clear
        m.d.comb += [
            inward.w_data.eq(self.i_usb.payload),
            inward.w_en.eq(self.i_usb.valid & ~clear),
            self.i_usb.ready.eq(inward.w_rdy | clear),
            self.o.payload.eq(inward.r_data),
            self.o.valid.eq(inward.r_rdy & ~abort),
            inward.r_en.eq(self.o.ready | abort),
            outward.w_data.eq(self.i.payload),
            outward.w_en.eq(self.i.valid & ~abort),
            self.i.ready.eq(outward.w_rdy & ~abort),
            self.o_usb.payload.eq(outward.r_data),
            self.o_usb.valid.eq(outward.r_rdy & ~clear),
            outward.r_en.eq(self.o_usb.ready | clear),
        ]
        self._clear(m)
        return m

    def _clear(self, m):
        asked, heard, again = Signal(), Signal(), Signal()
        left = Signal(range(self.cycles + 1))
        m.submodules.ask = FFSynchronizer(asked, self.abort, o_domain="sync")
        m.submodules.hear = FFSynchronizer(self.abort, heard, o_domain="usb")
        with m.FSM(domain="usb"):
            with m.State("IDLE"), m.If(self.begin | again):
                m.d.usb += [self.clear.eq(1), asked.eq(1), again.eq(0), left.eq(self.cycles)]
                m.next = "RISE"
            with m.State("RISE"), m.If(heard):
                m.next = "EMPTY"
            with m.State("EMPTY"):
                m.d.usb += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.usb += asked.eq(0)
                    m.next = "FALL"
            with m.State("FALL"), m.If(~heard):
                m.next = "TOKEN"
            with m.State("TOKEN"), m.If(self.token | again):
                m.d.usb += self.clear.eq(again)
                m.next = "IDLE"
        # a host that comes anew meanwhile finds what came in between gone, too
        with m.If(self.begin & self.clear):
            m.d.usb += again.eq(1)


class PacketEnds(Component):
    """Mark the last byte of what comes in one go, so that it is sent to the host and not held back for more.

    A byte waits until the next one has come, or none has for ``pause`` cycles.

    Parameters
    ----------
    pause : int
        Cycles.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
    last : :py:`Out(1)`
        With ``o``: nothing follows for a while.

    Attributes
    ----------
    latency : int
        From the next byte, or the end of the pause: 1 cycle.
    interval : int
        1 cycle.
    """

    latency, interval = 1, 1

    def __init__(self, *, pause=64):
        if not isinstance(pause, int) or pause < 1:
            raise ValueError(f"pause must be one cycle or more, not {pause!r}")
        self.pause = pause
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "last": Out(1)})

    def elaborate(self, platform):
        m = Module()
        held, full, left = Signal(8, name="held"), Signal(name="full"), Signal(range(self.pause + 1), name="left")
        # `o` is a register of its own: an offer stays what it was, whatever comes meanwhile
        free = ~self.o.valid | self.o.ready
        goes = full & free & (self.i.valid | (left == 0))
        m.d.comb += self.i.ready.eq(~full | goes)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(goes):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(held), self.last.eq(~self.i.valid), full.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(self.i.payload), full.eq(1), left.eq(self.pause)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m
