"""The measures agree with scikit-learn and are None where they are not defined."""

import numpy as np
import pytest
from sklearn import metrics as peer

from mmreview.ml import metrics


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    truth = (rng.random(200) < 0.3).astype(float)
    probability = np.round(np.clip(0.3 * truth + rng.random(200) * 0.7, 0, 1), 2)  # with ties
    return truth, probability


def test_they_agree_with_scikit_learn(scored):
    truth, probability = scored
    called = probability >= 0.5
    found = metrics.measure(truth, probability)
    assert found["auroc"] == pytest.approx(peer.roc_auc_score(truth, probability))
    assert found["ap"] == pytest.approx(peer.average_precision_score(truth, probability))
    assert found["f1"] == pytest.approx(peer.f1_score(truth, called))
    assert found["recall"] == pytest.approx(peer.recall_score(truth, called))
    assert found["accuracy"] == pytest.approx(peer.accuracy_score(truth, called))
    safe = np.clip(probability, 1e-6, 1 - 1e-6)
    assert found["log_loss"] == pytest.approx(peer.log_loss(truth, safe))
    assert found["positives"] == truth.sum()
    assert found["precision"] == pytest.approx(peer.precision_score(truth, called))
    assert found["brier"] == pytest.approx(peer.brier_score_loss(truth, probability))
    wrong, found_rate, _ = peer.roc_curve(truth, probability, drop_intermediate=False)
    best = 1 - wrong[np.argmax(found_rate >= 0.9)]
    assert found["specificity_at_90"] == pytest.approx(best)


def test_pairs_are_counted_within_strata(scored):
    truth, probability = scored
    strata = np.arange(200) % 2
    shifted = probability + 10 * strata
    within = metrics.auroc(truth, shifted, strata)
    parts = [peer.roc_auc_score(truth[strata == s], probability[strata == s]) for s in (0, 1)]
    assert min(parts) <= within <= max(parts)
    assert metrics.auroc(truth, shifted) < within


def test_calibration_error_is_zero_for_a_calibrated_opinion():
    truth = np.array([0.0, 1.0] * 50)
    assert metrics.calibration_error(truth, np.full(100, 0.5)) == pytest.approx(0)
    assert metrics.calibration_error(truth, np.full(100, 0.9)) == pytest.approx(0.4)


def test_adaptive_bins_hold_as_many_cases_each_and_keep_equal_opinions_together():
    rng = np.random.default_rng(0)
    spread = rng.random(150) ** 4
    assert np.bincount(metrics.adaptive_bins(spread)).tolist() == [10] * 15
    assert len(np.unique(metrics.adaptive_bins(np.full(40, 0.3)))) == 1


def test_micro_rows_measure_all_labels_together(scored):
    truth, probability = scored
    two = np.column_stack([truth, 1 - truth, np.full(200, np.nan)])
    opinion = np.column_stack([probability, 1 - probability, probability])
    row = metrics.micro(two, {"fused": opinion}, [0, 1])[0]
    assert row["n"] == 400
    assert row["positives"] == 200
    assert row["auroc"] == pytest.approx(
        peer.roc_auc_score(two[:, :2].ravel(), opinion[:, :2].ravel())
    )


def test_what_is_not_defined_is_none():
    found = metrics.measure(np.array([1.0, 1.0, np.nan]), np.array([0.2, 0.9, 0.5]))
    assert found["n"] == 2
    assert found["auroc"] is None
    assert found["ap"] is None
    assert found["f1"] is None
    empty = metrics.measure(np.array([np.nan]), np.array([0.5]))
    assert {empty[name] for name in metrics.MEASURES} == {None}


def test_macro_rows_average_the_same_findings(scored):
    truth, probability = scored
    table = np.column_stack([truth, np.ones(200)])
    opinions = {"fused": np.column_stack([probability] * 2), "text": np.full((200, 2), np.nan)}
    rows = metrics.table(table, opinions, ("A", "B"))
    macro = {row["opinion"]: row for row in rows if row["finding"] == "macro"}
    assert macro["fused"]["auroc"] == metrics.auroc(truth, probability)
    assert macro["text"]["auroc"] is None
