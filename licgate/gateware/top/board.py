"""A board without clock, reset and pads: an accelerator behind its host link, at bytes or at a UART's pins."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.hostlink import HostLink
from licgate.gateware.host.linkregisters import LinkRegisters
from licgate.gateware.host.uart import UartReceiver, UartTransmitter
from licgate.gateware.memory.phy import SdramPhy, sdram_bus
from licgate.gateware.stream import SkidBuffer, StreamBuffer, connect
from licgate.target.link import LinkFacts
from licgate.target.registers import Kind

__all__ = ["EmulatedBoard", "LinkedAccelerator", "SerialAccelerator"]

#: Cycles for which a reset that the host asks for drops what is on its way to the link: it takes a few to reach the
#: accelerator's streams.
FLUSH_CYCLES = 15


class LinkedAccelerator(Component):
    """An accelerator behind its host link: bytes in, bytes out.

    Parameters
    ----------
    accelerator : Component
        With members ``i``, ``o``, ``o_patch`` and ``csr``, whose ``r_data`` follows ``addr`` by two cycles at most;
        with a ``bus``, one with an SDRAM.
    timeout : int
        See :class:`~licgate.gateware.host.hostlink.HostLink`.
    facts : LinkFacts
        What the registers of the link say.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        From and to the host.
    framing, overflow : :py:`In(1)`
        The line has lost a byte (pulses); LINE_ERRORS counts them.
    abort : :py:`In(1)`
        As of the link: forget all that is on its way, and reset the accelerator. Only with ``facts.stream``.
    bus : :py:`Out(sdram_bus)`
        The accelerator's, if it has one.
    """

    def __init__(self, accelerator, *, timeout, facts=None):
        self.accelerator = accelerator
        self.facts = LinkFacts() if facts is None else facts
        self.link = HostLink(timeout=timeout, streaming=self.facts.stream)
        self.has_bus = "bus" in accelerator.signature.members
        kind = Kind.SDRAM if self.has_bus else Kind.RESIDENT
        self._registers = LinkRegisters(kind, frames=self.link.frames - 1, facts=self.facts)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "framing": In(1),
                "overflow": In(1),
                **({"abort": In(1)} if self.facts.stream else {}),
                **({"bus": Out(sdram_bus)} if self.has_bus else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self.accelerator
        m.submodules.link = link = self.link
        connect(m, flipped(self.i), link.i)
        connect(m, link.o, flipped(self.o))
        if self.facts.stream:
            m.d.comb += link.abort.eq(self.abort)
        if self.has_bus:
            connect(m, accelerator.bus, flipped(self.bus))
        flush = self._streams(m, link, accelerator)
        self._control(m, link, accelerator, flush)
        return m

    def _streams(self, m, link, accelerator):
        """Lead streams through registers; return when what they hold is void."""
        # No path runs from the link through the accelerator. The line is slow, so half a payload a cycle is plenty, but
        # for pixels, which come in bursts.
        flushing, flush = Signal(range(FLUSH_CYCLES + 1)), Signal()
        with m.If(link.flush):
            m.d.sync += flushing.eq(FLUSH_CYCLES)
        with m.Elif(flushing != 0):
            m.d.sync += flushing.eq(flushing - 1)
        m.d.sync += flush.eq(link.flush | (flushing != 0))
        for name, source, target, kind in (
            ("pixels", link.o_pixels, accelerator.i, SkidBuffer),
            ("latents", accelerator.o, link.i_latents, StreamBuffer),
            ("window", accelerator.o_patch, link.i_patch, StreamBuffer),
        ):
            buffer = kind(source.payload.shape())
            # empty from the first cycle of a flush on, so that nothing of before is handed on
            m.submodules[f"{name}_buffer"] = ResetInserter(link.flush | flush)(buffer)
            connect(m, source, buffer.i)
            connect(m, buffer.o, target)
        return flush

    def _control(self, m, link, accelerator, flush):
        """Lead the registers' bus to the accelerator and to the link's own."""
        m.submodules.registers = registers = self._registers
        # The register's address crosses the chip; the link reads it three cycles after it was given.
        m.d.sync += [
            accelerator.csr.addr.eq(link.csr.addr),
            accelerator.csr.w_data.eq(link.csr.w_data),
            accelerator.csr.w_stb.eq(link.csr.w_stb),
        ]
        m.d.comb += [
            registers.csr.addr.eq(link.csr.addr),
            registers.csr.w_data.eq(link.csr.w_data),
            registers.csr.w_stb.eq(link.csr.w_stb),
            # each reads 0 where the other has a register
            link.csr.r_data.eq(accelerator.csr.r_data | registers.csr.r_data),
            registers.framing.eq(self.framing),
            registers.overflow.eq(self.overflow),
            registers.pixel.eq(link.o_pixels.payload),
            registers.pixel_taken.eq(link.o_pixels.valid & link.o_pixels.ready),
            registers.latent.eq(link.i_latents.payload),
            registers.latent_given.eq(link.i_latents.valid & link.i_latents.ready),
            registers.clear.eq(link.flush | flush),
        ]


class SerialAccelerator(Component):
    """A `LinkedAccelerator` behind a UART, 8N1.

    Parameters
    ----------
    linked : LinkedAccelerator
    divisor : int
        Clock cycles per bit, at least 4.

    Members
    -------
    rx, tx : :py:`In(1, init=1)`, :py:`Out(1, init=1)`
        The line, idle high; ``rx`` is asynchronous.
    bus : :py:`Out(sdram_bus)`
        The accelerator's, if it has one.
    """

    def __init__(self, linked, *, divisor):
        self.linked, self.divisor = linked, divisor
        self._receiver, self._transmitter = UartReceiver(divisor=divisor), UartTransmitter(divisor=divisor)
        bus = {"bus": Out(sdram_bus)} if linked.has_bus else {}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **bus})

    def elaborate(self, platform):
        m = Module()
        m.submodules.linked = linked = self.linked
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        m.submodules.byte_buffer = byte_buffer = StreamBuffer(8)
        m.submodules.line_buffer = line_buffer = StreamBuffer(8)
        connect(m, receiver.o, byte_buffer.i)
        connect(m, byte_buffer.o, linked.i)
        connect(m, linked.o, line_buffer.i)
        connect(m, line_buffer.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            linked.framing.eq(receiver.frame_error),
            linked.overflow.eq(receiver.overflow),
        ]
        if linked.has_bus:
            connect(m, linked.bus, flipped(self.bus))
        return m


class EmulatedBoard(Component):
    """A `LinkedAccelerator` or `SerialAccelerator` for a simulation, with a PHY without pads in front of an SDRAM.

    Parameters
    ----------
    board : LinkedAccelerator or SerialAccelerator
    round_trip : int
        See :class:`~licgate.gateware.memory.phy.SdramPhy`.

    Members
    -------
    i, o or rx, tx
        As of the board.
    pins : :py:`Out(sdram_bus)`
        With an SDRAM.
    """

    def __init__(self, board, *, round_trip=0):
        self.board = board
        members = dict(board.signature.members)
        for name in ("framing", "overflow", "abort"):
            members.pop(name, None)
        self._phy = SdramPhy(round_trip) if members.pop("bus", None) else None
        super().__init__(members | ({"pins": Out(sdram_bus)} if self._phy else {}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.board = board = self.board
        if "rx" in self.signature.members:
            m.d.comb += [board.rx.eq(self.rx), self.tx.eq(board.tx)]
        else:
            connect(m, flipped(self.i), board.i)
            connect(m, board.o, flipped(self.o))
        if self._phy:
            m.submodules.phy = phy = self._phy
            connect(m, board.bus, phy.bus)
            connect(m, phy.pins, flipped(self.pins))
        return m
