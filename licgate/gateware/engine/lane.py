"""A post-processing lane: bias, the GDN quotient, requantisation. One result a cycle."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.arith import DelayLine, delayed, fits_into, round_up_half, shift_right, truncate
from licgate.gateware.engine.gdn import GdnFunction
from licgate.gateware.engine.multiplier import Multiplier
from licgate.program.timing import lane_latency

__all__ = ["PostLane"]

_T = 1 << 17
_PRODUCT = 36


class PostLane(Component):
    """Turn accumulators into the next layer's activations, with the numerics of docs/numerics.md.

    The lane serves all layers of a program: ``op`` says whose result enters. Parameters arrive when their stage needs
    them.

    Parameters
    ----------
    program : Program
        Gives the widths, the layers' clip bounds, pre-shifts and tables, and where the multipliers are.

    Members
    -------
    acc : :py:`In(signed(accumulator_width))`
        The sum of products, in cycle 0.
    op : :py:`In(range(ops))`
        Layer of that sum, in cycle 0.
    keep : :py:`In(1)`
        0 makes the result zero (a pixel beyond the border), in cycle 0.
    bias, x, shift, multiplier, offset
        Sampled in cycles ``bias_cycle``, ``x_cycle``, ``shift_cycle``, ``multiplier_cycle``, ``offset_cycle``.
    q : :py:`Out(signed(result_width))`
        The requantised result, in cycle ``latency``.
    n : :py:`Out(norm_width)`
        What GDN sums: ``min(rsr(|q| or q * q, norm_shift), 2**norm_bits - 1)``, in the same cycle; only meaningful for
        convolutions with a GDN behind them.

    Attributes
    ----------
    latency : int
        35 cycles, 39 when a layer of the program uses the square form. interval is 1.

    Resources: three 18×18 multipliers (four with the square form, one without GDN); about 700 LUT4, carries included,
    at 25-bit accumulators (Yosys 0.70, ECP5);
    2,200 and no multiplier where those are made of logic.
    """

    interval = 1
    bias_cycle, shift_cycle, x_cycle, multiplier_cycle, offset_cycle = 1, 14, 14, 23, 30

    def __init__(self, program):
        self._program = program
        self._fabric = program.lane_multipliers == "fabric"
        gdns = [op.layer for op in program.ops if op.is_gdn]
        self._square = any(g.square for g in gdns)
        self._x_width = max([g.input.bits + (not g.input.signed) for g in gdns], default=1)
        self.norm_width = max([g.norm_bits for g in gdns], default=1)
        self.result_width = max(op.layer.output.bits + (not op.layer.output.signed) for op in program.ops)
        self.latency = lane_latency(program)
        offset_width = 1 + max(abs(v) for v in program.offsets).bit_length()
        super().__init__(
            {
                "acc": In(signed(program.accumulator_width)),
                "op": In(range(max(2, len(program.ops)))),
                "keep": In(1),
                "bias": In(signed(program.accumulator_width)),
                "x": In(signed(self._x_width)),
                "shift": In(6),
                "multiplier": In(17),
                "offset": In(signed(offset_width)),
                "q": Out(signed(self.result_width)),
                "n": Out(self.norm_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = DelayLine(m)
        wide, exponent = self._divided(m, line)
        t = self._to_18_bits(m, line, wide)
        q = self._clipped(m, line, self._scaled(m, line, t, exponent))
        # 34, 35 (to 39): what GDN will sum
        m.d.comb += self.q.eq(line(q, self.latency - 33))
        if any(op.is_gdn for op in self._program.ops):
            self._norm(m, line, q)
        return m

    def _constant(self, m, line, values, cycle):
        """A layer's constant, muxed by the layer index and registered for use in ``cycle``."""
        values = [int(v) for v in values]
        if len(set(values)) == 1:
            return values[0]
        low, high = min(values), max(values)
        shape = signed(max(abs(low), abs(high)).bit_length() + 1) if low < 0 else max(1, high.bit_length())
        muxed = Signal(shape, name=f"constant_{cycle}", reset_less=True)
        m.d.sync += muxed.eq(Array(values)[line(self.op, cycle - 1)])
        return muxed

    def _divided(self, m, line):
        """Cycles 1 to 19: bias, then the quotient of GDN or nothing. Return it, and the exponent of its divisor."""
        ops = self._program.ops
        gdns = [op for op in ops if op.is_gdn]
        acc, total = Signal.like(self.acc, reset_less=True), Signal.like(self.acc, reset_less=True)
        m.d.sync += [acc.eq(self.acc), total.eq(acc + self.bias)]
        wide = Signal(signed(max(len(total), self._x_width + 18 if gdns else 0)), reset_less=True)
        slack = self.multiplier_cycle - 4
        total_late = line(total, slack - 3)
        if not gdns:
            m.d.sync += wide.eq(total_late)
            return wide, 0
        m.submodules.function = function = GdnFunction(
            [op.layer for op in gdns], len(total) - 1, fabric=self._program.lane_multipliers != "dsp"
        )
        which = Array(sum(g.index < op.index for g in gdns) for op in ops)
        m.d.comb += [function.v.eq(total[:-1]), function.which.eq(which[line(self.op, 2)])]
        m.submodules.quotient = quotient = Multiplier(self._x_width, 18, fabric=self._fabric)
        m.d.comb += [quotient.a.eq(self.x), quotient.b.eq(function.r)]
        is_gdn = self._constant(m, line, [op.is_gdn for op in ops], slack - 1)
        m.d.sync += wide.eq(Mux(is_gdn, line(quotient.p, 1), total_late))
        has_exponent = self._constant(m, line, [op.is_gdn for op in ops], self.shift_cycle)
        return wide, Mux(has_exponent, function.exponent, 0)

    def _to_18_bits(self, m, line, wide):
        """Cycles 20 to 23: the pre-shift, rounded and limited."""
        shifts = [op.layer.requantize.pre_shift for op in self._program.ops]
        pre = self._constant(m, line, shifts, self.multiplier_cycle - 4)
        pre = Signal(5, name="pre_shift", init=pre) if isinstance(pre, int) else pre
        shifted = Signal(signed(len(wide) + 1), reset_less=True)
        halved = Signal(signed(len(wide) + 1), name="halved", reset_less=True)
        fits, kept = Signal(name="fits", reset_less=True), Signal(signed(18), name="kept", reset_less=True)
        limit = Signal(signed(18), name="limit", reset_less=True)
        t = Signal(signed(18), reset_less=True)
        m.d.sync += [
            shifted.eq(shift_right(wide, pre, least=min(shifts))),
            halved.eq(round_up_half(shifted)),
            fits.eq(fits_into(halved, len(t))),
            kept.eq(truncate(halved, len(t))),
            limit.eq(Mux(halved < 0, -_T, _T - 1)),
            t.eq(Mux(fits, kept, limit)),
        ]
        return t

    def _scaled(self, m, line, t, exponent):
        """Cycles 24 to 29: multiply, then shift by what layer, channel and exponent ask for."""
        m.submodules.scale = scale = Multiplier(18, 18, fabric=self._fabric)
        m.d.comb += [scale.a.eq(t), scale.b.eq(self.multiplier)]
        # 37 and more leave nothing of 36 bits
        least = min(self._least_shift(op) for op in self._program.ops)
        total_shift, raised = (Signal(signed(8), name=n, reset_less=True) for n in ("total_shift", "raised"))
        amount = Signal(range(_PRODUCT + 2), reset_less=True)
        m.d.sync += [
            total_shift.eq(self.shift - exponent),
            raised.eq(Mux(total_shift < least, least, total_shift)),
            amount.eq(Mux(raised > _PRODUCT + 1, _PRODUCT + 1, raised)[: len(amount)]),
        ]
        rest = Signal(range(_PRODUCT + 2 - least), reset_less=True)
        m.d.sync += rest.eq(line(amount, 9) - least)
        coarse, fine = (Signal(signed(_PRODUCT + 1 - least), name=n, reset_less=True) for n in ("coarse", "fine"))
        fine_amount = Signal(2, reset_less=True)
        m.d.sync += [
            coarse.eq(((line(scale.p, 1) << 1) >> least) >> Cat(0, 0, rest[2:])),
            fine_amount.eq(rest[:2]),
            fine.eq(coarse >> fine_amount),
        ]
        return fine

    def _clipped(self, m, line, fine):
        """Cycles 30 to 33: round, offset, clip."""
        rounded = Signal(signed(len(fine) + 1), reset_less=True)
        moved = Signal(signed(1 + max(len(rounded), len(self.offset))), name="moved", reset_less=True)
        m.d.sync += [rounded.eq(round_up_half(fine)), moved.eq(rounded + self.offset)]
        lows, highs = zip(*(op.layer.requantize.clip for op in self._program.ops), strict=True)
        low, high = (self._constant(m, line, values, 31) for values in (lows, highs))
        q = Signal.like(self.q, reset_less=True)
        below, above, inside = Signal(), Signal(), Signal.like(self.q, name="inside", reset_less=True)
        # the sign of a difference comes straight from its carry chain, a comparison through a LUT behind it
        m.d.sync += [
            below.eq(moved - low < 0),
            above.eq(high - moved < 0),
            inside.eq(truncate(moved, self.result_width)),
        ]
        low, high = (self._constant(m, line, values, 32) for values in (lows, highs))
        clipped = truncate(Mux(below, low, Mux(above, high, inside)), self.result_width)
        m.d.sync += q.eq(Mux(line(self.keep, 32), clipped, 0))
        return q

    def _least_shift(self, op):
        """Smallest shift that the layer can ask for."""
        shifts = [int(v) for v in op.layer.requantize.shift]
        if op.is_gdn:
            # v is at least beta, and an inverse GDN subtracts an exponent of at most the accumulator's
            half = int(op.layer.root)
            largest = (op.layer.accumulator.bits - 1) >> half
            smallest = [(int(b).bit_length() - 1) >> half for b in op.layer.beta]
            shifts = [s - largest if op.layer.inverse else s + e for s, e in zip(shifts, smallest, strict=True)]
        return max(0, min(*shifts, _PRODUCT + 1))

    def _norm(self, m, line, q):
        """``n`` of the convolution results that a GDN will read."""
        ops = self._program.ops
        following = [ops[i + 1].layer if i + 1 < len(ops) and ops[i + 1].is_gdn else None for i in range(len(ops))]
        some = next(g for g in following if g is not None)
        following = [g or some for g in following]
        cycle = self.latency - 1
        magnitude = Signal(len(q), name="magnitude", reset_less=True)
        m.d.sync += magnitude.eq(Mux(q < 0, -q, q))
        if not self._square:
            base = magnitude
        else:
            m.submodules.square = square = Multiplier(len(q), len(q), fabric=self._fabric)
            m.d.comb += [square.a.eq(q), square.b.eq(q)]
            is_square = self._constant(m, line, [g.square for g in following], 36)
            chosen = Signal(2 * len(q), reset_less=True)
            m.d.sync += chosen.eq(Mux(is_square, square.p, line(magnitude, 2)))
            base = delayed(m, chosen, 1, name="chosen_late", reset_less=True)
        shift = self._constant(m, line, [g.norm_shift for g in following], cycle)
        limit = self._constant(m, line, [(1 << g.norm_bits) - 1 for g in following], cycle)
        if isinstance(shift, int):
            rounded = round_up_half((base << 1) >> shift)
        else:
            rounded = round_up_half(shift_right(base, shift))
        m.d.sync += self.n.eq(Mux(rounded > limit, limit, rounded)[: self.norm_width])
