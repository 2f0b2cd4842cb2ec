"""Feature pooling in finding space: ``F = Σ λ_m z_m``, ``logits = W·F + b``.

``z_m`` projects modality m's features onto the findings: its head, cross-fitted and calibrated,
less the prior. ``W`` is diagonal and ``b`` small: both are drawn to the identity as a few
observations would, so that with few labels this is a weighted mean of two calibrated opinions,
and with many it can add up evidence that is independent (W towards the number of modalities).

One λ for the whole project, on the simplex: by hand; by cross-validation (a grid, held-out
log-loss by patient group); or learned together with W and b (alternating Newton steps, each a
convex problem). ``pooling_each`` gives every finding its own.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import fit_scale, sigmoid
from mmreview.ml.fusion.additive import AdditiveFusion, even_weights, manual_weights
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material

Floats = NDArray[np.float64]

#: How many observations the identity counts for when W and b are fitted.
_PSEUDO = 50.0
#: Fewer labels on complete cases than this leave the weights even.
LEAST_LABELS = 20
#: Rows on which λ is chosen at most; W and b use all.
ROWS = 1500
_ROUNDS = 20
#: Steps of the grid from 0 to 1.
_STEPS = 10


class Pooling(Fusion):
    """Feature pooling with one λ a modality."""

    name = "pooling"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """See ``fusion.Fusion``."""
        problem = Problem(material)
        even = even_weights(material.modalities)
        crossed, learned = even, even
        if problem.labels >= LEAST_LABELS and len(material.modalities) > 1:
            small = problem.sampled(ROWS)
            crossed = yield from _cross_validated(small)
            learned = yield from _learned(small, even)
        if weight.mode == "manual" and weight.value is not None:
            serving: Mapping[str, float] = manual_weights(material.modalities, weight.value)
        else:
            serving = learned if weight.mode == "learned" else crossed
        gain, bias = problem.scale(problem.values(serving))
        yield
        return AdditiveFusion(serving, crossed, learned, gain, bias)


class Problem:
    """Material as dense arrays: ``z`` (modalities, n, findings), ``y`` and ``seen`` (n, findings).
    """

    def __init__(self, material: Material) -> None:
        self.modalities = material.modalities
        self.z = np.stack([material.evidence[m] for m in material.modalities])
        self.seen = (~np.isnan(material.truth)).astype(np.float64)
        self.y = np.nan_to_num(material.truth)
        self.prior = material.prior
        self.folds = material.folds
        self.taught = np.stack([material.taught[m] for m in material.modalities])

    @property
    def labels(self) -> int:
        """How many there are."""
        return int(self.seen.sum())

    def sampled(self, rows: int) -> Problem:
        """At most ``rows`` rows, evenly spread."""
        if len(self.y) <= rows:
            return self
        chosen = np.linspace(0, len(self.y) - 1, rows).astype(int)
        part = object.__new__(Problem)
        part.modalities, part.prior, part.taught = self.modalities, self.prior, self.taught
        part.z = self.z[:, chosen]
        part.y, part.seen, part.folds = self.y[chosen], self.seen[chosen], self.folds[chosen]
        return part

    def values(self, weights: Mapping[str, float]) -> Floats:
        """(modalities,) weights in their order."""
        return np.array([weights[m] for m in self.modalities])

    def pooled(self, values: Floats) -> Floats:
        """``F``: (n, findings)."""
        return np.tensordot(values, self.z, axes=1)

    def centre(self, values: Floats) -> Floats:
        """What the identity is for each finding: where only some modalities have a head, the
        gain undoes the share that λ gives to the silent ones."""
        heard = values @ self.taught
        return np.where(heard > 0.05, 1.0 / np.maximum(heard, 0.05), 1.0)

    def scale(self, values: Floats, rows: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """W and b given λ (on some rows)."""
        pooled, y, seen = self.pooled(values), self.y, self.seen
        if rows is not None:
            pooled, y, seen = pooled[rows], y[rows], seen[rows]
        gain, bias = fit_scale(
            pooled, y, seen, base=self.prior, centre=self.centre(values), pseudo=_PSEUDO
        )
        heard = self.taught.any(axis=0)  # without any head the opinion is the prior
        return np.where(heard, np.maximum(gain, 0.0), 1.0), np.where(heard, bias, 0.0)

    def loss(self, values: Floats, gain: Floats, bias: Floats, rows: NDArray[np.bool_]) -> float:
        """Summed log-loss of some rows."""
        return float(self.losses(values, gain, bias, rows).sum())

    def losses(self, values: Floats, gain: Floats, bias: Floats, rows: NDArray[np.bool_]) -> Floats:
        """(findings,) summed log-losses of some rows."""
        logits = self.prior + bias + gain * self.pooled(values)[rows]
        losses = np.logaddexp(0, logits) - self.y[rows] * logits
        return (self.seen[rows] * losses).sum(axis=0)


def _cross_validated(problem: Problem) -> Generator[None, None, dict[str, float]]:
    """The λ of the grid with the least held-out log-loss; ties go to the more even one."""
    count = len(problem.modalities)
    folds = np.unique(problem.folds)
    best, best_loss = np.full(count, 1 / count), np.inf
    tried: set[bytes] = set()
    for candidates in (simplex(count), None):  # a grid, then finer around its best
        near = candidates if candidates is not None else _neighbours(best)
        for values in sorted(near, key=lambda v: float(np.square(v - 1 / count).sum())):
            if values.tobytes() in tried:
                continue
            tried.add(values.tobytes())
            total = 0.0
            for fold in folds:
                inside = problem.folds == fold
                gain, bias = problem.scale(values, ~inside)
                total += problem.loss(values, gain, bias, inside)
                yield
            if total < best_loss - 1e-9:
                best, best_loss = values, total
    return dict(zip(problem.modalities, best.tolist(), strict=True))


def simplex(count: int, steps: int = _STEPS) -> list[Floats]:
    """Weights that sum to 1, in steps of .1."""
    heads = product(range(steps + 1), repeat=count - 1)
    return [np.array([*head, steps - sum(head)]) / steps for head in heads if sum(head) <= steps]


def _neighbours(values: Floats) -> list[Floats]:
    """Half a grid step moved from one modality to another, in every way that stays in range."""
    half = 0.5 / _STEPS
    found = []
    for giver, taker in permutations(range(len(values)), 2):
        if values[giver] >= half:
            moved = values.copy()
            moved[giver] -= half
            moved[taker] += half
            found.append(np.round(moved, 10))
    return found


def _learned(
    problem: Problem, start: Mapping[str, float]
) -> Generator[None, None, dict[str, float]]:
    """λ, W and b together: W and b by Newton given λ, then λ by a Newton step on the simplex."""
    values = problem.values(start)
    count = len(values)
    pull = _PSEUDO * 0.25 * float((problem.seen * problem.z**2).sum() / problem.seen.sum())
    for _ in range(_ROUNDS):
        gain, bias = problem.scale(values)
        yield
        rate = sigmoid(problem.prior + bias + gain * problem.pooled(values))
        scaled = problem.z * gain
        gradient = np.tensordot(scaled, problem.seen * (rate - problem.y), axes=([1, 2], [0, 1]))
        gradient += pull * (values - 1 / count)
        bent = scaled * (problem.seen * rate * (1 - rate))
        hessian = np.tensordot(bent, scaled, axes=([1, 2], [1, 2])) + pull * np.eye(count)
        # Newton in the plane Σ λ = 1 (a Lagrange multiplier), then back onto the simplex.
        system = np.block([[hessian, np.ones((count, 1))], [np.ones((1, count)), np.zeros((1, 1))]])
        move = np.linalg.solve(system, np.append(-gradient, 0.0))[:count]
        moved = np.maximum(values + move, 0.0)
        moved /= moved.sum()
        done = float(np.abs(moved - values).max()) < 1e-4
        values = moved
        yield
        if done:
            break
    return dict(zip(problem.modalities, values.tolist(), strict=True))
