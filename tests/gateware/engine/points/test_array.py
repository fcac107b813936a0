"""The array by points against products of matrices: passes of all kinds as close behind each other as may be."""

import numpy as np
import pytest

from licgate.gateware.engine.points.array import PointArray
from licgate.program.collecting import point_gap
from licgate.program.timing import array_latency
from licgate.target.arithmetic import FIP_F4
from licgate.target.points import OUTPUTS, PIXELS, SUMS, TAPS, tap_row
from tests.gateware.engine.pairs import side_by_side, wrap
from tests.gateware.engine.points.steps import BUBBLE, quad_steps, single_steps
from tests.gateware.waves import trace

# rows, columns, interval
SHAPES = [(1, 1, 2), (2, 2, 2), (1, 3, 3), (3, 5, 2), (2, 7, 2), (1, 12, 2), (1, 13, 2), (1, 17, 2)]
# pixels, weights; of a GDN's operands; multiplier, sums
WIDTHS = {"small": ((4, 3), (5, 4), 8, 14), "default": ((10, 8), (12, 9), 15, 28)}
KINDS = [(5, 2), (3, 1), (2, 1), (3, 2), None, (4, 1), None, None, (7, 2), None, (1, 1)]


def operand_widths(widths):
    (pixel, weight), (norm, gamma), *_ = WIDTHS[widths]
    a, w = FIP_F4.operand_extents(-(1 << pixel - 1), (1 << pixel - 1) - 1, 1 << weight - 1)
    return max(a.bit_length() + 1, norm), max(w.bit_length() + 1, gamma)


def build(shape, widths):
    rows, cols, interval = shape
    a_width, w_width = operand_widths(widths)
    *_, width, acc_width = WIDTHS[widths]
    return PointArray(rows, cols, a_width=a_width, w_width=w_width, width=width, acc_width=acc_width, interval=interval)


