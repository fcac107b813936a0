"""The registers of an accelerator as its host reads and writes them, built from the one table of them."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out, Signature

from licgate.gateware.ports import csr_signature
from licgate.target.registers import Access, Register
from licgate.target.registertable import entries, entry

__all__ = ["RegisterBank", "register_layout"]

_ROW_BITS = 3  # of an address: registers that are read together


def register_layout(register, kind):
    """Fields of a register as a layout of 32 bits."""
    fields = entry(register).fields_of(kind)
    return data.FlexibleLayout(32, {field.name: data.Field(field.width, field.low) for field in fields})


class RegisterBank(Component):
    """Registers between a host and an accelerator.

    What the host writes is held here and shown to the accelerator; what it reads comes from here, from the accelerator,
    or is a constant. An address without a register reads 0; a write to it, or to what can only be read, does nothing.
    The same goes for registers of a core that is not there.

    Parameters
    ----------
    kind : Kind
    constants : dict of Register to int
        Registers that never change; of several in a row, a tuple.
    widths, resets : dict of Register to int
        Bits of registers that are written where there are fewer than in the table, and values after power-up where the
        table leaves them open; 0 else.
    counts : dict of Register to int
        How many there are of several registers in a row; all that the table allows if left out.
    cores : int
        Of registers that there are for each core.
    latency : int
        1 or 2.
    of_link : bool
        The registers of the host link, instead of all others.

    Members
    -------
    csr : :py:`In(csr_signature)`
        ``r_data`` follows ``addr`` by ``latency`` cycles.
    held : :py:`Out(Signature({name: Out(width), ...}))`
        Of each register that is written and read; an array where there is one for each core.
    shown : :py:`In(Signature({name: Out(shape), ...}))`
        Of each register that is read and is no constant: a view of its fields, or 32 bits. For each core, and for
        several in a row, arrays of them.
    strobe : :py:`Out(Signature({name: Out(1), ...}))`
        Of each register that is only written: it is written in this cycle.
    data : :py:`Out(32)`
        What is written.

    Attributes
    ----------
    latency : int
        Of a read; with 2 cycles, a register lies between the choice in a row of 8 and that among the rows. A write
        takes 1 cycle to ``held``, none to ``strobe``.

    Raises
    ------
    ValueError
        The accelerator has no such register, or ``latency`` is neither 1 nor 2.
    """

    def __init__(self, kind, *, constants, widths=(), resets=(), counts=(), cores=1, latency=1, of_link=False):
        if latency not in (1, 2):
            raise ValueError(f"latency must be 1 or 2 cycles, not {latency!r}")
        self.kind, self.cores, self.latency = kind, cores, latency
        widths, self._resets, counts = dict(widths), dict(resets), dict(counts)
        rows = {row.register: row for row in entries(kind) if row.of_link is of_link}
        for register in (*constants, *widths, *self._resets, *counts):
            if register not in rows:
                raise ValueError(f"accelerators of kind {kind.value} have no register {Register(register).name}")
        self._constants, self._fixed = {}, set(constants)
        for register, value in dict(constants).items():
            words = value if isinstance(value, tuple) else (value,)
            self._constants |= {register + k: word for k, word in enumerate(words)}
        held, shown, strobe = {}, {}, {}
        self._held, self._shown, self._strobes = [], [], []
        for register, row in rows.items():
            if register in self._fixed:
                continue
            shape = widths.get(register, row.bits)
            if row.access is Access.WRITE:
                strobe[row.name] = Out(1)
                self._strobes.append(row)
            elif row.access is Access.BOTH:
                held[row.name] = Out(shape).array(cores) if row.of_core else Out(shape)
                self._held.append(row)
            else:
                shape = register_layout(register, kind) if row.fields else shape
                dimensions = (cores,) * row.of_core + (counts.get(register, row.count),) * (row.count > 1)
                shown[row.name] = Out(shape).array(*dimensions) if dimensions else Out(shape)
                self._shown.append(row)
        super().__init__(
            {
                "csr": In(csr_signature),
                "held": Out(Signature(held)),
                "shown": In(Signature(shown)),
                "strobe": Out(Signature(strobe)),
                "data": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.data.eq(self.csr.w_data)
        for row in self._strobes:
            m.d.comb += getattr(self.strobe, row.name).eq(self._written(row))
        values = dict(self._constants)
        for row in self._held:
            values[row.register] = self._hold(m, row)
        for row in self._shown:
            value = getattr(self.shown, row.name)
            if row.of_core:
                value = self._of_core(value)
            words = value if row.count > 1 else [value]
            values |= {row.register + k: word for k, word in enumerate(words)}
        if self.latency == 1:
            self._read(m, values)
        else:
            self._read_in_rows(m, values)
        return m

    def _written(self, row):
        return self.csr.w_stb & (self.csr.addr == row.register)

    def _hold(self, m, row):
        """Keep what is written; return what is read."""
        ports = getattr(self.held, row.name)
        reset = self._resets.get(row.register, row.reset or 0)
        for number, port in enumerate(ports if row.of_core else [ports]):
            value = Signal(len(port), init=reset, name=f"{row.name}_{number}" if row.of_core else row.name)
            chosen = self._written(row)
            if row.of_core and self.cores > 1:
                chosen &= self.held.core == number
            with m.If(chosen):
                m.d.sync += value.eq(self.csr.w_data)
            m.d.comb += port.eq(value)
        return self._of_core(ports) if row.of_core else ports

    def _of_core(self, rows):
        """What the core CORE has of a register, or of each register in a row."""
        if self.cores == 1:
            return rows[0]
        if isinstance(rows[0], (list, tuple)):
            return [self._of_core(column) for column in zip(*rows, strict=True)]
        return Array(rows)[self.held.core]

    def _read(self, m, values):
        with m.Switch(self.csr.addr):
            for address, value in values.items():
                with m.Case(address):
                    m.d.sync += self.csr.r_data.eq(value)
            with m.Default():
                m.d.sync += self.csr.r_data.eq(0)

    def _read_in_rows(self, m, values):
        """Drive ``r_data`` with the register asked for: one of its row, then of the rows, each in a cycle."""
        csr = self.csr
        row = Signal(len(csr.addr) - _ROW_BITS)
        m.d.sync += row.eq(csr.addr[_ROW_BITS:])
        words = []
        for number in sorted({address >> _ROW_BITS for address in values}):
            word = Signal(32, name=f"row_{number}")
            members = [values.get((number << _ROW_BITS) + low, 0) for low in range(1 << _ROW_BITS)]
            m.d.sync += word.eq(_halved(members, csr.addr[:_ROW_BITS]))
            words.append(Mux(row == number, word, 0))
        m.d.sync += csr.r_data.eq(reduce(or_, words))


def _halved(values, index):
    """The value at an index, half by half: fewer wires than a comparison with each index, whose results all bits read.

    There are as many as the index has numbers.
    """
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return Mux(index[-1], _halved(values[half:], index[:-1]), _halved(values[:half], index[:-1]))
