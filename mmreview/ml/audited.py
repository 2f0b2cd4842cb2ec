"""How good a version is on the audit partition, however few of its cases are labelled yet.

What a card says of a version (``evaluation``) stands on cross-validation until the audit set is big
enough to judge; this stands on audit cases from the first one on, so that versions can be followed
over time on the same footing. With few cases the interval says so, and nobody is judged by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmreview.ml.uncertainty import Trial, perfect_band


def audited(
    trial: Trial, rows: Sequence[Mapping[str, Any]], together: Sequence[Mapping[str, Any]], *,
    seed: int,
) -> dict[str, Any] | None:
    """``{"cases", "labels", "positives", "auroc": {opinion: [macro AUROC, low, high]}, "ece",
    "ece_perfect": [low, high]}``, ready for JSON; None without audit labels.

    ``rows`` and ``together`` are the trial's rows (``metrics.table`` with intervals, and
    ``metrics.micro``). Low and high are None where labels are too few. The calibration error is
    that of the fused opinion over all labels together; ``ece_perfect`` holds 95 % of what a model
    that is exactly right would show with so many (Bröcker 2007).
    """
    labelled = ~np.isnan(trial.truth)
    if not labelled.any():
        return None
    auroc: dict[str, list[float | None]] = {}
    for row in rows:
        if row["finding"] == "macro" and row["auroc"] is not None:
            low, high = (row.get("intervals") or {}).get("auroc") or (None, None)
            auroc[row["opinion"]] = [row["auroc"], low, high]
    fused = trial.opinions["fused"]
    known = labelled & ~np.isnan(fused)
    [whole] = [row for row in together if row["opinion"] == "fused"] or [{"ece": None}]
    return {
        "cases": int(labelled.any(axis=1).sum()),
        "labels": int(labelled.sum()),
        "positives": int((trial.truth == 1).sum()),
        "auroc": auroc,
        "ece": whole["ece"],
        "ece_perfect": perfect_band(fused[known], seed=seed),
    }
