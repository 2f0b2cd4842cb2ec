"""What a simulated reading is measured by: patients that are held out, and macro AUROC on them.

``services.simulating`` gets it through a port, ``tests/benchmarks/label_saving.py`` uses it too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmreview.ml import folds as grouping
from mmreview.ml import metrics

#: A finding is measured where either part has so many of either kind.
LEAST = 3
_PARTS = 10


class Yardstick:
    """``domain.ports.Yardstick``."""

    def hold_out(
        self, groups: tuple[str, ...], targets: NDArray[np.float32], *, share: float, seed: int
    ) -> NDArray[np.bool_]:
        """(n,) whether a case is held out: about ``share`` of all, whole patients, with every
        finding as evenly spread as patients allow."""
        folds = grouping.assign(groups, targets, folds=_PARTS, seed=seed)
        parts = int(folds.max(initial=0)) + 1
        return folds < min(max(round(share * parts), 1), parts - 1)

    def findings(
        self, targets: NDArray[np.float32], held_out: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(findings,) which can be measured: those with enough labels of either kind on either
        side."""
        return np.logical_and.reduce(
            [
                (targets[side] == value).sum(axis=0) >= LEAST
                for side in (held_out, ~held_out)
                for value in (0, 1)
            ]
        )

    def macro_auroc(
        self, truth: NDArray[np.float32], probabilities: NDArray[np.float64] | None
    ) -> float:
        """The mean AUROC of (n, findings) probabilities; where there is no opinion (NaN, or none
        at all) cases are tied, which is worth one half."""
        if probabilities is None:
            return 0.5
        found = []
        for own, said in zip(truth.T, probabilities.T, strict=True):
            known = ~np.isnan(own)
            score = np.nan_to_num(said[known], nan=0.5)
            area = metrics.auroc(own[known].astype(np.float64), score)
            if area is not None:
                found.append(area)
        return float(np.mean(found)) if found else 0.5
