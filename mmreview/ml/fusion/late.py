"""Late fusions that the field compares with: the average weighted by skill, and stacking.

Both work on the calibrated logits, so that their contributions are exact sums as well. They are
baselines: on small data both lost to the better modality of many findings (first measurements).
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import sigmoid
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.fusion.shares import evidence, fitted, skill

Floats = NDArray[np.float64]

#: How many observations the equal weights count for in stacking.
_PSEUDO = 20.0
_STEPS = 12


class WeightedAverage(Fusion):
    """Each finding's modalities weighed by the part of the entropy that each explains."""

    name = "weighted"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """See ``fusion.Fusion``. Every mode but ``manual`` serves the weights by skill."""
        shares = skill(material, np.ones(len(material.truth), bool))
        yield
        return fitted(material, shares, weight=weight)


class Stacking(Fusion):
    """A logistic regression on the modalities' evidence, each finding for itself (Wolpert 1992),
    with the weights drawn to equal ones and kept from being negative."""

    name = "stacking"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """See ``fusion.Fusion``. Every mode but ``manual`` serves the stacked weights."""
        signals = evidence(material)
        coefficients = np.empty((len(signals), material.truth.shape[1]))
        for t in range(coefficients.shape[1]):
            coefficients[:, t] = _stacked(signals[:, :, t].T, material.truth[:, t],
                                          float(material.prior[t]))
            yield
        sums = coefficients.sum(axis=0)
        even = 1.0 / len(signals)
        usable = sums > 1e-6
        shares = np.where(usable, coefficients / np.where(usable, sums, 1.0), even)
        return fitted(material, shares, weight=weight, sums=np.where(usable, sums, 1.0))


def _stacked(signals: Floats, truth: Floats, prior: float) -> Floats:
    """(modalities,) weights of (n, modalities) evidence, with an offset, by Newton's method."""
    known = ~np.isnan(truth)
    even = 1.0 / signals.shape[1]
    if not known.any():
        return np.full(signals.shape[1], even)
    design = np.column_stack([signals[known], np.ones(int(known.sum()))])
    centre = np.append(np.full(signals.shape[1], even), 0.0)
    pull = _PSEUDO * 0.25 * np.maximum(np.square(design).mean(axis=0), 1e-6)
    point = centre.copy()
    for _ in range(_STEPS):
        rate = sigmoid(prior + design @ point)
        gradient = design.T @ (rate - truth[known]) + pull * (point - centre)
        bent: NDArray[np.float64] = design * (rate * (1 - rate))[:, None]
        point = point - np.linalg.solve(design.T @ bent + np.diag(pull), gradient)
    return np.maximum(point[:-1], 0.0)
