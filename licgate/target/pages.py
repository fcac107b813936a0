"""How a stretch of memory is cut into transactions; plain Python, for models and compilers too."""

from collections.abc import Iterator

__all__ = ["AXI_BOUNDARY", "AXI_PAGE_BEATS", "BEATS_BITS", "SDRAM_PAGE_BEATS", "axi_page_beats", "split"]

#: Bits of the number of beats of a transaction.
BEATS_BITS = 10

#: Beats of one row of one bank of the SDR SDRAM: no transaction crosses a multiple of it.
SDRAM_PAGE_BEATS = 512

#: Beats of the longest AXI4 burst: of 128 bits they fill the 4 KB that no burst may cross.
AXI_PAGE_BEATS = 256

#: No AXI4 burst crosses a multiple of so many bytes.
AXI_BOUNDARY = 4096


def axi_page_beats(data_bits: int) -> int:
    """Longest transaction of an AXI4 bus, of which none crosses a multiple: 256 beats, or fewer that fill 4 KB.

    Raises
    ------
    ValueError
        ``data_bits`` is no width of a bus that is used here.
    """
    if data_bits not in (32, 64, 128, 256, 512):
        raise ValueError(f"data_bits must be 32, 64, 128, 256 or 512, not {data_bits!r}")
    return min(AXI_PAGE_BEATS, AXI_BOUNDARY * 8 // data_bits)


def split(address: int, beats: int, page_beats: int) -> Iterator[tuple[int, int]]:
    """Cut ``beats`` beats from ``address`` on into transactions which cross no page.

    Yields
    ------
    (int, int)
        Address and beats, 1 to ``page_beats``, in rising order.
    """
    end = address + beats
    while address < end:
        stop = min(end, (address // page_beats + 1) * page_beats)
        yield address, stop - address
        address = stop