def ends(rng, bits, shape):
    """Numbers of so many bits, many of them as large as can be."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return rng.choice([low, high, *rng.integers(low, high + 1, 4)], shape)


def single_pass(rng, shape, widths, count):
    """Steps of a pass of one sum: controls, operands a and w (steps, 2, ...), and words (rows, cols, 1)."""
    rows, cols, _ = shape
    _, (norm, gamma), *_ = WIDTHS[widths]
    a, w = ends(rng, norm, (count, 2, rows)), ends(rng, gamma, (count, 2, cols))
    eta = (w[:, 0] * w[:, 1]).sum(0)
    plain = np.einsum("sir,sic->rc", a, w)
    return single_steps(count), a, w, 2 * (plain + eta)[..., None], {"single": 1, "infinity": 0}


def quad_pass(rng, shape, widths, kind, taps):
    """Likewise of quads: of pixels and weights, evaluated; words (rows, cols, 4)."""
    rows, cols, _ = shape
    (pixel, weight), *_ = WIDTHS[widths]
    row = tap_row(*kind)
    pixels, weights = ends(rng, pixel, (taps, 2, rows, row.pixels)), ends(rng, weight, (taps, 2, cols, kind[0]))
    a, w, sums = [], [], np.zeros((rows, cols, SUMS), dtype=object)
    for tap in range(taps):
        for step in row.steps:
            point = 0 if step.point is None else step.point % (SUMS - 1)
            five = pixels[tap][..., step.shift : step.shift + 4 * kind[1] + 1 : kind[1]]
            a.append(five @ PIXELS[point])
            w.append(weights[tap][..., list(step.taps)] @ TAPS[point][: len(step.taps)])
            if step.point is None:
                # nobody minds what stands there
                a[-1], w[-1] = ends(rng, pixel, (2, rows)), ends(rng, weight, (2, cols))
                continue
            sums[..., step.point] += np.einsum("ir,ic->rc", a[-1], w[-1]) + w[-1][0] * w[-1][1]
    infinity = {"single": 0, "infinity": int(row.has_infinity)}
    return quad_steps(row, taps), np.array(a), np.array(w), sums @ OUTPUTS.T.astype(object), infinity


def schedule(rng, shape, widths, kinds):
    """Inputs a cycle, passes as close behind each other as may be, and {(cycle, row): what is shown}."""
    rows, cols, interval = shape
    a_width, w_width = operand_widths(widths)
    acc_width, latency = WIDTHS[widths][-1], array_latency(cols, FIP_F4, a_width)
    steps, expected, drains, due = [], {}, {}, 0
    bubble = {"a": [0] * rows, "w": [0] * cols, "step": {"sum": BUBBLE, "last": 0, "single": 0, "infinity": 0}}
    for kind in kinds:
        if kind is None:
            made = single_pass(rng, shape, widths, int(rng.integers(1, 4)))
        else:
            made = quad_pass(rng, shape, widths, kind, int(rng.integers(1, 3)))
        controls, a, w, words, says = made
        # a pass waits in front of its last tap row, whose steps follow each other
        gate = len(controls) - (1 if kind is None else len(tap_row(*kind).steps))
        for t, control in enumerate(controls):
            last = t == len(controls) - 1
            while t == gate and len(steps) + len(controls) - 1 - gate < due:
                steps.append(bubble)
            operands = (side_by_side(v[t], width) for v, width in ((a, a_width), (w, w_width)))
            steps.append({**dict(zip("aw", operands)), "step": {"sum": control, "last": int(last), **says}})
        end = len(steps) - 1
        due = end + point_gap(cols, interval, a_width, single=kind is None)
        for word in range(cols * words.shape[2]):
            column, output = divmod(word, words.shape[2])
            drains[end + latency - 2 + word * interval] = word
            for r in range(rows):
                value = wrap(int(words[r, column, output]), acc_width)
                expected[end + latency + word * interval + r, r] = value
    steps += [bubble] * (max(t for t, _ in expected) + 1 - len(steps))
    for t, step in enumerate(steps):
        steps[t] = {**step, "drain": {"enable": int(t in drains), "column": drains.get(t, 0)}}
    return steps, expected


def check(seen, expected, offset=0):
    for cycle, record in enumerate(seen[offset:]):
        for row, got in enumerate(record.results):
            assert got == expected.get((cycle, row), 0), f"cycle {cycle}, row {row}"


@pytest.mark.parametrize(
    ("shape", "widths"), [*((shape, "small") for shape in SHAPES), ((2, 2, 2), "default"), ((1, 7, 2), "default")]
)
def test_results_leave_in_order_at_the_closest_spacing(shape, widths):
    """Of the default model's widths, a row's own sums come later than those of its elements."""
    rng = np.random.default_rng(sum(shape))
    kinds = [KINDS[int(k)] for k in rng.permutation(2 * len(KINDS)) % len(KINDS)]
    steps, expected = schedule(rng, shape, widths, kinds)
    check(trace(build(shape, widths), steps, ["results"]), expected)


def test_sums_of_the_default_model_s_widths():
    shape = (2, 3, 2)
    steps, expected = schedule(np.random.default_rng(7), shape, "default", [(5, 2), None, (5, 2), (3, 1), None])
    dut = build(shape, "default")
    check(trace(dut, steps, ["results"]), expected)
    assert (dut.latency, dut.interval) == (21, 1)


@pytest.mark.parametrize(("cols", "latency"), [(1, 20), (6, 20), (7, 21), (12, 21), (24, 21), (25, 22)])
def test_latency_is_what_the_class_says(cols, latency):
    dut = build((1, cols, 2), "small")
    assert dut.latency == array_latency(cols, FIP_F4, operand_widths("small")[0]) == latency


@pytest.mark.parametrize("cut", [21, 47, 60])
def test_reset_in_the_middle_of_a_pass(cut):
    rng, shape = np.random.default_rng(2), (2, 3, 2)
    before, _ = schedule(rng, shape, "small", KINDS)
    steps, expected = schedule(rng, shape, "small", KINDS[::-1])
    dut = build(shape, "small")
    hold = dut.latency + 4 * 3 * 2 + 2 + 12
    idle = {**steps[-1], "step": {"sum": BUBBLE, "last": 0, "single": 0, "infinity": 0}}
    idle |= {"drain": {"enable": 0, "column": 0}}
    seen = trace(dut, before[:cut] + [idle] * hold + steps, ["results"], resets=range(cut, cut + hold))
    check(seen, expected, offset=cut + hold)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 2, 2), "rows must be an integer from 1 to 64, not 0"),
        ((2, 65, 2), "cols must be an integer from 1 to 64, not 65"),
        ((2, 2, 1), "interval must be an integer from 2 to 64, not 1"),
    ],
)
def test_shapes_are_checked(shape, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        build(shape, "small")
