"""The search for widths, on evaluators whose answers are known."""

import math

import pytest

from licgate.errors import TrainingError
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.quant.widths import LayerBits, Widths
from licgate.train.search.bitsearch import (
    find_uniform,
    meet_budget,
    near_lossless,
    simplified,
    tolerance_in_loss,
)
from licgate.train.search.budget import Budget, improve
from licgate.train.search.hwcost import bit_operations, equivalent_width
from licgate.train.search.imitation import FLOAT
from licgate.train.search.modelshape import shape_of
from licgate.train.search.sensitivity import (
    LATENT,
    Coordinate,
    Point,
    coordinates,
    measure_sensitivity,
    most_sensitive_first,
    moved,
    per_bit,
    width_of,
    with_width,
)
from licgate.train.search.trials import Trials

SHAPE = shape_of(build_model(ModelConfig(n=6, m=6)), height=64, width=64)
ALL = coordinates(SHAPE)
MAPS = coordinates(SHAPE, ["activation", "latent"])


class Noise:
    """Rounding noise adds up: each width w adds hurt · 4^-w to the loss."""

    rate_lambda = 0.01
    reference = Point(1.0, 0.5, 0.5 / (0.01 * 255**2))

    def __init__(self, hurt=None, joint=None):
        self.hurt = dict.fromkeys(ALL, 1.0) | (hurt or {})
        self.joint, self.asked, self.kept = joint, 0, []
        self.settings = {"method": "made up"}

    def loss(self, widths):
        self.asked += 1
        if widths.latent < 6:
            return math.inf
        loss = 1.0 + sum(hurt * 4.0 ** -width_of(widths, c) for c, hurt in self.hurt.items())
        return loss + (self.joint(widths) if self.joint else 0.0)

    def finetune(self, widths, iterations):
        return 1.0 + (self.loss(widths) - 1.0) * 0.5

    def keep(self, widths):
        self.kept.append(widths)


def pm_budget(limit):
    def value(widths):
        return equivalent_width(SHAPE, widths)

    return Budget("P_m", limit, value, value)


def test_coordinates_leave_out_what_has_a_fixed_type():
    assert Coordinate("g_a.0", "gamma") in ALL
    assert Coordinate("h_a.2", "activation") in ALL
    assert LATENT in ALL
    for fixed in ("g_a.6", "h_a.4", "h_s.4", "g_s.6"):
        assert Coordinate(fixed, "activation") not in ALL
        assert Coordinate(fixed, "weight") in ALL
    assert Coordinate("h_a.0", "gdn") not in ALL
    context = shape_of(build_model(ModelConfig(n=4, m=4, architecture="he2021-checkerboard")), height=64, width=64)
    assert Coordinate("h_s.4", "activation") in coordinates(context)
    assert Coordinate("context.0", "weight") in coordinates(context)
    assert bit_operations(context, Widths(), "parameters") > 0


def test_moving_a_width_stays_in_its_range():
    low = with_width(Widths(), LATENT, 4)
    assert moved(low, LATENT, -1) is None
    assert moved(FLOAT, Coordinate("g_a.0", "gdn"), 1) is None
    there = moved(Widths(), Coordinate("g_a.0", "gdn"), -2)
    assert there.of("g_a.0") == LayerBits(gdn=10)
    assert simplified(moved(there, Coordinate("g_a.0", "gdn"), 2)) == Widths()


def test_sensitivity_puts_drops_together():
    loud, quiet = MAPS[0], MAPS[1]
    evaluator = Noise({loud: 64.0, quiet: 1 / 64})
    trials = Trials(evaluator, ALL)
    base = Widths(default=LayerBits(activation=8), latent=8)
    table = measure_sensitivity(trials.ask, base, MAPS)
    assert table[loud] == pytest.approx({1: 64 * 3 * 4.0**-8, 2: 64 * 15 * 4.0**-8})
    assert per_bit(table[loud]) == pytest.approx(64 * 3 * 4.0**-8)
    order = most_sensitive_first(table)
    assert (order[0], order[-1]) == (loud, quiet)
    assert order[1:-1] == [c for c in MAPS if c not in (loud, quiet)]
    assert per_bit({1: math.inf, 2: math.inf}) == math.inf


def test_uniform_baseline_is_the_last_within_the_limit():
    evaluator = Noise()
    trials = Trials(evaluator, ALL)
    limit = 1.0 + len(ALL) * 4.0**-9 * 1.01
    widths, loss = find_uniform(trials, Widths(), ALL, limit)
    assert {width_of(widths, c) for c in ALL} == {9}
    assert loss == pytest.approx(1.0 + len(ALL) * 4.0**-9)
    assert evaluator.asked == 16 - 8 + 1
    with pytest.raises(TrainingError, match="16 bits everywhere"):
        find_uniform(trials, Widths(), MAPS, 1.0)


def test_near_lossless_keeps_the_tolerance_and_gives_bits_to_those_that_need_them():
    loud, quiet = Coordinate("g_s.2", "activation"), Coordinate("h_a.0", "weight")
    evaluator = Noise({loud: 4.0**3, quiet: 4.0**-3})
    tolerance = tolerance_in_loss(evaluator, percent=0.1)
    assert tolerance == pytest.approx(0.0005)
    outcome = near_lossless(Trials(evaluator, ALL), Widths(), ALL, tolerance)
    assert outcome.loss == pytest.approx(evaluator.loss(outcome.widths))
    assert outcome.loss <= 1.0 + tolerance
    found = {c: width_of(outcome.widths, c) for c in ALL}
    assert (
        found[loud] > max(found[c] for c in ALL if c != loud) >= min(found[c] for c in ALL if c != quiet) > found[quiet]
    )
    # nothing can be lowered any more
    for c in ALL:
        lower = moved(outcome.widths, c, -1)
        assert lower is None or evaluator.loss(lower) > 1.0 + tolerance
    before = bit_operations(SHAPE, outcome.baseline)
    assert bit_operations(SHAPE, outcome.widths) < before


