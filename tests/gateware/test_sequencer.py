"""The sequencer with feeder, writer, pixels and FIFO played by the test: every descriptor, and what may come when."""

import random
from collections import defaultdict, deque
from itertools import pairwise

import pytest

from licgate.gateware.feeder import address_width
from licgate.gateware.post import max_gdn_channels
from licgate.gateware.sequencer import Sequencer
from licgate.gateware.work import Destination
from licgate.program import IN_FLIGHT
from tests.gateware.waves import small_program, trace

OUTPUT_WORDS = 6
WATCH = ("done", "o_pass.valid", "o_pass.payload", "o_tile.valid", "o_tile.payload", "o_write.valid", "o_write.payload",
         "input_room", "out_width", "out_height", "wait_input", "wait_output")  # fmt: skip
PROGRAMS = {
    "GDN": {"rows": 2, "cols": 2, "channels": (1, 3, 2), "gdn": "abs"},
    "ReLU": {"rows": 3, "cols": 2, "channels": (2, 3, 1), "gdn": "none", "line_slack": 1, "input_slack": 0},
    "three stages": {"rows": 2, "cols": 3, "channels": (1, 2, 4, 2), "gdn": ("none", "abs"), "activation_bits": 8},
    "3x3": {"rows": 4, "cols": 1, "channels": (1, 2, 2), "kernel": 3, "gdn": "abs", "input_slack": 1},
}


def first_row(program, row):
    return max(0, 2 * row - program.padding)


def sizes_of(program, width, height):
    sizes = [(width, height)]
    for _ in program.stages:
        sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
    return sizes


