"""The registers of the host link itself: what build it belongs to, what its line lost, what passed it."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.bank import RegisterBank
from licgate.gateware.host.sums import RunningSums
from licgate.gateware.ports import csr_signature, latent_layout
from licgate.gateware.stream import connect
from licgate.target.registers import PROTOCOL, Register
from licgate.target.registertable import encode

__all__ = ["LinkRegisters"]

_PIXEL_BITS, _WORD = 24, (1 << 32) - 1


class LinkRegisters(Component):
    """A `RegisterBank` of the registers from PROTOCOL on, and what counts and adds up for it.

    Parameters
    ----------
    kind : Kind
        RESIDENT or SDRAM.
    frames : int
        PIXELS frames that may wait for their ACK.
    facts : LinkFacts

    Members
    -------
    csr : :py:`In(csr_signature)`
        ``r_data`` follows ``addr`` by two cycles; 0 at any address of the accelerator's.
    framing, overflow : :py:`In(1)`
        The line has lost a byte (pulses).
    pixel, pixel_taken : :py:`In(24)`, :py:`In(1)`
        The accelerator takes a pixel.
    latent, latent_given : :py:`In(latent_layout)`, :py:`In(1)`
        The link takes a latent.
    clear : :py:`In(1)`
        Begin sums again.

    Attributes
    ----------
    latency : int
        Of a read: 2 cycles. A pulse is counted a cycle later; sums follow by ``RunningSums.latency``.

    Resources on ECP5: about 300 flip-flops, 128 CCU2C, 100 LUT4.
    """

    latency = 2

    def __init__(self, kind, *, frames, facts):
        self.facts = facts
        build = (facts.build & _WORD, facts.build >> 32)
        flags = {name: int(getattr(facts, name)) for name in ("serial", "emulated", "stream")}
        constants = {
            Register.PROTOCOL: encode(Register.PROTOCOL, kind, version=PROTOCOL, frames=frames, **flags),
            Register.BUILD: build,
            Register.CLOCK: facts.clock_khz,
        }
        self._bank = RegisterBank(kind, constants=constants, latency=self.latency, of_link=True)
        super().__init__(
            {
                "csr": In(csr_signature),
                "framing": In(1),
                "overflow": In(1),
                "pixel": In(_PIXEL_BITS),
                "pixel_taken": In(1),
                "latent": In(latent_layout),
                "latent_given": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = bank = self._bank
        connect(m, flipped(self.csr), bank.csr)
        errors = bank.shown.line_errors
        for name in ("framing", "overflow"):
            count = getattr(errors, name)
            counted = m.submodules[f"{name}_counter"] = _Counter(len(count))
            m.d.comb += [counted.pulse.eq(getattr(self, name)), count.eq(counted.count)]
        latent = self.latent.value
        for name, word, strobe in (
            ("pixels_sums", self.pixel, self.pixel_taken),
            ("latents_sums", latent.as_unsigned(), self.latent_given),
        ):
            sums = m.submodules[name] = RunningSums(len(word))
            m.d.comb += [sums.word.eq(word), sums.strobe.eq(strobe), sums.clear.eq(self.clear)]
            m.d.comb += [shown.eq(part) for shown, part in zip(getattr(bank.shown, name), sums.sums, strict=True)]
        return m


class _Counter(Component):
    """Count pulses, modulo 2 to the width."""

    def __init__(self, width):
        super().__init__({"pulse": In(1), "count": Out(width)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.pulse):
            m.d.sync += self.count.eq(self.count + 1)
        return m
