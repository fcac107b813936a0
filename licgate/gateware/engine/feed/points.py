"""Steps by points: what each of them wants of window, weights and sums, and the operands that come of it."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import DelayLine
from licgate.gateware.engine.feed.kinds import PassKinds, held
from licgate.gateware.engine.feed.nextpass import next_layout
from licgate.gateware.engine.feed.operands import Weights
from licgate.gateware.engine.feed.window import operand_shape, spread_register, window_pixels, words_layout
from licgate.gateware.engine.multiplicands import halves
from licgate.gateware.engine.points.array import step_layout
from licgate.gateware.engine.points.pixels import PixelPoint, point_flags, point_layout
from licgate.gateware.engine.points.sums import NOWHERE
from licgate.gateware.engine.points.weights import WeightPoint, evaluation_of, tap_layout
from licgate.target.points import INFINITY, POINTS

__all__ = ["PointOperands", "PointSteps", "wish_layout"]

#: What a cycle of a tap row wants, each at its time. x, y, z: a weight is read into that register; third: the third one
#: moves to the first. moves: the window does, in front of the step. point, taps: how pixels and weights are evaluated;
#: weighs: there are weights. step: to the array.
wish_layout = data.StructLayout(
    {
        **dict.fromkeys(("x", "y", "z", "third", "moves", "weighs"), 1),
        "point": point_layout,
        "taps": tap_layout,
        "step": step_layout,
    }
)


class PointSteps(Component):
    """Look up what a cycle of a tap row wants; a GDN's steps are all alike.

    Parameters
    ----------
    program : Program

    Members
    -------
    take, next : :py:`In(1)`, :py:`In(next_layout(program))`
        A pass is taken, and which.
    run, step, tap_row_ends, last_step, gdn, final, position : :py:`In(...)`
        Of the pass at work, see :class:`~licgate.gateware.engine.feed.walk.PassWalk`.
    wish : :py:`Out(wish_layout)`
        In the same cycle.

    Resources: tables of a program's shapes of windows and the positions in a tap row.
    """

    def __init__(self, program):
        self._kinds = kinds = PassKinds(program)
        super().__init__(
            {
                "next": In(next_layout(program)),
                **{name: In(1) for name in ("take", "run", "step", "tap_row_ends", "last_step", "gdn", "final")},
                "position": In(range(max(2, *kinds.tap_rows))),
                "wish": Out(wish_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kinds, wish = self._kinds, self.wish
        rows = list(dict.fromkeys(shape.tap_row for shape in kinds.shapes))
        form = held(m, self.take, self.next.work.pass_kind, [rows.index(s.tap_row) for s in kinds.shapes], "form")
        begins = Signal(name="begins")
        with m.If(self.run & self.tap_row_ends & (self.step | ~self.gdn)):
            m.d.sync += begins.eq(0)
        with m.If(self.take):
            m.d.sync += begins.eq(1)

        def table(of, name, width=1):
            """A number for each position of each tap row, else 0."""
            length = 1 << len(self.position)
            numbers = [
                Array([int(of(row, k)) if k < len(row.steps) else 0 for k in range(length)])[self.position]
                for row in rows
            ]
            found = Signal(width, name=name)
            m.d.comb += found.eq(Array(numbers)[form] if len(rows) > 1 else numbers[0])
            return found

        def flags(of, layout, name):
            return table(lambda row, k: layout.const(of(row.steps[k])).as_value().value, name, layout.size)

        conv = self.step & ~self.gdn
        read = {
            name: table(
                lambda row, k, name=name: any(f.position == k and f.register == name for f in row.fetches), name
            )
            for name in "xyz"
        }
        counts = table(lambda row, k: row.steps[k].point is not None, "counts")
        place = table(lambda row, k: NOWHERE if row.steps[k].point is None else row.steps[k].point, "place", 3)
        first, last = table(lambda row, k: row.first(k), "first"), table(lambda row, k: row.last(k), "last")
        third = table(lambda row, k: row.steps[k].point == INFINITY and bool(row.steps[k].taps), "third")
        moves = table(lambda row, k: k > 0 and row.steps[k].shift > row.steps[k - 1].shift, "moves")
        weighs = table(lambda row, k: bool(row.steps[k].taps), "weighs")
        infinity = held(
            m, self.take, self.next.work.pass_kind, [int(s.tap_row.has_infinity) for s in kinds.shapes], "infinity"
        )
        single = self.step & self.gdn
        point, taps = (
            flags(lambda s: point_flags(s.point), point_layout, "point"),
            flags(evaluation_of, tap_layout, "taps"),
        )
        total = wish.step.sum
        m.d.comb += [
            wish.x.eq(conv & read["x"]),
            wish.y.eq(conv & read["y"]),
            wish.z.eq((conv & read["z"]) | single),
            wish.third.eq((conv & third) | single),
            wish.moves.eq(conv & moves),
            wish.weighs.eq((conv & weighs) | single),
            wish.point.as_value().eq(point),
            wish.taps.as_value().eq(taps & (~self.gdn).replicate(tap_layout.size)),
            # what counts for nothing goes on with the step before it, whose sum it leaves as it is
            total.place.eq(NOWHERE),
            total.chain.eq(1),
            wish.step.last.eq(self.last_step & self.step),
            wish.step.single.eq(self.gdn),
            wish.step.infinity.eq(infinity),
        ]
        with m.If(single):
            m.d.comb += [total.place.eq(0), total.first.eq(begins), total.chain.eq(~begins)]
            m.d.comb += total.ends.eq(self.last_step)
        with m.Elif(conv & counts):
            m.d.comb += [total.place.eq(place), total.first.eq(begins & first), total.chain.eq(0)]
            m.d.comb += total.ends.eq(self.final & last)
        return m


class PointOperands(Component):
    """The array's operands: pixels, weights and GDN inputs at the points of steps.

    Parameters
    ----------
    program : Program

    Members
    -------
    wish : :py:`In(wish_layout)`
        Of the tap row at work.
    fetch : :py:`Out(1)`
        A weight is read; combinational.
    kind : :py:`In(range(...))`
        Of the pass at work, in the cycle of the step.
    words, norms : :py:`In(...)`
        Of weights and GDN inputs, in time: see :class:`~licgate.gateware.engine.feeder.Feeder`.
    window : :py:`In(operand_shape(program)).array(window_pixels(program))`
    moves : :py:`Out(1)`
        To the window.
    a, w, step : :py:`Out(...)`
        The array's inputs, ``feed_latency`` cycles behind the step.

    Resources: two :class:`~..points.pixels.PixelPoint` a row, two :class:`~..points.weights.WeightPoint` a column.
    """

    def __init__(self, program):
        self._program = program
        indices = program.arithmetic.indices
        norm_bits = max([op.layer.norm_bits for op in program.ops if op.is_gdn], default=1)
        super().__init__(
            {
                "wish": In(wish_layout),
                "fetch": Out(1),
                "kind": In(range(max(2, len(program.pass_kinds)))),
                "words": In(words_layout(program.weight_memories, program.cols)),
                "norms": In(indices * program.rows * norm_bits),
                "window": In(operand_shape(program)).array(window_pixels(program)),
                "moves": Out(1),
                "a": Out(signed(indices * program.activation_width)).array(program.rows),
                "w": Out(signed(indices * program.weight_width)).array(program.cols),
                "step": Out(step_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, wish = self._program, self.wish
        self._line, self._arrival = DelayLine(m), program.feed_latency
        # each part of it as a signal of its own, which a delay line can follow
        self._wishes = {}
        for name in wish_layout.members:
            self._wishes[name] = Signal(wish_layout[name].width, name=name)
            m.d.comb += self._wishes[name].eq(wish[name])
        m.d.comb += [
            self.fetch.eq(wish.x | wish.y | wish.z),
            self.moves.eq(self._late("moves", PixelPoint.latency + 2)),
            self.step.as_value().eq(self._late("step", 0)),
        ]
        self._pixels(m)
        self._weights(m)
        return m

    def _late(self, name, before):
        """Part of the wish, so many cycles before its step arrives at the array."""
        return self._line(self._wishes[name], self._arrival - before)

    def _pixels(self, m):
        """Each row's pixels, four outputs apart from its neighbour's."""
        program, kinds = self._program, PassKinds(self._program)
        strides = [shape.stride for shape in kinds.shapes]
        kind = Signal.like(self.kind, name="kind_at_work")
        m.d.comb += kind.eq(self.kind)
        far = Array(int(stride == max(strides)) for stride in strides)[self._line(kind, self._arrival - 4)]
        single, is_step = (Signal(name=name) for name in ("single", "is_step"))
        m.d.comb += [
            single.eq(self.wish.step.single),
            is_step.eq(self.wish.weighs | (self.wish.step.sum.place != NOWHERE)),
        ]
        bits = len(self.norms) // (2 * program.rows)
        for r in range(program.rows):
            point = spread_register(m, self._late("point", PixelPoint.latency + 1), point_layout.size, f"point_{r}")
            plain, step = (
                spread_register(m, self._line(value, self._arrival - 2), 1, f"{value.name}_{r}")
                for value in (single, is_step)
            )
            strided = spread_register(m, far, 1, f"far_{r}")
            values = []
            for part in range(2):
                m.submodules[f"pixels_{r}_{part}"] = pixels = PixelPoint(program.pixel_width, program.activation_width)
                near = self._pixel(part, r, min(strides))
                wide = self._pixel(part, r, max(strides))
                for target, one, other in zip(pixels.pixels, near, wide, strict=True):
                    m.d.comb += target.eq(one if min(strides) == max(strides) else Array((one, other))[strided])
                norm = self.norms.word_select(part * program.rows + r, bits)
                m.d.comb += [
                    pixels.point.as_value().eq(point),
                    pixels.other.eq(Cat(norm, Const(0, program.activation_width - bits))),
                    pixels.plain.eq(plain),
                    pixels.step.eq(step),
                ]
                values.append(pixels.value)
            m.d.comb += self.a[r].eq(Cat(values))

    def _pixel(self, part, row, stride):
        """Five pixels of a row, of one reduction index."""
        first = 4 * stride * row
        return [halves(self.window[first + k * stride])[part] for k in range(len(POINTS))]

    def _weights(self, m):
        """Each column's taps."""
        program = self._program
        kind = Signal.like(self.kind, name="kind_of_weights")
        m.d.comb += kind.eq(self.kind)
        m.submodules.words = words = Weights(program)
        m.d.comb += [words.words.eq(self.words), words.kind.eq(self._line(kind, self._arrival - 6))]
        for c in range(program.cols):
            take, third, taps, step = (
                spread_register(m, value, len(value), f"{name}_{c}")
                for name, value in (
                    ("take", Cat(self._late(name, 5) for name in "xyz")),
                    ("third", self._late("third", 4)),
                    ("taps", self._late("taps", 3)),
                    ("weighs", self._late("weighs", 2)),
                )
            )
            values = []
            for part, word in enumerate(halves(words.w[c])):
                m.submodules[f"weights_{c}_{part}"] = weights = WeightPoint(program.tap_width, program.weight_width)
                m.d.comb += [
                    weights.word.eq(word),
                    Cat(weights.take.x, weights.take.y, weights.take.z).eq(take),
                    weights.take.third.eq(third),
                    weights.taps.as_value().eq(taps),
                    weights.step.eq(step),
                ]
                values.append(weights.value)
            m.d.comb += self.w[c].eq(Cat(values))
