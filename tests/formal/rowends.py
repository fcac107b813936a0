"""The ends of rows by points: whose sum is read in each cycle, what becomes of it, and what comes of six."""

from amaranth.hdl import Array, Cat, Const, Mux, ResetSignal, Signal
from amaranth.lib import data

from licgate.gateware.engine.points.outputs import ORDER, QuadOutputs, output_controls
from licgate.gateware.engine.points.reader import RESULTS, SumReader, end_layout
from licgate.gateware.engine.points.sums import PLACES
from licgate.program.collecting import point_gap
from licgate.target.points import OUTPUTS, QUAD, SUMS
from tests.formal.kit import Bench, Mutation, Proof

A_WIDTH = 14
_SUM_AT = 2  # cycles from an address to its sum


def _history(bench, value, cycles):
    found = [value]
    for _ in range(cycles):
        found.append(bench.past(found[-1]))
    return found


def _pass(cols, interval, single):
    """What the end of a row is told in each cycle from that of a pass's first address on.

    Returns
    -------
    list of int, list of int, int
        Values of `end_layout`; masks of parts that are at work; for how many cycles addresses count.
    """
    pace, layout = interval * (1 if single else QUAD), end_layout(cols)
    controls, outputs = output_controls(single)
    cycles = [{} for _ in range(pace * cols + _SUM_AT + len(controls))]
    busy = [0] * len(cycles)
    for column in range(cols):
        block, tree = divmod(column, SUMS)
        for slot in range(pace):
            place = 0 if single else (*ORDER, *[0] * pace)[slot]
            cycles[pace * column + slot] |= {"tree": tree, "address": PLACES * block + place}
        sums_at = pace * column + _SUM_AT
        for cycle, control in enumerate(controls):
            now = cycles[sums_at + cycle].setdefault("output", dict.fromkeys(control, 0))
            for name, value in control.items():
                assert not (now[name] and value), name
                now[name] |= value
        for cycle, output in outputs.items():
            result = column if single else QUAD * column + output
            cycles[sums_at + cycle] |= {"write": 1, "result": result % RESULTS}
            busy[sums_at + cycle] |= 1
        # of a quad the first adder makes four numbers, the second one six
        for first, last, bit in ((2, 2, 2),) if single else ((2, 6, 1), (7, 12, 2)):
            for cycle in range(first, last + 1):
                busy[sums_at + cycle - 1] |= 1 << bit
    return [layout.const(cycle).as_value().value for cycle in cycles], busy, pace * cols


