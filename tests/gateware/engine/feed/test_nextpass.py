"""The place of the next pass: what comes out is what went in, with what it says of itself."""

import numpy as np
import pytest

from licgate.gateware.engine.feed.nextpass import NextPass
from licgate.gateware.passes import address_width
from tests.gateware.engine.passes import build, random_pass
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get_all, stream_put_all
from tests.gateware.waves import trace


@pytest.mark.parametrize("name", ["5x5, 3 rows", "5x5, 1 row", "mixed, 4 rows", "packed GDN", "fip, mixed, 4 rows"])
@pytest.mark.parametrize("p", [0.0, 0.6])
def test_passes_and_what_they_say_of_themselves(name, p):
    program = build(name)
    rng = np.random.default_rng(5)
    passes = [random_pass(program, rng)[0] for _ in range(25)]
    dut = NextPass(program)
    shapes = {
        op.index: {pass_kind.shape.columns - 1 for pass_kind in op.pass_kinds if pass_kind.shape} or {1}
        for op in program.ops
    }
    bounds = sorted(set.union(*shapes.values()))

    async def source(ctx):
        await stream_put_all(ctx, dut.i, passes, stalls=random_stalls(1, p))

    async def sink(ctx):
        got = await stream_get_all(ctx, dut.o, len(passes), stalls=random_stalls(2, p))
        for one, given in zip(got, passes, strict=True):
            pass_kind = program.pass_kinds[given["pass_kind"]]
            op = program.ops[pass_kind.op]
            assert {key: one.work[key] for key in given} == given
            assert one.gdn == op.is_gdn
            assert one.one_row == (given["kernel_rows"] == 1)
            assert one.shortest == (op.words_in <= 2 if op.is_gdn else op.words_in == 1)
            assert one.begin == (given["row"] + given["offset"]) % (1 << address_width(program))
            own = 1 if op.is_gdn else pass_kind.shape.columns - 1
            assert one.bounds == 1 << bounds.index(own)
            assert one.margin == program.window_words - (0 if op.is_gdn else pass_kind.shape.words(program.rows))

    run_simulation(dut, source, sink, monitors=[monitor(dut.i), monitor(dut.o)], limit=1000)


def test_latency_interval_and_the_cycle_behind_the_pass():
    program = build("5x5, 3 rows")
    rng = np.random.default_rng(1)
    passes = [random_pass(program, rng)[0] | {"row": k} for k in range(8)]
    steps = [{"i.valid": 1, "o.ready": 1, "i.payload": passes[cycle // 2]} for cycle in range(12)]
    seen = trace(NextPass(program), steps, ("i.ready", "o.valid", "o.payload"))
    assert [s.i_ready for s in seen] == [1, 0] * 6
    assert [s.o_valid for s in seen] == [0, 1] * 6
    # what was taken in a cycle is still there in the next one
    assert [s.o_payload.work.row for s in seen[1:]] == [cycle // 2 for cycle in range(11)]


def test_reset_forgets_the_pass():
    program = build("5x5, 3 rows")
    one = random_pass(program, np.random.default_rng(2))[0]
    steps = [{"i.valid": 1, "i.payload": one}, {"i.valid": 0}, {}, {}]
    seen = trace(NextPass(program), steps, ("o.valid", "i.ready"), resets=[1])
    assert [s.o_valid for s in seen] == [0, 1, 0, 0]
    assert [s.i_ready for s in seen] == [1, 0, 1, 1]
