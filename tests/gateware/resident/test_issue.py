"""When passes are issued: never more than there is room for, and as soon as there is."""

import random

import pytest

from licgate.gateware.resident.issue import IssueControl
from licgate.program import IN_FLIGHT
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace

WATCH = ("valid", "issue", "settled", "no_room")


@pytest.mark.parametrize("to_output", [0, 1])
@pytest.mark.parametrize("speed", [0.1, 0.2])
def test_never_more_than_there_is_room_for(to_output, speed):
    """A pass is offered again a cycle after the last one, as the order of passes does it."""
    program = build("GDN")
    words, coin = program.output_channels, random.Random(5)
    depth = 3 * words + 1
    state = {"issued": 0, "written": 0, "level": 0, "arriving": 0}
    under_way = []

    def drive(_cycle, records):
        issue = bool(records and records[-1].issue)
        state["issued"] += issue
        state["level"] += state["arriving"]
        under_way.append(state["issued"] - state["written"])
        written = under_way[-1] > 0 and coin.random() < speed
        state["written"] += written
        # the FIFO's count follows the report by a cycle
        state["arriving"] = words * (written and to_output)
        assert state["level"] + state["arriving"] <= depth, "the FIFO overflows"
        state["level"] -= bool(state["level"] and coin.random() < 2 * speed)
        return {
            "offer": not issue,
            "to_output": to_output,
            "ready": coin.random() < 0.6,
            "written": written,
            "output_written": written and to_output,
            "output_words": depth - state["level"],
        }

    seen = trace(IssueControl(program, depth), drive, WATCH, cycles=1500)
    assert [s.settled for s in seen] == [not count for count in under_way]
    assert state["issued"] > 50
    assert any(s.no_room for s in seen) == bool(to_output)
    assert max(under_way) == (3 if to_output else IN_FLIGHT)


def test_latency_and_interval():
    """A pass goes a cycle after it is offered; the next one may come two cycles later."""
    program = build("GDN")
    steps = [{"offer": cycle % 3 != 2, "ready": 1, "output_words": 7} for cycle in range(9)]
    seen = trace(IssueControl(program, 7), steps, WATCH)
    assert [s.issue for s in seen] == [0, 1, 0] * 3
    assert [s.settled for s in seen] == [1, 1, *[0] * 7]
