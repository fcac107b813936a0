"""A USB device of full speed with a pair of bulk endpoints, by LUNA, which is the extra ``usb``."""

from __future__ import annotations

import functools
import warnings
from copy import copy
from types import SimpleNamespace

from amaranth.hdl import DomainRenamer, Elaboratable, Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.errors import ToolError
from licgate.gateware.host.usbbridge import PacketEnds, UsbBridge
from licgate.gateware.stream import connect
from licgate.target.usb import ENDPOINT, INTERFACE, MANUFACTURER, PACKET, PRODUCT, PRODUCT_ID, VENDOR_ID, serial_number

__all__ = ["UsbDevice"]

#: Bytes of the endpoint from the host: a packet comes while another one is taken.
_BUFFER = 4 * PACKET - 1


@functools.cache
def _luna():
    """What is used of LUNA; importing it warns of parts of Amaranth that will be gone in its next version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from luna.gateware.stream.generator import StreamSerializer
            from luna.gateware.usb.request.control import ControlRequestHandler
            from luna.gateware.usb.stream import USBInStreamInterface
            from luna.gateware.usb.usb2.device import USBDevice
            from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
            from usb_protocol.emitters import DeviceDescriptorCollection
            from usb_protocol.types import USBRequestRecipient, USBRequestType, USBStandardRequests
    except ModuleNotFoundError:
        raise ToolError("a USB device needs LUNA; install it with: pip install 'licgate[usb]'") from None
    return SimpleNamespace(
        StreamSerializer=StreamSerializer,
        ControlRequestHandler=ControlRequestHandler,
        USBInStreamInterface=USBInStreamInterface,
        USBDevice=USBDevice,
        USBStreamInEndpoint=USBStreamInEndpoint,
        USBStreamOutEndpoint=USBStreamOutEndpoint,
        DeviceDescriptorCollection=DeviceDescriptorCollection,
        USBRequestRecipient=USBRequestRecipient,
        USBRequestType=USBRequestType,
        USBStandardRequests=USBStandardRequests,
    )


class UsbDevice(Component):
    """Bytes from and to a USB host: a vendor-specific interface with bulk endpoints 1 OUT and 1 IN of 64 bytes.

    A byte for which there is no room is refused to the host (NAK), which offers it again: nothing is lost, and the host
    waits. What goes to the host leaves when a packet is full or nothing has followed for 64 cycles of ``usb``; then a
    packet shorter than 64 bytes ends the host's transfer.

    A reset of the bus, SET_CONFIGURATION and SET_INTERFACE empty the way in both directions, begin both endpoints with
    DATA0 again, and raise ``abort``.

    Domains: ``usb_io`` of 48 MHz, ``usb`` of 12 MHz, whose edges are edges of the former, and ``sync``, of any phase
    and of 12 MHz or more.

    It answers 10 to 14 bits after the end of the host's packet, as LUNA's PHY does: later than the specification wants
    it (6.5, USB 2.0, 7.1.18) and before a host gives up (16). Cables and hubs of full speed take of that time.

    Resources on ECP5 (Yosys 0.70, `synth_ecp5`, alone): 1440 LUT4, 141 CCU2C, 1019 flip-flops, 23 TRELLIS_DPR16X4 and
    one DP16KD.

    Parameters
    ----------
    board : str
        What the product's string says of it.
    build : int
        Of the registers BUILD; the serial number.

    Members
    -------
    d_p_i, d_n_i : :py:`In(1)`
        The lines, asynchronous.
    d_p_o, d_n_o, oe : :py:`Out(1)`
        What is driven onto them, while ``oe`` is high.
    pullup : :py:`Out(1)`
        Of D+, by which the host knows that a device of full speed is there.
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        To and from the host, in ``sync``.
    abort : :py:`Out(1)`
        Another host may be there, or the same with another beginning (level, in ``sync``).

    Raises
    ------
    ToolError
        LUNA is not installed.
    """

    def __init__(self, *, board, build=0):
        self._luna, self.board, self.build = _luna(), board, build
        self.bridge, self._ends = UsbBridge(), PacketEnds()
        super().__init__(
            {
                "d_p_i": In(1),
                "d_n_i": In(1),
                "d_p_o": Out(1),
                "d_n_o": Out(1),
                "oe": Out(1),
                "pullup": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "abort": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._elaborate(m)
        return m

    def _elaborate(self, m):
        luna, bridge = self._luna, self.bridge
        d_p, d_n = (SimpleNamespace(i=i, o=o, oe=Signal()) for i, o in _lines(self))
        lines = SimpleNamespace(d_p=d_p, d_n=d_n, pullup=SimpleNamespace(o=self.pullup))
        m.d.comb += self.oe.eq(d_p.oe)
        m.submodules.bridge = bridge
        device = luna.USBDevice(bus=lines, handle_clocking=False)
        control = device.add_standard_control_endpoint(self._descriptors(), skiplist=[self._is_ours])
        interfaces = _interface_handler(luna, self._is_ours)
        control.add_request_handler(interfaces)
        inward = luna.USBStreamOutEndpoint(endpoint_number=ENDPOINT, max_packet_size=PACKET, buffer_size=_BUFFER)
        outward = luna.USBStreamInEndpoint(endpoint_number=ENDPOINT, max_packet_size=PACKET)
        device.add_endpoint(_HeldInward(inward, bridge.clear))
        device.add_endpoint(_HeldOutward(outward, bridge.clear))
        m.submodules.device = device
        m.submodules.ends = DomainRenamer("usb")(ResetInserter(bridge.clear)(self._ends))
        connect(m, bridge.o_usb, self._ends.i)
        m.d.comb += [
            device.connect.eq(1),
            bridge.begin.eq(device.reset_detected | control.interface.config_changed | interfaces.chosen),
            bridge.token.eq(inward.interface.tokenizer.new_token),
            bridge.i_usb.valid.eq(inward.stream.valid),
            bridge.i_usb.payload.eq(inward.stream.payload),
            inward.stream.ready.eq(bridge.i_usb.ready),
            outward.stream.valid.eq(self._ends.o.valid),
            outward.stream.payload.eq(self._ends.o.payload),
            outward.stream.last.eq(self._ends.last),
            self._ends.o.ready.eq(outward.stream.ready),
            self.abort.eq(bridge.abort),
        ]
        connect(m, flipped(self.i), bridge.i)
        connect(m, bridge.o, flipped(self.o))

    def _is_ours(self, setup):
        """Of standard requests those which LUNA refuses."""
        requests = self._luna.USBStandardRequests
        of_interface = setup.recipient == self._luna.USBRequestRecipient.INTERFACE
        asked = (setup.request == requests.SET_INTERFACE) | (setup.request == requests.GET_INTERFACE)
        return of_interface & asked

    def _descriptors(self):
        descriptors = self._luna.DeviceDescriptorCollection()
        with descriptors.DeviceDescriptor() as device:
            device.idVendor, device.idProduct = VENDOR_ID, PRODUCT_ID
            device.bDeviceClass = 0xFF
            device.iManufacturer, device.iProduct = MANUFACTURER, f"{PRODUCT} {self.board}"
            device.iSerialNumber = serial_number(self.build)
            device.bNumConfigurations = 1
        with descriptors.ConfigurationDescriptor() as configuration, configuration.InterfaceDescriptor() as interface:
            interface.bInterfaceNumber, interface.bInterfaceClass = INTERFACE, 0xFF
            for address in (ENDPOINT, 0x80 | ENDPOINT):
                with interface.EndpointDescriptor() as endpoint:
                    endpoint.bEndpointAddress, endpoint.wMaxPacketSize = address, PACKET
        return descriptors


def _lines(device):
    """What comes and goes on D+ and D-."""
    return (device.d_p_i, device.d_p_o), (device.d_n_i, device.d_n_o)


class _Held(Elaboratable):
    """An endpoint that is held in reset while ``clear`` is up, and tells the host to come again meanwhile.

    In reset it would say that it has taken what it drops.
    """

    def __init__(self, endpoint, clear):
        self._endpoint, self._clear = endpoint, clear
        self.interface = copy(endpoint.interface)
        self.interface.handshakes_out = type(endpoint.interface.handshakes_out)(is_detector=False)

    def elaborate(self, platform):
        m = Module()
        m.submodules.endpoint = ResetInserter({"usb": self._clear})(self._endpoint)
        said, told = self._endpoint.interface.handshakes_out, self.interface.handshakes_out
        m.d.comb += [
            told.ack.eq(said.ack & ~self._clear),
            told.nak.eq(said.nak | (said.ack & self._clear)),
            told.stall.eq(said.stall),
        ]
        return m


# LUNA names them by their classes, a second one of a class by where it lies in memory: no build would be like another.
class _HeldInward(_Held):
    """That from the host."""


class _HeldOutward(_Held):
    """That to the host."""


def _interface_handler(luna, is_ours):
    """Handler of SET_INTERFACE and GET_INTERFACE, for one interface of one setting; pulses its ``chosen``."""

    class InterfaceHandler(luna.ControlRequestHandler):
        def __init__(self):
            super().__init__()
            self.chosen = Signal()

        def elaborate(self, platform):
            m = Module()
            interface, setup, setting = self.interface, self.interface.setup, Signal(8)
            m.submodules.transmitter = transmitter = luna.StreamSerializer(
                data_length=1, domain="usb", stream_type=luna.USBInStreamInterface, max_length_width=1
            )
            none = (setup.index != INTERFACE) | (setup.value != 0)
            with m.If((setup.type == luna.USBRequestType.STANDARD) & is_ours(setup)):
                m.d.comb += interface.claim.eq(1)
                with m.FSM(domain="usb"):
                    with m.State("IDLE"):
                        m.d.usb += interface.tx_data_pid.eq(1)
                        with m.If(setup.received & setup.is_in_request):
                            m.next = "GET"
                        with m.Elif(setup.received):
                            m.next = "SET"
                    with m.State("GET"):
                        self.handle_simple_data_request(m, transmitter, 0)
                    with m.State("SET"):
                        self.handle_register_write_request(m, setting, self.chosen, stall_condition=none)
                        with m.If(interface.status_requested & none):
                            m.next = "IDLE"
            return m

    return InterfaceHandler()
