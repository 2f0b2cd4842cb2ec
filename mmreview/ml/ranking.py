"""How each case moves an AUROC: the influence from which its standard error follows, with
clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.metrics import ranks

Floats = NDArray[np.float64]


def auroc_influence(
    truth: Floats, score: Floats, area: float, strata: NDArray[np.integer] | None = None
) -> Floats:
    """(n,) how far each case moves the AUROC ``area`` of these scores (pairs counted within
    strata, as ``metrics.auroc`` does). Their squares' sum is its variance; summed within patient
    groups first, that of clustered cases (DeLong, DeLong & Clarke-Pearson 1988; Obuchowski
    1997)."""
    influence = np.zeros(len(truth))
    strata = np.zeros(len(truth), np.int8) if strata is None else strata
    pairs = 0
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        positive = truth[rows] > 0.5
        p, n = int(positive.sum()), int((~positive).sum())
        if not p or not n:
            continue
        overall = ranks(score[rows])
        below = overall[positive] - ranks(score[rows][positive])
        above = p - (overall[~positive] - ranks(score[rows][~positive]))
        influence[rows[positive]] = below - area * n
        influence[rows[~positive]] = above - area * p
        pairs += p * n
    return influence / max(pairs, 1)
