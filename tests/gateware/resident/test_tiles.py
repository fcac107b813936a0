"""Tiles of convolutions and of pending GDN: every field of every tile."""

import random

import pytest

from licgate.gateware.passes import Destination, max_gdn_channels
from licgate.gateware.resident.tiles import TileWalk
from tests.gateware.resident.programs import PROGRAMS, build
from tests.gateware.waves import trace


def tiles_of(program, op):
    full = program.tile_channels(op)
    return [(k * full, min(full, op.channels_out - k * full)) for k in range(op.tiles)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_tiles_of_every_stage(name):
    program, coin = build(name), random.Random(len(name))
    steps, expected = [], {}

    def walk(begin, op, fields, pass_kind, first_weight):
        steps.append({"continues": 0, "conv_begins": 0, "gdn_begins": 0, **begin})
        for k, (first, count) in enumerate(tiles_of(program, op)):
            expected[len(steps)] = {
                "pass_kind": pass_kind.index,
                "op": op.index,
                "count": count,
                "param": op.param_base + first,
                "weight": first_weight + k * pass_kind.steps,
                "last": k == op.tiles - 1,
                **{name: value + first if name in ("x", "address") else value for name, value in fields.items()},
            }
            steps.append({"conv_begins": 0, "gdn_begins": 0, "continues": k < op.tiles - 1})

    for index, stage in enumerate(program.stages):
        for pass_kind in stage.conv.pass_kinds:
            gdn_half, target = coin.randrange(2), coin.randrange(8)
            weight = pass_kind.base + coin.randrange(2)
            group = {
                "pass_kind": pass_kind.index,
                "window": coin.randrange(8),
                "mask": 1,
                "weight": weight,
                "target": target,
            }
            x = gdn_half * max_gdn_channels(program)
            to = Destination.OUTPUT if stage.last else Destination.LINE
            begin = {
                "conv_begins": 1,
                "stage": index,
                "group": group,
                "gdn_half": gdn_half,
                "has_gdn": stage.gdn is not None,
            }
            fields = {"gdn": 0, "to": Destination.NORM if stage.gdn else to, "x": x}
            fields |= {"window": group["window"], "mask": 1, "address": x if stage.gdn else target}
            walk(begin, stage.conv, fields, pass_kind, weight)
            if stage.gdn is not None:
                gdn = {"stage": index, "half": gdn_half, "target": target}
                # the group at work is another one by then
                begin = {"gdn_begins": 1, "gdn": gdn, "stage": 0, "gdn_half": 1 - gdn_half}
                fields = {"gdn": 1, "to": to, "x": x, "address": target}
                walk(begin, stage.gdn, fields, stage.gdn.pass_kinds[0], stage.gdn.base)
    seen = trace(TileWalk(program), steps, ("tile",))
    for cycle, fields in expected.items():
        got = seen[cycle].tile
        assert {key: got[key] for key in fields} == fields, cycle
