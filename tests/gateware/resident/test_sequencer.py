"""The sequencer with feeder, writer, pixels and FIFO played by the test: every descriptor, and what may come when."""

import random
from collections import defaultdict, deque
from dataclasses import replace
from itertools import pairwise

import pytest

from licgate.gateware.passes import Destination
from licgate.gateware.resident.sequencer import Sequencer
from licgate.program import IN_FLIGHT
from tests.gateware.resident.passorder import expected_passes, first_row, sizes_of
from tests.gateware.resident.programs import PROGRAMS, build
from tests.gateware.waves import trace

OUTPUT_WORDS = 6
WATCH = (
    "done",
    "o_pass.valid",
    "o_pass.payload",
    "o_tile.valid",
    "o_tile.payload",
    "o_write.valid",
    "o_write.payload",
    "input_room",
    "out_width",
    "out_height",
    "wait_input",
    "wait_output",
)


class Surroundings:
    """Everything around the sequencer; checks each pass as it comes."""

    def __init__(self, program, chain, width, height, seed, speed, drain):
        self.program, self.speed, self.drain = program, speed, drain
        self.coin, self.height = random.Random(seed), height
        self.first = program.chains[chain].first
        self.output = sizes_of(program.stages_of(program.chains[chain]), width, height)[-1]
        self.left = {k: deque(passes) for k, passes in expected_passes(program, chain, width, height).items()}
        self.issuing, self.issued, self.queue, self.releases = False, 0, deque(), deque()
        self.input_rows = self.released = self.level = self.arriving = 0
        self.input_wait = 20
        self.rows_done, self.rows_issued = defaultdict(int), defaultdict(int)
        self.arrived = set()  # pixels whose GDN inputs are there

    def chance(self, p):
        return self.coin.random() < p

    def observe(self, record, ready):
        """What happened at the clock edge of the cycle before."""
        issue = self.issuing = record.o_pass_valid and ready
        assert record.o_tile_valid == record.o_write_valid == issue
        if issue:
            self.take(record.o_pass_payload, record.o_tile_payload, record.o_write_payload)
        if record.input_room:
            assert self.held_rows() < self.program.stages[self.first].ring + 1

    def held_rows(self):
        """Rows of the host that may still be needed."""
        return self.input_rows - first_row(self.program.stages[self.first], self.released)

    def take(self, step, tile, write):
        program = self.program
        k = next(k for k, stage in enumerate(program.stages) if tile.op in (stage.conv.index, stage.last_op.index))
        one, stage = self.left[k].popleft(), program.stages[k]
        op = program.ops[one["op"]]
        got = {
            "op": tile.op,
            "pass_kind": step.pass_kind,
            "column": write.column,
            "weight": step.weight,
            "release": step.release,
            "count": tile.count,
            "pixels": tile.pixels,
            "param": tile.param,
            "to": write.to,
            "row_done": write.row_done,
            "pass_row": step.row,
            "offset": step.offset,
            "kernel_rows": step.kernel_rows,
            "mask": step.mask,
            **({name: step[name] for name in ("above", "inside")} if program.arithmetic.whole_passes else {}),
            "line": write.line,
            "address": write.address,
            "x": step.x,
            "tile_x": tile.x,
        }
        assert write.count == tile.count
        for name in got.keys() & one.keys():
            assert got[name] == one[name], (name, one)
        group = (k, one["row"], one["place"])
        if op.is_gdn:
            assert group in self.arrived, "its inputs are there"
            if one["last_tile"]:
                self.arrived.remove(group)
        else:
            assert (self.input_rows if stage.first else self.rows_done[k]) >= one["need"]
        if one["to"] == Destination.LINE:
            oldest = first_row(program.stages[k + 1], self.rows_issued[k + 1])
            assert one["row"] - oldest < program.stages[k + 1].ring, "a row that is still needed is overwritten"
        if not op.is_gdn:
            self.rows_issued[k] += one["row_issued"]
        self.issued += 1
        self.queue.append((one, group))
        if step.release:
            self.releases.append(1)
        assert len(self.queue) <= IN_FLIGHT

    def step(self):
        """Inputs of the next cycle."""
        self.level, self.arriving = self.level + self.arriving, 0
        step = {"input_row": 0, "released": 0, "written": 0, "output_written": 0, "row_done": 0}
        if self.releases and self.chance(0.3 * self.speed):
            self.releases.popleft()
            self.released += 1
            step["released"] = 1
        if self.queue and self.chance(0.3 * self.speed):
            one, group = self.queue.popleft()
            step |= {
                "written": 1,
                "output_written": one["to"] == Destination.OUTPUT,
                "row_done": one["row_done"],
                "row_line": one.get("line", 0),
            }
            if one["to"] == Destination.NORM and one["last_tile"]:
                self.arrived.add(group)
            if one["row_done"]:
                self.rows_done[one["line"]] += 1
            if one["to"] == Destination.OUTPUT:
                # the FIFO's count follows the report by a cycle
                self.arriving = one["count"]
                assert self.level + self.arriving <= OUTPUT_WORDS, "the latent FIFO overflows"
        self.level -= bool(self.level and self.chance(self.drain))
        step["output_words"] = OUTPUT_WORDS - self.level
        room = len(self.queue) < IN_FLIGHT
        # the feeder takes a pass at every second cycle at most
        ready = self.chance(0.5 * self.speed) and not self.issuing
        return step | {"o_tile.ready": room, "o_write.ready": room, "o_pass.ready": ready}

    def pixels(self, record, step):
        """A row of pixels, when there is room and the last row is a while ago."""
        self.input_wait -= self.input_wait > 0
        if record.input_room and not self.input_wait and self.input_rows < self.height and self.chance(0.5):
            assert self.held_rows() < self.program.stages[self.first].ring
            self.input_rows += 1
            self.input_wait = 4
            step["input_row"] = 1


