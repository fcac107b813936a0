"""Small things behind USB: an echo of bytes, and an accelerator that takes pixels, or none, and gives latents."""

import os
from pathlib import Path
from unittest.mock import patch

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.host.usb import UsbDevice
from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.stream import Queue, connect
from licgate.gateware.top.board import LinkedAccelerator
from licgate.gateware.top.usbboard import UsbAccelerator
from licgate.sim.cxxrtl import build
from licgate.target.link import LinkFacts
from licgate.target.registers import Control, Register

__all__ = ["BOARD", "BUILD", "WIRE", "Counter", "Echo", "compiled", "compiled_echo"]

BOARD, BUILD = "Radiona ULX3S 85F", 0x0123456789ABCDEF
PINS = ("d_p_i", "d_n_i", "d_p_o", "d_n_o", "oe", "pullup")
WIRE = Path(__file__).with_name("wire.cpp")


class Counter(Component):
    """Takes a pixel every HEIGHT cycles, none for 0; gives WIDTH latents, numbered; both 0 after a reset.

    ID reads the resets so far.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
            }
        )

    def elaborate(self, platform):
        m = Module()
        apart, left, wanted, number, resets = (Signal(16, name=name) for name in ("apart", "left", "wanted", "n", "r"))
        m.d.comb += [
            self.i.ready.eq((apart != 0) & (left == 0)),
            self.o.valid.eq(wanted != 0),
            self.o.payload.value.eq(number),
            self.o.payload.last.eq(wanted == 1),
        ]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += left.eq(apart - 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [number.eq(number + 1), wanted.eq(wanted - 1)]
        m.d.sync += self.csr.r_data.eq(0)
        with m.If(self.csr.addr == Register.ID):
            m.d.sync += self.csr.r_data.eq(resets)
        with m.If(self.csr.w_stb), m.Switch(self.csr.addr):
            with m.Case(Register.WIDTH):
                m.d.sync += [wanted.eq(self.csr.w_data), number.eq(0)]
            with m.Case(Register.HEIGHT):
                m.d.sync += apart.eq(self.csr.w_data)
            with m.Case(Register.CONTROL), m.If(self.csr.w_data[Control.RESET.bit_length() - 1]):
                m.d.sync += [apart.eq(0), left.eq(0), wanted.eq(0), resets.eq(resets + 1)]
        return m


class Echo(Component):
    """Sends back what the host sends, behind a `UsbDevice` alone."""

    def __init__(self):
        self.device = UsbDevice(board=BOARD, build=BUILD)
        super().__init__({name: self.device.signature.members[name] for name in PINS})

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self.device
        queue = Queue(8, 4)
        m.submodules.queue = ResetInserter(device.abort)(queue)
        connect(m, device.o, queue.i)
        connect(m, queue.o, device.i)
        for name in PINS:
            mine, its = getattr(self, name), getattr(device, name)
            m.d.comb += its.eq(mine) if self.signature.members[name].flow is In else mine.eq(its)
        return m


class Clocked(Component):
    """A device with its clocks as members: those that Amaranth adds come in another order each time."""

    def __init__(self, device):
        self.device = device
        clocks = {name: In(1) for name in ("clk", "usb_clk", "usb_io_clk")}
        pins = {name: member for name, member in device.signature.members.items() if name in PINS}
        super().__init__(pins | clocks)

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self.device
        for name, clock in (("sync", self.clk), ("usb", self.usb_clk), ("usb_io", self.usb_io_clk)):
            m.domains += ClockDomain(name, reset_less=True)
            m.d.comb += ClockSignal(name).eq(clock)
        for name in PINS:
            mine, its = getattr(self, name), getattr(device, name)
            m.d.comb += its.eq(mine) if device.signature.members[name].flow is In else mine.eq(its)
        return m


def compiled(accelerator):
    """The program that runs an accelerator behind its link and USB."""
    facts = LinkFacts(build=BUILD, clock_khz=60_000, stream=True)
    linked = LinkedAccelerator(accelerator, timeout=6_000_000, facts=facts)
    return build(Clocked(UsbAccelerator(linked, board=BOARD)), WIRE)


def compiled_echo():
    """The program of an `Echo`; what it runs is short, and to compile it as usual takes twice as long."""
    with patch.dict(os.environ, CXXFLAGS="-O1"):
        return build(Clocked(Echo()), WIRE)
