"""Where the array's multipliers go on the chip: neighbours in the array become neighbours on the chip."""

from __future__ import annotations

__all__ = ["ecp5_85f_site"]

# LFE5U-85F: three rows of DSP blocks, 13 groups of four multipliers each; columns are those of nextpnr.
_ROWS = (10, 34, 58)
_GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
_OFFSETS = (0, 1, 4, 5)


def ecp5_85f_site(row: int, column: int) -> str | None:
    """Name of the MULT18X18D for a place in the array: a column a group, four rows a row of blocks.

    Parameters
    ----------
    row, column : int

    Returns
    -------
    str or None
        None outside of 12 rows and 13 columns; the placer then chooses.
    """
    block, part = divmod(row, len(_OFFSETS))
    if block >= len(_ROWS) or column >= len(_GROUPS):
        return None
    offset = _OFFSETS[part]
    return f"X{_GROUPS[column] + offset}/Y{_ROWS[block]}/MULT18_{offset}"
