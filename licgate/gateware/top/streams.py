"""A resident accelerator as a part of others' designs: streams with both marks, registers behind AXI4-Lite or plain."""

from amaranth.hdl import Module, signed
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.axilite import AxiLiteRegisters, axilite_signature
from licgate.gateware.ports import csr_signature, patch_layout
from licgate.gateware.stream import connect
from licgate.gateware.top.resident import Accelerator

__all__ = ["StreamAccelerator", "marked_layout"]

marked_layout = StructLayout({"value": signed(16), "last": 1, "first": 1})
_VALUE = 16


class StreamAccelerator(Component):
    """An :class:`~licgate.gateware.top.resident.Accelerator` whose results say where a run begins.

    Parameters
    ----------
    manifest, config, transforms
        As of an `Accelerator`.
    axilite : bool
        Registers lie behind AXI4-Lite; else they are as they are.

    Members
    -------
    i : :py:`In(stream.Signature(...))`
        As wide as the transforms ask for: a pixel of g_a, channel 0 in the low bits; values of 16 bits of the others.
    o : :py:`Out(stream.Signature(marked_layout))`
        ``last`` ends what comes of a patch, ``first`` begins what comes of a run.
    o_patch : :py:`Out(stream.Signature(patch_layout))`
    control : :py:`Out(axilite_signature())`, or csr : :py:`In(csr_signature)`
    interrupt : :py:`Out(1)`

    Attributes
    ----------
    program : Program
    watchdog : Watchdog

    Numerics, timing and errors are those of an `Accelerator`: nothing here takes a cycle but AXI4-Lite.
    """

    def __init__(self, manifest, config, transforms=("g_a",), *, axilite=True):
        self.axilite, self._accelerator = axilite, Accelerator(manifest, config, transforms=transforms)
        self.program, self.watchdog = self._accelerator.program, self._accelerator.watchdog
        chains = [chain.transform for chain in self.program.chains]
        bits = max(t.in_channels * t.input.bits if t.name == "g_a" else _VALUE for t in chains)
        super().__init__(
            {
                "i": In(stream.Signature(bits)),
                "o": Out(stream.Signature(marked_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                **({"control": Out(axilite_signature())} if axilite else {"csr": In(csr_signature)}),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        if self.axilite:
            m.submodules.axilite = axilite = AxiLiteRegisters(accelerator.csr_latency)
            connect(m, flipped(self.control), axilite.bus)
            connect(m, axilite.csr, accelerator.csr)
        else:
            connect(m, flipped(self.csr), accelerator.csr)
        connect(m, accelerator.o_patch, flipped(self.o_patch))
        m.d.comb += [
            accelerator.i.payload.eq(self.i.payload),
            accelerator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accelerator.i.ready),
            self.o.payload.value.eq(accelerator.o.payload.value),
            self.o.payload.last.eq(accelerator.o.payload.last),
            self.o.payload.first.eq(accelerator.first),
            self.o.valid.eq(accelerator.o.valid),
            accelerator.o.ready.eq(self.o.ready),
            self.interrupt.eq(accelerator.irq),
        ]
        return m
