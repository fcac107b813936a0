"""Top of an ECP5 board: PLL, reset, serial port and host link around the accelerator."""

from __future__ import annotations

from amaranth.build import Platform, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetInserter, Signal
from amaranth.lib import io, wiring

from licgate.errors import ConfigError
from licgate.gateware.host.hostlink import HostLink
from licgate.gateware.host.uart import UartReceiver, UartTransmitter, uart_divisor
from licgate.gateware.stream import StreamBuffer
from licgate.synth.pll import Ecp5Pll

__all__ = ["Ecp5Top"]

FRAME_TIMEOUT_SECONDS = 0.1


class Ecp5Top(Elaboratable):
    """Connect an accelerator to the pins of a board.

    Parameters
    ----------
    accelerator : Component
        With members ``i``, ``o``, ``o_patch`` and ``csr``; one with a ``bus`` gets the pads of the board's SDRAM.
    pll : Ecp5Pll
        Makes the accelerator's clock from the platform's default clock.
    baud : int
        Rate of the serial port.

    Raises
    ------
    ConfigError
        The clock is no multiple of the rate, nor near one.
    """

    def __init__(self, accelerator, *, pll: Ecp5Pll, baud: int):
        self.accelerator, self.pll = accelerator, pll
        clock_hz = pll.f_out * 1e6
        try:
            self.divisor = uart_divisor(clock_hz=clock_hz, baud=baud)
        except ValueError as error:
            raise ConfigError(f"{error}, of the board's serial port: give another --clock") from None
        self.timeout = round(FRAME_TIMEOUT_SECONDS * clock_hz)

    def elaborate(self, platform: Platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        clock = Signal(name="design_clock", attrs={"keep": 1})  # by this name the constraint finds it in the netlist
        locked = Signal()
        early = Signal()
        late = Signal()
        m.submodules.clock_input = clock_input = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.submodules.pll = self.pll.instance(clock_in=clock_input.i, clock_out=clock, locked=locked)
        m.d.comb += ClockSignal().eq(clock)
        platform.add_clock_constraint(clock, self.pll.f_out * 1e6)
        # The global set/reset holds every register until the PLL has locked, at no cost in routing.
        m.submodules.lock_early = Instance("FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=locked, o_Q=early)
        m.submodules.lock_late = Instance("FD1S3AX", p_GSR="DISABLED", i_CK=clock, i_D=early, o_Q=late)
        m.submodules.global_reset = Instance("SGSR", i_CLK=clock, i_GSR=late)

        m.submodules.accelerator = accelerator = self.accelerator
        m.submodules.link = link = HostLink(timeout=self.timeout)
        # The line is slow, so half a payload a cycle is plenty and no path runs from the link through the accelerator.
        # A reset takes a few cycles to reach the accelerator's streams; until then the registers swallow what comes.
        flushing, flush = Signal(4), Signal()
        with m.If(link.flush):
            m.d.sync += flushing.eq(15)
        with m.Elif(flushing != 0):
            m.d.sync += flushing.eq(flushing - 1)
        m.d.sync += flush.eq(link.flush | (flushing != 0))
        for name, source, target in (
            ("pixels", link.o_pixels, accelerator.i),
            ("latents", accelerator.o, link.i_latents),
            ("window", accelerator.o_patch, link.i_patch),
        ):
            buffer = StreamBuffer(source.payload.shape())
            m.submodules[f"{name}_buffer"] = ResetInserter(flush)(buffer)
            wiring.connect(m, source, buffer.i)
            wiring.connect(m, buffer.o, target)
        # The register's address crosses the chip; the link reads it three cycles after it was given.
        m.d.sync += [
            accelerator.csr.addr.eq(link.csr.addr),
            accelerator.csr.w_data.eq(link.csr.w_data),
            accelerator.csr.w_stb.eq(link.csr.w_stb),
        ]
        m.d.comb += link.csr.r_data.eq(accelerator.csr.r_data)

        if "bus" in accelerator.signature.members:
            m.submodules.sdram = pads = platform.get_sdram(accelerator.round_trip)
            wiring.connect(m, accelerator.bus, pads.bus)
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self.divisor)
        m.submodules.byte_buffer = byte_buffer = StreamBuffer(8)
        wiring.connect(m, receiver.o, byte_buffer.i)
        wiring.connect(m, byte_buffer.o, link.i)
        m.submodules.line_buffer = line_buffer = StreamBuffer(8)
        wiring.connect(m, link.o, line_buffer.i)
        wiring.connect(m, line_buffer.o, transmitter.i)
        pins = [pin for pin in platform.lookup("uart").ios if isinstance(pin, Subsignal)]
        uart = platform.request("uart", dir={pin.name: "-" for pin in pins})
        m.submodules.rx_input = rx_input = io.Buffer("i", uart.rx)
        m.submodules.tx_output = tx_output = io.Buffer("o", uart.tx)
        m.d.comb += [receiver.rx.eq(rx_input.i), tx_output.o.eq(transmitter.tx)]
        return m
