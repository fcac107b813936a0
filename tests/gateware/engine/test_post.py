"""The post-processor behind an array that the test plays: shifts to the cycle, words bit by bit."""

import numpy as np
import pytest

from licgate.gateware.engine.memory import LATENCY
from licgate.gateware.engine.post import PostProcessor
from licgate.gateware.passes import tile_layout
from licgate.program.timing import array_latency
from tests.gateware.engine.pairs import wrap
from tests.gateware.engine.test_lane import biases_of, golden
from tests.gateware.waves import small_program, trace
from tests.manifest.kit import four_transforms

ARRAYS = [
    ({"rows": 1, "cols": 1}, "abs"),
    ({"rows": 3, "cols": 2, "lanes": 2}, "abs"),
    ({"rows": 5, "cols": 3, "lanes": 2}, "square_root"),
    ({"rows": 4, "cols": 4, "lanes": 1}, "abs"),
    ({"rows": 2, "cols": 3}, "none"),
]


def build(shape, gdn="abs"):
    return small_program(**shape, channels=(2, 3, 4), gdn=gdn, gdn_bits=9)


class Job:
    """Tiles with their sums and GDN inputs, and what must come out."""

    def __init__(self, program, seed, count=7, slack=3):
        rng = np.random.default_rng(seed)
        self.program = program
        self.x_words = rng.integers(-256, 256, (program.gdn_depth, program.rows))
        self.tiles, last = [], 1
        for k in range(count):
            op = program.ops[k % len(program.ops)]
            pixel = int(rng.integers(2))
            tile = int(rng.integers(op.tiles))
            full = program.tile_channels(op)
            channels, first = min(full, op.channels_out - tile * full), tile * full
            bound = op.layer.accumulator.bound
            param = op.param_base + int(rng.choice([kind.params for kind in op.pass_kinds])) + first
            bias = biases_of(op)[first:][:channels]
            high = bound - max(map(abs, bias))
            low = 0 if op.is_gdn else -high
            self.tiles.append(
                {
                    "last": last,
                    "op": op.index,
                    "count": channels,
                    "param": param,
                    "bias": bias,
                    "first": first,
                    "x": op.is_gdn * pixel * op.channels_in + first,
                    "pixels": int(rng.integers(1, program.rows + 1)) if k % 2 else program.rows,
                    "sums": rng.integers(low, high + 1, (program.rows, full)) >> int(rng.integers(4)),
                }
            )
            last += program.gap_behind(op) + int(rng.integers(slack + 1))
        self.end = last

    def shown(self, tile, j):
        """Cycle in which row 0 shows channel j of the tile."""
        return tile["last"] + latency_of(self.program) + j * self.program.lane_rows

    def results(self, cycle):
        """The array's results: those of a channel in the cycle for which it was asked, one later for each row."""
        program = self.program
        values, highs = [0] * program.rows, [0] * program.rows
        for tile in self.tiles:
            products = program.ops[tile["op"]].products
            for j in range(tile["count"]):
                row = cycle - self.shown(tile, j)
                if 0 <= row < program.rows:
                    first = j - j % products
                    # with what the parameters take off
                    much = tile["bias"][first] - program.biases[tile["param"] + first]
                    values[row] = wrap(int(tile["sums"][row, first]) + much, program.accumulator_width)
                    highs[row] = cycle
                    if products == 2:
                        highs[row] = int(tile["sums"][row, first + 1])
                        values[row] += highs[row] << program.pack_shift
        if not program.packing:
            return {"results": values}
        return {
            "results": [wrap(value, program.accumulator_width) for value in values],
            "highs": [wrap(high, program.packed_accumulator_width) for high in highs],
        }

    def drive(self, base=0):
        def inputs(cycle, records):
            cycle -= base
            step = {"last": any(t["last"] == cycle for t in self.tiles), **self.results(cycle)}
            go = [t for t in self.tiles if t["last"] + latency_of(self.program) - 4 == cycle]
            step["tile.valid"] = bool(go)
            if go:
                step["tile.payload"] = {name: go[0][name] for name in ("op", "count", "param", "x", "pixels")}
            # the memory answers after its latency
            if len(records) >= LATENCY:
                address = records[-LATENCY].x_address
                step["x_data"] = self.pack(self.x_words[address] if address < len(self.x_words) else [0] * 99)
            return step

        return inputs

    def pack(self, pixels):
        width = max([op.layer.input.bits for op in self.program.ops if op.is_gdn], default=1)
        return sum((int(v) & ((1 << width) - 1)) << (width * r) for r, v in enumerate(pixels[: self.program.rows]))

    def expected(self):
        """Columns by the cycle in which they are asked for, and words by theirs."""
        columns, words = {}, []
        program = self.program
        latency = PostProcessor(program).latency
        for tile in self.tiles:
            for j in range(tile["count"]):
                columns[self.shown(tile, j) - 2] = j // program.ops[tile["op"]].products
                word = []
                for row in range(program.rows):
                    op = program.ops[tile["op"]]
                    case = {
                        "op": op.index,
                        "channel": tile["first"] + j,
                        "acc": int(tile["sums"][row, j]),
                        "bias": tile["bias"][j],
                        "x": int(self.x_words[tile["x"] + j, row]) if op.is_gdn else 0,
                        "keep": row < tile["pixels"],
                    }
                    word.append(golden(program, case))
                words.append((tile["last"] + latency + j * program.lane_rows, word))
        return columns, words


def latency_of(program):
    return array_latency(program.cols, program.arithmetic)


WATCH = ["x_address", "drain", "tile.ready", "word", "norms", "valid"]


