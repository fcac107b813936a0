"""One pipelined multiplier with a body for each device family."""

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Multiplier", "dsp48e2_multiplier", "fabric_multiplier", "mult18x18d_multiplier"]


class Multiplier(Component):
    """Signed product, three registers deep, a new pair every cycle.

    Parameters
    ----------
    a_width, b_width : int
        Widths of the signed operands: 1 to 18 bits, 1 to 27 bits. The block of ECP5 takes 18 bits of both.
    fabric : bool
        Keep the product out of the DSP blocks whatever the platform offers.
    site : (int, int, int, int) or None
        Row and column in the array, and its rows and columns, for platforms that place the multipliers themselves.

    Members
    -------
    a, b : :py:`In(signed(a_width))`, :py:`In(signed(b_width))`
    p : :py:`Out(signed(a_width + b_width))`
        ``a * b``, exact.

    Attributes
    ----------
    latency : int
        3 cycles. interval is 1.

    Platform overrides
    ------------------
    A platform may define ``get_multiplier(multiplier) -> Elaboratable``; without it the body is plain registers around
    ``*``. Both bodies here follow the same contract: :func:`mult18x18d_multiplier` (ECP5) and
    :func:`dsp48e2_multiplier` (UltraScale+). With ``fabric`` it is :func:`fabric_multiplier` on all of them.

    Resources: one MULT18X18D or DSP48E2, no fabric; with ``fabric`` see there.

    Raises
    ------
    ValueError
        A width is out of its range.
    """

    latency = 3
    interval = 1

    def __init__(self, a_width, b_width, *, fabric=False, site=None):
        for name, width, most in (("a_width", a_width, 18), ("b_width", b_width, 27)):
            if not isinstance(width, int) or not 1 <= width <= most:
                raise ValueError(f"{name} must be an integer from 1 to {most}, not {width!r}")
        self.fabric, self.site = fabric, site
        super().__init__({"a": In(signed(a_width)), "b": In(signed(b_width)), "p": Out(signed(a_width + b_width))})

    def elaborate(self, platform):
        if self.fabric:
            return fabric_multiplier(self)
        if hasattr(platform, "get_multiplier"):
            return platform.get_multiplier(self)
        m = Module()
        a, b, product = Signal.like(self.a), Signal.like(self.b), Signal.like(self.p)
        m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), self.p.eq(product)]
        return m


def fabric_multiplier(multiplier):
    """Body without a DSP block: a third of the sums of partial products in front of each register.

    Adders alone take less than half of the logic of a Booth multiplier, whose rows are multiplexers of more inputs than
    a LUT has. Like in the blocks, no register has a reset. The operands are expected from registers.
    """
    m = Module()
    wide, narrow = sorted((multiplier.a, multiplier.b), key=len, reverse=True)
    bits = [*narrow, *[narrow[-1]] * (len(narrow) % 2)]
    last = len(bits) - 2

    def registered(value, name):
        register = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    rows = []
    for low in range(0, len(bits), 2):
        one, two = (Mux(bit, wide, 0) for bit in bits[low : low + 2])
        # the highest bit of an operand counts negative
        rows.append(registered(one - (two << 1) if low == last else one + (two << 1), f"row_{low}") << low)
    sums = [registered(sum(rows[k : k + 3]), f"sum_{k}") for k in range(0, len(rows), 3)]
    p = Signal.like(multiplier.p, reset_less=True)
    m.d.sync += p.eq(sum(sums))
    m.d.comb += multiplier.p.eq(p)
    return m


def mult18x18d_multiplier(multiplier, *, bel=None):
    """Body for ECP5: a MULT18X18D with its input, pipeline and output registers, at the place ``bel`` when given.

    Operands sit at the top of the 18-bit ports with zeros below: constant data bits are tied inside the block and cost
    no routing, while sign extension would fan the sign bit out.

    Raises
    ------
    ValueError
        An operand has more than 18 bits.
    """
    m = Module()
    a_width, b_width = len(multiplier.a), len(multiplier.b)
    if b_width > 18:
        raise ValueError(f"a MULT18X18D has no operand of {b_width} bits, 18 at most: set packed_bits to 18")
    product = Signal(36)
    ports = {"i_CLK0": ClockSignal(), "i_CE0": 1, "i_SIGNEDA": 1, "i_SIGNEDB": 1}
    for bit in range(18):
        ports[f"i_A{bit}"] = multiplier.a[bit - 18 + a_width] if bit >= 18 - a_width else 0
        ports[f"i_B{bit}"] = multiplier.b[bit - 18 + b_width] if bit >= 18 - b_width else 0
    for bit in range(36):
        ports[f"o_P{bit}"] = product[bit]
    for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
        ports |= {f"p_REG_{register}_CLK": "CLK0", f"p_REG_{register}_CE": "CE0", f"p_REG_{register}_RST": "RST0"}
    if bel is not None:
        ports["a_BEL"] = bel
    m.submodules.dsp = Instance("MULT18X18D", **ports)
    m.d.comb += multiplier.p.eq(product[36 - a_width - b_width :].as_signed())
    return m


def dsp48e2_multiplier(multiplier):
    """Body for UltraScale+: a DSP48E2 with A/B, M and P registers, the pre-adder and the ALU's other inputs unused.

    The wider operand goes to port A, of which the block multiplies 27 bits.
    """
    m = Module()
    a, b, p = Signal(signed(30)), Signal(signed(18)), Signal(signed(48))
    narrow, wide = sorted((multiplier.a, multiplier.b), key=len)
    m.d.comb += [a.eq(wide), b.eq(narrow), multiplier.p.eq(p[: len(multiplier.p)].as_signed())]
    enables = {f"i_CE{name}": 1 for name in ("A2", "B2", "M", "P")}
    enables |= {f"i_CE{name}": 0 for name in ("A1", "B1", "AD", "ALUMODE", "C", "CARRYIN", "CTRL", "D", "INMODE")}
    resets = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
    m.submodules.dsp = Instance(
        "DSP48E2",
        p_AREG=1,
        p_BREG=1,
        p_MREG=1,
        p_PREG=1,
        p_ACASCREG=1,
        p_BCASCREG=1,
        p_ADREG=0,
        p_ALUMODEREG=0,
        p_CARRYINREG=0,
        p_CARRYINSELREG=0,
        p_CREG=0,
        p_DREG=0,
        p_INMODEREG=0,
        p_OPMODEREG=0,
        p_USE_MULT="MULTIPLY",
        p_USE_SIMD="ONE48",
        i_CLK=ClockSignal(),
        i_A=a,
        i_B=b,
        i_C=0,
        i_D=0,
        i_OPMODE=0b000000101,
        i_ALUMODE=0,
        i_INMODE=0,
        i_CARRYIN=0,
        i_CARRYINSEL=0,
        o_P=p,
        **enables,
        **{f"i_RST{name}": 0 for name in resets},
    )
    return m