def run(program, images, *, seed=0, speed=1.0, drain=0.25, cycles=9000, reset=None):
    """Run images, each of a chain, one after the other; return the records and the surroundings of every image."""
    worlds, state = [], {"ready": 0}

    def drive(cycle, records):
        if reset is not None and cycle == reset:
            worlds.pop()
            return {"start": 0, "o_pass.ready": 0, "written": 0, "input_row": 0, "row_done": 0, "released": 0}
        if worlds:
            worlds[-1].observe(records[-1], state["ready"])
        free = cycle == 0 or (cycle - 1 != state["started"] and records[-1].done)
        if free and len(worlds) < len(images):
            worlds.append(Surroundings(program, *images[len(worlds)], seed, speed, drain))
            state["started"], state["ready"] = cycle, 0
            chain, width, height = images[len(worlds) - 1]
            return {
                "start": 1,
                "chain": chain,
                "width": width,
                "height": height,
                "o_pass.ready": 0,
                "output_words": OUTPUT_WORDS,
            }
        if not worlds:
            return {}
        if free:
            return None
        step = {"start": 0, **worlds[-1].step()}
        if cycle - state["started"] > 12:
            worlds[-1].pixels(records[-1], step)
        state["ready"] = step["o_pass.ready"]
        return step

    resets = () if reset is None else {reset}
    sequencer = Sequencer(replace(program, output_words=OUTPUT_WORDS))
    return trace(sequencer, drive, WATCH, cycles=cycles, resets=resets), worlds


def check(seen, worlds, count):
    assert len(worlds) == count
    for world in worlds:
        assert not any(world.left.values())
        assert not world.queue
    assert seen[-1].done
    assert (seen[-1].out_width, seen[-1].out_height) == worlds[-1].output
    # an offered pass stays as it is until it is taken
    for before, after in pairwise(seen):
        if before.o_pass_valid and not before.o_tile_valid:
            assert after.o_pass_valid
            assert after.o_pass_payload == before.o_pass_payload
            assert after.o_tile_payload == before.o_tile_payload
            assert after.o_write_payload == before.o_write_payload


IMAGES = {
    "stride 1": [(0, 7, 5), (0, 1, 1), (0, 4, 2)],
    "upsampling": [(0, 3, 2), (0, 1, 1)],
    "packed, 3 columns": [(0, 4, 2), (0, 1, 1)],
    "upsampling, 3 rows": [(0, 1, 1), (0, 4, 2), (0, 2, 1)],
    "upsampling, 1 row": [(0, 2, 1), (0, 1, 2)],
    "chains": [(2, 1, 2), (0, 7, 6), (3, 3, 1), (1, 1, 3), (2, 2, 1), (3, 1, 1)],
    "fip, chains": [(2, 1, 2), (0, 3, 6), (3, 3, 1), (1, 1, 3), (3, 1, 1)],
}


@pytest.mark.parametrize("speed", [1.0, 0.4])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_pass_once_and_in_order(name, speed):
    program, images = build(name), IMAGES.get(name, [(0, 7, 9), (0, 1, 1), (0, 4, 2)])
    passes = [len(made) for image in images for made in expected_passes(program, *image).values()]
    seen, worlds = run(program, images, seed=len(name), speed=speed)
    check(seen, worlds, len(images))
    assert sum(world.issued for world in worlds) == sum(passes)


@pytest.mark.parametrize(("name", "image"), [("GDN", (0, 24, 3)), ("upsampling", (0, 6, 1)), ("stride 1", (0, 20, 2))])
def test_row_wider_than_the_array_and_ring_longer_than_the_image(name, image):
    program = build(name, input_slack=8, map_slack=8)
    seen, worlds = run(program, [image], seed=2)
    check(seen, worlds, 1)


def test_waits_are_told():
    """With a slow output the sequencer says that it waits for it, and before the first row for pixels."""
    program = build("GDN")
    seen, worlds = run(program, [(0, 12, 24)], seed=3, speed=2.0, drain=0.01)
    check(seen, worlds, 1)
    assert any(s.wait_input for s in seen[:30])
    assert sum(s.wait_output for s in seen) > 20
    assert not any(s.wait_input and s.wait_output for s in seen)
    assert not any(s.wait_input or s.wait_output for s in seen if s.done)


@pytest.mark.parametrize(("name", "images"), [("GDN", [(0, 6, 7)]), ("chains", [(2, 2, 2), (2, 1, 1), (1, 3, 2)])])
def test_reset_in_the_middle_of_an_image(name, images):
    """The image is run again, and others after it."""
    program = build(name)
    seen, worlds = run(program, images, seed=4, reset=150)
    assert not seen[150].done
    assert seen[151].done
    check(seen[151:], worlds, len(images))
