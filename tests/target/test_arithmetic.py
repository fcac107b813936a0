"""The arithmetics of the array: the fast inner product's identity, also in as few bits as results need."""

import numpy as np
import pytest

from licgate.target.arithmetic import DIRECT, FIP
from tests.gateware.engine.pairs import wrap


def all_steps(a_width, w_width):
    """Every a0, a1, w0, w1 of these widths."""
    a, w = (np.arange(-(1 << bits - 1), 1 << bits - 1) for bits in (a_width, w_width))
    return (v.ravel() for v in np.meshgrid(a, a, w, w, indexing="ij"))


@pytest.mark.parametrize("widths", [(1, 1), (2, 4), (4, 2), (3, 3), (4, 4)])
def test_a_step_is_two_products_and_what_is_taken_off(widths):
    a0, a1, w0, w1 = all_steps(*widths)
    eta = [FIP.weight_sum(np.array([[v], [w]]))[0] for v, w in zip(w0, w1)]
    assert np.array_equal((a0 + w1) * (a1 + w0) - a0 * a1 - eta, a0 * w0 + a1 * w1)


@pytest.mark.parametrize("widths", [(1, 1), (2, 4), (4, 2), (3, 3)])
def test_the_multiplicands_fit_and_would_not_fit_into_a_bit_less(widths):
    a0, a1, w0, w1 = all_steps(*widths)
    for bits, values in zip(FIP.multiplicand_widths(*widths), (a0 + w1, a1 + w0)):
        assert values.min() >= -(1 << bits - 1)
        assert values.max() < 1 << bits - 1
        assert values.min() < -(1 << bits - 2)


@pytest.mark.parametrize("bits", [16, 18, 24])
def test_sums_may_wrap_where_the_result_fits(bits):
    """Activations of 10 bits, weights of 8: xi alone leaves the range of all these widths."""
    rng = np.random.default_rng(bits)
    wrapped = 0
    for _ in range(200):
        a, w = rng.choice([-512, 511], 900), rng.integers(-1, 2, (900, 3))
        result = a @ w
        w = np.where(wrap(result, bits) == result, w, 0)
        sums = wrap(((a[0::2, None] + w[1::2]) * (a[1::2, None] + w[0::2])).sum(0), bits)
        xi = wrap((a[0::2] * a[1::2]).sum(), bits)
        wrapped += xi != (a[0::2] * a[1::2]).sum()
        assert np.array_equal(wrap(wrap(sums - xi, bits) - FIP.weight_sum(w), bits), a @ w)
    assert wrapped


def test_direct_takes_nothing_off():
    assert DIRECT.weight_sum(np.array([[3, 4], [5, 6], [7, 8]])).tolist() == [0, 0]
    assert DIRECT.multiplicand_widths(10, 8) == (10, 8)
    assert FIP.weight_sum(np.array([[3, 4], [5, 6]])).tolist() == [15, 24]


def test_reduction_indices_must_fill_steps():
    with pytest.raises(ValueError, match="3 reduction indices are no steps of 2"):
        FIP.weight_sum(np.ones((3, 2)))
