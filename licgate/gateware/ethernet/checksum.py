"""The Internet checksum (RFC 1071), byte by byte."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

__all__ = ["ByteChecksum"]


class ByteChecksum(Component):
    """Sum bytes as the 16-bit words that they make, in one's complement.

    Parameters
    ----------
    first : int
        What the sum begins with, 16 bits.

    Members
    -------
    begin : :py:`In(1)`
        Begin again.
    data, strobe : :py:`In(8)`, :py:`In(1)`
        A byte, not in the cycle of ``begin``.
    high : :py:`In(1)`
        It is the first of its word.
    right : :py:`Out(1)`
        The sum is all ones, as where a checksum is among the words.

    Attributes
    ----------
    latency : int
        From a byte to ``right``: 2 cycles.
    interval : int
        1 cycle.

    Numerics: sum modulo 2¹⁶ − 1, in which 0 and 2¹⁶ − 1 are the same number; ``right`` where it is that one, and any
    byte but 0 has come (:func:`licgate.target.ethernet.checksum` gives 0).
    """

    latency, interval = 2, 1

    def __init__(self, first=0):
        if first not in range(1 << 16):
            raise ValueError(f"first must be 0 to 65535, not {first!r}")
        self.first = first
        super().__init__({"begin": In(1), "data": In(8), "strobe": In(1), "high": In(1), "right": Out(1)})

    def elaborate(self, platform):
        m = Module()
        total, carry = Signal(16, init=self.first), Signal()
        word = Signal(16)
        m.d.comb += word.eq(Mux(self.high, self.data << 8, self.data))
        with m.If(self.strobe):
            # what is carried out of a sum is added to the next one
            m.d.sync += Cat(total, carry).eq(total + word + carry)
        with m.If(self.begin):
            m.d.sync += [total.eq(self.first), carry.eq(0)]
        m.d.sync += self.right.eq(Mux(carry, total == 0xFFFE, total == 0xFFFF))
        return m
