"""How good an opinion is: AUROC, average precision, F1, precision, recall, specificity, accuracy,
Brier score, calibration errors, log-loss. How sure that is, ``uncertainty`` says.

Every measure is ``None`` where it is not defined (one kind of label only). Ranking measures can be
counted within ``strata``: out-of-fold scores of different folds come from different models, and
ranking across them is biased low (first measurements: .50 where .54 is true).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The measures of a row of ``evaluate``, in its order.
MEASURES = (
    "auroc", "ap", "f1", "precision", "recall", "specificity_at_90", "accuracy", "brier", "ece",
    "ece_adaptive", "log_loss",
)
#: Bins of both calibration errors.
BINS = 15
#: The sensitivity at which specificity is told: most of what is present must be found.
SENSITIVITY = 0.9


def auroc(truth: Floats, score: Floats, strata: NDArray[np.integer] | None = None) -> float | None:
    """The share of (present, absent) pairs that ``score`` puts in order, ties half; pairs are
    counted within a stratum. None without a pair."""
    won, pairs = 0.0, 0.0
    for one in _strata(truth, strata):
        positive = truth[one] > 0.5
        p, n = int(positive.sum()), int((~positive).sum())
        if p and n:
            won += float(ranks(score[one])[positive].sum()) - p * (p + 1) / 2
            pairs += p * n
    return won / pairs if pairs else None


def average_precision(
    truth: Floats, score: Floats, strata: NDArray[np.integer] | None = None
) -> float | None:
    """Σ (recall step × precision) as scikit-learn defines it, the mean over strata weighted by
    their positives. None without a positive and a negative."""
    total, positives = 0.0, 0
    for one in _strata(truth, strata):
        positive = truth[one] > 0.5
        if not positive.any() or positive.all():
            continue
        order = np.argsort(-score[one], kind="stable")
        hits = np.cumsum(positive[order])
        last = np.append(np.diff(score[one][order]) != 0, True)  # ties share one threshold
        hits, seen = hits[last], np.flatnonzero(last) + 1
        total += float((np.diff(hits, prepend=0) * hits / seen).sum())
        positives += int(positive.sum())
    return total / positives if positives else None


def specificity_at(
    truth: Floats, score: Floats, strata: NDArray[np.integer] | None = None
) -> float | None:
    """The share of the absent that is let go at the highest threshold that still finds
    ``SENSITIVITY`` of the present; the mean over strata weighted by their absent. None without
    both kinds."""
    total, negatives = 0.0, 0
    for one in _strata(truth, strata):
        positive = truth[one] > 0.5
        absent = int((~positive).sum())
        if not positive.any() or not absent:
            continue
        present = np.sort(score[one][positive])[::-1]
        threshold = present[math.ceil(SENSITIVITY * len(present) - 1e-9) - 1]
        total += int((score[one][~positive] < threshold).sum())
        negatives += absent
    return total / negatives if negatives else None


def equal_bins(probability: Floats) -> NDArray[np.intp]:
    """The bin of each probability: 15 of equal width (Guo 2017)."""
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)


def adaptive_bins(probability: Floats) -> NDArray[np.intp]:
    """The bin of each probability: 15 of (nearly) equal numbers of cases (Nixon 2019). Opinions
    that are the same share a bin."""
    n = len(probability)
    _, first, inverse = np.unique(np.sort(probability), return_index=True, return_inverse=True)
    bins = np.empty(n, np.intp)
    bins[np.argsort(probability, kind="stable")] = (first * BINS // max(n, 1))[inverse]
    return bins


def calibration_error(
    truth: Floats, probability: Floats, bins: NDArray[np.intp] | None = None
) -> float | None:
    """Expected calibration error over ``bins`` (15 equal ones if not given)."""
    if not len(truth):
        return None
    index = equal_bins(probability) if bins is None else bins
    gaps = np.bincount(index, weights=probability - truth, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


def element_log_loss(truth: Floats, probability: Floats) -> Floats:
    """Log-loss in nats of each opinion; probabilities are kept 1e-6 away from certainty."""
    safe = np.clip(probability, 1e-6, 1 - 1e-6)
    return -(truth * np.log(safe) + (1 - truth) * np.log(1 - safe))


def measure(
    truth: Floats, probability: Floats, strata: NDArray[np.integer] | None = None
) -> dict[str, Any]:
    """Every measure of one opinion on one finding; NaN truths or opinions are left out.

    Returns ``positives``, ``n`` and each of ``MEASURES`` (threshold .5 where one is needed).
    """
    known = ~np.isnan(truth) & ~np.isnan(probability)
    truth, probability = truth[known], probability[known]
    strata = None if strata is None else strata[known]
    positive, called = truth > 0.5, probability >= 0.5
    hits = int((positive & called).sum())
    positives, n = int(positive.sum()), len(truth)
    wrong = int((positive != called).sum())
    called_count = int(called.sum())
    both = 0 < positives < n
    return {
        "positives": positives,
        "n": n,
        "auroc": auroc(truth, probability, strata),
        "ap": average_precision(truth, probability, strata),
        "f1": 2 * hits / (2 * hits + wrong) if both else None,
        "precision": hits / called_count if called_count else None,
        "recall": hits / positives if positives else None,
        "specificity_at_90": specificity_at(truth, probability, strata),
        "accuracy": 1 - wrong / n if n else None,
        "brier": float(np.square(probability - truth).mean()) if n else None,
        "ece": calibration_error(truth, probability),
        "ece_adaptive": calibration_error(truth, probability, adaptive_bins(probability)),
        "log_loss": float(element_log_loss(truth, probability).mean()) if n else None,
    }


def mean_of(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The macro row: the mean of each measure over the findings where AUROC is defined."""
    rows = [row for row in rows if row["auroc"] is not None]
    means: dict[str, Any] = {
        name: _mean([row[name] for row in rows if row[name] is not None]) for name in MEASURES
    }
    means["positives"] = sum(row["positives"] for row in rows)
    means["n"] = max((row["n"] for row in rows), default=0)
    return means


