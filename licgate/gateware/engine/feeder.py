"""The feeder: turns passes into steps, reading feature maps and weights in lockstep for the array."""

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.arith import DelayLine
from licgate.gateware.engine.feed.gaps import DrainGap, ReadGap
from licgate.gateware.engine.feed.nextpass import NextPass
from licgate.gateware.engine.feed.operands import Activations, Weights
from licgate.gateware.engine.feed.points import PointOperands, PointSteps
from licgate.gateware.engine.feed.reads import OperandAddresses, WindowReads
from licgate.gateware.engine.feed.walk import PassWalk
from licgate.gateware.engine.feed.window import PixelWindow, words_layout
from licgate.gateware.engine.memory import LATENCY
from licgate.gateware.engine.points.array import step_layout
from licgate.gateware.passes import address_width, pass_layout, release_shape
from licgate.gateware.stream import connect
from licgate.program import LINE_LATENCY

__all__ = ["Feeder"]


class Feeder(Component):
    """Feed the array.

    A convolution's pass runs over kernel rows, input channels and kernel columns, in that order. For a kernel row of
    one channel the words that the window touches are read while the previous window is used up; the window then moves
    one pixel a cycle past the array's rows, which sit as far apart as the stride. A GDN pass reads one word a step.

    Windows of fewer words than the widest are read later, so that the steps of all passes arrive after the same time.

    Parameters
    ----------
    program : Program

    Members
    -------
    i : :py:`In(stream.Signature(pass_layout(program)))`
        Taken in the cycle in which the previous pass issues its last read, so passes follow each other without a
        bubble.
    line_address, line_data
        Read port of the line buffers: one address for all, each buffer's word.
    weight_address, weight_data
        Read port of the weight memories, likewise; the word of ``op`` is chosen here.
    norm_address, norm_data
        Read port of the GDN sums' inputs.
    a, w, last
        The array's inputs; by points ``step``, the steps of its sums, in the place of ``last``, which is there as well.
    release, released : :py:`Out(release_shape(program))`
        The ``release`` of the pass at work; that of the pass that ends now, else zero.
    busy, reads : :py:`Out(1)`
        A step is issued in this cycle; one that reads a weight, which by points not all do.

    Attributes
    ----------
    latency : int
        Cycles from taking a pass to its first step at the array: ``feed_latency + 2``.
    interval : int
        1 step a cycle where a window has no more words than columns.

    Timing: between the last steps of two passes lie the first one's ``gap_behind`` cycles at least; the feeder waits in
    front of the last tap row, or of a GDN's last step but one. A GDN of one channel has an idle cycle first. A pass
    begins that many cycles late when its window has more words than a tap row of the pass before has cycles.

    Resources: two registers and, for one shape of window, two LUT4 for each bit of the window of ``stride * (rows - 1)
    + columns`` activations; one LUT4 more for each further shape.
    """

    interval = 1

    def __init__(self, program):
        self._program = program
        self.latency = program.feed_latency + 2
        indices = program.arithmetic.indices
        norm_bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
        super().__init__(
            {
                "i": In(stream.Signature(pass_layout(program))),
                "line_address": Out(address_width(program)),
                "line_data": In(words_layout(program.line_memories, program.rows)),
                "weight_address": Out(range(max(memory.depth for memory in program.weight_memories))),
                "weight_data": In(words_layout(program.weight_memories, program.cols)),
                "norm_address": Out(range(program.gdn_depth // indices)),
                "norm_data": In(indices * program.rows * norm_bits),
                "a": Out(signed(indices * program.activation_width)).array(program.rows),
                "w": Out(signed(indices * program.weight_width)).array(program.cols),
                "last": Out(1),
                **({"step": Out(step_layout)} if program.arithmetic.points else {}),
                "release": Out(release_shape(program)),
                "released": Out(release_shape(program)),
                "busy": Out(1),
                **({"reads": Out(1)} if program.arithmetic.points else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, line = self._program, DelayLine(m)
        m.submodules.waiting = waiting = NextPass(program)
        m.submodules.walk = walk = PassWalk(program)
        m.submodules.drain_gap = drain_gap = DrainGap(program)
        m.submodules.read_gap = read_gap = ReadGap(program)
        m.submodules.reads = reads = WindowReads(program)
        m.submodules.addresses = addresses = OperandAddresses(program)
        m.submodules.window = window = PixelWindow(program)

        # The pass that waits, the one at work, and what that waits for.
        connect(m, flipped(self.i), waiting.i)
        connect(m, waiting.o, walk.i)
        for part in (drain_gap, read_gap, reads, addresses):
            m.d.comb += part.next.eq(waiting.o.payload)
        m.d.comb += [
            *(part.opens.eq(walk.opens) for part in (drain_gap, read_gap, reads)),
            addresses.take.eq(walk.take),
            drain_gap.last_step.eq(walk.last_step),
            walk.early.eq(drain_gap.early),
            read_gap.finish.eq(walk.finish),
            read_gap.gdn.eq(walk.gdn),
            walk.free.eq(read_gap.free),
            addresses.step.eq(walk.step),
            *(
                getattr(reads, name).eq(getattr(walk, name))
                for name in ("run", "tap_row_ends", "row_ends", "position", "kind", "gdn", "channels")
            ),
            self.busy.eq(walk.step),
            self.release.eq(walk.release),
            self.released.eq(walk.released),
        ]
        # Whatever a step needs arrives `feed_latency` cycles behind it.
        arrival = program.feed_latency
        m.d.comb += [
            self.line_address.eq(reads.read.address),
            self.norm_address.eq(line(addresses.norm, arrival - LATENCY - 2)),
            self.last.eq(line(walk.last_step, arrival)),
            window.read.eq(reads.read),
            window.words.eq(self.line_data),
        ]
        operands = self._points if program.arithmetic.points else self._operands
        operands(m, line, walk, addresses, window)
        return m

    def _operands(self, m, line, walk, addresses, window):
        """Pixels of the window and weights as they are."""
        program, arrival = self._program, self._program.feed_latency
        m.submodules.weights = weights = Weights(program)
        m.submodules.activations = activations = Activations(program)
        m.d.comb += [
            self.weight_address.eq(line(addresses.weight, arrival - LINE_LATENCY - 2)),
            weights.words.eq(self.weight_data),
            weights.kind.eq(line(walk.kind, arrival - 2)),
            Cat(activations.window).eq(Cat(window.window)),
            activations.norms.eq(self.norm_data),
            activations.kind.eq(line(walk.kind, arrival - 2)),
            activations.step.eq(line(walk.step, arrival - 2)),
            activations.gdn.eq(line(walk.gdn, arrival - 2)),
            *([weights.step.eq(line(walk.step, arrival - 2))] if program.arithmetic.row_sum else []),
            Cat(self.w).eq(Cat(weights.w)),
            Cat(self.a).eq(Cat(activations.a)),
        ]

    def _points(self, m, line, walk, addresses, window):
        """Pixels and weights at points."""
        program = self._program
        m.submodules.steps = steps = PointSteps(program)
        m.submodules.operands = operands = PointOperands(program)
        names = ("take", "run", "step", "tap_row_ends", "last_step", "gdn", "final", "position")
        m.d.comb += [
            steps.next.eq(addresses.next),
            *(getattr(steps, name).eq(getattr(walk, name)) for name in names),
            operands.wish.eq(steps.wish),
            operands.kind.eq(walk.kind),
            addresses.fetch.eq(operands.fetch),
            self.reads.eq(operands.fetch),
            # a weight is in its register four cycles before the array has it, and goes through one before
            self.weight_address.eq(line(addresses.weight, program.feed_latency - LINE_LATENCY - 6)),
            operands.words.eq(self.weight_data),
            operands.norms.eq(self.norm_data),
            Cat(operands.window).eq(Cat(window.window)),
            window.moves.eq(operands.moves),
            Cat(self.a).eq(Cat(operands.a)),
            Cat(self.w).eq(Cat(operands.w)),
            self.step.eq(operands.step),
        ]
