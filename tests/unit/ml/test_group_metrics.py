"""Measures of one class out of several are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)

from mmreview.ml.exclusive import Group
from mmreview.ml.group_metrics import BOUNDED, class_chances, measure, measure_groups
from mmreview.ml.uncertainty import Trial


@pytest.fixture
def said():
    rng = np.random.default_rng(3)
    truth = rng.choice(4, 240, p=[0.5, 0.3, 0.15, 0.05])
    chance = rng.dirichlet(np.ones(4), 240) + 0.6 * np.eye(4)[truth]
    return truth, chance / chance.sum(axis=1, keepdims=True)


def run(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_the_measures_are_those_of_scikit_learn(said):
    truth, chance = said
    found, called = measure(truth, chance), chance.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, called))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
    assert found["auroc"] == pytest.approx(
        roc_auc_score(truth, chance, multi_class="ovr", average="macro")
    )
    assert found["log_loss"] == pytest.approx(log_loss(truth, chance, labels=range(4)))
    assert found["confusion"] == confusion_matrix(truth, called).tolist()


def test_the_calibration_error_is_that_of_the_top_label(said):
    truth, chance = said
    sure, right = chance.max(axis=1), chance.argmax(axis=1) == truth
    expected = 0.0
    for bin in range(15):
        inside = (sure >= bin / 15) & (sure < (bin + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    assert measure(truth, chance)["ece"] == pytest.approx(expected)


def test_intervals_hold_the_measure_and_differences_are_paired(said):
    truth, chance = said
    worse = 0.5 * chance + 0.125
    trial = Trial(
        np.eye(4)[truth], {"fused": chance, "image": worse},
        np.array([f"p{i // 2}" for i in range(240)]),
    )
    fused, image = run(
        measure_groups(trial, (Group((0, 1, 2, 3), True, "g"),), tuple("abcd"), seed=0)
    )
    for name in BOUNDED:
        low, high = fused["intervals"][name]
        assert low < fused[name] < high
    gap, low, high = image["difference"]["log_loss"]
    assert gap == pytest.approx(fused["log_loss"] - image["log_loss"])
    assert low < gap < high < 0
    assert image["difference"]["accuracy"][0] == 0
    assert "difference" not in fused


def test_none_of_them_is_a_class_and_other_cases_do_not_count():
    truth = np.array([[1, 0], [0, 0], [0, 1], [np.nan, 0], [1, 1]] * 8, float)
    said = np.array([[0.8, 0.1], [0.1, 0.2], [0.3, 0.3], [0.5, 0.5], [0.5, 0.5]] * 8)
    trial = Trial(truth, {"fused": said}, np.array([f"p{i}" for i in range(40)]))
    [row] = run(measure_groups(trial, (Group((0, 1), False, "g"),), ("a", "b"), seed=0))
    assert row["classes"] == ["a", "b", None]
    assert row["n"] == 24
    # The third kind ties between its finding and "none": the likeliest is the one with .4 left.
    assert row["confusion"] == [[8, 0, 0], [0, 0, 8], [0, 0, 8]]
    np.testing.assert_allclose(class_chances(said, one_of=False).sum(axis=1), 1)


def test_one_class_only_has_no_measure():
    found = measure(np.zeros(5, int), np.full((5, 3), 1 / 3))
    assert found["accuracy"] is None and found["n"] == 5
