"""Sizes that hold what they promise, and a draw that gives every patient the same chance."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mmreview.domain.audit_sets import (
    AuditDrawInvalid,
    AuditSetTooFew,
    Candidate,
    cases_for_auroc,
    cases_for_margin,
    design_effect,
    drawn,
    half_width,
)


def test_the_proposed_size_reaches_its_precision():
    for precision in (0.03, 0.05, 0.1):
        cases = cases_for_auroc(precision, auroc=0.85, prevalence=0.2)
        for more, fits in ((0, True), (-1, False)):
            n = cases + more
            found = half_width(0.85, positives=0.2 * n, negatives=0.8 * n)
            assert (found <= precision) is fits
    assert cases_for_auroc(0.03, auroc=0.85, prevalence=0.2) > 2 * cases_for_auroc(
        0.05, auroc=0.85, prevalence=0.2
    )


def test_the_interval_is_as_wide_as_auroc_varies():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        truth = np.repeat([1, 0], (40, 160))
        # Exponential scores, for which the formula is exact: an AUROC of .85.
        score = rng.exponential(np.where(truth == 1, 0.85 / 0.15, 1.0))
        found.append(roc_auc_score(truth, score))
    assert np.mean(found) == pytest.approx(0.85, abs=0.01)
    expected = half_width(0.85, positives=40, negatives=160)
    assert 1.96 * np.std(found) == pytest.approx(expected, rel=0.1)


def test_an_equally_good_version_gets_through_as_often_as_planned():
    cases = cases_for_margin(delta=0.05, spread=0.3, alpha=0.01)
    rng = np.random.default_rng(1)
    gaps = rng.normal(0, 0.3, (2000, cases))
    upper = gaps.mean(axis=1) + 2.326 * gaps.std(axis=1) / np.sqrt(cases)
    assert (upper < 0.05).mean() == pytest.approx(0.95, abs=0.02)


def test_cases_of_one_patient_count_less():
    assert design_effect([]) == 1
    assert design_effect([1, 1, 1]) == 1
    assert design_effect([4, 4]) == 4
    assert design_effect([1, 3]) == pytest.approx(10 / 4)


@pytest.mark.parametrize("precision", [0, -1, 0.001, 0.6])
def test_a_precision_that_nothing_could_reach_is_refused(precision):
    with pytest.raises(AuditDrawInvalid) as refused:
        cases_for_auroc(precision, auroc=0.85, prevalence=0.2)
    assert refused.value.code == "error.audit_precision_invalid"


def patients(count):
    return [
        Candidate(f"p{n:03d}", 1 + n % 3, has_image=n % 4 > 0, has_report=n % 5 > 0)
        for n in range(count)
    ]


def test_a_draw_holds_whole_patients_of_every_kind():
    pool = patients(240)
    chosen = drawn(pool, 120, seed="s")
    assert 120 <= sum(c.cases for c in chosen) <= 125
    assert len({c.group for c in chosen}) == len(chosen)
    assert chosen == drawn(pool[::-1], 120, seed="s")
    assert chosen != drawn(pool, 120, seed="t")
    for kind in ("has_image", "has_report"):
        share, whole = (
            sum(getattr(c, kind) for c in cases) / len(cases) for cases in (chosen, pool)
        )
        assert share == pytest.approx(whole, abs=0.05)


def test_every_patient_has_the_same_chance():
    pool = patients(60)
    counts = dict.fromkeys((c.group for c in pool), 0)
    for seed in range(400):
        for candidate in drawn(pool, 30, seed=str(seed)):
            counts[candidate.group] += 1
    shares = np.array(list(counts.values())) / 400
    assert shares.min() > 0.15
    assert shares.max() < 0.4
    single, triple = (
        np.mean([s for s, c in zip(shares, pool, strict=True) if c.cases == n]) for n in (1, 3)
    )
    assert single == pytest.approx(triple, abs=0.03)


def test_what_is_not_there_cannot_be_drawn():
    pool = patients(6)
    assert len(drawn(pool, 12, seed="s")) == 6
    with pytest.raises(AuditSetTooFew) as refused:
        drawn(pool, 13, seed="s")
    assert refused.value.params == {"wanted": 13, "available": 12}
    with pytest.raises(AuditDrawInvalid):
        drawn(pool, 0, seed="s")
