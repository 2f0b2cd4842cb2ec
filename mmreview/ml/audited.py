"""How good a version is on the audit partition, however few of its cases are labelled yet.

What a card says of a version (``evaluation``) stands on cross-validation until the audit set is big
enough to judge; this stands on audit cases from the first one on, so that versions can be followed
over time on the same footing. With few cases the interval says so, and nobody is judged by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml import metrics
from mmreview.ml.perfection import kin, perfect_band
from mmreview.ml.uncertainty import Trial, bounds, draws, ranked

Floats = NDArray[np.float64]


def audited(
    trial: Trial, *, seed: int, macros: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any] | None:
    """``{"cases", "labels", "positives", "auroc": {opinion: [macro AUROC, low, high]}, "ece",
    "ece_perfect": [low, high]}``, ready for JSON; None without audit labels.

    Macro AUROC is the mean over the findings on which every opinion can be measured
    (``metrics.comparable_findings``), low and high are the middle 95 % of a bootstrap over
    patients, None where labels are too few. The calibration error is that of the fused opinion over
    all labels together; ``ece_perfect`` holds 95 % of what a model that is exactly right would show
    with so many, as alike within a patient as these are (``perfection``). ``macros`` are the macro
    rows of ``metrics.table`` with intervals, by opinion, where these were made for the same trial.
    """
    labelled = ~np.isnan(trial.truth)
    if not labelled.any():
        return None
    fused = trial.opinions["fused"]
    known = labelled & ~np.isnan(fused)
    truth, probability = trial.truth[known], fused[known]
    alike = kin(truth[:, None], probability[:, None], trial.groups[np.nonzero(known)[0]])
    return {
        "cases": int(labelled.any(axis=1).sum()),
        "labels": int(labelled.sum()),
        "positives": int((trial.truth == 1).sum()),
        "auroc": _macros(trial, draws(trial.groups, seed)) if macros is None else _told(macros),
        "ece": metrics.calibration_error(truth, probability),
        "ece_perfect": perfect_band(probability, alike, seed=seed),
    }


def _told(macros: Mapping[str, Mapping[str, Any]]) -> dict[str, list[float | None]]:
    return {
        name: [row["auroc"], *((row.get("intervals") or {}).get("auroc") or (None, None))]
        for name, row in macros.items()
        if row["auroc"] is not None
    }


def _macros(trial: Trial, drawn: NDArray[np.float32]) -> dict[str, list[float | None]]:
    values: dict[str, dict[int, float]] = {name: {} for name in trial.opinions}
    for name, opinion in trial.opinions.items():
        for t in range(trial.truth.shape[1]):
            rows = ~np.isnan(trial.truth[:, t]) & ~np.isnan(opinion[:, t])
            value = metrics.auroc(trial.truth[rows, t], opinion[rows, t])
            if value is not None:
                values[name][t] = value
    able = [set(found) for found in values.values() if found]
    common = sorted(set.intersection(*able)) if able else []
    result: dict[str, list[float | None]] = {}
    for name, opinion in trial.opinions.items():
        if common and values[name]:
            mean = float(np.mean([values[name][t] for t in common]))
            limits = bounds(macro_draws(trial.truth, opinion, drawn, common))
            result[name] = [mean, *(limits or (None, None))]
    return result


def macro_draws(
    truth: Floats, opinion: Floats, drawn: NDArray[np.float32], columns: list[int]
) -> Floats:
    """(draws,) macro AUROC over these findings, of each draw over those that it defines; NaN where
    it defines none."""
    found = []
    for t in columns:
        rows = ~np.isnan(truth[:, t]) & ~np.isnan(opinion[:, t])
        strata = np.zeros(int(rows.sum()), int)
        positive = truth[rows, t] > 0.5
        found.append(ranked(positive, opinion[rows, t], strata, drawn[rows])["auroc"])
    values = np.stack(found)
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
