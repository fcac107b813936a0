"""The group whose GDN is pending: kept until it is issued, in its own half of the inputs."""

import random

import pytest

from licgate.gateware.resident.pending import PendingGdn
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace

WATCH = ("pending", "arrived", "gdn", "gdn_half")
KEPT = ("target", "pixels", "column", "row_ends")


@pytest.mark.parametrize("name", ["GDN", "upsampling"])
def test_groups_one_after_the_other(name):
    program, coin = build(name), random.Random(1)
    groups = [
        {"target": coin.randrange(16), "pixels": 1 + k % program.rows, "column": k % 2, "row_ends": not k % 3}
        for k in range(6)
    ]
    dut, steps, checks = PendingGdn(program), [], {}
    for k, group in enumerate(groups):
        stage, gdn_half = k % len(program.stages), k % 2
        # the inputs arrive while the group is at work or when it is pending
        early = coin.random() < 0.5
        steps.append({"group_done": early, "group_half": gdn_half, "issued": 0})
        steps.append({"group_done": 0, "keep": 1, "group": group, "stage": stage})
        checks[len(steps)] = (k, stage, gdn_half, early)
        steps.append({"keep": 0, "group_done": not early})
        steps.append({"group_done": 0})
        checks[len(steps)] = (k, stage, gdn_half, True)
        steps.append({"issued": 1})
    steps.append({"issued": 0})
    seen = trace(dut, steps, WATCH)
    for cycle, (k, stage, gdn_half, arrived) in checks.items():
        got = seen[cycle]
        assert got.pending
        assert got.arrived == arrived, cycle
        assert {key: got.gdn[key] for key in KEPT} == groups[k]
        assert (got.gdn.stage, got.gdn.half, got.gdn_half) == (stage, gdn_half, 1 - gdn_half)
    assert not seen[-1].pending
    assert not seen[-1].arrived


def test_an_image_begins_without_any():
    program = build("GDN")
    keep = {"keep": 1, "group_done": 1, "group_half": 0}
    seen = trace(PendingGdn(program), [keep, {"keep": 0, "group_done": 0, "clear": 1}, {"clear": 0}], WATCH)
    assert [s.pending for s in seen] == [0, 1, 0]
    assert [s.arrived for s in seen] == [0, 1, 0]
    assert [s.gdn_half for s in seen] == [0, 1, 0]
