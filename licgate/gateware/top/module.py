"""Modules for those who use no Amaranth: an accelerator with ports by the names that buses have elsewhere."""

from dataclasses import dataclass

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal, Value

__all__ = ["Port", "PortModule", "memory_module", "stream_module"]

#: Channels of a bus and what each carries, with whether its master drives it.
_AXI4 = {
    "ar": (("addr", "len", "size", "burst", "cache", "prot"), True),
    "r": (("data", "resp", "last"), False),
    "aw": (("addr", "len", "size", "burst", "cache", "prot"), True),
    "w": (("data", "strb", "last"), True),
    "b": (("resp",), False),
}
_AXI4_LITE = {
    "ar": (("addr", "prot"), True),
    "r": (("data", "resp"), False),
    "aw": (("addr", "prot"), True),
    "w": (("data", "strb"), True),
    "b": (("resp",), False),
}
_BYTE = 8


@dataclass(frozen=True)
class Port:
    """A port of a module.

    Attributes
    ----------
    name : str
    value : Value
        What it is inside; a port may be wider.
    driven : bool
        The module drives it.
    width : int
    """

    name: str
    value: object
    driven: bool
    width: int


class PortModule(Elaboratable):
    """An accelerator between ports of given names, with ``aclk``, ``aresetn`` and ``interrupt`` beside them.

    Parameters
    ----------
    accelerator : Component
        With a member ``interrupt``.
    ports : iterable of Port

    Attributes
    ----------
    accelerator : Component
    described : list of Port
        All ports but the clock and its reset, in the order of the module.
    ports : list of Signal
        All of them, in that order.
    """

    def __init__(self, accelerator, ports):
        self.accelerator = accelerator
        self.described = [*ports, Port("interrupt", accelerator.interrupt, True, 1)]
        self._aclk, self._aresetn = Signal(name="aclk"), Signal(name="aresetn")
        self._pairs = [(Signal(port.width, name=port.name), port) for port in self.described]
        self.ports = [self._aclk, self._aresetn, *(signal for signal, _ in self._pairs)]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.accelerator = self.accelerator
        # a register, since a reset of the processor's reaches every corner
        reset = Signal()
        m.d.comb += [ClockSignal().eq(self._aclk), ResetSignal().eq(reset)]
        m.domains.early = early = ClockDomain(reset_less=True, local=True)
        m.d.comb += early.clk.eq(self._aclk)
        m.d.early += reset.eq(~self._aresetn)
        for signal, port in self._pairs:
            m.d.comb += signal.eq(port.value) if port.driven else port.value.eq(signal)
        return m


def memory_module(accelerator):
    """A :class:`~licgate.gateware.top.zynq.ZynqAccelerator` with AXI4 on ``m_axi_*`` and registers on ``s_axi_*``.

    From such names Vivado's block design infers the interfaces, with their clock and reset.
    """
    buses = (("m_axi", accelerator.bus, _AXI4, True), ("s_axi", accelerator.control, _AXI4_LITE, False))
    return PortModule(accelerator, [port for bus in buses for port in _axi_ports(*bus)])


def stream_module(accelerator):
    """A :class:`~licgate.gateware.top.streams.StreamAccelerator` with ports of streams and registers.

    Behind AXI4-Lite the streams are AXI4-Stream, ``s_axis_*``, ``m_axis_*`` and ``m_axis_patch_*``, with data of whole
    bytes and the registers on ``s_axi_*``; else ``i_*``, ``o_*``, ``o_patch_*`` and ``csr_*``.
    """
    i, o, patch = accelerator.i, accelerator.o, accelerator.o_patch
    if accelerator.axilite:
        marks = {"last": o.payload.last, "user": o.payload.first}
        ports = [
            *_stream_ports("s_axis_t", i, {"data": i.payload}, False, _BYTE),
            *_stream_ports("m_axis_t", o, {"data": o.payload.value}, True, _BYTE, marks),
            *_stream_ports("m_axis_patch_t", patch, {"data": Value.cast(patch.payload)}, True, _BYTE),
            *_axi_ports("s_axi", accelerator.control, _AXI4_LITE, False),
        ]
    else:
        asked = {name: getattr(patch.payload, name) for name in ("x", "y", "width", "height")}
        csr, marks = accelerator.csr, {"last": o.payload.last, "first": o.payload.first}
        ports = [
            *_stream_ports("i_", i, {"data": i.payload}, False),
            *_stream_ports("o_", o, {"data": o.payload.value}, True, marks=marks),
            *_stream_ports("o_patch_", patch, asked, True),
            *(Port(f"csr_{name}", getattr(csr, name), False, len(getattr(csr, name))) for name in _WRITTEN),
            Port("csr_r_data", csr.r_data, True, len(csr.r_data)),
        ]
    return PortModule(accelerator, ports)


_WRITTEN = ("addr", "w_data", "w_stb")


def _axi_ports(prefix, bus, channels, master):
    for channel, (fields, of_master) in channels.items():
        flow, driven = getattr(bus, channel), of_master is master
        values = [(name, getattr(flow.payload, name), driven) for name in fields]
        values += [("valid", flow.valid, driven), ("ready", flow.ready, not driven)]
        for name, value, out in values:
            yield Port(f"{prefix}_{channel}{name}", value, out, len(value))


def _stream_ports(prefix, flow, values, driven, unit=1, marks=()):
    yield Port(f"{prefix}valid", flow.valid, driven, 1)
    yield Port(f"{prefix}ready", flow.ready, not driven, 1)
    for name, value in values.items():
        yield Port(f"{prefix}{name}", value, driven, -(-len(value) // unit) * unit)
    for name, value in dict(marks).items():
        yield Port(f"{prefix}{name}", value, driven, 1)