def check(job, seen):
    columns, words = job.expected()
    assert {t: s.drain.column for t, s in enumerate(seen) if s.drain.enable} == columns
    taken = latency_of(job.program) - 4
    assert [t for t, s in enumerate(seen) if s.tile_ready] == [t["last"] + taken for t in job.tiles]
    assert [t for t, s in enumerate(seen) if s.valid] == [t for t, _ in words]
    for cycle, word in words:
        assert seen[cycle].word == [q for q, _ in word], f"cycle {cycle}"
        assert all(n in (None, got) for got, (_, n) in zip(seen[cycle].norms, word, strict=True)), f"cycle {cycle}"


@pytest.mark.parametrize(("shape", "gdn"), ARRAYS)
@pytest.mark.parametrize("slack", [0, 9])
def test_words_and_what_is_asked_for(shape, gdn, slack):
    program = build(shape, gdn)
    job = Job(program, seed=len(gdn), slack=slack)
    dut = PostProcessor(program)
    check(job, trace(dut, job.drive(), WATCH, cycles=job.end + dut.latency + program.cols * program.lane_rows))
    assert dut.interval == program.lane_rows


PACKED = [
    ({"rows": 3, "cols": 2}, "abs", 18),
    ({"rows": 5, "cols": 3, "lanes": 2}, "none", 18),
    ({"rows": 1, "cols": 2}, "square_root", 27),
    ({"rows": 4, "cols": 1, "lanes": 1}, "abs", 27),
]


@pytest.mark.parametrize(("shape", "gdn", "bits"), PACKED)
@pytest.mark.parametrize("slack", [0, 9])
def test_packed_tiles_among_others(shape, gdn, bits, slack):
    program = small_program(
        **shape,
        channels=(3, 7, 5),
        gdn=gdn,
        gdn_bits=9,
        weight_bits=(5, 9 if bits == 18 else 8),
        packing=True,
        packed_bits=bits,
    )
    assert {op.packed for op in program.ops if not op.is_gdn} == ({True, False} if bits == 18 else {True})
    job = Job(program, seed=bits, slack=slack, count=9)
    assert any(tile["count"] % 2 for tile in job.tiles if program.ops[tile["op"]].packed)
    dut = PostProcessor(program)
    check(job, trace(dut, job.drive(), WATCH, cycles=job.end + dut.latency + 2 * program.cols * program.lane_rows))
    lane = 39 if gdn == "square_root" else 35
    assert dut.latency == array_latency(program.cols) + 1 + lane + program.lanes * program.lane_rows


@pytest.mark.parametrize(("gdn", "arithmetic"), [("abs", "direct"), ("relu", "direct"), ("abs", "fip")])
def test_tiles_of_several_transforms(gdn, arithmetic):
    """Parameters of every layer, or pass kind, and channels of depth form with those of the layer again and again."""
    program = small_program(*four_transforms(gdn=gdn).transforms.values(), rows=3, cols=5, arithmetic=arithmetic)
    job = Job(program, seed=3, count=4 * len(program.ops))
    assert any(program.ops[tile["op"]].depth_form and tile["first"] >= 3 for tile in job.tiles)
    apart = any(tile["param"] >= program.ops[tile["op"]].param_base + tile["first"] + 4 for tile in job.tiles)
    assert apart == (arithmetic == "fip")
    dut = PostProcessor(program)
    check(job, trace(dut, job.drive(), WATCH, cycles=job.end + dut.latency + program.cols * program.lane_rows))


@pytest.mark.parametrize(
    ("shape", "gdn", "latency"),
    [(ARRAYS[0][0], "abs", 45), (ARRAYS[1][0], "abs", 48), (ARRAYS[2][0], "square_root", 54)],
)
def test_latency(shape, gdn, latency):
    program = build(shape, gdn)
    assert PostProcessor(program).latency == latency
    lane = 39 if gdn == "square_root" else 35
    assert latency == array_latency(program.cols) + lane + program.lanes * program.lane_rows


@pytest.mark.parametrize("packing", [False, True])
def test_reset_in_the_middle_of_a_drain(packing):
    program = small_program(**ARRAYS[1][0], channels=(2, 5, 4), gdn_bits=9, weight_bits=(5, 8), packing=packing)
    assert program.packing == packing
    before, job = Job(program, seed=1), Job(program, seed=2)
    dut = PostProcessor(program)
    cut = before.tiles[2]["last"] + 40
    hold = dut.latency + 10  # what is under way leaves the registers that have no reset

    def drive(cycle, records):
        if cycle < cut:
            return before.drive()(cycle, records)
        return {**job.drive(cut + hold)(cycle, records), **({"last": 0} if cycle < cut + hold else {})}

    seen = trace(dut, drive, WATCH, cycles=cut + hold + job.end + dut.latency + 8, resets=range(cut, cut + hold))
    assert any(s.valid for s in seen[:cut])
    assert not any(s.valid or s.drain.enable for s in seen[cut + hold : cut + hold + program.cols])
    check(job, seen[cut + hold :])


def test_descriptor_holds_every_tile():
    program = small_program(rows=3, cols=4, channels=(2, 7, 9), gdn="abs")
    layout = tile_layout(program)
    sizes = {name: 1 << layout[name].width for name in layout.members}
    assert sizes["op"] >= len(program.ops) == 3
    assert sizes["count"] > program.cols
    assert sizes["pixels"] > program.rows
    assert sizes["param"] >= len(program.biases)
    # four groups in front of a GDN, or seven at a row's end
    assert sizes["x"] >= program.gdn_depth == 7 * 7
    assert build(*ARRAYS[4]).gdn_depth == 1
