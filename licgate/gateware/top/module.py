"""The module that goes beside the processor: a :class:`ZynqAccelerator` with ports by the names of Vivado."""

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal

__all__ = ["ZynqModule"]

#: Channels and what each carries, with whether the accelerator drives it.
_MASTER = {
    "ar": (("addr", "len", "size", "burst", "cache", "prot"), True),
    "r": (("data", "resp", "last"), False),
    "aw": (("addr", "len", "size", "burst", "cache", "prot"), True),
    "w": (("data", "strb", "last"), True),
    "b": (("resp",), False),
}
_SLAVE = {
    "ar": (("addr", "prot"), False),
    "r": (("data", "resp"), True),
    "aw": (("addr", "prot"), False),
    "w": (("data", "strb"), False),
    "b": (("resp",), True),
}


class ZynqModule(Elaboratable):
    """Ports ``aclk``, ``aresetn``, ``m_axi_*``, ``s_axi_*`` and ``interrupt`` around an accelerator.

    From such names Vivado's block design infers the interfaces, with their clock and reset.

    Parameters
    ----------
    accelerator : ZynqAccelerator

    Attributes
    ----------
    ports : list of Signal
        In the order of the module.
    """

    def __init__(self, accelerator):
        self.accelerator = accelerator
        self.aclk, self.aresetn, self.interrupt = Signal(name="aclk"), Signal(name="aresetn"), Signal(name="interrupt")
        self._pairs = []
        for prefix, bus, channels in (("m_axi", accelerator.bus, _MASTER), ("s_axi", accelerator.control, _SLAVE)):
            for channel, (fields, driven) in channels.items():
                flow = getattr(bus, channel)
                values = [(name, getattr(flow.payload, name), driven) for name in fields]
                values += [("valid", flow.valid, driven), ("ready", flow.ready, not driven)]
                for name, value, out in values:
                    self._pairs.append((Signal(len(value), name=f"{prefix}_{channel}{name}"), value, out))
        self.ports = [self.aclk, self.aresetn, *(port for port, _, _ in self._pairs), self.interrupt]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.accelerator = self.accelerator
        # a register, since a reset of the processor's reaches every corner
        reset = Signal()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(reset)]
        m.d.comb += self.interrupt.eq(self.accelerator.interrupt)
        m.domains.early = early = ClockDomain(reset_less=True, local=True)
        m.d.comb += early.clk.eq(self.aclk)
        m.d.early += reset.eq(~self.aresetn)
        for port, value, out in self._pairs:
            m.d.comb += port.eq(value) if out else value.eq(port)
        return m
