"""What a perfect model would show: on labels that really are drawn from its opinions, alike within
a group or not, it errs as much as is said, and groups of one change nothing."""

import numpy as np
import pytest

from mmreview.ml import perfection
from mmreview.ml.metrics import calibration_error, equal_bins
from mmreview.ml.perfection import Kin, kin, perfect_band, perfect_errors, spreads


def world(groups=60, most=8, findings=4, seed=0):
    """(n,) groups of 1 to ``most`` cases, (n, findings) opinions that are near within a group."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(groups), rng.integers(1, most + 1, groups))
    logits = 1.5 * rng.standard_normal((groups, findings))[member]
    logits += 0.3 * rng.standard_normal((len(member), findings))
    return member, 1 / (1 + np.exp(-logits))


def labels(probability, member, kinship, rng):
    """Labels of a patient that come from one number with a share's root for a chance."""
    shared = rng.random((member.max() + 1, probability.shape[1]))[member]
    takes = rng.random(probability.shape) < np.sqrt(kinship)
    numbers = np.where(takes, shared, rng.random(probability.shape))
    return (numbers < probability).astype(float)


def shown(truth, probability):
    return np.mean([calibration_error(t, p) for t, p in zip(truth.T, probability.T, strict=True)])


@pytest.mark.parametrize("kinship", [0.0, 0.5, 1.0])
def test_a_perfect_model_errs_as_much_as_its_labels_are_alike(kinship):
    member, probability = world()
    rng = np.random.default_rng(1)
    seen, found, once = [], [], []
    for _ in range(40):
        truth = labels(probability, member, kinship, rng)
        alike = kin(truth, probability, member)
        seen.append(shown(truth, probability))
        found.append(alike.kinship)
    alike = Kin(member, float(np.mean(found)))
    said = [perfect_errors(p, alike, seed=0)["ece_perfect"] for p in probability.T]
    once = [perfect_errors(p, seed=0)["ece_perfect"] for p in probability.T]
    assert np.mean(found) == pytest.approx(kinship, abs=0.07)
    assert np.mean(said) == pytest.approx(np.mean(seen), rel=0.05)
    if kinship:
        assert np.mean(once) < 0.92 * np.mean(seen)


@pytest.mark.parametrize(("slope", "offset"), [(0.6, 0.0), (1.7, 0.0), (1.0, 0.8)])
def test_opinions_that_mislead_are_not_excused_by_it(slope, offset):
    member, probability = world(groups=150)
    logits = slope * np.log(probability / (1 - probability)) + offset
    rng = np.random.default_rng(2)
    for kinship in (0.0, 0.3):
        found = [
            kin(labels(probability, member, kinship, rng), 1 / (1 + np.exp(-logits)), member)
            for _ in range(20)
        ]
        assert np.mean([each.kinship for each in found]) < kinship + 0.1


def test_what_a_fold_s_model_errs_by_is_no_kinship():
    member, probability = world(groups=150)
    strata = member % 5
    logits = np.log(probability / (1 - probability)) + np.linspace(-1.2, 1.2, 5)[strata, None]
    rng = np.random.default_rng(3)
    said = 1 / (1 + np.exp(-logits))
    found = [
        (kin(truth, said, member, strata).kinship, kin(truth, said, member).kinship)
        for truth in (labels(probability, member, 0.0, rng) for _ in range(15))
    ]
    known, unknown = np.mean(found, axis=0)
    assert known < 0.05 < unknown


def test_groups_of_one_case_change_nothing():
    _, probability = world()
    rng = np.random.default_rng(0)
    truth = (rng.random(probability.shape) < probability).astype(float)
    p = probability[:, 0]
    alike = kin(truth, probability, np.arange(len(p)).astype(str))
    assert alike.kinship == 0
    for of in (alike, Kin(np.arange(len(p)), 0.7)):
        assert perfect_errors(p, of, seed=3) == perfect_errors(p, seed=3)
        assert perfect_band(p, of, seed=3) == perfect_band(p, seed=3)
    gaps = p - (np.random.default_rng(3).random((400, len(p))) < p)
    sums = np.abs(gaps @ np.eye(15)[equal_bins(p)]).sum(axis=1) / len(p)
    assert perfect_errors(p, seed=3)["ece_perfect"] == pytest.approx(sums.mean(), rel=1e-4)


def test_the_spread_of_a_bin_is_that_of_drawn_labels():
    member, probability = world()
    p, rng = probability[:, 0], np.random.default_rng(4)
    bins = equal_bins(p)
    of = Kin(member, 0.6)
    drawn = np.array([
        np.bincount(bins, labels(p[:, None], member, 0.6, rng)[:, 0]) for _ in range(4000)
    ])
    assert spreads(p, bins, of) == pytest.approx(drawn.var(axis=0), rel=0.12)
    assert spreads(p, bins, None) == pytest.approx(np.bincount(bins, p * (1 - p)))


def test_of_many_labels_the_errors_follow_from_their_spread(monkeypatch):
    member, probability = world(groups=1200)
    p = probability[:, 0]
    assert len(p) > 2000
    known = [perfect_errors(p, of, seed=0) for of in (None, Kin(member, 0.8))]
    monkeypatch.setattr(perfection, "_FOLLOWED", 10_000)
    drawn = [perfect_errors(p, of, seed=0) for of in (None, Kin(member, 0.8))]
    for followed, each in zip(known, drawn, strict=True):
        for name, value in followed.items():
            assert value == pytest.approx(each[name], rel=0.08), name
    assert known[1]["ece_perfect"] > 1.3 * known[0]["ece_perfect"]


def test_an_error_falls_with_n():
    errors = []
    for n in (100, 10_000):
        probability = np.random.default_rng(1).random(n)
        error = perfect_errors(probability, seed=0)
        assert error["ece_adaptive_perfect"] == pytest.approx(error["ece_perfect"], rel=0.3)
        errors.append(error["ece_perfect"])
    assert errors[0] > 5 * errors[1]


@pytest.mark.parametrize("kinship", [0.0, 1.0])
def test_a_perfect_model_is_within_its_band(kinship):
    member, probability = world()
    p, rng = probability[:, 0], np.random.default_rng(5)
    of = Kin(member, kinship)
    low, high = perfect_band(p, of, seed=0)
    assert low < perfect_errors(p, of, seed=1)["ece_perfect"] < high
    drawn = (labels(p[:, None], member, kinship, rng)[:, 0] for _ in range(300))
    inside = np.mean([low <= calibration_error(truth, p) <= high for truth in drawn])
    assert inside == pytest.approx(0.95, abs=0.05)


def test_what_nobody_labelled_says_nothing():
    nothing = np.full((6, 2), np.nan)
    assert kin(nothing, np.full((6, 2), 0.4), np.zeros(6, int)).kinship == 0
    assert kin(np.ones((6, 2)), np.full((6, 2), 0.4), np.zeros(6, int)).kinship == 0  # one group
    assert perfect_errors(np.array([]), seed=0)["ece_perfect"] is None
    assert perfect_band(np.array([]), seed=0) is None
