"""A board behind an Ethernet port: an accelerator, its host link, and UDP in the place of a UART."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.ethernet.link import EthernetLink
from licgate.gateware.ethernet.mac import gmii_receive, gmii_transmit
from licgate.gateware.memory.phy import sdram_bus
from licgate.gateware.stream import connect

__all__ = ["EthernetAccelerator"]


class EthernetAccelerator(Component):
    """A `LinkedAccelerator` behind an `EthernetLink`.

    Parameters
    ----------
    linked : LinkedAccelerator
    facts : EthernetFacts

    Members
    -------
    receive, transmit : :py:`In(gmii_receive)`, :py:`Out(gmii_transmit)`
        The GMII, in the domain ``eth``.
    bus : :py:`Out(sdram_bus)`
        The accelerator's, if it has one.
    """

    def __init__(self, linked, facts):
        self.linked, self.facts = linked, facts
        self._ethernet = EthernetLink(facts)
        bus = {"bus": Out(sdram_bus)} if linked.has_bus else {}
        super().__init__({"receive": In(gmii_receive), "transmit": Out(gmii_transmit), **bus})

    def elaborate(self, platform):
        m = Module()
        m.submodules.linked = linked = self.linked
        m.submodules.ethernet = ethernet = self._ethernet
        connect(m, flipped(self.receive), ethernet.receive)
        connect(m, ethernet.transmit, flipped(self.transmit))
        connect(m, ethernet.o, linked.i)
        connect(m, linked.o, ethernet.i)
        if linked.has_bus:
            connect(m, linked.bus, flipped(self.bus))
        return m
