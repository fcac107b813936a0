"""The memory side of the ports as an AXI4 master, for Zynq UltraScale+ and other systems with an AXI4 memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, Signature
from amaranth.utils import exact_log2

from licgate.gateware.memory.port import BEATS_BITS, MemoryPort
from licgate.target.pages import axi_page_beats

__all__ = ["Axi4Master", "axi4_signature"]

_INCREMENTING = 0b01
#: Normal memory, not cached, bufferable; unprivileged, not secure, data.
_CACHE, _PROTECTION = 0b0011, 0b010


def axi4_signature(data_bits: int, address_bits: int) -> Signature:
    """AXI4 as its master sees it (AMBA AXI and ACE, IHI 0022): one stream for each of the five channels.

    One ID is used, so there are no ID signals; locks, regions, QoS and user signals are left at zero by a wrapper.
    """
    address = {"addr": address_bits, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3}
    return Signature(
        {
            "ar": Out(stream.Signature(StructLayout(address))),
            "r": In(stream.Signature(StructLayout({"data": data_bits, "resp": 2, "last": 1}))),
            "aw": Out(stream.Signature(StructLayout(address))),
            "w": Out(stream.Signature(StructLayout({"data": data_bits, "strb": data_bits // 8, "last": 1}))),
            "b": In(stream.Signature(StructLayout({"resp": 2}))),
        }
    )


class Axi4Master(Component):
    """Serve transactions in their order over AXI4, each as one incrementing burst.

    Two reads, or two writes, are on their way at most: a read waits for the answers of the writes before it, and a
    write for the data of the reads before it, since AXI4 keeps no order between the two.

    Parameters
    ----------
    data_bits : int
        Of the bus, and of a beat: 32, 64, 128, 256 or 512.
    address_bits : int
        Of an address in beats.
    base : int
        Byte address of the memory: a multiple of its size.
    bus_address_bits : int
        Of an address in bytes.

    Members
    -------
    port : :py:`In(MemoryPort(data_bits, address_bits))`
    bus : :py:`Out(axi4_signature(data_bits, bus_address_bits))`
    error : :py:`Out(1)`
        Rises with the first answer that is not OKAY, and stays.

    Attributes
    ----------
    page_beats : int
        Longest transaction, of which it crosses no multiple: 256 beats, or fewer that fill 4 KB.
    latency : int
        1 cycle from the acceptance to ``ar`` or ``aw``, from ``r`` to the port and from ``b`` to ``done``; 1 from
        ``port.w`` to ``w``.
    interval : int
        A beat a cycle. One cycle is lost between two reads whose data comes in time: behind an :class:`Arbiter` a
        port's next read is accepted two cycles after its last one is done, and before its first beat.

    Resources on UltraScale+ at 128 bits: 170 LUT and 484 flip-flops; two registers of the bus' width to it, one back.

    Raises
    ------
    ValueError
        A width is not one of AXI4, or the base is not a multiple of the memory's size, or lies outside of the bus.
    """

    latency = 1

    def __init__(self, data_bits: int = 128, address_bits: int = 28, *, base: int = 0, bus_address_bits: int = 40):
        self.page_beats = axi_page_beats(data_bits)
        port = MemoryPort(data_bits, address_bits)
        size = data_bits // 8 << address_bits
        if base % size:
            raise ValueError(f"the base {base:#x} is not a multiple of the memory's {size:#x} bytes")
        if not 0 <= base <= (1 << bus_address_bits) - size:
            raise ValueError(f"{size:#x} bytes from {base:#x} on do not fit an address of {bus_address_bits} bits")
        self.data_bits, self.base, self.bus_address_bits = data_bits, base, bus_address_bits
        bus = axi4_signature(data_bits, bus_address_bits)
        super().__init__({"port": In(port), "bus": Out(bus), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        port, bus = self.port, self.bus
        request = port.request.payload
        shift = exact_log2(self.data_bits // 8)
        reading, writing = Signal(range(3)), Signal(range(3))
        sending, last, left = Signal(), Signal(), Signal(BEATS_BITS)

        may_read = (writing == 0) & (reading != 2) & ~bus.ar.valid
        may_write = (reading == 0) & (writing != 2) & ~bus.aw.valid & ~sending
        begin = Signal()
        m.d.comb += [
            port.request.ready.eq(Mux(request.write, may_write, may_read)),
            begin.eq(port.request.valid & port.request.ready),
        ]
        for channel in (bus.ar, bus.aw):
            with m.If(channel.ready):
                m.d.sync += channel.valid.eq(0)
            m.d.comb += [
                channel.payload.size.eq(shift),
                channel.payload.burst.eq(_INCREMENTING),
                channel.payload.cache.eq(_CACHE),
                channel.payload.prot.eq(_PROTECTION),
            ]
            address = Cat(Const(0, shift), request.address)
            with m.If(begin & (request.write == int(channel is bus.aw))):
                m.d.sync += [
                    channel.valid.eq(1),
                    channel.payload.addr.eq(self.base | address),
                    channel.payload.len.eq(request.beats - 1),
                ]
        with m.If(begin & request.write):
            m.d.sync += [sending.eq(1), left.eq(request.beats), last.eq(request.beats == 1)]

        taken, final, answered = self._channels(m, sending, last)
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
            with m.If(last):
                m.d.sync += sending.eq(0)
        m.d.sync += [
            reading.eq(reading + (begin & ~request.write) - final),
            writing.eq(writing + (begin & request.write) - answered),
        ]
        return m

    def _channels(self, m, sending, last):
        """Registers before `w`, behind `r` and `b`: whether a beat was taken, a read ended, a write was answered."""
        port, bus = self.port, self.bus
        taken, final, answered = Signal(), Signal(), Signal()

        # Two places: the second is filled while the first is not taken, so that readiness comes from a register.
        spare, filled = Signal.like(bus.w.payload, reset_less=True), Signal()
        beat = Signal.like(bus.w.payload)
        m.d.comb += [
            port.w.ready.eq(sending & ~filled),
            taken.eq(port.w.valid & port.w.ready),
            beat.data.eq(port.w.payload),
            beat.strb.eq(~0),
            beat.last.eq(last),
        ]
        with m.If(~bus.w.valid | bus.w.ready):
            m.d.sync += [bus.w.valid.eq(filled | taken), filled.eq(0)]
            m.d.sync += bus.w.payload.eq(Mux(filled, spare, beat))
        with m.Elif(taken):
            m.d.sync += [spare.eq(beat), filled.eq(1)]

        ended, came = Signal(), Signal()
        m.d.comb += [
            bus.r.ready.eq(~ended),
            bus.b.ready.eq(1),
            came.eq(bus.r.valid & bus.r.ready),
            final.eq(came & bus.r.payload.last),
            answered.eq(bus.b.valid),
        ]
        m.d.sync += [
            ended.eq(final),
            port.r_valid.eq(came),
            port.r_data.eq(bus.r.payload.data),
            port.done.eq(final | answered),
        ]
        with m.If((came & (bus.r.payload.resp != 0)) | (bus.b.valid & (bus.b.payload.resp != 0))):
            m.d.sync += self.error.eq(1)
        return taken, final, answered
