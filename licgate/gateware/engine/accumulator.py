"""The adder of an accumulator that begins anew by itself, without logic in front of it."""

from amaranth.hdl import Const, Instance, Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

__all__ = ["RestartingAdder", "ccu2c_adder"]

# Functions of a CCU2C's A, B, C with D = 1, where the carry is A unless the sum propagates: A + (B and not C), A + B.
_MASKED, _PLAIN = 0xA6AA, 0x66AA


class RestartingAdder(Component):
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

    latency = 0
    interval = 1

    def __init__(self, width, *, carries=False):
        if not isinstance(width, int) or width < 2:
            raise ValueError(f"width must be an integer of at least 2, not {width!r}")
        self.width, self.carries = width, carries
        word = signed(width)
        super().__init__(
            {
                "a": In(word),
                "b": In(word),
                "restart": In(1),
                "s": Out(word),
                **({"one": In(1)} if carries else {}),
            }
        )

    def elaborate(self, platform):
        if hasattr(platform, "get_restarting_adder"):
            return platform.get_restarting_adder(self)
        m = Module()
        kept = (self.b & ~self.restart.replicate(self.width)).as_signed()
        m.d.comb += self.s.eq(self.a + kept + (self.one if self.carries else 0))
        return m


def ccu2c_adder(adder):
    """Body for ECP5: a chain of CCU2C, whose LUTs have an input left for the choice.

    Two bits a cell; a carry comes in through a bit of its own, which adds it to 1.
    """
    m = Module()
    bits = [(adder.a[k], adder.b[k], _MASKED) for k in range(adder.width)]
    sums = list(adder.s)
    if adder.carries:
        bits.insert(0, (adder.one, Const(1), _PLAIN))
        sums.insert(0, Signal(name="unused_low"))
    if len(bits) % 2:
        bits.append((Const(0), Const(0), _MASKED))
        sums.append(Signal(name="unused_high"))
    carry = Const(0)
    for low in range(0, len(bits), 2):
        ports = {"i_CIN": carry}
        carry = Signal(name=f"carry_{low}")
        for k in range(2):
            a, b, function = bits[low + k]
            ports |= {f"p_INIT{k}": Const(function, 16), f"p_INJECT1_{k}": "NO", f"o_S{k}": sums[low + k]}
            ports |= {f"i_A{k}": a, f"i_B{k}": b, f"i_C{k}": adder.restart, f"i_D{k}": Const(1)}
        m.submodules[f"bits_{low}"] = Instance("CCU2C", o_COUT=carry, **ports)
    return m
