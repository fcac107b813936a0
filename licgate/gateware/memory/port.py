"""The port through which a requester reads and writes external memory, and its contract."""

from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, Signature

from licgate.target.pages import AXI_PAGE_BEATS, BEATS_BITS, SDRAM_PAGE_BEATS

__all__ = ["AXI_PAGE_BEATS", "BEATS_BITS", "SDRAM_PAGE_BEATS", "MemoryPort", "request_layout"]


def request_layout(address_bits: int) -> StructLayout:
    """Layout of a transaction: ``write``, ``address`` in beats, ``beats`` from 1 to the memory's page."""
    return StructLayout({"write": 1, "address": address_bits, "beats": BEATS_BITS})


class MemoryPort(Signature):
    """Memory as its requester sees it: one transaction at a time, of up to a page of beats.

    Parameters
    ----------
    beat_bits : int
        Bits of a beat, at least 1: 16 for the SDR SDRAM, 128 for AXI4.
    address_bits : int
        Bits of an address in beats, at least 1.

    Members
    -------
    request : :py:`Out(stream.Signature(request_layout(address_bits)))`
        A transaction. It never crosses a multiple of the memory's page (``SDRAM_PAGE_BEATS``, ``AXI_PAGE_BEATS``): the
        requester splits, see :func:`licgate.target.pages.split`. The next request may be valid while the
        last is under way; it is accepted after that one's ``done``.
    w : :py:`Out(stream.Signature(beat_bits))`
        Beats of a write. The requester has all of them by the time its request is valid: ``w.valid`` stays 1 from the
        acceptance to the last beat. The memory may take them with gaps, and takes none before the acceptance.
    r_valid, r_data : :py:`In(1)`, :py:`In(beat_bits)`
        Beats of a read, in the order of addresses, with gaps or without. There is no ready: the requester has room
        for all of them by the time its request is valid.
    done : :py:`In(1)`
        For one cycle: with the last beat of a read, or when a write is committed, so that every read which is accepted
        later, at any port, sees it.

    Raises
    ------
    ValueError
        A width is not a positive integer.
    """

    def __init__(self, beat_bits: int, address_bits: int):
        for name, bits in (("beat_bits", beat_bits), ("address_bits", address_bits)):
            if not isinstance(bits, int) or bits < 1:
                raise ValueError(f"{name} must be a positive integer, not {bits!r}")
        self.beat_bits, self.address_bits = beat_bits, address_bits
        super().__init__(
            {
                "request": Out(stream.Signature(request_layout(address_bits))),
                "w": Out(stream.Signature(beat_bits)),
                "r_valid": In(1),
                "r_data": In(beat_bits),
                "done": In(1),
            }
        )

    def __eq__(self, other):
        return isinstance(other, MemoryPort) and self.members == other.members

    def __repr__(self):
        return f"MemoryPort({self.beat_bits}, {self.address_bits})"
