"""Payloads of the range coder's streams."""

from amaranth.hdl import signed
from amaranth.lib.data import StructLayout

from licgate.target.codertables import EXCESS_BITS
from licgate.target.rangecoder import WORD_BITS, check_precision

__all__ = ["answer_layout", "excess_layout", "question_layout", "share_layout", "symbol_layout", "word_layout"]


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


def question_layout(tables) -> StructLayout:
    """Layout of a question to the decoder, tables being `licgate.target.codertables.CoderTables`.

    ``table``: which one codes the next symbol. ``last``: it is the last one of its stream.
    """
    return StructLayout({"table": range(tables.tables), "last": 1})


def symbol_layout(tables, symbol_bits: int) -> StructLayout:
    """Layout of a symbol to be coded.

    ``table``, ``symbol``: signed. ``last``: it is the last one of its stream. ``close``: no escape code follows it in
    its section, which may hold those of several streams.
    """
    return StructLayout({"table": range(tables.tables), "symbol": signed(symbol_bits), "last": 1, "close": 1})


def excess_layout() -> StructLayout:
    """Layout of what an escape code says.

    ``value``: below ``2**20``. ``none``: there is none, which is said with ``close`` alone. ``close``: it is the last
    one of its section.
    """
    return StructLayout({"value": EXCESS_BITS, "none": 1, "close": 1})


def answer_layout(tables) -> StructLayout:
    """Layout of a decoded symbol.

    ``symbol``: signed, an entry of its table. ``low``, ``high``: it is the first one, or the last one: an escape code
    says how far below or above it the symbol is, for a table of one entry on which side, too. ``bad``: the words cannot
    be what an encoder made of these tables; the symbol is none, and so are all that follow of this stream. Of the last
    one it is also high where the stream is not, word for word, what an encoder makes of its symbols. ``last``: as in
    the question.
    """
    return StructLayout({"symbol": signed(tables.symbol_bits), "low": 1, "high": 1, "bad": 1, "last": 1})
