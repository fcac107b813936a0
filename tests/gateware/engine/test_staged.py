"""The multiplier of stages, and a row's own sum."""

import numpy as np
import pytest

from licgate.gateware.engine.pe import ProcessingElement
from licgate.gateware.engine.rowsum import RowSum
from licgate.gateware.engine.staged import StagedMultiplier
from licgate.program.collecting import row_sum_wait
from licgate.target.arithmetic import FIP
from tests.gateware.engine.pairs import word, wrap
from tests.gateware.engine.test_multiplier import pairs
from tests.gateware.waves import trace

WIDTHS = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (5, 3), (4, 4), (12, 12), (10, 11), (18, 17), (17, 18)]


@pytest.mark.parametrize("additions", [1, 2, 3])
@pytest.mark.parametrize("widths", WIDTHS)
def test_every_product_comes_when_the_class_says(widths, additions):
    dut, operands = StagedMultiplier(*widths, additions=additions), pairs(*widths)
    assert (dut.latency, dut.interval) == (-(-widths[1] // (2 * additions)) + 1, 1)
    steps = [{"a": a, "b": b} for a, b in operands]
    seen = trace(dut, steps, ["p"], cycles=len(steps) + dut.latency)
    assert [s.p for s in seen[dut.latency :]] == [a * b for a, b in operands]


@pytest.mark.parametrize(("name", "widths"), [("a_width", (0, 4)), ("b_width", (4, 19)), ("b_width", (4, None))])
def test_widths_are_checked(name, widths):
    with pytest.raises(ValueError, match=f"^{name} must be an integer from 1 to 18, not "):
        StagedMultiplier(*widths)


@pytest.mark.parametrize("additions", [0, 1.5])
def test_additions_are_counted(additions):
    with pytest.raises(ValueError, match=f"^additions must be a positive integer, not {additions}$"):
        StagedMultiplier(4, 4, additions=additions)


@pytest.mark.parametrize(("a_width", "wait"), [(1, 0), (5, 0), (10, 0), (11, 1), (12, 1), (17, 4)])
def test_a_row_sum_follows_its_element(a_width, wait):
    """As the array drives them: sums end beside those of an element whose weights are its activations' partners."""
    rng, acc_width = np.random.default_rng(a_width), 24
    dut = RowSum(a_width, acc_width)
    element = ProcessingElement(a_width, 2, acc_width, arithmetic=FIP)
    assert dut.wait == wait == row_sum_wait(FIP, a_width)
    low, high = -(1 << a_width - 1), (1 << a_width - 1) - 1
    values = rng.choice([low, high, *rng.integers(low, high + 1, 4)], (60, 2))
    lasts = rng.random(60) < 0.3
    steps, late = [], FIP.lead + 3 + 1  # from a last step to `restart`
    for t in range(60 + late + 12):
        before = t >= late and t - late < 60 and bool(lasts[t - late])
        a = word(*(int(v) for v in values[t]), a_width) if t < 60 else 0
        steps.append({"a": a, "restart": int(before), "quiet": int(not before)})
    seen = trace(dut, steps, ["sum", "ends"])
    expected, total = [(0, 0)] * len(steps), 0
    for t, (first, second) in enumerate(values):
        total += int(first) * int(second)
        if lasts[t]:
            expected[t + element.latency + wait] = (wrap(total, acc_width), 1)
            total = 0
    assert [(s.sum, s.ends) for s in seen] == expected