def test_tolerance_in_decibel_is_distortion_only():
    evaluator = Noise()
    assert tolerance_in_loss(evaluator, decibel=0.1) == pytest.approx(0.5 * (10**0.01 - 1))
    for bad in ({}, {"percent": 1, "decibel": 1}, {"percent": 0}, {"decibel": math.nan}):
        with pytest.raises(TrainingError, match="tolerance"):
            tolerance_in_loss(evaluator, **bad)


def test_budget_finds_the_best_allocation():
    """With one loud small map and a quiet large one, the optimum is found by going through all configurations."""
    small = Coordinate("g_a.4", "activation")
    large = Coordinate("g_a.0", "activation")
    middle = Coordinate("g_a.2", "activation")
    evaluator = Noise({small: 200.0, large: 0.3})
    wanted = [large, middle, small]
    budget = Budget("P_m", 8.0, *2 * (lambda widths: equivalent_width(SHAPE, widths, "g_a"),))
    start = Widths(default=LayerBits(activation=8), latent=8)
    outcome = meet_budget(Trials(evaluator, ALL), start, wanted, 0.01, budget)
    assert budget.met(outcome.widths)
    every = [
        with_width(with_width(with_width(start, large, a), middle, b), small, c)
        for a in range(2, 17)
        for b in range(2, 17)
        for c in range(2, 17)
    ]
    best = min(evaluator.loss(w) for w in every if budget.met(w))
    assert outcome.loss == pytest.approx(best, rel=1e-9)
    assert outcome.loss < evaluator.loss(start)
    # widths that the budget does not count stay as they were
    assert outcome.widths.of("g_a.0").weight == 8


def test_exchanges_repair_a_greedy_mistake():
    """Two widths that only hurt together mislead the greedy descent; an exchange puts it right."""
    one, two = Coordinate("g_a.0", "activation"), Coordinate("g_s.4", "activation")

    def together(widths):
        return 0.5 if width_of(widths, one) < 8 and width_of(widths, two) < 8 else 0.0

    evaluator = Noise(joint=together)
    trials = Trials(evaluator, ALL)
    wrong = Widths(
        default=LayerBits(activation=9),
        layers={"g_a.0": LayerBits(activation=7), "g_s.4": LayerBits(activation=7)},
        latent=9,
    )
    budget = pm_budget(equivalent_width(SHAPE, wrong))
    found, loss = improve(trials, wrong, trials.ask(wrong), MAPS, budget)
    assert budget.met(found)
    assert loss == pytest.approx(evaluator.loss(found))
    assert loss < 1.4 < evaluator.loss(wrong)


def test_a_budget_out_of_reach_or_unmoved_is_one_line():
    start = Widths(default=LayerBits(activation=8), latent=8)
    with pytest.raises(TrainingError, match="out of reach: the search ends at"):
        meet_budget(Trials(Noise(), ALL), start, MAPS, 0.01, pm_budget(1.5))
    with pytest.raises(TrainingError, match="search more kinds"):
        meet_budget(Trials(Noise(), ALL), start, [Coordinate("g_a.0", "weight")], 0.01, pm_budget(8))


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("iterations", [0, 5])
def test_a_killed_search_goes_on_to_the_same_result(tmp_path, iterations):
    evaluator = Noise({MAPS[0]: 50.0, MAPS[2]: 0.1})
    whole = Trials(evaluator, ALL, iterations=iterations)
    expected = meet_budget(whole, Widths(), MAPS, 0.01, pm_budget(7))

    class Mortal(Noise):
        def loss(self, widths):
            if self.asked == 20:
                raise Killed
            return super().loss(widths)

    path = tmp_path / "t.json"
    resumed = []
    for _ in range(100):
        mortal = Mortal({MAPS[0]: 50.0, MAPS[2]: 0.1})
        trials = Trials(mortal, ALL, path=path, iterations=iterations)
        resumed.append(len(trials))
        try:
            found = meet_budget(trials, Widths(), MAPS, 0.01, pm_budget(7))
            break
        except Killed:
            continue
    assert len(resumed) > 2
    assert resumed == sorted(set(resumed))
    assert found == expected
    assert trials.table() == whole.table()
    # every configuration kept on the way is told to the evaluator again
    assert mortal.kept == evaluator.kept
    assert mortal.kept


def test_trials_of_another_search_are_refused(tmp_path):
    path = tmp_path / "t.json"
    Trials(Noise(), ALL, path=path).ask(Widths())
    assert len(Trials(Noise(), ALL, path=path)) == 1
    with pytest.raises(TrainingError, match="finetune_iterations differ"):
        Trials(Noise(), ALL, path=path, iterations=3)
    for text in ("{", "[]", '{"format": "other", "trials": {}}'):
        path.write_text(text)
        with pytest.raises(TrainingError, match="damaged"):
            Trials(Noise(), ALL, path=path)
