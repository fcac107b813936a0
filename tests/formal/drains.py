"""The post-processor's addresses: parameters, inputs of GDN and columns of the array, channel by channel of a tile."""

from amaranth.hdl import Array, Mux, ResetSignal, Signal

from licgate.gateware.engine.memory import LATENCY
from licgate.gateware.engine.post import PostProcessor
from licgate.program.timing import COLLECTED
from tests.formal.kit import Bench, Mutation, Proof
from tests.gateware.resident.programs import build


def _parameters(mutant):
    program = build("packed", max_width=8)
    ops, interval = program.ops, program.lane_rows
    dut = mutant(PostProcessor)(program)
    bench = Bench(dut)
    # what lanes make of numbers, no address depends on
    dut._lanes = [bench.cut(lane, "latency", "result_width", "norm_width") for lane in dut._lanes]
    m, tile, takes = bench.m, dut.tile.payload, dut.tile.ready
    bench.drive(dut.last, dut.tile.valid, tile, dut.x_data, *dut.results, *dut.highs)
    # A reset in between would find delay lines that it does not clear.
    bench.assume(~ResetSignal())
    # Tiles have the parameters and inputs of GDN that the walk over a band gives; the gap between last steps is as long
    # as a tile takes.
    values = {
        name: Array(of(op) for op in ops)[tile.op]
        for name, of in (("channels", program.tile_channels), ("gdn", lambda op: op.is_gdn))
    }
    bench.assume(~takes | (tile.op < len(ops)))
    bench.assume(~takes | ((tile.count != 0) & (tile.count <= values["channels"])))
    bench.assume(~takes | (tile.param + tile.count <= len(program.biases)))
    bench.assume(~takes | ~values["gdn"] | (tile.x + tile.count <= program.gdn_depth))
    now, word, cycle, active = Signal.like(tile), Signal.like(tile.count), Signal(8), Signal()
    word_ends = cycle == interval - 1
    ends = word_ends & (word + 1 == now.count)
    bench.assume(~takes | ~active | ends)
    with m.If(active):
        m.d.sync += cycle.eq(Mux(word_ends, 0, cycle + 1))
        with m.If(word_ends):
            m.d.sync += [word.eq(word + 1), active.eq(~ends)]
    with m.If(takes):
        m.d.sync += [now.eq(tile), word.eq(0), cycle.eq(0), active.eq(1)]
    # Of each channel the parameters, its inputs, and the column that makes it, in its turn.
    channel, x_channel = bench.peek("channel", tile.param.shape()), bench.peek("x_channel", dut.x_address.shape())
    is_gdn, packed = (Array(int(flag(op)) for op in ops)[now.op] for flag in (lambda o: o.is_gdn, lambda o: o.packed))
    bench.claim(~active | ((channel == now.param + word) & (channel < len(program.biases))))
    bench.claim(~active | ~is_gdn | ((x_channel == now.x + word) & (x_channel < program.gdn_depth)))
    drains, column = active & (cycle == 0), Mux(packed, word >> 1, word)
    for _ in range(LATENCY - COLLECTED):
        drains, column = bench.past(drains), bench.past(column)
    bench.claim(dut.drain.enable == drains)
    bench.claim(~drains | ((dut.drain.column == column) & (dut.drain.column < program.cols)))
    # Of the state between.
    at = {
        name: bench.peek(name, shape)
        for name, shape in (
            ("active", 1),
            ("final", 1),
            ("sub", range(max(2, interval))),
            ("word", range(program.most_channels)),
        )
    }
    bench.claim(at["active"] == active)
    bench.claim(~active | ((at["sub"] == cycle) & (cycle < interval) & (word < now.count) & (at["word"] == word)))
    bench.claim(~active | (at["final"] == (word + 1 == now.count)))
    bench.claim(~active | (bench.peek("tile", len(now.as_value())) == now.as_value()))
    fits = (now.op < len(ops)) & (now.count <= Array(program.tile_channels(op) for op in ops)[now.op])
    fits &= (now.param + now.count <= len(program.biases)) & (~is_gdn | (now.x + now.count <= program.gdn_depth))
    bench.claim(~active | fits)
    return bench


PROOFS = (
    Proof(
        "addresses of parameters",
        "are those of the channel that is drained, as are the inputs of GDN and the column of the array",
        _parameters,
        (
            Mutation(PostProcessor, "word + 2 == tile.count", "word + 3 == tile.count"),
            Mutation(PostProcessor, "channel.eq(channel + 1)", "channel.eq(channel + 2)"),
            Mutation(PostProcessor, "Mux(packed, word >> 1, word)", "word"),
        ),
        5,
        unbounded=True,
        reach=18,
    ),
)
