"""Escape codes bit by bit, as the gateware writes and reads them (docs/container.md, "Escape codes")."""

__all__ = ["EXCESS_BITS"]

EXCESS_BITS = 20
"""Bits of an excess: `licgate.codec.escapes.EXCESS_LIMIT` is ``1 << EXCESS_BITS``."""
