"""Strips of a feature map: what each gives is what the whole gives there."""

from types import SimpleNamespace

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest import IntType, Transform
from licgate.manifest.synthetic import synthetic_conv2d
from licgate.program.strips import least_width, reach, strips
from licgate.reference import run_transform


def chain(*layers, channels=2):
    """A transform of convolutions: (kernel, stride, transposed)."""
    kind, made = IntType(6), []
    for index, (kernel, stride, transposed) in enumerate(layers):
        made.append(
            synthetic_conv2d(
                f"h_s.{index}",
                in_channels=channels,
                out_channels=channels,
                kernel=kernel,
                stride=stride,
                transposed=transposed,
                output_padding=stride + 2 * (kernel // 2) - kernel if transposed else 0,
                input_type=kind,
                output_type=kind,
                seed=index,
            )
        )
    return Transform(name="h_s", in_channels=channels, input=kind, input_scale=1.0, layers=made)


CASES = [
    ([(3, 1, False)], 40, 9),
    ([(3, 1, False), (5, 2, False), (5, 2, False)], 61, 30),
    ([(5, 2, True), (5, 2, True), (3, 1, False)], 33, 9),
    ([(3, 2, True), (5, 2, True), (5, 2, True)], 20, 6),
    ([(5, 2, True)] * 4, 17, 5),
    ([(5, 1, False), (1, 1, False)], 11, 10),
]


@pytest.mark.parametrize(("layers", "width", "most"), CASES)
def test_strips_together_are_the_whole(layers, width, most):
    transform = chain(*layers)
    x = np.random.default_rng(0).integers(-32, 32, (2, 3, width))
    whole = run_transform(transform, x)
    cut = strips(transform, width, most)
    assert len(cut) > 1
    assert all(strip.width <= most for strip in cut)
    parts = []
    for strip in cut:
        own = run_transform(transform, x[:, :, strip.x : strip.x + strip.width])
        assert strip.out_x == sum(part.shape[2] for part in parts)
        parts.append(own[:, :, strip.skip : strip.skip + strip.out_width])
        assert parts[-1].shape[2] == strip.out_width
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)


@pytest.mark.parametrize("layers", [case[0] for case in CASES])
def test_the_reach_of_a_cut_is_not_larger_than_needed(layers):
    transform = chain(*layers)
    before, after = reach(transform)
    x = np.random.default_rng(1).integers(-32, 32, (2, 3, 64))
    whole, scale = run_transform(transform, x), 1 / transform.stride
    begin = int(32 * scale)
    wrong = np.flatnonzero((run_transform(transform, x[:, :, 32:]) != whole[:, :, begin:]).any(axis=(0, 1)))
    assert (wrong[-1] if len(wrong) else -1) == before - 1
    wrong = np.flatnonzero((run_transform(transform, x[:, :, :32]) != whole[:, :, :begin]).any(axis=(0, 1)))
    assert begin - (wrong[0] if len(wrong) else begin) == after


def test_what_fits_is_one_strip_and_a_margin_alone_is_refused():
    transform = chain((5, 2, True), (5, 2, True))
    (only,) = strips(transform, 9, 9)
    assert (only.x, only.width, only.out_x, only.out_width, only.skip) == (0, 9, 0, 36, 0)
    with pytest.raises(ConfigError, match=r"^h_s: lines of 3 columns leave none .* it takes 4"):
        strips(transform, 9, 3)
    assert least_width(transform) == 4
    assert len(strips(transform, 9, 4)) > 1
    for transposed, message in ((True, "gives 2 times the size"), (False, "divided by the stride")):
        odd = SimpleNamespace(
            name="h_s.0", kind="conv2d", kernel=5, stride=2, padding=0, transposed=transposed, output_padding=0
        )
        with pytest.raises(ConfigError, match=rf"^h_s\.0: strips need .* {message}"):
            reach(SimpleNamespace(layers=[odd]))
