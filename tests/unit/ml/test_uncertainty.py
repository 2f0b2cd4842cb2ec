"""Intervals over patient groups: weighted measures agree with scikit-learn, differences are paired,
and the perfect model's error is that of so many patients."""

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics as peer

from mmreview.ml import metrics, uncertainty


def trial(n=300, findings=2, groups=None, noise=1.0):
    rng = np.random.default_rng(0)
    truth = (rng.random((n, findings)) < 0.4).astype(float)
    logit = 1.5 * (truth - 0.5) + noise * rng.standard_normal((n, findings))
    fused = np.round(1 / (1 + np.exp(-logit)), 2)
    worse = np.clip(fused + 0.3 * rng.standard_normal((n, findings)), 0, 1)
    groups = np.arange(n).astype(str) if groups is None else groups
    return uncertainty.Trial(truth, {"fused": fused, "image": worse}, groups)


def measured(one, findings=("A", "B")):
    rows = metrics.table(one.truth, one.opinions, findings, one.strata)
    for _ in uncertainty.add_intervals(rows, one, findings, findings, seed=0):
        pass
    return {(row["finding"], row["opinion"]): row for row in rows}


def test_a_draw_is_measured_as_scikit_learn_measures_weighted_cases():
    one = trial()
    drawn = uncertainty.draws(one.groups, 0)
    truth, score = one.truth[:, 0], one.opinions["fused"][:, 0]
    found = uncertainty._measures(truth, score, np.zeros(300, int), drawn)
    weight = drawn[:, 7]
    assert found["auroc"][7] == pytest.approx(
        peer.roc_auc_score(truth, score, sample_weight=weight), abs=1e-6
    )
    assert found["ap"][7] == pytest.approx(
        peer.average_precision_score(truth, score, sample_weight=weight), abs=1e-5
    )
    assert found["precision"][7] == pytest.approx(
        peer.precision_score(truth, score >= 0.5, sample_weight=weight), abs=1e-5
    )
    assert found["brier"][7] == pytest.approx(
        peer.brier_score_loss(truth, score, sample_weight=weight), abs=1e-5
    )


def test_intervals_hold_the_value_and_differences_are_narrower_than_their_parts():
    rows = measured(trial())
    for key in (("A", "fused"), ("macro", "image")):
        low, high = rows[key]["intervals"]["auroc"]
        assert low < rows[key]["auroc"] < high
    value, low, high = rows["macro", "image"]["difference"]["auroc"]
    assert value == pytest.approx(rows["macro", "fused"]["auroc"] - rows["macro", "image"]["auroc"])
    assert 0 < low < value < high
    parts = rows["macro", "image"]["intervals"]["auroc"]
    assert high - low < parts[1] - parts[0]
    assert "difference" not in rows["macro", "fused"]


def test_cases_of_one_patient_are_drawn_together():
    apart = measured(trial())["macro", "fused"]["intervals"]["brier"]
    one = trial(groups=(np.arange(300) // 30).astype(str))
    # The same opinions, but a patient's thirty cases come and go together, and are alike.
    order = np.argsort(one.opinions["fused"][:, 0])
    alike = uncertainty.Trial(
        one.truth[order], {k: v[order] for k, v in one.opinions.items()}, one.groups
    )
    together = measured(alike)["macro", "fused"]["intervals"]["brier"]
    assert together[1] - together[0] > 1.3 * (apart[1] - apart[0])


def test_a_perfect_model_errs_more_on_cases_that_share_a_label():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5).astype(str)
    fused = np.repeat(rng.random((60, 2)), 5, axis=0)
    truth = (np.repeat(rng.random((60, 2)), 5, axis=0) < fused).astype(float)
    said = {}
    for name, of in (("patients", groups), ("cases", np.arange(300).astype(str))):
        rows = measured(uncertainty.Trial(truth, {"fused": fused}, of))
        together = metrics.micro(truth, {"fused": fused}, [0, 1])
        for _ in uncertainty.add_micro_intervals(
            together, uncertainty.Trial(truth, {"fused": fused}, of), [0, 1], seed=0
        ):
            pass
        said[name] = [rows[f, "fused"] for f in ("A", "macro")] + together
    for patients, cases in zip(said["patients"], said["cases"], strict=True):
        for error in ("ece_perfect", "ece_adaptive_perfect"):
            assert patients[error] > 1.4 * cases[error]
        assert patients["ece"] == cases["ece"]


def test_opinions_on_other_cases_have_no_difference():
    one = trial()
    one.opinions["image"][:50] = np.nan
    rows = measured(one)
    assert rows["macro", "image"]["difference"] == {}
    assert rows["macro", "image"]["intervals"]["auroc"] is not None


def test_what_cannot_be_measured_has_no_interval():
    one = trial(n=12)
    one.truth[:, 1] = 0
    rows = measured(one)
    assert rows["B", "fused"]["intervals"]["auroc"] is None
    one.truth[:, 0] = np.nan
    assert measured(one)["A", "fused"]["ece_perfect"] is None


def test_all_labels_together_have_intervals_and_differences_too():
    one = trial()
    rows = metrics.micro(one.truth, one.opinions, [0, 1])
    for _ in uncertainty.add_micro_intervals(rows, one, [0, 1], seed=0):
        pass
    fused, image = rows
    for row in rows:
        low, high = row["intervals"]["auroc"]
        assert low < row["auroc"] < high
        assert row["ece_perfect"] > 0
    value, low, high = image["difference"]["auroc"]
    assert value == pytest.approx(fused["auroc"] - image["auroc"])
    assert 0 < low < value < high


def test_very_many_labels_together_are_not_drawn_again():
    one = trial(n=12_000)
    rows = metrics.micro(one.truth, one.opinions, [0, 1])
    assert list(uncertainty.add_micro_intervals(rows, one, [0, 1], seed=0)) == []
    assert "intervals" not in rows[0]


@pytest.mark.parametrize(("cases", "findings", "labelled"), [(20_000, 10, 300), (400, 50, 400)])
def test_micro_intervals_take_bounded_memory(cases, findings, labelled):
    """By labels, not by cases; and by as many draws as the labels of one row leave room for."""
    rng = np.random.default_rng(0)
    truth = np.full((cases, findings), np.nan)
    truth[:labelled] = rng.random((labelled, findings)) < 0.4
    opinions = {"fused": rng.random(truth.shape)}
    one = uncertainty.Trial(truth, opinions, np.arange(cases).astype(str))
    columns = list(range(findings))
    rows = metrics.micro(truth, opinions, columns, None)
    tracemalloc.start()
    for _ in uncertainty.add_micro_intervals(rows, one, columns, seed=0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    limit = 70e6 if labelled < cases else 200e6  # one array of weights is 10, a dozen are made
    assert peak < limit
    low, high = rows[0]["intervals"]["auroc"]
    assert low < rows[0]["auroc"] < high
