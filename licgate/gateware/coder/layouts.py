"""Payloads of the range coder's streams."""

from amaranth.lib.data import StructLayout

from licgate.target.rangecoder import WORD_BITS, check_precision

__all__ = ["share_layout", "word_layout"]


def share_layout(precision: int) -> StructLayout:
    """Layout of a symbol for the encoder.

    ``left``, ``share``: its share is ``left ... left + share`` of ``2**precision``; a share of 0 takes no bits, and is
    that of a symbol which is the only one of its table, or of none. ``last``: it is the last one of its stream.

    Raises
    ------
    ValueError
        The precision is not an even number from 16 to 24.
    """
    bits = check_precision(precision)
    return StructLayout({"left": bits, "share": bits, "last": 1})


def word_layout(width: int = WORD_BITS) -> StructLayout:
    """Layout of a word of a coded stream.

    ``last``: it is the last one. ``empty``: this is no word but the end of a stream that has none; always ``last``.
    """
    return StructLayout({"data": width, "last": 1, "empty": 1})
