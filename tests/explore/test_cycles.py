"""Cycles without walking all rows against the cycle model, and the bound below both."""

from dataclasses import replace

import pytest

from licgate.explore.bound import least_cycles
from licgate.explore.cycles import CycleCounter
from licgate.manifest.architectures import MODES
from licgate.perf import core, predict
from licgate.program import compile_program, input_widths
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import tiny_model

MANIFEST, NARROW = tiny_model(), tiny_model(weight_bits=5)
CASES = [
    ("analysis", {"rows": 3, "cols": 2}, (30, 120)),
    ("analysis", {"rows": 2, "cols": 7, "lanes": 1, "max_width": 24}, (50, 101)),
    ("decoder", {"rows": 4, "cols": 3}, (32, 320)),
    ("decoder", {"rows": 5, "cols": 1, "lanes": 1, "max_width": 64}, (80, 273)),
    ("both", {"rows": 1, "cols": 3}, (16, 256)),
    ("encoder", {"rows": 3, "cols": 4, "line_slack": 1, "input_slack": 0}, (32, 240)),
]


def counted(mode, options, size, counter=None, manifest=MANIFEST):
    config = AcceleratorConfig(**{"max_width": 48} | options)
    names = MODES[mode]
    chains = [manifest.transforms[name] for name in names]
    program = compile_program(chains, config, input_widths(manifest, names, config.max_width), weights=False)
    counter = counter or CycleCounter()
    exact = predict(manifest, config, *size, transforms=names).cycles
    return counter.cycles(program, manifest, config, *size), exact, least_cycles(program, manifest, config, *size)


@pytest.mark.parametrize(("mode", "options", "size"), CASES)
def test_no_cycle_of_difference_and_no_bound_above(mode, options, size):
    found, exact, bound = counted(mode, options, size)
    assert found == exact
    assert 0.8 * exact < bound <= exact


@pytest.mark.parametrize("way", [{"packing": True}, {"arithmetic": "fip"}], ids=str)
@pytest.mark.parametrize(("mode", "options", "size"), [*CASES, ("both", {"rows": 2, "cols": 1}, (16, 256))])
def test_the_same_where_a_multiplier_does_more(mode, options, size, way):
    counter = CycleCounter()
    plain = counted(mode, options, size, counter)[0]
    found, exact, bound = counted(mode, options | way, size, counter, manifest=NARROW)
    assert found == exact <= plain
    assert 0.7 * exact < bound <= exact


@pytest.mark.parametrize(("mode", "options", "size"), CASES)
def test_the_same_by_points(mode, options, size):
    """Small maps leave much of their groups empty, and passes wait; the bound knows nothing of that."""
    found, exact, bound = counted(mode, options | {"arithmetic": "fip-f4"}, size)
    assert found == exact
    assert 0.2 * exact < bound <= exact


def test_most_rows_are_not_walked_and_none_twice(monkeypatch):
    walked = []

    class Model(core.CoreModel):
        def __init__(self, program, chain, width, height, **options):
            walked.append(height)
            super().__init__(program, chain, width, height, **options)

    monkeypatch.setattr("licgate.explore.cycles.CoreModel", Model)
    counter = CycleCounter()
    found, exact, _ = counted(*CASES[0][:2], (30, 400), counter)
    assert found == exact
    assert 0 < sum(walked) < 200
    number = len(walked)
    counted(*CASES[0][:2], (30, 400), counter)
    assert len(walked) == number
    counted("analysis", CASES[0][1] | {"lanes": 1}, (30, 400), counter)
    assert len(walked) > number


def test_weights_and_widths_of_layers_do_not_matter(monkeypatch):
    counter = CycleCounter()
    counted("analysis", CASES[0][1], (30, 120), counter)
    monkeypatch.setattr("licgate.explore.cycles.CoreModel", None)
    other = tiny_model(seed=5)
    config = AcceleratorConfig(max_width=48, **CASES[0][1])
    program = compile_program(other.g_a, config, weights=False)
    assert counter.cycles(program, other, replace(config), 30, 120) > 0
