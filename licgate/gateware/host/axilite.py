"""Control and status registers behind AXI4-Lite."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, Signature

from licgate.gateware.ports import csr_signature
from licgate.target.registers import ADDRESS_WIDTH

__all__ = ["ADDRESS_BITS", "AxiLiteRegisters", "axilite_signature"]

#: Of a byte address: a window of 4 KB, the least that a processor maps.
ADDRESS_BITS = 12

_OKAY, _SLVERR = 0b00, 0b10


def axilite_signature() -> Signature:
    """AXI4-Lite of 32 bits as its slave sees it (AMBA AXI and ACE, IHI 0022): one stream for each channel."""
    address = stream.Signature(StructLayout({"addr": ADDRESS_BITS, "prot": 3}))
    return Signature(
        {
            "ar": In(address),
            "r": Out(stream.Signature(StructLayout({"data": 32, "resp": 2}))),
            "aw": In(address),
            "w": In(stream.Signature(StructLayout({"data": 32, "strb": 4}))),
            "b": Out(stream.Signature(StructLayout({"resp": 2}))),
        }
    )


class AxiLiteRegisters(Component):
    """Serve reads and writes one at a time; register n lies at byte 4n.

    Beyond register 63, and for a write of less than four bytes, the answer is SLVERR, and nothing is written.

    Parameters
    ----------
    csr_latency : int
        Cycles by which ``csr.r_data`` follows ``csr.addr``: 1 or 2.

    Members
    -------
    bus : :py:`Out(axilite_signature())`
    csr : :py:`Out(csr_signature)`

    Attributes
    ----------
    latency : int
        From a read's address to its data: 2 cycles more than the registers take. From a write's address and data to
        the write, and to its answer: 1 cycle.
    interval : int
        Writes take 2 cycles each, reads one more than their latency, while their answers are taken at once.

    Resources on UltraScale+: about 60 LUT and 60 flip-flops.

    Raises
    ------
    ValueError
        ``csr_latency`` is neither 1 nor 2.
    """

    def __init__(self, csr_latency=1):
        if csr_latency not in (1, 2):
            raise ValueError(f"csr_latency must be 1 or 2 cycles, not {csr_latency!r}")
        self._csr_latency = csr_latency
        self.latency, self.interval = csr_latency + 2, csr_latency + 3
        super().__init__({"bus": Out(axilite_signature()), "csr": Out(csr_signature)})

    def elaborate(self, platform):
        m = Module()
        bus, csr = self.bus, self.csr
        known = Signal()

        def accept(address):
            m.d.sync += [csr.addr.eq(address[2:]), known.eq(address[2 + ADDRESS_WIDTH :] == 0)]

        m.d.sync += csr.w_stb.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                both = bus.aw.valid & bus.w.valid
                m.d.comb += [bus.aw.ready.eq(both), bus.w.ready.eq(both), bus.ar.ready.eq(~both)]
                with m.If(both):
                    address, beat = bus.aw.payload.addr, bus.w.payload
                    right = (address[2 + ADDRESS_WIDTH :] == 0) & beat.strb.all()
                    accept(address)
                    m.d.sync += [
                        csr.w_data.eq(beat.data),
                        csr.w_stb.eq(right),
                        bus.b.valid.eq(1),
                        bus.b.payload.resp.eq(_OKAY),
                    ]
                    with m.If(~right):
                        m.d.sync += bus.b.payload.resp.eq(_SLVERR)
                    m.next = "WRITTEN"
                with m.Elif(bus.ar.valid):
                    accept(bus.ar.payload.addr)
                    m.next = "LOOK"
            with m.State("WRITTEN"), m.If(bus.b.ready):
                m.d.sync += bus.b.valid.eq(0)
                m.next = "IDLE"
            with m.State("LOOK"):
                m.next = "FOUND" if self._csr_latency == 1 else "LOOK_ON"
            if self._csr_latency > 1:
                with m.State("LOOK_ON"):
                    m.next = "FOUND"
            with m.State("FOUND"):
                m.d.sync += [
                    bus.r.valid.eq(1),
                    bus.r.payload.data.eq(csr.r_data),
                    bus.r.payload.resp.eq(_OKAY),
                ]
                with m.If(~known):
                    m.d.sync += [bus.r.payload.data.eq(0), bus.r.payload.resp.eq(_SLVERR)]
                m.next = "READ"
            with m.State("READ"), m.If(bus.r.ready):
                m.d.sync += bus.r.valid.eq(0)
                m.next = "IDLE"
        return m
