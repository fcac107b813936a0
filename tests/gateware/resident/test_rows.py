"""Rows of every feature map: what a stage needs and where it lies, with rows that come and go at random."""

import random

import pytest

from licgate.gateware.resident.rows import RowTracker
from tests.gateware.golden import rows_read
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace

WATCH = ("ready", "more", "row", "input_room", "input_missing", "out_width", "out_height")


class Rows:
    """Counts of rows, and events that a core could see."""

    def __init__(self, program, chain, width, height, seed):
        self.program, self.coin = program, random.Random(seed)
        self.chain = program.chains[chain]
        self.stages = program.stages_of(self.chain)
        self.sizes = [(width, height)]
        for stage in self.stages:
            self.sizes.append(tuple(stage.output_length(n) for n in self.sizes[-1]))
        self.rows = [0] * len(self.stages)
        self.complete = [0] * len(self.stages)
        self.released = 0

    def first(self, k, row=None):
        return max(0, rows_read(self.stages[k], self.rows[k] if row is None else row)[0])

    def need(self, k):
        return min(rows_read(self.stages[k], self.rows[k])[-1] + 1, self.sizes[k][1])

    def more(self, k):
        return self.rows[k] < self.sizes[k + 1][1]

    def ready(self, k):
        room = k == len(self.stages) - 1 or self.rows[k] - self.first(k + 1) < self.stages[k + 1].ring
        return self.more(k) and room and self.complete[k] >= self.need(k)

    def room(self):
        return self.complete[0] - self.first(0, self.released) < self.stages[0].ring


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("GDN", (0, 7, 9)),
        ("3x3", (0, 4, 6)),
        ("upsampling", (0, 3, 4)),
        ("chains", (2, 2, 3)),
        ("fip, chains", (2, 2, 3)),
    ],
)
def test_rows_that_come_and_go(name, image):
    program = build(name)
    world = Rows(program, *image, seed=len(name))
    base, (chain, width, height) = world.chain.first, image
    quiet = dict.fromkeys(("start", "input_row", "row_done", "released", "skip", "finish"), 0)
    steps, checks = [{**quiet, "chain": chain, "width": width, "height": height, "start": 1}], {}
    settle = RowTracker.settle + 1
    steps += [quiet] * (settle + len(program.stages))
    while any(world.more(k) for k in range(len(world.stages))):
        ready = [k for k in range(len(world.stages)) if world.ready(k)]
        k = world.coin.choice(ready or [0])
        # what is known of the stage before it makes its row
        steps += [{**quiet, "stage": base + k}] * 2
        checks[len(steps) - 1] = expected(world, k)
        if world.room() and world.complete[0] < height and (not ready or world.coin.random() < 0.5):
            world.complete[0] += 1
            steps.append({**quiet, "input_row": 1})
        elif ready:
            moved = world.first(k, world.rows[k] + 1) - world.first(k)
            steps += [{**quiet, "skip": 1}] * moved + [{**quiet, "finish": 1}]
            world.rows[k] += 1
            if k == 0:
                world.released += 1
                steps.append({**quiet, "released": 1})
            if k + 1 < len(world.stages):
                world.complete[k + 1] += 1
                steps.append({**quiet, "row_done": 1, "row_line": base + k + 1})
        else:
            raise AssertionError("nothing can go on")
        steps += [quiet] * settle
    checks[len(steps) - 1] = expected(world, 0)
    seen = trace(RowTracker(program), steps, WATCH)
    for cycle, want in checks.items():
        got = seen[cycle]
        span = slice(base, base + len(world.stages))
        assert got.ready[span] == want["ready"], cycle
        assert got.more[span] == want["more"], cycle
        assert (got.input_room, got.input_missing) == (want["room"], want["missing"]), cycle
        assert (got.out_width, got.out_height) == world.sizes[-1]
        assert not any(got.more[:base] + got.more[base + len(world.stages) :])
        if want["row"] is not None:
            assert {key: got.row[key] for key in want["row"]} == want["row"], cycle


def expected(world, k):
    """What is known in this state, with the row of stage k where it has one."""
    stage, count = world.stages[k], range(len(world.stages))
    row = None
    if world.more(k):
        spans = rows_read(stage, world.rows[k])
        columns = world.sizes[k if stage.upsampling else k + 1][0]
        row = {
            "columns": columns,
            "width": world.sizes[k][0],
            "odd": world.rows[k] % 2 if stage.upsampling else 0,
            "above": max(0, -spans[0]),
            "kernel_rows": world.need(k) - world.first(k),
            "advance": world.first(k, world.rows[k] + 1) - world.first(k),
            "read_base": stage.base + world.first(k) % stage.ring * stage.row_stride,
        }
        if k + 1 < len(world.stages):
            following = world.stages[k + 1]
            row["write_base"] = following.base + world.rows[k] % following.ring * following.row_stride
    return {
        "ready": [int(world.ready(i)) for i in count],
        "more": [int(world.more(i)) for i in count],
        "room": int(world.room()),
        "missing": int(world.more(0) and world.complete[0] < world.need(0)),
        "row": row,
    }
