"""Medium access: frames to and from the pins of a GMII, a byte a cycle at 125 MHz."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, Signature

from licgate.target.ethernet import MIN_FRAME

__all__ = ["MacReceiver", "MacTransmitter", "frame_layout", "gmii_receive", "gmii_transmit"]

PREAMBLE, PREAMBLE_BYTES, START = 0x55, 7, 0xD5
FCS_BYTES = 4
#: Bytes of silence between two frames, at least.
GAP_BYTES = 12
#: Bytes of a frame with its FCS.
SHORTEST, LONGEST = MIN_FRAME + FCS_BYTES, 1518

#: From a PHY: its data counts while ``valid`` (RX_DV), and is not to be trusted where ``error`` (RX_ER) is high.
gmii_receive = Signature({"data": Out(8), "valid": Out(1), "error": Out(1)})
#: To a PHY.
gmii_transmit = Signature({"data": Out(8), "valid": Out(1)})

#: A byte of a frame on its way to the MAC.
frame_layout = StructLayout({"data": 8, "last": 1})


class MacReceiver(Component):
    """Find frames, and whether they came whole.

    Members
    -------
    gmii : :py:`In(gmii_receive)`
    begin : :py:`Out(1)`
        A frame begins (pulse).
    data, strobe : :py:`Out(8)`, :py:`Out(1)`
        A byte of it, its FCS included.
    end, good : :py:`Out(1)`, :py:`Out(1)`
        It ends (pulse, at least a cycle behind its last byte); with ``good`` its FCS is right, no byte was in error
        and it has 64 to 1518 bytes.

    Attributes
    ----------
    latency : int
        From a byte at the pins to its ``strobe``: 2 cycles.
    interval : int
        1 cycle.
    """

    latency, interval = 2, 1

    def __init__(self):
        super().__init__(
            {
                "gmii": In(gmii_receive),
                "begin": Out(1),
                "data": Out(8),
                "strobe": Out(1),
                "end": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32_ETHERNET().create()
        pins = self.gmii.signature.flip().create(path=("pins",))
        m.d.sync += [pins.data.eq(self.gmii.data), pins.valid.eq(self.gmii.valid), pins.error.eq(self.gmii.error)]
        count, error, over = Signal(range(LONGEST + 2)), Signal(), Signal()
        m.d.sync += [self.begin.eq(0), self.strobe.eq(0), over.eq(0), self.data.eq(pins.data)]
        m.d.comb += [crc.data.eq(self.data), crc.valid.eq(self.strobe), crc.start.eq(self.begin)]
        # the CRC has taken the last byte a cycle behind it
        m.d.sync += [
            self.end.eq(over),
            self.good.eq(over & crc.match_detected & ~error & (count >= SHORTEST) & (count <= LONGEST)),
        ]
        with m.FSM():
            with m.State("QUIET"):
                m.d.sync += [count.eq(0), error.eq(0)]
                with m.If(pins.valid & (pins.data == START) & ~pins.error):
                    m.d.sync += self.begin.eq(1)
                    m.next = "FRAME"
                with m.Elif(pins.valid & ((pins.data != PREAMBLE) | pins.error)):
                    m.next = "LOST"
            with m.State("FRAME"):
                m.d.sync += [self.strobe.eq(pins.valid), error.eq(error | pins.error)]
                with m.If(pins.valid & (count <= LONGEST)):
                    m.d.sync += count.eq(count + 1)
                with m.If(~pins.valid):
                    m.next = "END"
            with m.State("END"):
                m.d.sync += over.eq(1)
                m.next = "LAST"
            with m.State("LAST"):
                m.next = "QUIET"
            with m.State("LOST"), m.If(~pins.valid):
                m.next = "QUIET"
        return m


class MacTransmitter(Component):
    """Send frames: preamble in front, filled up to the shortest, FCS and silence behind.

    Members
    -------
    i : :py:`In(stream.Signature(frame_layout))`
        Frames from the destination address to the last byte of the payload. Behind the first byte that is taken, each
        must be there when it is asked for; a frame that fails to be is cut off, and its FCS is wrong.
    gmii : :py:`Out(gmii_transmit)`
        From registers.

    Attributes
    ----------
    latency : int
        From the first byte's offer to the preamble at the pins: 2 cycles, and to the byte itself 10.
    overhead : int
        Cycles that a frame takes beside its bytes: 24, of preamble, FCS and silence.
    """

    latency, overhead = 2, PREAMBLE_BYTES + 1 + FCS_BYTES + GAP_BYTES

    def __init__(self):
        super().__init__({"i": In(stream.Signature(frame_layout)), "gmii": Out(gmii_transmit)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32_ETHERNET().create()
        # bytes left of what is being sent, and those up to the shortest frame
        left, short = Signal(range(GAP_BYTES + 1)), Signal(range(MIN_FRAME + 1))
        byte, sends, spoilt = Signal(8), Signal(), Signal()
        m.d.sync += [self.gmii.data.eq(byte), self.gmii.valid.eq(sends)]
        m.d.comb += crc.data.eq(byte)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.FSM():
            with m.State("IDLE"), m.If(self.i.valid):
                m.d.sync += [left.eq(PREAMBLE_BYTES), spoilt.eq(0)]
                m.next = "PREAMBLE"
            with m.State("PREAMBLE"):
                m.d.comb += [sends.eq(1), byte.eq(Mux(left == 0, START, PREAMBLE)), crc.start.eq(1)]
                m.d.sync += short.eq(MIN_FRAME - 1)
                with m.If(left == 0):
                    m.next = "FRAME"
            with m.State("FRAME"):
                m.d.comb += [sends.eq(1), byte.eq(self.i.payload.data), self.i.ready.eq(1), crc.valid.eq(1)]
                m.d.sync += [short.eq(Mux(short == 0, 0, short - 1)), left.eq(FCS_BYTES - 1)]
                with m.If(~self.i.valid):
                    m.d.sync += spoilt.eq(1)
                    m.next = "FCS"
                with m.Elif(self.i.payload.last):
                    m.next = "FCS"
                    with m.If(short != 0):
                        m.next = "FILL"
            with m.State("FILL"):
                m.d.comb += [sends.eq(1), crc.valid.eq(1)]
                m.d.sync += [short.eq(short - 1), left.eq(FCS_BYTES - 1)]
                with m.If(short == 0):
                    m.next = "FCS"
            with m.State("FCS"):
                fcs = crc.crc ^ Mux(spoilt, 0xFFFFFFFF, 0)
                m.d.comb += [sends.eq(1), byte.eq(fcs.word_select((3 - left)[:2], 8))]
                with m.If(left == 0):
                    m.d.sync += left.eq(GAP_BYTES - 2)
                    m.next = "SILENCE"
            with m.State("SILENCE"), m.If(left == 0):
                m.next = "IDLE"
        return m
