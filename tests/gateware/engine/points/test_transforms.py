"""Pixels, weights and outputs at points against the matrices, and a row's own sums against the definition."""

from itertools import chain

import numpy as np
import pytest

from licgate.gateware.engine.points.element import PointElement
from licgate.gateware.engine.points.outputs import ORDER, SLOTS, QuadOutputs, output_controls
from licgate.gateware.engine.points.pixels import PixelPoint, point_flags
from licgate.gateware.engine.points.rowsum import PointRowSum
from licgate.gateware.engine.points.weights import WeightPoint, evaluation_of
from licgate.target.points import INFINITY, OUTPUTS, PIXELS, POINTS, TAPS, TapStep, extent, tap_row
from tests.gateware.engine.pairs import word, wrap
from tests.gateware.engine.points.steps import BUBBLE, random_steps
from tests.gateware.engine.points.test_element import sums_of
from tests.gateware.waves import trace


@pytest.mark.parametrize(("bits", "width"), [(1, 5), (4, 8), (10, 14), (8, 12)])
def test_pixels_at_points(bits, width):
    rng, low, high = np.random.default_rng(bits), -(1 << bits - 1), (1 << bits - 1) - 1
    assert extent(PIXELS, low, high) < 1 << width - 1
    count = 150
    pixels = rng.choice([low, high, *rng.integers(low, high + 1, 3)], (count, 5))
    # all ends of the ranges
    for k, row in enumerate(PIXELS):
        pixels[2 * k] = np.where(row > 0, high, low)
        pixels[2 * k + 1] = np.where(row > 0, low, high)
    points = [k // 2 for k in range(10)] + [int(p) for p in rng.integers(6, size=count - 10)]
    plain, step = rng.random(count) < 0.3, rng.random(count) < 0.8
    plain[:10], step[:10] = False, True
    other = rng.integers(-(1 << width - 1), 1 << width - 1, count)
    dut = PixelPoint(bits, width)
    assert (dut.latency, dut.interval) == (3, 1)
    drive = []
    for t in range(count + 3):
        now, late = min(t, count - 1), min(max(t - 2, 0), count - 1)
        drive.append(
            {
                "pixels": pixels[now].tolist(),
                "point": point_flags(points[now]),
                "other": other[late],
                "plain": plain[late],
                "step": step[late],
            }
        )
    for t, seen in enumerate(trace(dut, drive, ["value"])[3:]):
        at = int(PIXELS[points[t] % INFINITY] @ pixels[t])
        assert seen.value == (0 if not step[t] else other[t] if plain[t] else at), t


@pytest.mark.parametrize(("bits", "width"), [(1, 4), (4, 7), (8, 11), (9, 12)])
def test_weights_at_points(bits, width):
    """Tap rows of all kinds, their weights fetched when the description says so; and weights as they are."""
    rng, low, high = np.random.default_rng(bits), -(1 << bits - 1), (1 << bits - 1) - 1
    assert extent(TAPS, low, high) <= 1 << width - 1
    dut = WeightPoint(bits, width)
    assert (dut.latency, dut.interval) == (2, 1)
    cycles, expected, begin = {}, {}, 0
    kinds = [(5, 2), (3, 1), None, (2, 1), (7, 2), None, None, (3, 2), (5, 1), (4, 1), (1, 1), (3, 1), (5, 2)]

    def at(cycle):
        return cycles.setdefault(cycle, {"take": dict.fromkeys(("x", "third", "y", "z"), 0), "taps": None, "step": 1})

    for kind in kinds:
        if kind is None:
            # as they are: through the third register to the first one
            for k in range(4):
                value = int(rng.integers(low, high + 1))
                at(begin + k)["word"] = value
                at(begin + k)["take"]["z"] = 1
                at(begin + k + 1)["take"]["third"] = 1
                at(begin + k + 2)["taps"] = evaluation_of(None)
                expected[begin + k + 2] = value
            begin += 4
            continue
        row = tap_row(*kind)
        for _ in range(2):
            taps = rng.choice([low, high, *rng.integers(low, high + 1, 2)], kind[0])
            for fetch in row.fetches:
                now = at(begin + fetch.position)
                now["word"] = 0 if fetch.column is None else int(taps[fetch.column])
                now["take"][fetch.register] = 1
            for k, step in enumerate(row.steps):
                cycle = begin + k + row.LEAD
                if step.point == INFINITY and step.taps:
                    at(cycle - 1)["take"]["third"] = 1
                at(cycle)["taps"] = evaluation_of(step)
                at(cycle + 1)["step"] = int(bool(step.taps))
                weights = [taps[column] for column in step.taps]
                point = None if step.point is None else step.point % INFINITY
                expected[cycle] = int(TAPS[point][: len(weights)] @ weights) if weights else 0
            begin += len(row.steps)
    drive = []
    for cycle in range(begin + 5):
        now = at(cycle)
        drive.append(
            {
                "word": now.get("word", int(rng.integers(low, high + 1))),
                "take": now["take"],
                "taps": now["taps"] or evaluation_of(None),
                "step": now["step"],
            }
        )
    seen = trace(dut, drive, ["value"])
    assert {cycle: seen[cycle + 2].value for cycle in expected} == expected


def test_which_flags_a_step_has():
    assert evaluation_of(TapStep(0, 0, (0, 1))) == evaluation_of(TapStep(0, INFINITY, (2,)))
    assert [point_flags(k)["zero"] for k in range(6)] == [1, 0, 0, 0, 0, 1]
    assert len({tuple(point_flags(k).items()) for k in range(5)}) == len(POINTS)


@pytest.mark.parametrize("width", [5, 12, 28])
def test_outputs_of_quads(width):
    """Quads as close behind each other as may be, or further apart; single sums in between."""
    rng, dut = np.random.default_rng(width), QuadOutputs(width)
    half = 1 << width - 1
    assert (dut.latency, dut.interval) == (12, SLOTS) == (12, 8)
    sums, controls, expected, begin = {}, {}, {}, 0
    for k in range(60):
        single = k % 3 == 2 and k > 6
        cycles, outputs = output_controls(single)
        for cycle, control in enumerate(cycles):
            merged = controls.setdefault(begin + cycle, dict.fromkeys(control, 0))
            for name, value in control.items():
                assert not (value and merged[name]), name
                merged[name] |= value
        if single:
            sums[begin] = int(rng.integers(-half, half))
            expected[begin + 2] = wrap(2 * sums[begin], width)
            # what follows a quad waits until its adders are free
            begin += 12
            continue
        points = rng.choice([-half, half - 1, *rng.integers(-half, half, 6)], 6)
        sums |= {begin + t: int(points[point]) for t, point in enumerate(ORDER)}
        made = [wrap(int(v), width) for v in OUTPUTS.astype(object) @ points]
        expected |= {begin + cycle: made[output] for cycle, output in outputs.items()}
        begin += 12 if k % 3 == 1 and k > 5 else SLOTS + k % 2
    idle = output_controls()[0][0]
    drive = [{"sum": sums.get(t, 7 % half), "control": controls.get(t, idle)} for t in range(begin + 13)]
    seen = trace(dut, drive, ["output"])
    assert {cycle: seen[cycle].output for cycle in expected} == expected
    assert sorted(output_controls()[1].values()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("a_width", "acc_width", "wait"), [(3, 8, 0), (8, 24, 0), (12, 24, 0), (14, 28, 1), (18, 40, 2)]
)
def test_a_row_s_own_sums(a_width, acc_width, wait):
    rng, dut = np.random.default_rng(a_width), PointRowSum(a_width, acc_width)
    assert (dut.wait, dut.latency, dut.interval) == (wait, 5 + wait, 1)
    steps = random_steps(rng, 25)
    low, high = -(1 << a_width - 1), (1 << a_width - 1) - 1
    a = rng.choice([low, high, *rng.integers(low, high + 1, 4)], (len(steps), 2))
    lead = PointElement.lead
    drive = [
        {
            "a": word(*a[t], a_width) if t < len(steps) else 0,
            "step": steps[t - lead] if 0 <= t - lead < len(steps) else BUBBLE,
        }
        for t in range(len(steps) + dut.latency)
    ]
    seen = trace(dut, drive, ["sum", "place", "ends"])[dut.latency :]
    for expected, step, got in zip(sums_of(steps, a[:, 0] * a[:, 1], acc_width), steps, seen, strict=True):
        assert (got.sum, got.place, got.ends) == (expected, step["place"], step["ends"])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: PixelPoint(16, 18), "bits must be an integer from 1 to 15, not 16"),
        (lambda: PixelPoint(10, 9), "width must be an integer from 10 to 18, not 9"),
        (lambda: WeightPoint(0, 9), "bits must be an integer from 1 to 16, not 0"),
        (lambda: WeightPoint(8, 19), "width must be an integer from 8 to 18, not 19"),
        (lambda: QuadOutputs(1), "width must be an integer from 2 to 48, not 1"),
    ],
)
def test_widths_are_checked(made, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        made()


def test_the_order_has_every_point():
    assert set(chain(ORDER)) == set(range(6))
