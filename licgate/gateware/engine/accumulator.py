"""The adders of accumulators, which begin anew or go on elsewhere without logic in front of them."""

from amaranth.hdl import Const, Instance, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

__all__ = [
    "ChoosingAdder",
    "RestartingAdder",
    "SigningAdder",
    "ccu2c_adder",
    "ccu2c_choosing_adder",
    "ccu2c_signing_adder",
]

# Functions of a CCU2C's A, B, C with D = 1, where the carry is A unless the sum propagates: A + (B and not C), A + B.
_MASKED, _PLAIN = 0xA6AA, 0x66AA
# A + B with D, A + C without it: where neither C nor D is set, the sum is A, which is what the carry is made of.
_CHOICE = 0x665A
# A without D; with it A + B, or with C as well A + (not B).
_SIGNED = 0x96AA


class _Adder(Component):
    """Two's complement words in, their sum out in the same cycle; a platform may have a body of its own for it."""

    latency = 0
    interval = 1
    #: Method of a platform that makes the body.
    override = ""

    def __init__(self, width, *, words, bits):
        if not isinstance(width, int) or width < 2:
            raise ValueError(f"width must be an integer of at least 2, not {width!r}")
        self.width = width
        inputs = dict.fromkeys(words, In(signed(width))) | dict.fromkeys(bits, In(1))
        super().__init__(inputs | {"s": Out(signed(width))})

    def elaborate(self, platform):
        if hasattr(platform, self.override):
            return getattr(platform, self.override)(self)
        m = Module()
        m.d.comb += self.s.eq(self.total())
        return m

    def total(self):
        """Value of the sum, of more bits than it has or of as many."""
        raise NotImplementedError


class RestartingAdder(_Adder):
    """``s = a + (0 if restart else b) + one``.

    An accumulator whose sum goes to its register alone has the register in the slices of its carry chain. So it is not
    the register that is reset when a sum ends, while a second one takes the sum, but what is fed back.

    Parameters
    ----------
    width : int
        At least 2.
    carries : bool
        There is a carry in.

    Members
    -------
    a, b : :py:`In(signed(width))`
    restart : :py:`In(1)`
    one : :py:`In(1)`
        Only with ``carries``.
    s : :py:`Out(signed(width))`
        Wraps.

    Attributes
    ----------
    latency : int
        0 cycles: combinational. interval is 1.

    Platform overrides
    ------------------
    A platform may define ``get_restarting_adder(adder) -> Elaboratable``: on an ECP5 :func:`ccu2c_adder`, since
    synthesis would put the choice into LUTs of its own, in front of the carry chain.

    Resources: ``width`` bits of carry chain, one more with ``carries``; no other logic on an ECP5 or UltraScale+.

    Raises
    ------
    ValueError
        ``width`` is not an integer of at least 2.
    """

    override = "get_restarting_adder"

    def __init__(self, width, *, carries=False):
        super().__init__(width, words="ab", bits=["restart", *(["one"] if carries else [])])
        self.carries = carries

    def total(self):
        """See the class."""
        kept = (self.b & ~self.restart.replicate(self.width)).as_signed()
        return self.a + kept + (self.one if self.carries else 0)


class ChoosingAdder(_Adder):
    """``s = a + (b if first else c)``, the choice without logic in front of the adder.

    Parameters
    ----------
    width : int
        At least 2.

    Members
    -------
    a, b, c : :py:`In(signed(width))`
    first : :py:`In(1)`
    s : :py:`Out(signed(width))`
        Wraps.

    Attributes
    ----------
    latency : int
        0 cycles: combinational. interval is 1.

    Platform overrides
    ------------------
    A platform may define ``get_choosing_adder(adder) -> Elaboratable``: on an ECP5 :func:`ccu2c_choosing_adder`.

    Resources: ``width`` bits of carry chain; no other logic on an ECP5.

    Raises
    ------
    ValueError
        ``width`` is not an integer of at least 2.
    """

    override = "get_choosing_adder"

    def __init__(self, width):
        super().__init__(width, words="abc", bits=["first"])

    def total(self):
        """See the class."""
        return self.a + Mux(self.first, self.b, self.c)


class SigningAdder(_Adder):
    """``s = a + b``, ``a - b`` or ``a``, the choice without logic in front of the adder.

    Parameters
    ----------
    width : int
        At least 2.

    Members
    -------
    a, b : :py:`In(signed(width))`
    adds, negative : :py:`In(1)`
        ``b`` counts; it counts negative, only where it does.
    s : :py:`Out(signed(width))`
        Wraps.

    Attributes
    ----------
    latency : int
        0 cycles: combinational. interval is 1.

    Platform overrides
    ------------------
    A platform may define ``get_signing_adder(adder) -> Elaboratable``: on an ECP5 :func:`ccu2c_signing_adder`.

    Resources: ``width + 1`` bits of carry chain; no other logic on an ECP5.

    Raises
    ------
    ValueError
        ``width`` is not an integer of at least 2.
    """

    override = "get_signing_adder"

    def __init__(self, width):
        super().__init__(width, words="ab", bits=["adds", "negative"])

    def total(self):
        """See the class."""
        other = ((self.b ^ self.negative.replicate(self.width)) & self.adds.replicate(self.width)).as_signed()
        return self.a + other + self.negative


def ccu2c_adder(adder):
    """Body of a :class:`RestartingAdder` for ECP5: a chain of CCU2C, whose LUTs have an input left for the choice.

    Two bits a cell; a carry comes in through a bit of its own, which adds it to 1.
    """
    bits = [(adder.a[k], adder.b[k], adder.restart, Const(1), _MASKED) for k in range(adder.width)]
    sums = list(adder.s)
    if adder.carries:
        bits.insert(0, (adder.one, Const(1), adder.restart, Const(1), _PLAIN))
        sums.insert(0, Signal(name="unused_low"))
    return _carry_chain(bits, sums)


def ccu2c_choosing_adder(adder):
    """Body of a :class:`ChoosingAdder` for ECP5, likewise: both inputs that are left serve the choice."""
    bits = [(adder.a[k], adder.b[k], adder.c[k], adder.first, _CHOICE) for k in range(adder.width)]
    return _carry_chain(bits, list(adder.s))


def ccu2c_signing_adder(adder):
    """Body of a :class:`SigningAdder` for ECP5; a carry comes in through a bit of its own."""
    bits = [(adder.a[k], adder.b[k], adder.negative, adder.adds, _SIGNED) for k in range(adder.width)]
    bits.insert(0, (adder.negative, Const(1), Const(0), Const(1), _PLAIN))
    return _carry_chain(bits, [Signal(name="unused_low"), *adder.s])


def _carry_chain(bits, sums):
    """CCU2C for bits of inputs A, B, C, D and a function each."""
    m = Module()
    if len(bits) % 2:
        bits.append((Const(0), Const(0), Const(0), Const(1), _MASKED))
        sums.append(Signal(name="unused_high"))
    carry = Const(0)
    for low in range(0, len(bits), 2):
        ports = {"i_CIN": carry}
        carry = Signal(name=f"carry_{low}")
        for k in range(2):
            *inputs, function = bits[low + k]
            ports |= {f"p_INIT{k}": Const(function, 16), f"p_INJECT1_{k}": "NO", f"o_S{k}": sums[low + k]}
            ports |= {f"i_{name}{k}": value for name, value in zip("ABCD", inputs, strict=True)}
        m.submodules[f"bits_{low}"] = Instance("CCU2C", o_COUT=carry, **ports)
    return m
