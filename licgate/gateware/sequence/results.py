"""Results of passes that are on their way, and those of them that GDN waits for."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.program import IN_FLIGHT

__all__ = ["ResultCredits"]

# More than are ever outstanding: a pass that waits for less than all but so many waits for nothing.
_MOST_BEHIND = 2 * IN_FLIGHT - 1


class ResultCredits(Component):
    """Count passes whose results are on their way.

    Parameters
    ----------
    pixels : ShapeLike
        Of the number of pixels of a band.

    Members
    -------
    band_pixels : :py:`In(...)`
        Pixels of the band at work (groups, in each of its rows and parities of columns).
    issued, is_gdn, last_reader, to_gdn : :py:`In(1)`
        As of :class:`~licgate.gateware.sequence.walk.BandWalk`.
    written : :py:`In(1)`
        A pass is through.
    arrived : :py:`Out(1)`
        What the pass reads of GDN's inputs is written; a cycle behind.
    none : :py:`Out(1)`
        Every pass is through.

    Resources: two counters of twice ``IN_FLIGHT``.
    """

    def __init__(self, pixels):
        strobes = ("issued", "is_gdn", "last_reader", "to_gdn", "written")
        super().__init__(
            {"band_pixels": In(pixels), **{name: In(1) for name in strobes}, "arrived": Out(1), "none": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        outstanding, behind = (Signal(range(_MOST_BEHIND + 1), name=name) for name in ("outstanding", "behind"))
        others = Signal(len(self.band_pixels))
        m.d.comb += [self.none.eq(outstanding == 0), others.eq(self.band_pixels - 1)]
        m.d.sync += [
            self.arrived.eq(~self.is_gdn | (outstanding <= behind)),
            outstanding.eq(outstanding + self.issued - self.written),
        ]
        # A cycle behind the pass, which is soon enough for the next one.
        counts, turns = Signal(name="counts"), Signal(name="turns")
        m.d.sync += [counts.eq(self.issued & self.is_gdn & ~self.last_reader), turns.eq(self.to_gdn)]
        with m.If(counts):
            m.d.sync += behind.eq(Mux(behind == _MOST_BEHIND, _MOST_BEHIND, behind + 1))
        with m.If(turns):
            m.d.sync += behind.eq(Mux(others > _MOST_BEHIND, _MOST_BEHIND, others))
        return m
