"""Transfers between a host and the memory of an accelerator, which a reset gives up without breaking one off."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.ports import TransferControl, latent_layout
from licgate.gateware.stream import connect
from licgate.gateware.streamed.gate import PortGate
from licgate.gateware.streamed.hostmemory import HostMemory

__all__ = ["HostTransfers"]


class HostTransfers(Component):
    """A `HostMemory` under control: it takes one transfer at a time, and is cleared once no transaction is under way.

    Parameters
    ----------
    beat_bits, address_bits : int
        Of the memory.

    Members
    -------
    control : :py:`In(TransferControl(address_bits))`
        A transfer is refused while another or a reset is under way.
    i : :py:`In(stream.Signature(24))`, o : :py:`Out(stream.Signature(latent_layout))`
        As of a `HostMemory`; nothing moves while ``clear`` is high, so what comes behind belongs to what is asked then.
    port : :py:`Out(MemoryPort(beat_bits, address_bits))`

    Attributes
    ----------
    latency : int
        A transfer begins 1 cycle after it was asked for. ``cleared`` follows the memory's quiet by 1 cycle.
    """

    latency = 1

    def __init__(self, beat_bits, address_bits):
        self._memory = HostMemory(beat_bits, address_bits)
        self._gate = PortGate(beat_bits, address_bits)
        super().__init__(
            {
                "control": In(TransferControl(address_bits)),
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "port": Out(MemoryPort(beat_bits, address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory, control = self._memory, self.control
        m.submodules.memory = ResetInserter(control.cleared)(memory)
        m.submodules.gate = gate = self._gate
        connect(m, memory.port, gate.i)
        connect(m, gate.o, flipped(self.port))
        begins, clear = Signal(), control.clear
        m.d.comb += [
            gate.stop.eq(clear),
            control.moving.eq(memory.busy | memory.write | memory.read),
            control.refused.eq(control.moving | clear),
            begins.eq((control.write | control.read) & ~control.refused),
            memory.address.eq(control.address),
            memory.i.payload.eq(self.i.payload),
            memory.i.valid.eq(self.i.valid & ~clear),
            self.i.ready.eq(memory.i.ready & ~clear),
            self.o.payload.eq(memory.o.payload),
            self.o.valid.eq(memory.o.valid & ~clear),
            memory.o.ready.eq(self.o.ready & ~clear),
        ]
        m.d.sync += [
            control.cleared.eq(clear & gate.quiet),
            memory.write.eq(begins & control.write),
            memory.read.eq(begins & control.read),
        ]
        with m.If(begins):
            m.d.sync += memory.beats.eq(control.beats)
        return m