def expected_passes(program, width, height):
    """Descriptors by operation, in order; fields that the pass does not use are left out."""
    sizes, passes = sizes_of(program, width, height), defaultdict(list)
    wrap, final = 1 << address_width(program), len(program.stages) - 1
    for k, stage in enumerate(program.stages):
        (in_width, in_height), (out_width, out_height) = sizes[k : k + 2]
        groups = -(-out_width // program.rows)
        for y in range(out_height):
            first = first_row(program, y)
            for g in range(groups):
                words = [2 * g + program.first_word + j for j in range(program.window_words)]
                for op in (stage.conv, stage.gdn):
                    for tile in range(op.tiles if op else 0):
                        ends = tile == op.tiles - 1
                        to = Destination.OUTPUT if k == final else Destination.LINE
                        if op is stage.conv and stage.gdn:
                            to = Destination.NORM
                        one = {"stage": k, "row": y, "group": g, "tile": tile, "to": to}
                        one["count"] = min(program.cols, op.channels_out - tile * program.cols)
                        one["pixels"] = min(program.rows, out_width - g * program.rows)
                        one["param"] = op.param_base + tile * program.cols
                        one["weight"] = op.base + tile * op.steps
                        if not op.is_gdn:
                            one["pass_row"] = stage.base + first % stage.ring * stage.row_stride
                            one["offset"] = words[0] * op.channels_in % wrap
                            one["kernel_rows"] = min(2 * y + program.kernel - program.padding, in_height) - first
                            one["mask"] = sum((0 <= w < -(-in_width // program.rows)) << j for j, w in enumerate(words))
                            one["weight"] += max(0, program.padding - 2 * y) * program.kernel * op.channels_in
                        one["release"] = int(op is program.stages[0].conv and ends and g == groups - 1)
                        one["group_done"] = int(to == Destination.NORM and ends)
                        one["row_done"] = int(to == Destination.LINE and ends and g == groups - 1)
                        if to == Destination.LINE:
                            following = program.stages[k + 1]
                            one["line"] = k + 1
                            one["address"] = (following.base + y % following.ring * following.row_stride
                                              + g * op.channels_out + tile * program.cols)  # fmt: skip
                        passes[op.index].append(one)
    return passes


class Surroundings:
    """Everything around the sequencer; checks each pass as it comes."""

    def __init__(self, program, width, height, seed, speed, drain):
        self.program, self.speed, self.drain = program, speed, drain
        self.coin = random.Random(seed)
        self.sizes = sizes_of(program, width, height)
        self.left = {op: deque(passes) for op, passes in expected_passes(program, width, height).items()}
        self.issued, self.queue, self.releases = 0, deque(), deque()
        self.input_rows = self.released = self.level = self.arriving = 0
        self.input_wait = 20
        self.rows_done, self.rows_issued = defaultdict(int), defaultdict(int)
        self.slots = {}

    def chance(self, p):
        return self.coin.random() < p

    def observe(self, record, ready):
        """What happened at the clock edge of the cycle before."""
        issue = record.o_pass_valid and ready
        assert record.o_tile_valid == record.o_write_valid == issue
        if issue:
            self.take(record.o_pass_payload, record.o_tile_payload, record.o_write_payload)
        if record.input_room:
            assert self.input_rows - first_row(self.program, self.released) < self.program.stages[0].ring + 1

    def take(self, step, tile, write):
        program = self.program
        one = self.left[step.op].popleft()
        op, k = program.ops[step.op], one["stage"]
        got = {"weight": step.weight, "release": step.release, "count": tile.count, "pixels": tile.pixels,
               "param": tile.param, "to": write.to, "group_done": write.group_done, "row_done": write.row_done,
               "pass_row": step.row, "offset": step.offset, "kernel_rows": step.kernel_rows, "mask": step.mask,
               "line": write.line, "address": write.address}  # fmt: skip
        assert tile.op == step.op
        assert write.count == tile.count
        for name in got.keys() & one.keys():
            assert got[name] == one[name], (name, one)
        first_tile = one["tile"] * program.cols
        group = (k, one["row"], one["group"])
        if op.is_gdn:
            # its inputs are there, and where the convolution had put them
            x = self.slots[group]["x"]
            assert self.slots[group]["complete"]
            assert (step.x, tile.x) == (x, x + first_tile)
            if one["tile"] == op.tiles - 1:
                del self.slots[group]
        else:
            need = one["kernel_rows"] + first_row(program, one["row"])
            assert (self.rows_done[k] if k else self.input_rows) >= need
            if one["to"] == Destination.NORM:
                x = write.address - first_tile
                if one["tile"] == 0:
                    assert x in (0, max_gdn_channels(program))
                    assert x not in [other["x"] for other in self.slots.values()], "slot taken"
                    self.slots[group] = {"x": x, "complete": False}
                assert self.slots[group]["x"] == x
                assert write.slot == bool(x)
        if one["to"] == Destination.LINE:
            oldest = first_row(program, self.rows_issued[k + 1])
            assert one["row"] - oldest < program.stages[k + 1].ring, "a row that is still needed is overwritten"
        width, _ = self.sizes[k + 1]
        if not op.is_gdn and one["tile"] == op.tiles - 1 and (one["group"] + 1) * program.rows >= width:
            self.rows_issued[k] += 1
        self.issued += 1
        self.queue.append((one, group, int(write.slot)))
        if step.release:
            self.releases.append(1)
        assert len(self.queue) <= IN_FLIGHT

    def step(self):
        """Inputs of the next cycle."""
        self.level, self.arriving = self.level + self.arriving, 0
        step = {"input_row": 0, "released": 0, "written": 0, "output_written": 0, "group_done": 0, "row_done": 0}
        if self.releases and self.chance(0.3 * self.speed):
            self.releases.popleft()
            self.released += 1
            step["released"] = 1
        if self.queue and self.chance(0.3 * self.speed):
            one, group, slot = self.queue.popleft()
            step |= {"written": 1, "output_written": one["to"] == Destination.OUTPUT, "group_done": one["group_done"],
                     "group_slot": slot, "row_done": one["row_done"], "row_line": one.get("line", 0)}  # fmt: skip
            if one["group_done"]:
                self.slots[group]["complete"] = True
            if one["row_done"]:
                self.rows_done[one["line"]] += 1
            if one["to"] == Destination.OUTPUT:
                # the FIFO's count follows the report by a cycle
                self.arriving = one["count"]
                assert self.level + self.arriving <= OUTPUT_WORDS, "the latent FIFO overflows"
        self.level -= bool(self.level and self.chance(self.drain))
        step["output_words"] = OUTPUT_WORDS - self.level
        room = len(self.queue) < IN_FLIGHT
        step |= {"o_tile.ready": room, "o_write.ready": room, "o_pass.ready": self.chance(0.5 * self.speed)}
        return step

    def pixels(self, record, step):
        """A row of pixels, when there is room and the last row is a while ago."""
        self.input_wait -= self.input_wait > 0
        if record.input_room and not self.input_wait and self.input_rows < self.sizes[0][1] and self.chance(0.5):
            assert self.input_rows - first_row(self.program, self.released) < self.program.stages[0].ring
            self.input_rows += 1
            self.input_wait = 4
            step["input_row"] = 1


def run(program, images, *, seed=0, speed=1.0, drain=0.25, cycles=4000, reset=None):
    """Run images one after the other; return the records and the surroundings of every image."""
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
            width, height = images[len(worlds) - 1]
            return {"start": 1, "width": width, "height": height, "o_pass.ready": 0, "output_words": OUTPUT_WORDS}
        if not worlds:
            return {}
        step = {"start": 0, **worlds[-1].step()}
        if cycle - state["started"] > 12:
            worlds[-1].pixels(records[-1], step)
        state["ready"] = step["o_pass.ready"]
        return step

    resets = () if reset is None else {reset}
    return trace(Sequencer(program, OUTPUT_WORDS), drive, WATCH, cycles=cycles, resets=resets), worlds


def check(seen, worlds, count):
    assert len(worlds) == count
    for world in worlds:
        assert not any(world.left.values())
        assert not world.queue
    assert seen[-1].done
    assert (seen[-1].out_width, seen[-1].out_height) == worlds[-1].sizes[-1]
    # an offered pass stays as it is until it is taken
    for before, after in pairwise(seen):
        if before.o_pass_valid and not before.o_tile_valid:
            assert after.o_pass_valid
            assert after.o_pass_payload == before.o_pass_payload
            assert after.o_tile_payload == before.o_tile_payload
            assert after.o_write_payload == before.o_write_payload


@pytest.mark.parametrize("speed", [1.0, 0.4])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_pass_once_and_in_order(name, speed):
    program = small_program(**PROGRAMS[name])
    images = [(7, 9), (1, 1), (4, 2)]
    seen, worlds = run(program, images, seed=len(name), speed=speed, cycles=int(2600 / speed))
    check(seen, worlds, len(images))
    assert sum(world.issued for world in worlds) == sum(
        len(passes) for image in images for passes in expected_passes(program, *image).values()
    )


def test_row_wider_than_the_array_and_ring_longer_than_the_image():
    program = small_program(**{**PROGRAMS["GDN"], "input_slack": 8})
    seen, worlds = run(program, [(24, 3)], seed=2)
    check(seen, worlds, 1)


def test_waits_are_told():
    """With a slow output the sequencer says that it waits for it, and before the first row for pixels."""
    program = small_program(**PROGRAMS["GDN"])
    seen, worlds = run(program, [(12, 24)], seed=3, speed=2.0, drain=0.01)
    check(seen, worlds, 1)
    assert any(s.wait_input for s in seen[:30])
    assert sum(s.wait_output for s in seen) > 20
    assert not any(s.wait_input and s.wait_output for s in seen)
    assert not any(s.wait_input or s.wait_output for s in seen if s.done)


def test_reset_in_the_middle_of_an_image():
    program = small_program(**PROGRAMS["GDN"])
    seen, worlds = run(program, [(6, 7)], seed=4, reset=150)
    assert not seen[150].done
    assert seen[151].done
    check(seen[151:], worlds, 1)
