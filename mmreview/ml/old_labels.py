"""What a round did to the labels that the version before it knew: finding by finding.

New labels must not be paid for with old ones. The labels that the parent had learned, and that
nobody has changed since, are judged twice by models that have not seen the patient: by the parent's
twin of the patient's fold and by the new one's. ``trainer`` keeps it with the version
(``metrics["old_labels"]``); the window shows it beside the measures. The gate decides elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.labels import LabelTable
from mmreview.ml.champion import unseen
from mmreview.ml.metrics import auroc, element_log_loss
from mmreview.ml.recipe import Ancestor, Fitted
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

#: So many cases are judged again, drawn where there are more.
_MOST = 3_000
#: Standard errors to either side of a difference: 95 %.
_WIDE = 1.96
#: Fewer patients have no interval.
_LEAST_PATIENTS = 5


def change_on_old_labels(
    samples: Samples, fitted: Fitted, ancestor: Ancestor, known: LabelTable, *,
    findings: tuple[str, ...], seed: int, by_twins: bool = True,
) -> dict[str, dict[str, Any]]:
    """By finding ``{"cases", "positives", "log_loss": [before, after], "difference": [after less
    before, low, high], "auroc": [before, after]}`` of the fused opinion; findings without such a
    label are left out, ``auroc`` holds None where one class is missing.

    Without ``by_twins``, where they are the parent's still (``renewal``), the versions themselves
    judge, both of which have learned these labels.

    Low and high, None where patients are few, are 95 % of a mean over patients (a ratio's
    linearised variance, Liang & Zeger 1986). Log-loss in nats.
    """
    assert fitted.held_out is not None
    truth = old_truths(samples, known)
    rows = np.flatnonzero((~np.isnan(truth)).any(axis=1))
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST, replace=False))
    if not len(rows):
        return {}
    truth = truth[rows]
    if by_twins:
        before = unseen(ancestor, samples, rows)
        after = fitted.held_out.probabilities["fused"][rows]
    else:
        asked = samples.take(rows)
        before, after = (
            models[0].opinions(asked.features, asked.present).probabilities["fused"]
            for models in (ancestor.models, fitted.models)
        )
    _, patient = np.unique(samples.groups[rows], return_inverse=True)
    strata = fitted.folds[rows]
    found = {}
    for column, finding in enumerate(findings):
        inside = ~np.isnan(truth[:, column] + before[:, column] + after[:, column])
        if inside.any():
            label, old, new = (a[inside, column] for a in (truth, before, after))
            losses = [element_log_loss(label, opinion) for opinion in (old, new)]
            found[finding] = {
                "cases": int(inside.sum()),
                "positives": int(label.sum()),
                "log_loss": [float(loss.mean()) for loss in losses],
                "difference": _mean_over_patients(losses[1] - losses[0], patient[inside]),
                "auroc": [auroc(label, opinion, strata[inside]) for opinion in (old, new)],
            }
    return found


def old_truths(samples: Samples, known: LabelTable) -> Floats:
    """(n, findings) truths that judge the fused opinion, where ``known`` has the same; else NaN."""
    place = np.searchsorted(known.keys, samples.keys)
    place = np.minimum(place, max(len(known.keys) - 1, 0))
    if not len(known.keys):
        return np.full(samples.targets.shape, np.nan)
    there = known.keys[place] == samples.keys
    same = there[:, None] & (known.targets[place] == samples.targets)
    return np.where(same, samples.judged, np.nan)


def _mean_over_patients(values: Floats, patient: NDArray[np.intp]) -> list[float | None]:
    """The mean of a value a case, and its bounds where a patient's cases go together; None for the
    bounds where too few patients are known."""
    mean = float(values.mean())
    patients, place = np.unique(patient, return_inverse=True)
    if len(patients) < _LEAST_PATIENTS:
        return [mean, None, None]
    sums = np.bincount(place, weights=values - mean)
    spread = np.square(sums).sum() * len(patients) / (len(patients) - 1)
    error = _WIDE * float(np.sqrt(spread)) / len(values)
    return [mean, mean - error, mean + error]
