"""What each case adds to a measure is the derivative of the measure by its weight, and draws that
are followed by it say what draws that are measured say."""

import numpy as np
import pytest

from mmreview.ml import metrics, uncertainty
from mmreview.ml.influence import influences


def drawn_opinions(n, rate=0.2, seed=0):
    rng = np.random.default_rng(seed)
    logit = 1.5 * rng.standard_normal(n) + np.log(rate / (1 - rate))
    probability = np.round(1 / (1 + np.exp(-logit)), 2)  # with ties
    truth = (rng.random(n) < probability).astype(float)
    return truth, probability, rng.integers(3, size=n)


def test_values_are_those_of_the_measures_and_influences_add_up_to_nothing():
    truth, probability, strata = drawn_opinions(400)
    found = influences(truth, probability, strata)
    measured = metrics.measure(truth, probability, strata)
    assert set(found.values) == set(uncertainty.BOUNDED)
    for name, value in found.values.items():
        assert value == pytest.approx(measured[name]), name
        assert found.each[name].sum() == pytest.approx(0, abs=1e-9)


def test_an_influence_is_how_fast_a_measure_moves_with_a_weight():
    truth, probability, strata = drawn_opinions(120)
    found = influences(truth, probability, strata)
    step = 1e-2
    for case in range(0, 120, 7):
        weights = np.ones((120, 2), np.float32)
        weights[case] = 1 + step, 1 - step
        exact = uncertainty._measures(truth, probability, strata, weights)
        for name, values in exact.items():
            slope = (values[0] - values[1]) / (2 * step)
            assert slope == pytest.approx(found.each[name][case], abs=2e-4), name


def test_followed_draws_have_the_intervals_of_measured_ones(monkeypatch):
    truth, probability, strata = drawn_opinions(2500)
    drawn = uncertainty.draws(np.array([f"p{i // 2}" for i in range(2500)]), 0)
    followed = uncertainty._measures(truth, probability, strata, drawn)
    monkeypatch.setattr(uncertainty, "_FOLLOWED", 10_000)
    measured = uncertainty._measures(truth, probability, strata, drawn)
    assert set(followed) == set(measured)
    for name in measured:
        assert np.corrcoef(measured[name], followed[name])[0, 1] > 0.99, name
        near, far = (np.ptp(uncertainty.bounds(d[name])) for d in (followed, measured))
        assert near == pytest.approx(far, rel=0.12), name


def test_rare_findings_are_measured_draw_by_draw():
    truth, probability, strata = drawn_opinions(2500, rate=0.003, seed=1)
    assert 0 < truth.sum() < 20
    drawn = uncertainty.draws(np.arange(2500).astype(str), 0)
    found = uncertainty._measures(truth, probability, strata, drawn)
    missed = (drawn[truth > 0.5] == 0).all(axis=0)
    assert np.isnan(found["recall"]).sum() == missed.sum()
