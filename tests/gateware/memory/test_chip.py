"""The chip in C++ is the chip in Python: same data, same counts, same objections in the same cycle."""

import os
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from licgate.gateware.memory.sdram import SdramController
from tests.gateware.memory.chip import SdramChip, SdramRuleError
from tests.gateware.memory.kit import CHIP, random_jobs
from tests.gateware.memory.traffic import simulate

HERE = Path(__file__).parent
COMPILER = os.environ.get("CXX") or shutil.which("g++")
CONTENTS = {address: address * 13 & 0xFFFF for address in range(3000)}

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """Compile the replay, and return a function that runs a trace through it."""
    folder = tmp_path_factory.mktemp("chip")
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HERE.parents[2] / 'sim'}"]
    subprocess.run([COMPILER, *flags, str(HERE / "replay.cpp"), "-o", str(folder / "replay")], check=True)

    def run(timing, clock, steps):
        flat = [value for step in steps for value in step]
        stored = [word for pair in CONTENTS.items() for word in pair]
        words = [*timing.words(clock), len(steps), len(CONTENTS), *stored, *flat]
        (folder / "trace").write_bytes(struct.pack(f"<{len(words)}I", *words))
        done = subprocess.run([str(folder / "replay"), str(folder / "trace")], capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.splitlines()

    return run


@pytest.fixture(scope="module", params=[(143, 2), (66, 0)])
def trace(request):
    """The pins of some traffic, and what the chip in Python did."""
    clock, round_trip = request.param
    controller = SdramController(CHIP, clock, round_trip=round_trip, postpone=2)
    jobs = [random_jobs(port, 25, spread=3500, most=60) for port in range(3)]
    steps, driven = [], []
    original = SdramChip.step

    def step(self, *pins):
        steps.append(pins)
        driven.append(original(self, *pins))
        return driven[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SdramChip, "step", step)
        _, chip = simulate(jobs, controller=controller, contents=CONTENTS)
    return clock, steps, driven, chip


def objection(timing, clock, steps):
    """What the chip in Python says against a trace, or None."""
    chip = SdramChip(timing, clock, CONTENTS)
    try:
        for pins in steps:
            chip.step(*pins)
    except SdramRuleError as error:
        return str(error)
    return None


def test_data_counts_and_contents_are_equal(replay, trace):
    clock, steps, driven, chip = trace
    lines = replay(CHIP, clock, steps)
    assert list(map(int, lines[: len(steps)])) == driven
    counts = chip.counts
    assert list(map(int, lines[len(steps)].split())) == [
        counts.activations,
        counts.misses,
        counts.refreshes,
        counts.read_beats,
        counts.write_beats,
    ]
    assert list(map(int, lines[len(steps) + 1 :])) == [chip.contents.get(address, 0) for address in range(4096)]


@pytest.mark.parametrize(
    "name", ["rcd", "rp", "ras", "rc", "rfc", "wr", "power_up_us", "refresh_ns", "ras_max_ns", "wr_cycles"]
)
def test_both_object_to_the_same(replay, trace, name):
    clock, steps, _, _ = trace
    factor = {"power_up_us": 1.5, "refresh_ns": 0.02, "ras_max_ns": 0.001, "wr_cycles": 8}.get(name, 4)
    timing = replace(CHIP, **{name: type(getattr(CHIP, name))(getattr(CHIP, name) * factor)})
    message = objection(timing, clock, steps)
    assert message
    assert replay(timing, clock, steps)[-1].split(": ")[:2] == message.split(": ")[:2]


def mutated(steps, change):
    """Change the first step after the power-up that `change` has an answer for."""
    steps = list(steps)
    for n, pins in enumerate(steps[600:], 600):
        answer = change(*pins)
        if answer:
            steps[n] = answer
            return steps
    raise AssertionError("no step was changed")


ACTIVATE, NOTHING = (1, 0, 0), (0, 0, 0)
MISTAKES = [
    (lambda c, s, *to: (c, s, 0, 0, 0, *to[3:]) if to[:3] == ACTIVATE else None, "state"),
    (lambda c, s, *to: (c, s, 0, 0, 1, *to[3:]) if to[:3] == ACTIVATE else None, "command"),
    (lambda c, s, *to: (0, s, *to) if to[:3] == ACTIVATE else None, "CKE"),
    (lambda *pins: (*pins[:-1], 0) if pins[-1] else None, "write"),
    (lambda *pins: (*pins[:7], 1, *pins[8:]) if pins[-1] else None, "DQM"),
    (lambda *pins: (*pins[:6], pins[6] | 1024, *pins[7:]) if pins[2:4] == (0, 1) else None, "A10"),
    # No mistake: without a command there is no address.
    (lambda *pins: (*pins[:6], 77, *pins[7:]) if pins[2:5] == NOTHING else None, None),
]


@pytest.mark.parametrize(("change", "rule"), MISTAKES, ids=[str(rule) for _, rule in MISTAKES])
def test_both_object_to_the_same_mistake(replay, trace, change, rule):
    clock, steps, _, _ = trace
    steps = mutated(steps, change)
    message = objection(CHIP, clock, steps)
    assert (message and message.split(": ")[1]) == rule
    last = replay(CHIP, clock, steps)[-1]
    assert last.split(": ")[:2] == message.split(": ")[:2] if message else last.isdecimal()


def test_a_write_right_after_a_read_meets_the_chips_data(replay, trace):
    clock, steps, driven, _ = trace
    busy = next(n for n in range(600, len(steps)) if driven[n] != 0xDEAD)
    steps = list(steps)
    steps[busy + 1] = (*steps[busy + 1][:-1], 1)
    assert objection(CHIP, clock, steps).startswith(f"cycle {busy + 1}: contention")
    assert replay(CHIP, clock, steps)[-1].startswith(f"cycle {busy + 1}: contention")
