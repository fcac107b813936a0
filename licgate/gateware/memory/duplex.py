"""Ports that read and ports that write, each kind with its own half of one AXI4 bus."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.axi import Axi4Master, axi4_signature
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.stream import connect

__all__ = ["AxiDuplex"]


class AxiDuplex(Component):
    """An arbiter and an :class:`Axi4Master` for what is read, and another pair for what is written.

    So neither waits for the other: a single master would let what is under way one way end before it turns, which costs
    the bus' latency each time. What a port reads after another one's write is ``done`` is what was written, as with one
    master; of transactions that are under way at the same time, no order is known.

    Parameters
    ----------
    readers, writers : int
        Ports of each kind, at least 1.
    data_bits, address_bits, base, bus_address_bits : int
        Of the masters.

    Members
    -------
    reads : array of :py:`In(MemoryPort(data_bits, address_bits))`
        They never write.
    writes : array of :py:`In(MemoryPort(data_bits, address_bits))`
        They never read.
    bus : :py:`Out(axi4_signature(data_bits, bus_address_bits))`
    error : :py:`Out(1)`
        Rises with the first answer that is not OKAY, and stays.

    Attributes
    ----------
    page_beats : int
        See :class:`Axi4Master`.

    Timing: :class:`licgate.perf.memory.axi.AxiModel`, once for each kind.

    Raises
    ------
    ValueError
        As of the arbiters and the masters.
    """

    def __init__(self, readers, writers, data_bits, address_bits, *, base=0, bus_address_bits=40):
        self._arbiters = [Arbiter(count, data_bits, address_bits) for count in (readers, writers)]
        self._masters = [
            Axi4Master(data_bits, address_bits, base=base, bus_address_bits=bus_address_bits) for _ in range(2)
        ]
        self.page_beats = self._masters[0].page_beats
        port = MemoryPort(data_bits, address_bits)
        super().__init__(
            {
                "reads": In(port).array(readers),
                "writes": In(port).array(writers),
                "bus": Out(axi4_signature(data_bits, bus_address_bits)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        halves = ("read", self.reads, ("ar", "r")), ("write", self.writes, ("aw", "w", "b"))
        for (name, ports, channels), arbiter, master in zip(halves, self._arbiters, self._masters, strict=True):
            m.submodules[f"{name}_arbiter"], m.submodules[f"{name}_master"] = arbiter, master
            for outer, inner in zip(ports, arbiter.i, strict=True):
                connect(m, flipped(outer), inner)
                # what a port never does costs nothing
                m.d.comb += inner.request.payload.write.eq(name == "write")
            connect(m, arbiter.o, master.port)
            for channel in channels:
                connect(m, flipped(getattr(self.bus, channel)), getattr(master.bus, channel))
        m.d.comb += self.error.eq(self._masters[0].error | self._masters[1].error)
        return m
