"""Giving up what is under way."""

from amaranth.hdl import ResetInserter, Signal

__all__ = ["clearable"]


def clearable(m, clear, name, block):
    """The block with a reset a register away from ``clear``; synthesis and `licgate.synth` settle how many."""
    reset = Signal(name=f"clear_{name}")
    m.d.sync += reset.eq(clear)
    return ResetInserter(reset)(block)
