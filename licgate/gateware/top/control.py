"""The control of an accelerator: its registers, and the runs that they start."""

from amaranth.hdl import Cat, Module, Shape
from amaranth.lib.data import View
from amaranth.lib.wiring import Component, In, Out, Signature, flipped

from licgate.gateware.host.bank import RegisterBank, register_layout
from licgate.gateware.ports import TransferControl, csr_signature
from licgate.gateware.stream import connect
from licgate.gateware.top.run import RunControl
from licgate.target.registers import COUNTERS, IDS, Kind, Register, Status
from licgate.target.registertable import encode, entry

__all__ = ["Control", "identity"]

#: Fields of STATUS that every accelerator makes alike.
_COMMON = {flag.name.lower() for flag in (Status.BUSY, Status.DONE, Status.REFUSED, Status.HUNG)}


def identity(kind, manifest, transforms, **shape):
    """Registers that never change, by which a host knows an accelerator.

    Parameters
    ----------
    kind : Kind
    manifest : Manifest
    transforms : iterable of int
        Numbers of those that it holds.
    **shape : dict of str to int
        Fields of SHAPE.
    """
    return {
        Register.ID: IDS[kind],
        Register.MODEL: int(manifest.hash[:8], 16),
        Register.SHAPE: encode(Register.SHAPE, kind, **shape),
        Register.TRANSFORMS: sum(1 << number for number in transforms),
    }


class Control(Component):
    """A `RegisterBank` and a `RunControl`, between a host's registers and the cores.

    Parameters
    ----------
    kind : Kind
    core : CoreControl
        Of the cores. Each of its settings is a register of that name.
    constants : dict of Register to int
        See :class:`~licgate.gateware.host.bank.RegisterBank`.
    resets : dict of Register to int
        Likewise.
    address_bits : int
        Of an SDRAM.
    latency : int
        Of a read.

    Members
    -------
    csr : :py:`In(csr_signature)`
    core : :py:`Out(core)`
    interrupt : :py:`Out(1)`
        STATUS says done, hung or failed (level); a cycle behind it.
    flags : :py:`In(Signature({name: Out(width), ...}))`
        Fields of STATUS that only this kind of accelerator has.
    transfer : :py:`Out(TransferControl(address_bits))`
        With an SDRAM.

    Timing: as of its two parts. ``core.start`` comes 1 cycle behind the write to CONTROL.
    """

    def __init__(self, kind, core, *, constants, resets=(), address_bits=0, latency=1):
        self.kind, self._run = kind, RunControl(core.cores)
        widths = {
            Register[name.upper()]: Shape.cast(member.shape).width
            for name, member in core.members["settings"].signature.members.items()
        }
        resets, streams = dict(resets), core.members["streams"].dimensions[1]
        counts = {Register.STREAMS: streams}
        if "levels" in core.members:
            counts[Register.LEVELS] = core.members["levels"].dimensions[1]
        if kind is Kind.SDRAM:
            widths |= {
                Register.CORE: max(1, (core.cores - 1).bit_length()),
                Register.CORES: core.cores,
                Register.MEMORY_ADDRESS: address_bits,
            }
            resets[Register.CORES] = (1 << core.cores) - 1
        self._bank = RegisterBank(
            kind, constants=constants, widths=widths, resets=resets, counts=counts, cores=core.cores, latency=latency
        )
        self._flags = [f for f in entry(Register.STATUS).fields_of(kind) if f.name not in _COMMON]
        members = {
            "csr": In(csr_signature),
            "core": Out(core),
            "interrupt": Out(1),
            "flags": In(Signature({field.name: Out(field.width) for field in self._flags})),
        }
        if kind is Kind.SDRAM:
            members["transfer"] = Out(TransferControl(address_bits))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = bank = self._bank
        m.submodules.run = run = self._run
        core, status = self.core, bank.shown.status
        connect(m, flipped(self.csr), bank.csr)
        asked = View(register_layout(Register.CONTROL, self.kind), bank.data)
        m.d.comb += [
            run.start.eq(bank.strobe.control & asked.start),
            run.reset.eq(bank.strobe.control & asked.reset),
            run.core_done.eq(core.done),
            run.cleared.eq(core.cleared),
            core.start.eq(run.core_start),
            core.clear.eq(run.clear),
            core.threshold.eq(bank.held.watchdog),
            status.busy.eq(run.busy),
            status.done.eq(run.done),
            status.refused.eq(run.refused | core.refused),
            status.hung.eq(core.hung.any()),
            *(getattr(status, field.name).eq(getattr(self.flags, field.name)) for field in self._flags),
        ]
        failed = self.flags.failed if self.kind is Kind.AXI else 0
        m.d.sync += self.interrupt.eq(status.done | status.hung | failed)
        for name in core.settings.signature.members:
            m.d.comb += _all(getattr(core.settings, name)).eq(_all(getattr(bank.held, name)))
        for index, register in enumerate(COUNTERS.values()):
            m.d.comb += _all(getattr(bank.shown, entry(register).name)).eq(Cat(row[index] for row in core.counters))
        m.d.comb += _all(bank.shown.streams).eq(_all(core.streams))
        if "levels" in core.signature.members:
            m.d.comb += _all(bank.shown.levels).eq(_all(core.levels))
        if self.kind is Kind.SDRAM:
            self._transfers(m)
        return m

    def _transfers(self, m):
        bank, run, transfer = self._bank, self._run, self.transfer
        m.d.comb += [
            run.selected.eq(bank.held.cores),
            run.other.eq(transfer.write | transfer.read),
            run.other_refused.eq(transfer.refused),
            run.quiet.eq(transfer.cleared),
            transfer.write.eq(bank.strobe.memory_write),
            transfer.read.eq(bank.strobe.memory_read),
            transfer.beats.eq(bank.data),
            transfer.address.eq(bank.held.memory_address),
            transfer.clear.eq(run.clear.any()),
        ]


def _all(signals):
    """Signals, or arrays of them, one behind the other."""
    return Cat(_all(part) for part in signals) if isinstance(signals, (list, tuple)) else signals
