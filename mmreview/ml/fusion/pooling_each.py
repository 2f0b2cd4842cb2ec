"""Feature pooling with a λ for each finding: ``F_t = Σ λ_mt z_mt``, drawn to the common one.

As ``pooling``, but by hand, by cross-validation or learned for every finding: of a grid on the
simplex the λ with the least log-loss, held out (``cv``) or on all rows (``learned``). To the own
loss of a finding that of all findings is added as if it came from ``_PSEUDO`` further labels: with
ten labels it gets the common λ, with a thousand its own (shrinkage as in Efron & Morris 1975)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.fusion.pooling import LEAST_LABELS, ROWS, Problem, simplex
from mmreview.ml.fusion.shares import fitted

Floats = NDArray[np.float64]

#: How many labels the other findings count for when one chooses its λ.
_PSEUDO = 100.0
#: Steps of the grid from 0 to 1, for two modalities and for more.
_STEPS, _COARSE = 20, 10


class PoolingEach(Fusion):
    """Feature pooling with one λ a modality and finding."""

    name = "pooling-each"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """See ``fusing.Fusion``."""
        problem = Problem(material)
        count, findings = len(material.modalities), material.truth.shape[1]
        crossed = learned = np.full((count, findings), 1.0 / count)
        if problem.labels >= LEAST_LABELS and count > 1:
            small = problem.sampled(ROWS)
            grid = simplex(count, _STEPS if count == 2 else _COARSE)
            crossed = yield from _best(small, grid, held_out=True)
            learned = yield from _best(small, grid, held_out=False)
        serving = learned if weight.mode == "learned" else crossed
        yield
        served, by_cv, by_joint = (
            fitted(material, shares, weight=chosen)
            for shares, chosen in (
                (serving, weight), (crossed, LambdaChoice()), (learned, LambdaChoice())
            )
        )
        return replace(served, weights_cv=by_cv.weights, weights_learned=by_joint.weights)


def _best(
    problem: Problem, grid: list[Floats], *, held_out: bool
) -> Generator[None, None, Floats]:
    """(modalities, findings) λ of the grid; of equals the more even one."""
    grid = sorted(grid, key=lambda v: float(np.square(v - 1 / len(v)).sum()))
    losses = np.zeros((len(grid), problem.y.shape[1]))
    everything = np.ones(len(problem.y), bool)
    for row, values in enumerate(grid):
        for fold in np.unique(problem.folds) if held_out else (None,):
            inside = everything if fold is None else problem.folds == fold
            gain, bias = problem.scale(values, None if fold is None else ~inside)
            losses[row] += problem.losses(values, gain, bias, inside)
            yield
    common = losses.sum(axis=1, keepdims=True) / problem.seen.sum()
    chosen = np.argmin(losses + _PSEUDO * common, axis=0)
    return np.array(grid)[chosen].T
