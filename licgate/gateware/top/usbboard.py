"""A board at a USB cable, without clocks, resets and pads: a linked accelerator behind a USB device."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.usb import UsbDevice
from licgate.gateware.memory.phy import sdram_bus
from licgate.gateware.stream import StreamBuffer, connect

__all__ = ["UsbAccelerator"]


class UsbAccelerator(Component):
    """A `LinkedAccelerator` behind a USB device of full speed.

    Parameters
    ----------
    linked : LinkedAccelerator
        Whose ``facts`` say that it takes streams.
    board : str
        What the USB product is called.

    Members
    -------
    d_p_i, d_n_i, d_p_o, d_n_o, oe, pullup
        See :class:`~licgate.gateware.host.usb.UsbDevice`, as of the clock domains ``usb`` and ``usb_io``.
    bus : :py:`Out(sdram_bus)`
        The accelerator's, if it has one.

    Raises
    ------
    ValueError
        The link takes no streams.
    ToolError
        LUNA is not installed.
    """

    def __init__(self, linked, *, board):
        if not linked.facts.stream:
            raise ValueError("a link behind USB takes streams: make it with LinkFacts(stream=True)")
        self.linked = linked
        self.device = UsbDevice(board=board, build=linked.facts.build)
        pins = {name: In(1) for name in ("d_p_i", "d_n_i")} | {
            name: Out(1) for name in ("d_p_o", "d_n_o", "oe", "pullup")
        }
        super().__init__(pins | ({"bus": Out(sdram_bus)} if linked.has_bus else {}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.linked = linked = self.linked
        m.submodules.device = device = self.device
        m.submodules.byte_buffer = byte_buffer = StreamBuffer(8)
        m.submodules.line_buffer = line_buffer = StreamBuffer(8)
        connect(m, device.o, byte_buffer.i)
        connect(m, byte_buffer.o, linked.i)
        connect(m, linked.o, line_buffer.i)
        connect(m, line_buffer.o, device.i)
        m.d.comb += [
            device.d_p_i.eq(self.d_p_i),
            device.d_n_i.eq(self.d_n_i),
            self.d_p_o.eq(device.d_p_o),
            self.d_n_o.eq(device.d_n_o),
            self.oe.eq(device.oe),
            self.pullup.eq(device.pullup),
            linked.abort.eq(device.abort),
        ]
        if linked.has_bus:
            connect(m, linked.bus, flipped(self.bus))
        return m
