"""Tables of what a stage says of itself."""

from amaranth.hdl import Array

__all__ = ["of_stage"]


def of_stage(stage, values):
    """The integer among ``values``, one for each stage, that belongs to ``stage``."""
    return Array([int(value) for value in values])[stage]
