"""The order of passes: rows, groups, tiles and GDN, and the cycles between them."""

from licgate.gateware.resident.order import PassOrder
from licgate.gateware.resident.rows import RowTracker
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace

BEGINS = ("starts", "moves", "turns", "conv_begins", "gdn_begins", "gdn_issued", "skip", "finish")
WATCH = ("done", "clear", "stage", "offer", "continues", "wait_input", *BEGINS)


def play(program, rows, groups, *, tiles=2, parities=1, gdn=True, advance=2, missing=False):
    """Rows of the last stage, of ``groups`` groups; passes are taken as soon as they are offered."""
    state = {"rows": rows, "group": 0, "parity": 0, "tile": 0, "pending": 0, "issue": 0}
    stage, events = 1 << len(program.stages) - 1, []

    def drive(cycle, records):
        if records:
            last = records[-1]
            events.extend((cycle - 1, name) for name in BEGINS if getattr(last, name))
            if last.starts:
                state.update(group=0, parity=0)
            if last.finish:
                state["rows"] -= 1
            if last.continues:
                state["tile"] += 1
            if last.conv_begins or last.gdn_begins:
                state["tile"] = 0
            if last.gdn_issued:
                state["pending"] = 0
            if (last.moves or last.turns) and gdn:
                state["pending"] = 1
            if last.turns:
                state["parity"] += 1
            if last.moves:
                state.update(parity=0, group=state["group"] + 1)
            # the descriptors follow the offer by a cycle
            state["issue"] = last.offer and not state["issue"]
            if state["issue"]:
                events.append((cycle, "issue"))
            if cycle > 3 and last.done:
                return None
        last_phase = state["parity"] == parities - 1
        return {
            "start": cycle == 0,
            "ready": stage if state["rows"] else 0,
            "finished": not state["rows"] and not state["pending"],
            "input_missing": missing,
            "settled": 1,
            "issue": state["issue"],
            "last_tile": state["tile"] == tiles - 1,
            "last_phase": last_phase,
            "row_ends": last_phase and state["group"] == groups - 1,
            "ended": state["group"] == groups,
            "advance": advance,
            "pending": state["pending"],
            "arrived": 1,
        }

    return trace(PassOrder(program), drive, WATCH, cycles=900), events


def names(events):
    return [name for _, name in events]


def test_the_gdn_of_a_group_follows_the_convolution_of_the_next():
    seen, events = play(build("GDN"), rows=2, groups=2)
    order = [name for name in names(events) if name in ("starts", "conv_begins", "gdn_issued", "moves", "finish")]
    assert order == [
        *("starts", "conv_begins", "moves", "conv_begins", "gdn_issued", "moves", "finish"),
        # the pending group is of the row before
        *("starts", "conv_begins", "gdn_issued", "moves", "conv_begins", "gdn_issued", "moves", "finish"),
        "gdn_issued",
    ]
    assert names(events).count("issue") == 2 * (4 + 4)
    assert names(events).count("skip") == 2 * 2
    assert seen[-1].done


def test_parities_of_a_group_come_one_after_the_other():
    _seen, events = play(build("upsampling"), rows=1, groups=2, parities=2, gdn=False)
    order = [name for name in names(events) if name in ("conv_begins", "turns", "moves", "finish")]
    assert order == ["conv_begins", "turns", "conv_begins", "moves"] * 2 + ["finish"]


def test_cycles_between_what_begins():
    """As the cycle model has them."""
    program = build("GDN")
    _seen, events = play(program, rows=2, groups=2, gdn=False, advance=1)
    when = {name: [cycle for cycle, got in events if got == name] for name in (*BEGINS, "issue")}
    starts, issues = when["starts"], when["issue"]
    # SELECT and ROW lie before it; GROUP, GROUP_2, TILE and CONV behind it, and the descriptors
    assert starts[0] == RowTracker.settle + len(program.stages) + 4
    assert issues[0] - (starts[0] - 2) == 7
    assert issues[1] - issues[0] == 3
    assert issues[2] - issues[1] == 2 + 1 + 6
    assert when["finish"][0] - when["skip"][0] == 1
    assert starts[1] - when["finish"][0] == RowTracker.settle + 1 + 3


def test_waiting_for_the_host_is_told():
    program = build("GDN")
    steps = [{"start": 1}, *[{"start": 0, "settled": 1, "input_missing": 1}] * 14, {"finished": 1}, {}]
    seen = trace(PassOrder(program), steps, WATCH)
    assert [s.done for s in seen] == [1, *[0] * 15, 1]
    assert seen[0].clear
    assert seen[14].wait_input
    assert not any(s.clear for s in seen[1:])
