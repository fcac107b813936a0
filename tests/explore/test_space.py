"""The search: everything that fits, nothing that does not, and no faster shape left out."""

from dataclasses import replace
from itertools import pairwise

import pytest

from licgate.errors import ConfigError
from licgate.explore.cells import estimate_lut
from licgate.explore.pareto import pareto, thinned
from licgate.explore.space import Budget, Candidate, Space
from licgate.manifest import find_model
from licgate.synth.fit import memory_fit
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import tiny_board, tiny_model


@pytest.fixture(scope="module")
def space():
    return Space(tiny_model(), tiny_board(), "decoder", 64, 32)


@pytest.fixture(scope="module")
def found(space):
    return space.search(Budget.of(space.board), least=0.25)


def test_all_that_is_found_fits(space, found):
    assert len(found) > 20
    for candidate in found:
        program = space.program(candidate.config)
        assert candidate.multipliers == program.multiplier_cells <= 24
        assert candidate.block_rams == memory_fit(program, space.board).needed <= 60
        assert candidate.config.lanes == program.lanes


def test_no_array_that_is_left_out_is_faster(space, found):
    fastest = min(candidate.bound for candidate in found)
    tried = 0
    for rows in range(1, 25):
        for cols in range(1, 24 // rows + 1):
            candidate = space.candidate(AcceleratorConfig(rows=rows, cols=cols, max_width=64))
            if not Budget.of(space.board).lacks(candidate):
                tried += 1
                assert candidate.bound >= fastest
    assert tried > 40
    # and with the fastest alone in mind, the search finds it too
    assert min(c.bound for c in space.search(Budget.of(space.board))) == fastest


def test_lanes_are_made_of_logic_where_the_array_takes_all_multipliers(space, found):
    fabric = [candidate for candidate in found if candidate.config.lane_multipliers == "fabric"]
    assert fabric
    for candidate in fabric:
        config = candidate.config
        plain = space.candidate(replace(config, lane_multipliers="dsp"))
        assert plain.multipliers > 24 >= config.rows * config.cols
        assert candidate.lut > plain.lut


@pytest.mark.parametrize(("cells", "name"), [({"DP16KD": 35}, "block_rams"), ({"TRELLIS_COMB": 9000}, "lut")])
def test_a_smaller_budget_leaves_less(space, found, cells, name):
    budget = Budget.of(tiny_board(**cells))
    fewer = space.search(budget, least=0.25)
    assert all(getattr(candidate, name) <= getattr(budget, name) for candidate in fewer)
    assert len(fewer) < len(found)
    assert any(budget.lacks(candidate) == [name] for candidate in found)


def test_nothing_fits_a_board_without_memories(space):
    least = space.least_block_rams()
    assert not space.search(Budget.of(tiny_board(DP16KD=least // 2)))
    assert space.search(Budget.of(tiny_board(DP16KD=least)))


def test_line_widths_are_the_least_for_their_number_of_strips():
    space = Space(tiny_model(), tiny_board(), "analysis", 203, 16)
    config = AcceleratorConfig(rows=2, cols=2)
    assert space.line_widths()[0] == 204
    numbers = [space.candidate(replace(config, max_width=width)) for width in space.line_widths()]
    assert [a.block_rams >= b.block_rams for a, b in pairwise(numbers)] == [True] * (len(numbers) - 1)
    assert space.line_widths() == sorted(space.line_widths(), reverse=True)


def test_a_mode_that_the_model_lacks(space):
    half = replace(space.manifest, transforms={"g_a": space.manifest.g_a}, name="half")
    with pytest.raises(ConfigError, match=r"^mode encoder needs h_a, h_s, model half has only g_a: take another"):
        Space(half, space.board, "encoder", 16, 16)


def shape(bound, multipliers, block_rams):
    return Candidate(AcceleratorConfig(), multipliers, block_rams, 0, bound)


def test_the_pareto_set():
    cheap, mean, dear = shape(100, 10, 10), shape(99, 20, 10), shape(50, 20, 20)
    beaten = shape(100, 11, 10), shape(120, 10, 10), shape(50, 21, 20), shape(60, 20, 21)
    assert pareto([*beaten, dear, mean, cheap]) == [cheap, mean, dear]
    assert pareto([cheap, mean, dear], margin=0.02) == [cheap, dear]
    # the fastest stays, however little it gains
    assert pareto([cheap, mean, dear, shape(49, 40, 40)], margin=0.5)[-1].bound == 49
    assert pareto([]) == []
    assert thinned([cheap, mean, dear], 3) == ([cheap, mean, dear], 0.0)
    kept, margin = thinned([cheap, mean, dear], 2)
    assert kept == [cheap, dear]
    assert margin > 0


@pytest.mark.parametrize(
    ("mode", "rows", "cols", "width", "counted"),
    [
        ("analysis", 4, 4, 768, 7063),
        ("analysis", 12, 12, 768, 15814),
    ],
)
def test_the_estimate_of_luts_is_near_what_synthesis_counted(mode, rows, cols, width, counted):
    space = Space(find_model("hyperprior-n36m96-l0067-a10w8"), find_board("ulx3s-85f"), mode, 768, 512)
    program = space.program(AcceleratorConfig(rows=rows, cols=cols, max_width=width))
    assert abs(estimate_lut(program, family="ecp5") / counted - 1) < 0.07
    assert estimate_lut(program, family="xcup") < estimate_lut(program, family="ecp5")


def test_the_fast_inner_product_is_counted_with_its_adders_and_row_sums(space):
    direct, fast = (
        space.program(AcceleratorConfig(rows=3, cols=4, lanes=1, max_width=64, arithmetic=name))
        for name in ("direct", "fip")
    )
    more = estimate_lut(fast, family="ecp5") - estimate_lut(direct, family="ecp5")
    widths = fast.arithmetic.multiplicand_widths(fast.activation_width, fast.weight_width)
    assert more > 3 * 4 * sum(widths) + 3 * fast.activation_width**2
