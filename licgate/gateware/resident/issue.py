"""When a pass may be issued: there is room for its tile, and for its words."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from licgate.program import IN_FLIGHT

__all__ = ["IssueControl"]


class IssueControl(Component):
    """Offer a pass when no more than ``IN_FLIGHT`` would be issued and not written, and the output has room for it.

    Parameters
    ----------
    program : Program
    output_words : int
        Depth of the latent FIFO.

    Members
    -------
    offer, to_output, ready : :py:`In(1)`
        There is a pass, which is described since the cycle before; its words go to the output; the feeder takes one.
    written, output_written : :py:`In(1)`
        From the writer: a tile is written; it went to the output.
    output_words : :py:`In(range(output_words + 1))`
        Free words of the latent FIFO.
    valid, issue : :py:`Out(1)`
        The pass is offered; it is taken.
    settled : :py:`Out(1)`
        Every pass that was issued is written.
    no_room : :py:`Out(1)`
        A pass waits for room at the output.

    Timing: what is written, or taken from the FIFO, counts two cycles later. A pass that was taken is followed by
    another three cycles later at the earliest.

    Resources: two counters of ``IN_FLIGHT``; a comparison with the FIFO's level.
    """

    def __init__(self, program, output_words):
        self._program = program
        super().__init__(
            {
                **{name: In(1) for name in ("offer", "to_output", "ready", "written", "output_written")},
                "output_words": In(range(output_words + 1)),
                **{name: Out(1) for name in ("valid", "issue", "settled", "no_room")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        issue = self.issue
        outstanding, full = Signal(range(IN_FLIGHT + 1)), Signal()
        # Tiles promised to the output whose words are not yet in its FIFO.
        words, promised, room = self._program.output_channels, Signal(range(IN_FLIGHT + 2)), Signal()
        m.d.comb += [
            issue.eq(self.valid & self.ready),
            self.settled.eq(outstanding == 0),
            self.no_room.eq(self.offer & self.to_output & ~room),
        ]
        # Up to date two cycles after a pass; none is offered before that.
        m.d.sync += [
            self.valid.eq(self.offer & ~issue & ~full & (~self.to_output | room)),
            room.eq(self.output_words >= Array((k + 1) * words for k in range(IN_FLIGHT + 2))[promised]),
            promised.eq(promised + (issue & self.to_output) - self.output_written),
            outstanding.eq(outstanding + issue - self.written),
            full.eq(outstanding == IN_FLIGHT),
        ]
        return m
