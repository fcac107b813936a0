"""The only places where a signal becomes narrower, and the registers that keep pipelines aligned.

Everything else here is combinational and mirrors :mod:`licgate.manifest.numeric` bit by bit.
"""

from amaranth.hdl import Signal, Value, signed
from amaranth.lib.data import StructLayout

__all__ = ["DelayLine", "delayed", "fits_into", "registered", "round_up_half", "shift_right", "truncate"]


def truncate(value, width, *, is_signed=True):
    """Keep the low ``width`` bits: for values proven to fit, never to limit a range."""
    low = Value.cast(value)[:width]
    return low.as_signed() if is_signed else low


def fits_into(value, width):
    """``-2**(width - 1) <= value < 2**(width - 1)``, for a signed value: the bits above are those of the sign."""
    above = Value.cast(value)[width - 1 :]
    return above.all() | ~above.any()


def shift_right(value, amount, *, least=0):
    """First half of ``rsr``: ``(2 * value) >> amount`` for ``amount >= least``, as a signed value.

    ``least`` is shifted out by wiring, so a barrel shifter is built only for the range that is used.
    """
    doubled = Value.cast(value) << 1
    return (doubled >> least) >> (amount - least)[: max(1, len(amount))]


def round_up_half(value):
    """Second half of ``rsr``: ``(value + 1) >> 1``."""
    return (value + 1) >> 1


class DelayLine:
    """Registers that follow a signal, shared by all who ask for the same signal.

    Parameters
    ----------
    m : Module
        Where the registers are added (domain ``sync``). Ask outside of ``m.If`` and its like: the registers must always
        run.
    """

    def __init__(self, m):
        self._m = m
        self._chains = {}

    def __call__(self, signal, cycles):
        """The signal ``cycles`` clock cycles later (0 is the signal itself)."""
        chain = self._chains.setdefault(id(signal), [signal])
        while len(chain) <= cycles:
            stage = Signal.like(signal, name=f"{signal.name}_d{len(chain)}", reset_less=True)
            self._m.d.sync += stage.eq(chain[-1])
            chain.append(stage)
        return chain[cycles]


def delayed(m, value, cycles, *, name="delay", init=0, reset_less=False):
    """``value`` after ``cycles`` registers that reset to ``init``."""
    value = Value.cast(value)
    shape = signed(len(value)) if value.shape().signed else len(value)
    for index in range(cycles):
        stage = Signal(shape, name=f"{name}_{index}", init=init, reset_less=reset_less)
        m.d.sync += stage.eq(value)
        value = stage
    return value


def registered(m, **values):
    """``values`` after one register each: a struct with a field for every name."""
    late = Signal(StructLayout({name: value.shape() for name, value in values.items()}))
    m.d.sync += [late[name].eq(value) for name, value in values.items()]
    return late
