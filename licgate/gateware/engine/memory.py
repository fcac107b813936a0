"""On-chip memory behind the ports that layers use, with a fixed latency that banks do not change."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.gateware.arith import delayed
from licgate.target.cells import BLOCK_RAMS

__all__ = ["LATENCY", "BankedMemory", "PartedMemory", "SplitMemory", "bank_depths"]

#: Cycles of a memory without address registers.
LATENCY = 3

# Other families map banks of these depths well too.
BLOCK_SHAPES = BLOCK_RAMS["DP16KD"]


def bank_depths(depth, width, shapes=BLOCK_SHAPES):
    """Depths of the banks that hold ``depth`` words of ``width`` bits in the fewest blocks, the deepest such.

    All are alike but the last, which may be of wider and fewer blocks.
    """

    def divided(shape):
        whole, rest = divmod(depth, shape[0])
        last = [other for other in shapes if rest <= other[0] <= shape[0]]
        last = [min(last, key=lambda other: (-(-width // other[1]), -other[0]))] if rest else []
        banks = [shape] * whole + last
        return sum(-(-width // wide) for _, wide in banks), [deep for deep, _ in banks]

    return min((divided(shape) for shape in shapes), key=lambda found: (found[0], [-deep for deep in found[1]]))[1]


class BankedMemory(Component):
    """One write port and one read port over banks of block RAM.

    Parameters
    ----------
    depth, width : int
        Words and bits a word, at least 1 each.
    init : sequence of int
        Initial words; with ``writable=False`` the memory is a ROM.
    writable : bool
        Build the write port.
    registered : bool
        For a memory spread over the chip: a register in front of the banks' addresses and writes, of which
        `licgate.synth.fanout` makes copies, and two behind each bank, the second of which shows 0 unless the word is
        the bank's: the wire from a block across the chip gets a cycle of its own.

    Members
    -------
    address, data : :py:`In(range(depth))`, :py:`Out(width)`
        ``data`` is the word of the address ``latency`` cycles ago.
    write_enable, write_address, write_data
        A word written in cycle t is seen by reads whose address comes in cycle t + 1 or later. Only when ``writable``.

    Attributes
    ----------
    latency : int
        3 cycles: block, its output register, bank multiplexer; 6 with ``registered``. interval is 1.

    Resources: the least number of ECP5 blocks over the shapes of DP16KD, one LUT4 a bit and bank pair; with
    ``registered`` two flip-flops a bit and bank, of which a reset makes one 0, and a LUT4 a bit and three banks.

    Raises
    ------
    ValueError
        A size is not a positive integer, or ``init`` does not fit.
    """

    interval = 1

    def __init__(self, depth, width, *, init=(), writable=True, registered=False):
        if not all(isinstance(size, int) and size >= 1 for size in (depth, width)):
            raise ValueError(f"a memory needs at least one word of one bit, not {depth!r} of {width!r}")
        if len(init) > depth:
            raise ValueError(f"init has {len(init)} words, the memory {depth}")
        for word in init:
            if not 0 <= word < 1 << width:
                raise ValueError(f"init holds {word}, a word of {width} bits does not")
        self.depth, self.width, self.writable, self.registered = depth, width, writable, registered
        self.latency = LATENCY + 3 * registered
        # Two words at least: to CXXRTL an address of no bits lies beyond its memory, and 0 is read.
        depths = [min(deep, 1 << max(1, ceil_log2(depth))) for deep in bank_depths(depth, width)]
        self._bank = depths[0]
        self._banks = [
            Memory(
                shape=width,
                # all of the bank, though it may not be needed: a block's whole depth needs no logic behind it
                depth=deep,
                init=list(init[index * self._bank :][:deep]),
                # A word that is read in the cycle of its write comes out as anything, for no logic is wanted that says
                # what: it happens, and nobody uses what comes. tests/sim/test_chance.py makes it noise.
                attrs={"ram_style": "block", "no_rw_check": 1},
            )
            for index, deep in enumerate(depths)
        ]
        members = {"address": In(range(depth)), "data": Out(width)}
        if writable:
            members |= {"write_enable": In(1), "write_address": In(range(depth)), "write_data": In(width)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        low = ceil_log2(self._bank)
        outputs = []
        for index, memory in enumerate(self._banks):
            m.submodules[f"bank_{index}"] = memory
            read = memory.read_port()
            captured = Signal(self.width, name=f"captured_{index}", reset_less=True)
            inputs = [(read.addr, self.address[: len(read.addr)])]
            m.d.sync += captured.eq(read.data)
            outputs.append(captured)
            if self.writable:
                write = memory.write_port()
                inputs += [
                    (write.addr, self.write_address[: len(write.addr)]),
                    (write.data, self.write_data),
                    (write.en, self.write_enable & (self.write_address[low:] == index)),
                ]
            for target, source in inputs:
                if self.registered:
                    held = Signal.like(target, name=f"held_{index}", reset_less=True)
                    m.d.sync += held.eq(source)
                    source = held
                m.d.comb += target.eq(source)
        several = len(outputs) > 1
        wait = LATENCY - 1 + self.registered
        bank = delayed(m, self.address[low:], wait, name="bank", reset_less=True) if several else 0
        word = Signal(self.width, reset_less=True)
        if self.registered:
            # All but one are 0: their OR costs less than a choice.
            shown = []
            for index, captured in enumerate(outputs):
                arrived = delayed(m, captured, 1, name=f"arrived_{index}", reset_less=True)
                register = Signal(self.width, name=f"shown_{index}", reset_less=True)
                chosen = Signal(name=f"chosen_{index}", reset_less=True)
                if several:
                    m.d.sync += chosen.eq(bank == index)
                m.d.sync += register.eq(Mux(chosen, arrived, 0) if several else arrived)
                shown.append(register)
            m.d.sync += word.eq(reduce(or_, shown))
        else:
            m.d.sync += word.eq(Array(outputs)[bank] if several else outputs[0])
        m.d.comb += self.data.eq(word)
        return m


class SplitMemory(Component):
    """Words of neighbouring pixels whose even and odd ones are written apart.

    Parameters
    ----------
    depth, rows, bits : int
        Words, pixels a word, and bits a pixel, at least 1 each.

    Members
    -------
    address, data : :py:`In(range(depth))`, :py:`Out(rows * bits)`
        As of a :class:`BankedMemory` with ``registered``.
    write_enable : :py:`In(2)`
        Bit 0 writes pixels 0, 2, ...; bit 1 pixels 1, 3, ..., of which a word of one pixel has none.
    write_address, write_data
        Common to both; ``write_data`` is a whole word.

    Attributes
    ----------
    latency : int
        6 cycles. interval is 1.

    Resources: two memories of half the width, which share no block.

    Raises
    ------
    ValueError
        A size is not a positive integer.
    """

    interval = 1

    def __init__(self, depth, rows, bits):
        if not isinstance(rows, int) or rows < 1:
            raise ValueError(f"a word needs at least one pixel, not {rows!r}")
        self.depth, self.rows, self.bits = depth, rows, bits
        counts = [rows - rows // 2, rows // 2]
        self._halves = [BankedMemory(depth, count * bits, registered=True) for count in counts if count]
        self.latency = self._halves[0].latency
        super().__init__(
            {
                "address": In(range(depth)),
                "data": Out(rows * bits),
                "write_enable": In(2),
                "write_address": In(range(depth)),
                "write_data": In(rows * bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for parity, half in enumerate(self._halves):
            m.submodules["odd" if parity else "even"] = half
            positions = range(parity, self.rows, 2)
            m.d.comb += [
                half.address.eq(self.address),
                half.write_enable.eq(self.write_enable[parity]),
                half.write_address.eq(self.write_address),
                half.write_data.eq(Cat(self.write_data.word_select(position, self.bits) for position in positions)),
                Cat(self.data.word_select(position, self.bits) for position in positions).eq(half.data),
            ]
        return m


class PartedMemory(Component):
    """Words of several parts, which are written apart and read at once.

    Parameters
    ----------
    parts : sequence of memories
        Alike; a power of two of them.

    Members
    -------
    address, data : :py:`In(range(depth))`, :py:`Out(parts * width)`
        As of a part; the first one in the low bits.
    write_enable, write_data
        As of a part.
    write_address : :py:`In(range(parts * depth))`
        Of a part of a word: its number in the low bits.

    Attributes
    ----------
    latency : int
        That of a part. interval is 1.

    Resources: the parts; a LUT4 each.

    Raises
    ------
    ValueError
        The number of parts is not a power of two.
    """

    interval = 1

    def __init__(self, parts):
        self._parts = list(parts)
        count = len(self._parts)
        if count < 1 or count & (count - 1):
            raise ValueError(f"a word has a power of two of parts, not {count}")
        part = self._parts[0]
        self.depth, self.latency = part.depth, part.latency
        super().__init__(
            {
                "address": In(len(part.address)),
                "data": Out(count * len(part.data)),
                "write_enable": In(len(part.write_enable)),
                "write_address": In(len(part.write_address) + (count - 1).bit_length()),
                "write_data": In(len(part.write_data)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        low = (len(self._parts) - 1).bit_length()
        for number, part in enumerate(self._parts):
            m.submodules[f"part_{number}"] = part
            chosen = self.write_address[:low] == number
            m.d.comb += [
                part.address.eq(self.address),
                part.write_enable.eq(self.write_enable & chosen.replicate(len(self.write_enable))),
                part.write_address.eq(self.write_address[low:]),
                part.write_data.eq(self.write_data),
                self.data.word_select(number, len(part.data)).eq(part.data),
            ]
        return m