def table(
    truth: Floats,
    opinions: Mapping[str, Floats],
    findings: tuple[str, ...],
    strata: NDArray[np.integer] | None = None,
) -> list[dict[str, Any]]:
    """A row for each finding and opinion, then the ``macro`` rows. ``opinions`` are (n, findings)
    probabilities, NaN where there is none. Macro rows average the findings that every opinion can
    be measured on, so that they compare (an opinion that never can does not count)."""
    rows = [
        {"finding": finding, "opinion": name, **measure(truth[:, t], values[:, t], strata)}
        for t, finding in enumerate(findings)
        for name, values in opinions.items()
    ]
    common = comparable_findings(rows, findings)
    means = [
        {
            "finding": "macro",
            "opinion": name,
            **mean_of([r for r in rows if r["opinion"] == name and r["finding"] in common]),
        }
        for name in opinions
    ]
    return rows + means


def comparable_findings(
    rows: Sequence[Mapping[str, Any]], findings: Sequence[str]
) -> tuple[str, ...]:
    """The findings on which every opinion that ever can be measured is measured."""
    measured: dict[str, set[str]] = {row["opinion"]: set() for row in rows}
    for row in rows:
        if row["auroc"] is not None:
            measured[row["opinion"]].add(row["finding"])
    common = set(findings).intersection(*(found for found in measured.values() if found))
    return tuple(finding for finding in findings if finding in common)


def micro(
    truth: Floats,
    opinions: Mapping[str, Floats],
    columns: Sequence[int],
    strata: NDArray[np.integer] | None = None,
) -> list[dict[str, Any]]:
    """A row for each opinion over all labels of some findings together, as if they were one."""
    repeated = None if strata is None else np.repeat(strata, len(columns))
    chosen = list(columns)
    return [
        {
            "finding": "micro",
            "opinion": name,
            **measure(truth[:, chosen].ravel(), values[:, chosen].ravel(), repeated),
        }
        for name, values in opinions.items()
    ]


def _strata(truth: Floats, strata: NDArray[np.integer] | None) -> list[NDArray[np.intp]]:
    if strata is None:
        return [np.arange(len(truth))]
    return [np.flatnonzero(strata == value) for value in np.unique(strata)]


def ranks(score: Floats) -> Floats:
    """Ranks from 1, ties share their mean."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return (upper - (counts - 1) / 2)[inverse]


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
