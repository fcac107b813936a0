"""The function unit of GDN: 1/v, 1/√v, v or √v from a leading-one normalisation and an interpolated table."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.errors import ConfigError
from licgate.gateware.arith import DelayLine
from licgate.gateware.engine.multiplier import Multiplier

__all__ = ["GdnFunction", "leading_one"]

# bits of v whose leading one is found in a cycle
_PART = 8


def leading_one(bits):
    """Position of the highest set bit of a list of one-bit values, as a tree: ``(any_set, list of position bits)``."""
    if len(bits) == 1:
        return bits[0], []
    half = 1 << (ceil_log2(len(bits)) - 1)
    low_any, low = leading_one(bits[:half])
    high_any, high = leading_one(bits[half:])
    high = high + [0] * (len(low) - len(high))
    return low_any | high_any, [Mux(high_any, h, x) for h, x in zip(high, low, strict=True)] + [high_any]


class GdnFunction(Component):
    """Mantissa and exponent of the GDN function of a positive integer.

    Parameters
    ----------
    gdns : sequence of Gdn
        Layers that the unit serves; layer ``which`` is selected at run time. They share ``index_bits`` and
        ``fraction_bits``.
    width : int
        Width of ``v``.
    fabric : bool
        Keep the multiplier out of the DSP blocks.

    Members
    -------
    v : :py:`In(width)`
        The denominator, at least 1 (0 gives a defined but meaningless result).
    which : :py:`In(range(len(gdns)))`
    r : :py:`Out(18)`
        ``value[k'] + ((slope[k'] * f) >> fraction_bits)``, 17 bits are used.
    exponent : :py:`Out(signed(8))`
        −e, −(e >> 1), e or e >> 1, with e the position of v's leading one.

    Numerics: docs/numerics.md, section GDN, equal bit by bit to ``licgate.reference.gdn``.

    Attributes
    ----------
    latency : int
        12 cycles. interval is 1.

    Resources: one block RAM, one multiplier for slope and fraction, about 130 LUT4 for the normalisation at 24 bits.

    Raises
    ------
    ConfigError
        There is no layer, ``width`` is not in 1 to 48, or the layers' tables differ in their index or fraction width.
    """

    latency = 9 + Multiplier.latency
    interval = 1

    def __init__(self, gdns, width, *, fabric=False):
        if not gdns:
            raise ConfigError("gdns is empty: a GDN unit needs at least one layer")
        if not isinstance(width, int) or not 1 <= width <= 48:
            raise ConfigError(f"width is {width!r}: give an integer from 1 to 48")
        tables = [g.table for g in gdns]
        shapes = {(t.index_bits, t.fraction_bits) for t in tables}
        if len(shapes) != 1:
            raise ConfigError(
                f"GDN tables of {sorted(shapes)} (index, fraction) bits cannot share a unit: export them alike"
            )
        self._gdns, self._fabric = tuple(gdns), fabric
        ((self._index_bits, self._fraction_bits),) = shapes
        self._slope_width = 1 + max(max(abs(int(s)) for s in t.slope).bit_length() for t in tables)
        super().__init__(
            {
                "v": In(width),
                "which": In(range(max(2, len(gdns)))),
                "r": Out(18),
                "exponent": Out(signed(8)),
            }
        )

    def _rom(self):
        words = []
        for gdn in self._gdns:
            entries = [
                int(value) | (int(slope) & ((1 << self._slope_width) - 1)) << 18
                for value, slope in zip(gdn.table.value, gdn.table.slope, strict=True)
            ]
            words += entries + [0] * ((2 << self._index_bits) - len(entries))
        return Memory(shape=18 + self._slope_width, depth=len(words), init=words, attrs={"ram_style": "block"})

    def elaborate(self, platform):
        m = Module()
        line = DelayLine(m)
        width, index_bits, fraction_bits = len(self.v), self._index_bits, self._fraction_bits
        roots = Array(int(g.root) for g in self._gdns)
        inverses = Array(int(g.inverse) for g in self._gdns)

        # 1, 2: leading one, of parts and then of all
        parts = []
        for low in range(0, width, _PART):
            found, position = leading_one(list(self.v[low : low + _PART]))
            some = Signal(name=f"some_{low}", reset_less=True)
            where = Signal(max(1, len(position)), name=f"where_{low}", reset_less=True)
            m.d.sync += [some.eq(found), where.eq(Cat(position))]
            parts.append((some, where))
        _, above = leading_one([some for some, _ in parts])
        position = [Array(where for _, where in parts)[Cat(above)] if above else parts[0][1], *above]
        e = Signal(max(1, ceil_log2(width)), reset_less=True)
        v = Signal(width, reset_less=True)
        m.d.sync += [e.eq(Cat(position)), v.eq(line(self.v, 1))]

        # 3, 4: normalise, coarse then fine; the leading one itself is dropped at the top
        amount = Signal(len(e) + 1)
        m.d.comb += amount.eq(width - 1 - e)
        coarse = Signal(width, reset_less=True)
        fine_amount = Signal(2, reset_less=True)
        m.d.sync += [coarse.eq(v << Cat(0, 0, amount[2:])), fine_amount.eq(amount[:2])]
        fine = Signal(width, reset_less=True)
        m.d.sync += fine.eq(coarse << fine_amount)

        which, e3 = line(self.which, 4), line(e, 2)
        mantissa = Cat(
            [fine[width - 2 - i] if width - 2 - i >= 0 else 0 for i in reversed(range(index_bits + fraction_bits))]
        )
        fraction = Signal(fraction_bits)
        parity = Signal()
        m.d.comb += [fraction.eq(mantissa[:fraction_bits]), parity.eq(roots[which] & e3[0])]

        # 5 to 7: table, its output register, and one on the way to the multiplier
        m.submodules.table = table = self._rom()
        read = table.read_port()
        m.d.comb += read.addr.eq(Cat(mantissa[fraction_bits:], parity, which))
        out, word = (Signal(18 + self._slope_width, name=n, reset_less=True) for n in ("out", "word"))
        m.d.sync += [out.eq(read.data), word.eq(out)]
        value = Signal(18)
        m.d.comb += value.eq(word[:18])

        # 8 to 12: interpolate; the product goes to a register on its way, for the block may be far off
        m.submodules.multiplier = multiplier = Multiplier(fraction_bits + 1, self._slope_width, fabric=self._fabric)
        m.d.comb += [multiplier.a.eq(line(fraction, 3)), multiplier.b.eq(word[18:].as_signed())]
        product = line(multiplier.p, 1)
        m.d.sync += self.r.eq((line(value, Multiplier.latency + 1) + (product >> fraction_bits))[:18])

        whole = Signal(len(e) + 1)
        m.d.comb += whole.eq(Mux(roots[which], e3 >> 1, e3))
        exponent = Signal(signed(8), reset_less=True)
        m.d.sync += exponent.eq(Mux(inverses[which], whole, -whole))
        m.d.comb += self.exponent.eq(line(exponent, self.latency - 5))
        return m
