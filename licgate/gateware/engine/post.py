"""Post-processing: drains finished tiles from the array, runs the lanes and puts results together into words."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import DelayLine, truncate
from licgate.gateware.engine.array import drain_shape
from licgate.gateware.engine.lane import PostLane
from licgate.gateware.engine.memory import LATENCY, BankedMemory
from licgate.gateware.engine.points.array import point_drain_shape
from licgate.gateware.engine.points.divider import QuadDivider
from licgate.gateware.passes import tile_layout
from licgate.program.timing import COLLECTED, program_latency

__all__ = ["PostProcessor"]

_LEAD = LATENCY


def _any_of(values):
    """The one of these values that is not 0."""
    return reduce(or_, values).as_signed()


class PostProcessor(Component):
    """Drain, requantise, assemble.

    A tile is ``count`` output channels of ``rows`` pixels. One channel leaves the array every ``S = lane_rows`` cycles,
    by points one of a channel's four words of every fourth pixel each;
    lane l takes rows ``l * S`` to ``l * S + S - 1`` of it, ``l * S`` cycles behind lane 0, which is just the skew of
    the array. Behind the lanes a channel's pixels meet again in one word.

    Of a packed tile every column gives two channels: first the lower one, ``results - (highs << pack_shift)`` in as
    many bits as packed sums need, then the upper one, ``highs``.

    Parameters
    ----------
    program : Program

    Members
    -------
    last : :py:`In(1)`
        The step now entering the array is the last one of a tile.
    tile : :py:`In(stream.Signature(tile_layout(program)))`
        Descriptor of the next tile to be drained, taken ``array_latency - 4`` cycles after its ``last``; it must
        be valid then.
    results : :py:`In(signed(sum_width)).array(rows)`, drain : :py:`Out(drain_shape(cols))`
        The array's finished sums; by points what a :class:`~.points.divider.QuadDivider` takes.
    highs : :py:`In(signed(packed_accumulator_width)).array(rows)`
        With packing.
    x_address, x_data
        Read port of the GDN inputs, with ``memory.LATENCY``.
    word, norms : :py:`Out(signed(...)).array(rows)`, :py:`Out(...).array(rows)`
        Results of a channel, and what GDN sums of them.
    valid : :py:`Out(1)`
        ``word`` and ``norms`` hold the next channel of the oldest tile.

    Attributes
    ----------
    latency : int
        Cycles from ``last`` to the tile's first word.
    interval : int
        Cycles from word to word: S.

    Resources: ``lanes`` lanes, four parameter memories, ``result_width * S * lanes * (lanes - 1) / 2`` flip-flops
    (three times) that undo the skew.
    """

    def __init__(self, program):
        self._program = program
        self._lanes = [PostLane(program) for _ in range(program.lanes)]
        lane = self._lanes[0]
        divided = program.lanes if program.arithmetic.points else 0
        self._dividers = [QuadDivider(program.accumulator_width) for _ in range(divided)]
        self.interval = program.lane_rows
        self._late = _LEAD + program.merge_latency  # cycles from the control to lane 0
        drained = program_latency(program) + program.merge_latency
        self.latency = drained + lane.latency + program.lanes * program.lane_rows
        self.x_depth = program.gdn_depth
        rows = program.rows
        super().__init__(
            {
                "last": In(1),
                "tile": In(stream.Signature(tile_layout(program))),
                "results": In(signed(program.sum_width)).array(rows),
                **({"highs": In(signed(program.packed_accumulator_width)).array(rows)} if program.packing else {}),
                "drain": Out((point_drain_shape if program.arithmetic.points else drain_shape)(program.cols)),
                "x_address": Out(range(self.x_depth)),
                "x_data": In(rows * len(lane.x)),
                "word": Out(signed(lane.result_width)).array(rows),
                "norms": Out(lane.norm_width).array(rows),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = DelayLine(m)
        program, lanes = self._program, self._lanes
        drain_interval = program.lane_rows

        # Control runs _LEAD cycles ahead of lane 0, so that the first parameter can be read in time.
        active = Signal()
        sub = Signal(range(max(2, drain_interval)))
        word = Signal(range(program.most_words))
        tile = Signal(tile_layout(program))
        last_cycle = Signal()
        go = line(self.last, program_latency(program) - _LEAD - 1)
        m.d.comb += [last_cycle.eq(sub == drain_interval - 1), self.tile.ready.eq(go)]
        final = Signal()  # the tile's last word
        # Counted rather than added to the tile's first ones: they address memories, which are far away.
        channel, x_channel = Signal.like(tile.param, name="channel"), Signal.like(self.x_address, name="x_channel")
        with m.If(go):
            m.d.sync += [active.eq(1), sub.eq(0), word.eq(0), tile.eq(self.tile.payload)]
            m.d.sync += final.eq(self.tile.payload.count == 1)
            m.d.sync += [channel.eq(self.tile.payload.param), x_channel.eq(self.tile.payload.x)]
        with m.Elif(active):
            m.d.sync += sub.eq(sub + 1)
            with m.If(last_cycle):
                m.d.sync += [sub.eq(0), word.eq(word + 1), active.eq(~final), final.eq(word + 2 == tile.count)]
                m.d.sync += [channel.eq(channel + 1), x_channel.eq(x_channel + 1)]
        start, lower, upper, column = Signal(), Signal(), Signal(), Signal(len(self.drain.column))
        m.d.comb += [start.eq(active & (sub == 0)), column.eq(word)]
        if program.packing:
            packed = Array(int(op.packed) for op in program.ops)[tile.op]
            m.d.comb += [lower.eq(packed & ~word[0]), upper.eq(packed & word[0])]
            m.d.comb += column.eq(Mux(packed, word >> 1, word))
        m.d.comb += [
            self.drain.enable.eq(line(start, _LEAD - COLLECTED)),
            self.drain.column.eq(line(column, _LEAD - COLLECTED)),
        ]

        op, pixels = Signal(len(tile.op)), Signal(len(tile.pixels))
        m.d.comb += [op.eq(tile.op), pixels.eq(tile.pixels)]
        single = Signal()
        if program.arithmetic.points:
            # of a quad the pixels that are there of every fourth one
            m.d.comb += single.eq(Array(int(one.outputs == 1) for one in program.ops)[tile.op])
            m.d.comb += pixels.eq(Mux(single, tile.pixels, (tile.pixels + (3 - word[:2])) >> 2))

        self._connect_parameters(m, line, channel, start)
        self._connect_x(m, line, x_channel, sub)

        for index, lane in enumerate(lanes):
            m.submodules[f"lane_{index}"] = lane
            skew = self._late + index * drain_interval
            # A row's result is 0 but in the cycle that its lane has for it.
            rows = slice(index * drain_interval, (index + 1) * drain_interval)
            result = _any_of(self.results[rows])
            if program.arithmetic.points:
                result = self._divided(m, index, result, line(single, _LEAD + index * drain_interval))
            if program.packing:
                result = self._merged(m, index, result, _any_of(self.highs[rows]), line(lower, skew), line(upper, skew))
            m.d.comb += [
                lane.acc.eq(result),
                lane.op.eq(line(op, skew)),
                lane.keep.eq(index * drain_interval + line(sub, skew) < line(pixels, skew)),
            ]
        self._assemble(m, line, sub, active, last_cycle)
        return m

    def _divided(self, m, index, output, single):
        """The result, less its bias."""
        m.submodules[f"divider_{index}"] = divider = self._dividers[index]
        m.d.comb += [divider.output.eq(output), divider.single.eq(single)]
        return divider.result

    def _merged(self, m, index, result, high, lower, upper):
        """The sum of the channel at hand, of both sums of an element a cycle before."""
        program = self._program
        width, shift = program.packed_accumulator_width, program.pack_shift
        both = Signal(signed(program.accumulator_width), name=f"both_{index}", reset_less=True)
        second = Signal(signed(width), name=f"second_{index}", reset_less=True)
        m.d.sync += [both.eq(result), second.eq(high)]
        first = truncate(both - (second << shift), width)
        return Mux(upper, second, Mux(lower, first, both))

    def _connect_parameters(self, m, line, channel, start):
        """Parameter memories, read once for lane 0; each lane hands its copy to the next one a drain interval later."""
        program, lanes = self._program, self._lanes
        for name, values, cycle in (
            ("bias", program.biases, PostLane.bias_cycle),
            ("shift", program.shifts, PostLane.shift_cycle),
            ("multiplier", program.multipliers, PostLane.multiplier_cycle),
            ("offset", program.offsets, PostLane.offset_cycle),
        ):
            takers = (self._dividers if name == "bias" else ()) or lanes
            shape = getattr(takers[0], name).shape()
            width = shape.width
            words = [v & ((1 << width) - 1) for v in values]
            m.submodules[f"{name}_memory"] = memory = BankedMemory(len(words), width, init=words, writable=False)
            # by points biases are wanted in front of what makes results
            early = program.merge_latency if name == "bias" and self._dividers else 0
            m.d.comb += memory.address.eq(line(channel, program.merge_latency - early + cycle - 1))
            source = memory.data
            for index, lane in enumerate(takers):
                held = Signal(shape, name=f"{name}_{index}", reset_less=True)
                with m.If(line(start, self._late - early + cycle - 1 + index * program.lane_rows)):
                    m.d.sync += held.eq(source)
                m.d.comb += getattr(lane, name).eq(held)
                source = held

    def _connect_x(self, m, line, x_channel, sub):
        """One word of x in each drain interval; each lane picks its pixel, then waits for its turn."""
        program, lanes = self._program, self._lanes
        width = len(lanes[0].x)
        address_cycle = PostLane.x_cycle - 1 - LATENCY
        m.d.comb += self.x_address.eq(line(x_channel, self._late + address_cycle))
        sub_late = line(sub, self._late + PostLane.x_cycle - 1)
        for index, lane in enumerate(lanes):
            rows = [min(index * program.lane_rows + i, program.rows - 1) for i in range(program.lane_rows)]
            pixel = Signal(width, name=f"x_{index}", reset_less=True)
            m.d.sync += pixel.eq(Array(self.x_data.word_select(r, width) for r in rows)[sub_late])
            m.d.comb += lane.x.eq(line(pixel, index * program.lane_rows))

    def _assemble(self, m, line, sub, active, last_cycle):
        program, lanes = self._program, self._lanes
        skew = (len(lanes) - 1) * program.lane_rows
        arrival = self._late + lanes[0].latency + skew
        # Hundreds of bits all over the device are enabled by these, so each comes from a flip-flop.
        here, before = Signal(program.lane_rows, name="here"), line(sub, arrival - 1)
        m.d.sync += here.eq(Cat(before == part for part in range(program.lane_rows)))
        done = Signal()
        m.d.comb += done.eq(active & last_cycle)
        m.d.sync += self.valid.eq(line(done, arrival))
        for row in range(program.rows):
            index, part = divmod(row, program.lane_rows)
            wait = skew - index * program.lane_rows
            q, n = line(lanes[index].q, wait), line(lanes[index].n, wait)
            with m.If(here[part]):
                m.d.sync += [self.word[row].eq(q), self.norms[row].eq(n)]
        return m
