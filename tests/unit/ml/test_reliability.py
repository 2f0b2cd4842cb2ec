"""Reliability curves: every case is in a bin, and a perfect model stays in its band."""

import numpy as np
import pytest

from mmreview.ml.perfection import Kin
from mmreview.ml.reliability import curve, curves
from mmreview.ml.uncertainty import Trial


def ended(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_bins_hold_every_case_once_and_their_means():
    rng = np.random.default_rng(0)
    probability = np.round(rng.random(237), 2)
    truth = (rng.random(237) < probability).astype(float)
    bins = curve(truth, probability, seed=0)
    assert len(bins) == 10
    assert sum(row[4] for row in bins) == 237
    assert sum(row[0] * row[4] for row in bins) / 237 == pytest.approx(probability.mean(), abs=1e-4)
    assert sum(row[1] * row[4] for row in bins) / 237 == pytest.approx(truth.mean(), abs=1e-4)
    means = [row[0] for row in bins]
    assert means == sorted(means)


def test_a_perfect_model_stays_in_the_band_and_a_boastful_one_does_not():
    rng = np.random.default_rng(1)
    honest = rng.random(5000)
    truth = (rng.random(5000) < honest).astype(float)
    inside = [low <= share <= high for _, share, low, high, _ in curve(truth, honest, seed=0)]
    assert sum(inside) >= 8
    boastful = np.where(honest > 0.5, 0.5 + honest / 2, honest / 2)
    outside = [low <= share <= high for _, share, low, high, _ in curve(truth, boastful, seed=0)]
    assert sum(outside) <= 3


def test_few_cases_make_few_bins_and_none_makes_none():
    assert len(curve(np.array([1.0, 0.0, 1.0]), np.array([0.2, 0.3, 0.9]), seed=0)) == 1
    assert curve(np.array([]), np.array([]), seed=0) == []


def test_findings_have_curves_of_their_own_and_one_together():
    truth = np.array([[1.0, np.nan], [0.0, 1.0]] * 10)
    trial = Trial(truth, {"fused": np.full((20, 2), 0.5)}, np.arange(20).astype(str))
    work = curves(trial, ("A", "B"), seed=0)
    found = ended(work)
    assert [found[f]["fused"][0][4] for f in ("all", "A", "B")] == [30, 20, 10]


def test_the_band_is_that_of_so_many_patients():
    rng = np.random.default_rng(2)
    member = np.repeat(np.arange(200), 5)
    said = np.repeat(rng.random(200), 5)
    truth = (np.repeat(rng.random(200), 5) < said).astype(float)
    cases = curve(truth, said, Kin(np.arange(1000), 1.0), seed=0)
    assert cases == curve(truth, said, seed=0)
    patients = curve(truth, said, Kin(member, 1.0), seed=0)
    widths = [np.mean([high - low for _, _, low, high, _ in bins]) for bins in (cases, patients)]
    assert widths[1] == pytest.approx(np.sqrt(5) * widths[0], rel=0.1)
    work = curves(Trial(truth[:, None], {"fused": said[:, None]}, member), ("A",), seed=0)
    found = ended(work)
    assert found["A"]["fused"] == found["all"]["fused"] == patients
