"""Pads of an RGMII: a GMII's bytes as two halves, at both edges of the clock."""

from __future__ import annotations

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ethernet.link import CLOCK_HZ
from licgate.gateware.ethernet.mac import gmii_receive, gmii_transmit

__all__ = ["Ecp5RgmiiPads", "connect_rgmii"]

#: For which a PHY is held in reset behind the loading of the bitstream: those there are ask for 0.1 to 10 ms.
PHY_RESET_SECONDS = 0.01

#: Picoseconds of a step of a DELAYG, and its steps: Lattice FPGA-TN-02035.
_STEP_PS, _STEPS = 25, 128


class Ecp5RgmiiPads(Component):
    """Double-rate registers and delays of an ECP5, in the domain ``eth``; 1000 Mbit/s only.

    The PHY's receive clock clocks both ways: ``o_clock`` is to be that of the domain.

    Parameters
    ----------
    pins : PortGroup
        The resource ``eth_rgmii``, requested without buffers.
    receive_ps, transmit_ps : int
        By how much received data, and the transmitted clock, are delayed: 0 to 3175 ps.

    Members
    -------
    o_clock : :py:`Out(1)`
        The receive clock, 125 MHz.
    reset : :py:`In(1)`
        Of the PHY, for 10 ms at least (asynchronous).
    receive, transmit : :py:`Out(gmii_receive)`, :py:`In(gmii_transmit)`

    Raises
    ------
    ValueError
        A delay is beyond what there is.
    """

    def __init__(self, pins, *, receive_ps, transmit_ps):
        for name, delay in (("receive_ps", receive_ps), ("transmit_ps", transmit_ps)):
            if delay not in range(_STEP_PS * _STEPS):
                raise ValueError(f"{name} must be 0 to {_STEP_PS * (_STEPS - 1)}, not {delay!r}")
        self.pins, self.receive_ps, self.transmit_ps = pins, receive_ps, transmit_ps
        super().__init__(
            {"o_clock": Out(1), "reset": In(1), "receive": Out(gmii_receive), "transmit": In(gmii_transmit)}
        )

    def elaborate(self, platform: Platform) -> Module:
        """See `Elaboratable`."""
        m, pins = Module(), self.pins
        m.submodules.clock = clock = io.Buffer("i", pins.rx_clk)
        m.submodules.rst = rst = io.Buffer("o", pins.rst)
        m.d.comb += [self.o_clock.eq(clock.i), rst.o.eq(self.reset)]
        # boards call the control pins either way
        rx_control, tx_control = (
            getattr(pins, f"{way}_ctl", None) or getattr(pins, f"{way}_ctrl") for way in ("rx", "tx")
        )
        first, second = Signal(5), Signal(5)
        for bit, port in enumerate((*(pins.rx_data[k] for k in range(4)), rx_control)):
            self._input(m, bit, port, first[bit], second[bit])
        m.d.comb += [
            self.receive.data.eq(first[:4] | second[:4] << 4),
            self.receive.valid.eq(first[4]),
            # the second half of the control pin is valid, turned by an error
            self.receive.error.eq(first[4] ^ second[4]),
        ]
        data, valid = self.transmit.data, self.transmit.valid
        for bit in range(4):
            self._output(m, f"tx_{bit}", pins.tx_data[bit], data[bit], data[4 + bit], 0)
        self._output(m, "tx_control", tx_control, valid, valid, 0)
        self._output(m, "tx_clock", pins.tx_clk, 1, 0, self.transmit_ps)
        return m

    def _input(self, m, bit, port, first, second):
        """A pin at both edges of the clock, delayed."""
        m.submodules[f"rx_{bit}_pad"] = pad = io.Buffer("i", port)
        late = Signal(name=f"rx_{bit}_late")
        m.submodules[f"rx_{bit}_delay"] = self._delay(pad.i, late, self.receive_ps)
        m.submodules[f"rx_{bit}"] = Instance(
            "IDDRX1F", i_SCLK=ClockSignal("eth"), i_RST=0, i_D=late, o_Q0=first, o_Q1=second
        )

    def _output(self, m, name, port, first, second, delay_ps):
        """A pin that shows one value from the clock's rising edge on, another from the falling one on; delayed."""
        m.submodules[f"{name}_pad"] = pad = io.Buffer("o", port)
        early = Signal(name=f"{name}_early")
        m.submodules[name] = Instance("ODDRX1F", i_SCLK=ClockSignal("eth"), i_RST=0, i_D0=first, i_D1=second, o_Q=early)
        m.submodules[f"{name}_delay"] = self._delay(early, pad.o, delay_ps)

    @staticmethod
    def _delay(a, z, delay_ps):
        return Instance("DELAYG", p_DEL_MODE="USER_DEFINED", p_DEL_VALUE=delay_ps // _STEP_PS, i_A=a, o_Z=z)


def connect_rgmii(m, board, platform, mhz):
    """Connect an `EthernetAccelerator` to its pads, whose receive clock clocks the link; the PHY is reset once.

    Parameters
    ----------
    m : Module
        With a domain ``sync`` of ``mhz``.
    """
    m.submodules.rgmii = pads = platform.get_rgmii()
    m.domains.eth = ClockDomain(reset_less=True)
    clock = Signal(name="ethernet_clock", attrs={"keep": 1})
    m.d.comb += [clock.eq(pads.o_clock), ClockSignal("eth").eq(clock)]
    platform.add_clock_constraint(clock, CLOCK_HZ)
    wiring.connect(m, pads.receive, board.receive)
    wiring.connect(m, board.transmit, pads.transmit)
    cycles = round(PHY_RESET_SECONDS * mhz * 1e6)
    left = Signal(range(cycles + 1), init=cycles)
    with m.If(left != 0):
        m.d.sync += left.eq(left - 1)
    m.d.sync += pads.reset.eq(left != 0)
