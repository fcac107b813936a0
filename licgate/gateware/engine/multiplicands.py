"""What goes into an element's multiplier, for each arithmetic of the array."""

from amaranth.hdl import Signal, signed

__all__ = ["halves", "multiplicands"]


def halves(word):
    """Both signed values of a word: the first reduction index below, the second above."""
    width = len(word) // 2
    return word[:width].as_signed(), word[width:].as_signed()


def multiplicands(m, arithmetic, inputs, registered):
    """Operands of the multiplier, ``arithmetic.lead`` cycles behind the element's inputs.

    Parameters
    ----------
    m : Module
        Where registers are added.
    arithmetic : Arithmetic
    inputs, registered : (Value, Value)
        The step's words of activations and weights as they come in, and one cycle later.
    """
    if arithmetic.indices == 1:
        return inputs
    (a0, a1), (w0, w1) = (halves(word) for word in registered)
    widths = arithmetic.multiplicand_widths(len(a0), len(w0))
    sums = [Signal(signed(width), name=f"sum_{k}", reset_less=True) for k, width in enumerate(widths)]
    m.d.sync += [sums[0].eq(a0 + w1), sums[1].eq(a1 + w0)]
    return sums