def _reader(mutant, cols, interval):
    dut = mutant(SumReader)(cols, interval)
    bench = Bench(dut)
    m, go = bench.m, bench.free(1, "go")
    bench.drive(dut.single, dut.infinity, dut.bank)
    m.d.comb += dut.go.eq(go)
    # What it is to forget has drained away before another pass.
    bench.assume(~ResetSignal() & ~dut.clear)
    tables = [_pass(cols, interval, bool(single)) for single in (0, 1)]
    gaps = [mutant(point_gap)(cols, interval, A_WIDTH, single=bool(single)) for single in (0, 1)]
    most = max(len(cycles) for cycles, *_ in tables)
    # The pass at hand, and the one in front, some of whose results are on their way.
    ages = [Signal(range(most + 1), init=most, name=f"age_{k}") for k in range(2)]
    singles = [Signal(name=f"single_{k}") for k in range(2)]
    infinity, bank = Signal(name="with_infinity"), Signal(name="in_bank")
    far = Mux(singles[0], ages[0] + 1 >= gaps[1], ages[0] + 1 >= gaps[0])
    bench.assume(~go | (ages[0] == most) | far)
    for age in ages:
        m.d.sync += age.eq(Mux(age == most, most, age + 1))
    with m.If(go):
        m.d.sync += [ages[0].eq(0), ages[1].eq(Mux(ages[0] == most, most, ages[0] + 1))]
        m.d.sync += [singles[0].eq(dut.single), singles[1].eq(singles[0])]
        m.d.sync += [infinity.eq(dut.infinity), bank.eq(dut.bank)]

    def told(which, part):
        padded = [[*table[part], *[0] * (most + 1 - len(table[part]))] for table in tables]
        return Mux(singles[which], Array(padded[1])[ages[which]], Array(padded[0])[ages[which]])

    now, before = (Signal(end_layout(cols), name=name) for name in ("now", "before"))
    m.d.comb += [now.as_value().eq(told(0, 0)), before.as_value().eq(told(1, 0))]
    reads = ages[0] < Mux(singles[0], tables[1][2], tables[0][2])
    end = dut.end
    slot = ages[0] % (QUAD * interval)
    bench.claim(~reads | ((end.tree == now.tree) & (end.address == now.address) & (end.bank == bank)))
    bench.claim(~reads | (end.none == (~singles[0] & ~infinity & (slot == len(ORDER) - 1))))
    # No two of them want an adder, or the place of a result, in the same cycle.
    bench.claim((told(0, 1) & told(1, 1)) == 0)
    for name in ("output", "write", "result"):
        both = (data.View(end_layout(cols), now.as_value() | before.as_value()))[name]
        both, seen = (v.as_value() if isinstance(v, data.View) else v for v in (both, end[name]))
        bench.claim(seen == both)
    # Of the state between.
    pace = Mux(singles[0], interval, QUAD * interval)
    bench.claim(bench.peek("active", 1) == reads)
    column, at = bench.peek("column", range(max(2, cols))), bench.peek("slot", range(QUAD * interval))
    bench.claim(~reads | ((ages[0] == column * pace + at) & (at < pace) & (column < cols)))
    block = bench.peek("block", range(max(2, -(-cols // SUMS))))
    bench.claim(~reads | (column == block * SUMS + bench.peek("tree", range(SUMS))))
    bench.claim(~reads | ((bench.peek("single", 1) == singles[0]) & (bench.peek("infinity", 1) == infinity)))
    apart = ages[1] >= ages[0] + Mux(singles[1], gaps[1], gaps[0])
    bench.claim((ages[0] <= most) & (ages[1] <= most) & ((ages[1] == most) | ((ages[0] != most) & apart)))
    # What goes through the chains began so many cycles before.
    for one in (0, 1):
        step, begins = interval * (1 if one else QUAD), _SUM_AT + (2 if one else 12)
        for late in range(1, begins + 1):
            starts = [age - late for age in range(most + 1)]
            here = [int(0 <= start < step * cols and start % step == 0) for start in starts]
            numbers = [start // step if here[age] else 0 for age, start in enumerate(starts)]
            began = [Array(here)[ages[k]] & (singles[k] == one) & (ages[k] != most) for k in range(2)]
            number = Mux(began[0], Array(numbers)[ages[0]], Array(numbers)[ages[1]])
            bench.claim(bench.peek(f"token_{bool(one)}_{late}_0", 1) == (began[0] | began[1]))
            chained = bench.peek(f"column_{bool(one)}_{late}_0", range(max(2, cols)))
            bench.claim(~(began[0] | began[1]) | (chained == number))
    return bench


def _outputs(mutant, width):
    dut = mutant(QuadOutputs)(width)
    bench = Bench(dut)
    bench.assume(~ResetSignal())
    quad, single, value = bench.free(1, "quad"), bench.free(1, "single"), bench.free(width, "sum")
    bench.m.d.comb += dut.sum.eq(value.as_signed())
    controls, made = output_controls()
    quads, singles, sums = (_history(bench, v, len(controls) + 2) for v in (quad, single, value))
    # Quads follow each other in eight cycles, what follows a quad in twelve; a single sum leaves the next one room.
    for k in range(1, 12):
        bench.assume(~((quad & (quads[k] if k < len(ORDER) else 0)) | (single & quads[k])))
    bench.assume(~(quad & single) & ~(quad & singles[1]))
    for k, point in enumerate(ORDER):
        again = ORDER.index(point)
        if again != k:
            bench.assume(~quads[k] | (value == sums[k - again]))
    fields = {name: [] for name in controls[0]}
    for cycles, tokens in ((controls, quads), (output_controls(True)[0], singles)):
        for control, token in zip(cycles, tokens):
            for name, number in control.items():
                fields[name].append(Mux(token, number, 0))
    for name, values in fields.items():
        total = Const(0)
        for one in values:
            total = total | one
        bench.m.d.comb += dut.control[name].eq(total)
    for cycle, output in made.items():
        expected = sum(int(OUTPUTS[output][p]) * sums[cycle - ORDER.index(p)] for p in range(SUMS))
        bench.claim(~quads[cycle] | (dut.output == expected[:width].as_signed()))
    bench.claim(~singles[2] | (dut.output == Cat(0, sums[2])[:width].as_signed()))
    return bench


PROOFS = (
    Proof(
        "the reader of sums",
        "reads each sum in its turn, of passes that are as close as may be, which want no adder or place at once",
        lambda mutant: _reader(mutant, 7, 2),
        (
            Mutation(SumReader, "tree == SUMS - 1", "tree == SUMS"),
            Mutation(SumReader, "columns[:4] if one", "columns[:2] if one"),
        ),
        2,
        unbounded=True,
        reach=20,
    ),
    Proof(
        "the outputs of quads",
        "are those of the matrix, of quads behind each other, and single sums come twofold",
        lambda mutant: _outputs(mutant, 5),
        (
            Mutation(QuadOutputs, "low.eq(control.narrow[1])", "low.eq(0)"),
            Mutation(QuadOutputs, "d2 << 3", "d2 << 2"),
        ),
        22,
    ),
)
