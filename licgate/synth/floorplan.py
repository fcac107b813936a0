"""Where the array's multipliers go on the chip: neighbours in the array become neighbours on the chip."""

from __future__ import annotations

__all__ = ["ecp5_85f_site"]

# LFE5U-85F: three rows of DSP blocks, 13 groups of four multipliers each; columns are those of nextpnr.
_ROWS = (10, 34, 58)
_GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
_OFFSETS = (0, 1, 4, 5)
_SITES = len(_GROUPS) * len(_OFFSETS)


def ecp5_85f_site(row: int, column: int, rows: int = 12, columns: int = 13) -> str | None:
    """Name of the MULT18X18D for a place in the array.

    An array of up to 12 x 13 has a column a group, and four rows a row of blocks. A wider one has an equal part of its
    rows in each row of blocks, column by column; a taller one of its columns, row by row.

    Parameters
    ----------
    row, column : int
    rows, columns : int
        Of the array.

    Returns
    -------
    str or None
        None where the array fits in none of these ways, and outside of it; the placer then chooses.
    """
    for index, length, other, width in ((row, rows, column, columns), (column, columns, row, rows)):
        part = len(_OFFSETS) if rows <= 12 and columns <= len(_GROUPS) else -(-length // len(_ROWS))
        if part * width <= _SITES:
            block, place = divmod(index, part)
            site = other * part + place
            break
    else:
        return None
    if not (row < rows and column < columns):
        return None
    group, offset = divmod(site, len(_OFFSETS))
    return f"X{_GROUPS[group] + _OFFSETS[offset]}/Y{_ROWS[block]}/MULT18_{_OFFSETS[offset]}"
