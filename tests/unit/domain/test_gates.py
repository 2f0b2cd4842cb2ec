"""The gate's rules are within bounds, and its error budget is spent and earned as it says."""

import pytest

from mmreview.domain.gates import MOST_ATTEMPTS, Attempt, GateRules, RulesInvalid, budget_left


def test_rules_come_back_as_they_were_stored():
    rules = GateRules(delta=0.02, act=True, reader="Ada")
    assert GateRules.of_json(rules.as_json()) == rules
    assert GateRules.of_json(None) == GateRules()
    assert GateRules.of_json({"delta": 0.1, "of a later version": 1}) == GateRules(delta=0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("delta", 0.0), ("delta", 3), ("budget", 0.9), ("delta_auroc", -0.1), ("size_mb", "big")],
)
def test_a_rule_out_of_its_bounds_is_named(name, value):
    with pytest.raises(RulesInvalid) as refused:
        GateRules(**{name: value}).check()
    assert refused.value.params["name"] == name
    assert refused.value.params["allowed"]


def spent(*passed, budget=0.05):
    attempts = []
    for each in passed:
        attempts.append(Attempt(budget_left(attempts, budget=budget).alpha, each))
    return budget_left(attempts, budget=budget)


def test_refusals_use_the_budget_up_but_never_all_of_it():
    wealth = [spent(*[False] * count).wealth for count in (0, 1, 5, 20, 60)]
    assert wealth == sorted(wealth, reverse=True)
    assert wealth[-1] > 0
    assert not spent(*[False] * 5).is_worn
    assert spent(*[False] * 30).is_worn


def test_a_promotion_earns_but_a_good_run_buys_no_licence():
    assert spent(True).wealth > spent().wealth
    assert spent(*[True] * 50).wealth == pytest.approx(2 * 0.05)
    assert spent(*[True] * 50).alpha < 0.05


def test_a_set_that_was_asked_often_is_worn_however_much_was_earned():
    assert not spent(*[True] * (MOST_ATTEMPTS - 1)).is_worn
    assert spent(*[True] * MOST_ATTEMPTS).is_worn


def test_no_more_is_ever_spent_than_there_is():
    attempts, budget = [], 0.05
    for _ in range(200):
        left = budget_left(attempts, budget=budget)
        assert 0 < left.alpha / (1 - left.alpha) <= left.wealth
        attempts.append(Attempt(left.alpha, False))
    assert sum(a.alpha / (1 - a.alpha) for a in attempts) <= budget
