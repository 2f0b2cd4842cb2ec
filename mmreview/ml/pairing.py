"""Do image and report belong together? What matched pairs look like, and a head that tells them
from pairs of strangers.

*Conflict* has a null distribution: the Jensen-Shannon divergences of matched training pairs, by
models that have not seen them. A case's conflict is then said as the share of matched pairs that
have a smaller one.

*Wrong pair* is a bilinear score of the two features, ``xᵀ W y``: kernel ridge regression of
"matched" over all pairs of training images and reports, which in principal axes has the closed form
``W = cov(x, y) / (var(x) var(y) + λ/n)`` (a regularised canonical correlation; Hotelling 1936).
Its value, its cosine, and how well the two opinions on the findings agree enter a logistic
regression fitted on held-out matched pairs and mismatches, which are never of one patient group.
The bundle holds projections only, no row of any patient.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.ml.calibration import sigmoid
from mmreview.ml.metrics import auroc
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

#: Fewer complete pairs than this say nothing about pairs.
LEAST_PAIRS = 60
#: How likely a report is to belong to another patient before anybody looked: one in twenty. A
#: stated prior, on the generous side, not an estimate.
PRIOR = 0.05
#: Levels at which the null distribution is kept: steps of half a percent.
_LEVELS = 201
_MOST_PAIRS, _MISMATCHES = 1200, 4
#: Rows that principal axes are found on, and how many axes and canonical pairs are kept.
_BASIS_ROWS, _AXES, _RANK = 400, 160, 40
#: λ, as a share of the typical variance.
_RIDGE = 0.1
_PULL = 3.0
#: Rows that are projected at once: they stay in a core's cache.
_BLOCK = 64
#: A head is fitted again once there are this many times the pairs that there were.
_AGAIN = 1.1
#: A side's arrays, as a bundle names them.
_PARTS = ("mean", "scale", "axes", "offset")


@dataclass(frozen=True)
class ConflictNull:
    """(findings, levels) quantiles in bits of matched pairs' conflicts, NaN without one, and
    (levels,) those of each case's largest."""

    findings: Floats
    largest: Floats

    def rank(self, position: int, bits: float) -> float | None:
        """The share of matched pairs with a smaller conflict on a finding; None if unknown."""
        return _rank(self._lists[position], bits)

    def largest_rank(self, bits: float) -> float | None:
        """The share of matched pairs whose largest conflict is smaller."""
        return _rank(self._lists[-1], bits)

    def largest_ranks(self, bits: Floats) -> Floats:
        """``largest_rank`` of (n,) conflicts; NaN stays NaN."""
        return np.where(np.isnan(bits), np.nan, np.searchsorted(self.largest, bits) / _LEVELS)

    def exceeded(self, rank: float) -> Floats:
        """(findings,) bits above which a conflict has this ``rank``; NaN where none is known."""
        return self.findings[:, math.ceil(rank * _LEVELS) - 1]

    @cached_property
    def _lists(self) -> list[list[float]]:
        """All quantiles, the largest's last: one lookup in a list is quicker than in an array."""
        return [*self.findings.tolist(), self.largest.tolist()]


@dataclass(frozen=True)
class _Side:
    """How one modality's features become canonical coordinates: standardise, scale to length 1,
    project."""

    mean: Array
    scale: Array
    axes: Array
    offset: Array

    def project(self, features: Array) -> Floats:
        """(n, rank) coordinates of (n, width) features."""
        found = np.empty((len(features), self.axes.shape[1]))
        for begin in range(0, len(features), _BLOCK):
            rows = features[begin : begin + _BLOCK] - self.mean
            rows *= self.scale
            # Scaled after the product: there are fewer coordinates than features.
            length = np.sqrt(np.vecdot(rows, rows))[:, None]
            found[begin : begin + _BLOCK] = (rows @ self.axes) / np.maximum(length, 1e-9)
        return found - self.offset


@dataclass(frozen=True)
class PairHead:
    """A fitted compatibility head. ``weights`` (scores,) and ``bias`` give the logit of *wrong* at
    even odds; ``measured`` is its held-out AUROC on swapped reports."""

    image: _Side
    text: _Side
    weights: Floats
    bias: float
    pairs: int
    measured: float

    def wrong(
        self, features: Mapping[str, Array], logits: Mapping[str, Floats], prior: Floats
    ) -> Floats:
        """(n,) probabilities that image and report are of different patients, under ``PRIOR``.
        ``logits`` are each modality's calibrated ones; the rows must have both."""
        scores = _scores(
            self.image.project(features[IMAGE]), self.text.project(features[TEXT]),
            logits[IMAGE], logits[TEXT], prior,
        )
        return sigmoid(scores @ self.weights + self.bias + np.log(PRIOR / (1 - PRIOR)))


@dataclass(frozen=True)
class PairEvidence:
    """What a version knows of pairs; either is None where there were too few."""

    conflict: ConflictNull | None = None
    head: PairHead | None = None

    def wrong(
        self, features: Mapping[str, Array], present: Mapping[str, NDArray[np.bool_]],
        logits: Mapping[str, Floats], prior: Floats,
    ) -> Floats:
        """(n,) probabilities that image and report are of different patients; NaN where a case
        lacks one, or where nothing is known of pairs."""
        found = np.full(len(next(iter(present.values()))), np.nan)
        if self.head is None:
            return found
        both = present[IMAGE] & present[TEXT]
        if both.all():
            return self.head.wrong(features, logits, prior)
        if both.any():
            part = {m: features[m][both] for m in (IMAGE, TEXT)}
            voices = {m: logits[m][both] for m in (IMAGE, TEXT)}
            found[both] = self.head.wrong(part, voices, prior)
        return found


@dataclass(frozen=True)
class Earlier:
    """The head of the version before, and of how many pairs it knows (0: it does not say)."""

    head: PairHead | None = None
    complete: int = 0

    def serves(self, complete: int) -> bool:
        """Whether it can go on with ``complete`` pairs: labels hardly move it."""
        return self.head is not None and self.complete <= complete < _AGAIN * self.complete


def tensors_of(evidence: PairEvidence) -> dict[str, NDArray]:
    """The arrays that a bundle keeps."""
    tensors: dict[str, NDArray] = {}
    null, head = evidence.conflict, evidence.head
    if null is not None:
        tensors |= {
            "pairs.conflict.findings": null.findings, "pairs.conflict.largest": null.largest
        }
    if head is not None:
        for name, side in ((IMAGE, head.image), (TEXT, head.text)):
            for part in _PARTS:
                tensors[f"pairs.{name}.{part}"] = np.ascontiguousarray(getattr(side, part))
        tensors["pairs.weights"] = np.append(head.weights, head.bias)
        tensors["pairs.measured"] = np.array([head.pairs, head.measured], np.float64)
    return tensors


def evidence_of(tensors: Mapping[str, NDArray]) -> PairEvidence:
    """The way back; a bundle without them knows nothing of pairs."""
    null = head = None
    if "pairs.conflict.largest" in tensors:
        null = ConflictNull(tensors["pairs.conflict.findings"], tensors["pairs.conflict.largest"])
    if "pairs.weights" in tensors:
        image, text = (
            _Side(*(tensors[f"pairs.{name}.{part}"] for part in _PARTS))
            for name in (IMAGE, TEXT)
        )
        weights, (pairs, measured) = tensors["pairs.weights"], tensors["pairs.measured"].tolist()
        head = PairHead(image, text, weights[:-1], float(weights[-1]), int(pairs), measured)
    return PairEvidence(null, head)


def learn_pairs(
    samples: Samples, logits: Mapping[str, Floats], taught: Mapping[str, NDArray[np.bool_]],
    folds: NDArray[np.int8], prior: Floats, *, seed: int, earlier: Earlier | None = None,
) -> Generator[None, None, PairEvidence]:
    """All that a version can know of pairs (see ``conflict_null`` and ``fit_pairs``). The head of
    the ``earlier`` version stays until there are a tenth more pairs: it stands on features."""
    rows = np.sum([samples.present[m] for m in samples.modalities], axis=0) > 1
    null = conflict_null({m: z[rows] for m, z in logits.items()}, taught)
    yield
    if earlier is not None and earlier.serves(complete_pairs(samples)):
        return PairEvidence(null, earlier.head)
    head = yield from fit_pairs(samples, logits, folds, prior, seed=seed)
    return PairEvidence(null, head)


def complete_pairs(samples: Samples) -> int:
    """How many cases have an image and a report."""
    if not {IMAGE, TEXT} <= set(samples.modalities):
        return 0
    return int((samples.present[IMAGE] & samples.present[TEXT]).sum())


def conflict_null(
    logits: Mapping[str, Floats], taught: Mapping[str, NDArray[np.bool_]]
) -> ConflictNull | None:
    """The null distribution from held-out calibrated ``logits`` of matched pairs; findings that
    fewer than two modalities have a head for have none. None with too few pairs."""
    names = tuple(logits)
    values = [np.where(taught[m], logits[m], np.nan) for m in names]
    bits = np.full(values[0].shape, np.nan)
    for i, first in enumerate(values):
        for second in values[:i]:
            bits = np.fmax(bits, divergence(sigmoid(first), sigmoid(second)))
    known = ~np.isnan(bits)
    if int(known.any(axis=1).sum()) < LEAST_PAIRS:
        return None
    levels = np.linspace(0, 1, _LEVELS)
    findings = np.full((bits.shape[1], _LEVELS), np.nan)
    for t in range(bits.shape[1]):
        if known[:, t].sum() >= LEAST_PAIRS:
            findings[t] = np.quantile(bits[known[:, t], t], levels)
    largest = np.where(known, bits, -1.0).max(axis=1)
    return ConflictNull(findings, np.quantile(largest[largest >= 0], levels))


def fit_pairs(
    samples: Samples, logits: Mapping[str, Floats], folds: NDArray[np.int8], prior: Floats, *,
    seed: int,
) -> Generator[None, None, PairHead | None]:
    """Fit the compatibility head on the complete rows; ``logits`` are the held-out calibrated ones
    of each row, ``prior`` (findings,) the findings' log-odds. None with too few pairs or with
    strangers in no fold."""
    if not {IMAGE, TEXT} <= set(samples.modalities):
        return None
    rows = np.flatnonzero(samples.present[IMAGE] & samples.present[TEXT])
    if len(rows) < LEAST_PAIRS:
        return None
    rng = np.random.default_rng(seed)
    if len(rows) > _MOST_PAIRS:
        rows = np.sort(rng.choice(rows, _MOST_PAIRS, replace=False))
    x, y = samples.features[IMAGE][rows], samples.features[TEXT][rows]
    zx, zy = logits[IMAGE][rows], logits[TEXT][rows]
    groups, folds = samples.groups[rows], folds[rows]
    scores: list[Floats] = []
    wrong: list[Floats] = []
    strata: list[NDArray[np.int8]] = []
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        outside = folds != fold
        left, right = _strangers(groups[inside], rng)
        if not len(left) or int(outside.sum()) < LEAST_PAIRS // 2:
            continue
        image, text = yield from _canonical(x[outside], y[outside], groups[outside], rng)
        a, b = image.project(x[inside]), text.project(y[inside])
        left, right = np.append(np.arange(len(inside)), left), np.append(
            np.arange(len(inside)), right
        )
        scores.append(
            _scores(a[left], b[right], zx[inside[left]], zy[inside[right]], prior)
        )
        wrong.append((left != right).astype(np.float64))
        strata.append(np.full(len(left), fold, np.int8))
        yield
    if not scores:
        return None
    known, truth = np.concatenate(scores), np.concatenate(wrong)
    weights, bias = _logistic(known, truth)
    measured = auroc(truth, known @ weights, np.concatenate(strata))
    image, text = yield from _canonical(x, y, groups, rng)
    return PairHead(image, text, weights, bias, len(rows), measured or 0.5)


def described(evidence: PairEvidence, *, complete: int) -> dict[str, Any]:
    """What a version's metrics say of it: how many pairs it learned from, of how many that there
    were (``complete``), how well reports that were swapped between patients are told (held-out
    AUROC), and the prior."""
    head = evidence.head
    return {
        "complete": complete,
        "conflict_ranked": evidence.conflict is not None,
        "pairs": head.pairs if head else 0,
        "wrong_pair_auroc": head.measured if head else None,
        "prior": PRIOR,
    }


def _rank(quantiles: list[float], bits: float) -> float | None:
    if math.isnan(quantiles[0]):
        return None
    return bisect_left(quantiles, bits) / _LEVELS


def entropy(p: Floats) -> Floats:
    """``predictions.entropy_bits`` of many probabilities at once; NaN stays NaN."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def divergence(first: Floats, second: Floats) -> Floats:
    """``predictions.jensen_shannon_bits`` of many probabilities at once; NaN stays NaN."""
    return np.maximum(entropy((first + second) / 2) - (entropy(first) + entropy(second)) / 2, 0)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(length, 1e-9)).astype(np.float32)


def _strangers(
    groups: NDArray[np.str_], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of rows that are not of one patient group, some for each row."""
    left: list[int] = []
    right: list[int] = []
    for row in range(len(groups)):
        others = np.flatnonzero(groups != groups[row])
        count = min(_MISMATCHES, len(others))
        left += [row] * count
        right += rng.choice(others, count, replace=False).tolist()
    return np.array(left, np.intp), np.array(right, np.intp)


def _scores(a: Floats, b: Floats, za: Floats, zb: Floats, prior: Floats) -> Floats:
    """(n, 3): the bilinear score, its cosine, and the agreement of the opinions."""
    product = np.einsum("nr,nr->n", a, b)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.column_stack(
        [product, product / np.maximum(lengths, 1e-9), _agreement(za, zb, prior)]
    )


def _agreement(za: Floats, zb: Floats, prior: Floats) -> Floats:
    """(n,): log of how much likelier both opinions are of one case than of two cases, the mean
    over findings: Σ_state p(state | image) p(state | report) / p(state)."""
    known = ~np.isnan(prior)
    if not known.any():
        return np.zeros(len(za))
    p, q, base = (sigmoid(np.clip(z[..., known], -8, 8)) for z in (za, zb, prior))
    ratio = p * q / base + (1 - p) * (1 - q) / (1 - base)
    return np.nan_to_num(np.log(ratio)).sum(axis=1) / np.sqrt(known.sum())


def _canonical(
    x: Array, y: Array, groups: NDArray[np.str_], rng: np.random.Generator
) -> Generator[None, None, tuple[_Side, _Side]]:
    """Both projections, such that the dot product of two coordinates is ``xᵀ W y``."""
    mass = _mass(groups)
    sides = []
    for features in (x, y):
        sides.append((yield from _principal(features, mass, rng)))
        yield
    (one, a, va), (two, b, vb) = sides
    cross = (a * mass[:, None]).T @ b / len(a)
    # Variances as shares of the whole, so that λ has no unit.
    total = np.sqrt(va.sum() * vb.sum())
    w = (cross / total) / (np.outer(va / va.sum(), vb / vb.sum()) + _RIDGE / len(a))
    u, s, v = np.linalg.svd(w, full_matrices=False)
    yield
    rank = min(_RANK, len(s))
    root = np.sqrt(s[:rank])
    turned = []
    for side, turn, variance in ((one, u[:, :rank] * root, va), (two, v[:rank].T * root, vb)):
        turn = turn / np.sqrt(variance.sum())
        turned.append(
            _Side(
                side.mean, side.scale, (side.axes @ turn).astype(np.float32),
                (side.offset @ turn).astype(np.float32),
            )
        )
    return turned[0], turned[1]


def _mass(groups: NDArray[np.str_]) -> Floats:
    """(n,) weights of the rows, 1 in the mean: a patient with n pairs counts √n, since they tell
    less than n patients would. AUROC of swapped reports +.007, -.002 and +.004 (diagnoses,
    ultrasound, severity by zones; 6 seeds)."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    mass: Floats = 1 / np.sqrt(sizes[group])
    return mass / mass.mean()


def _principal(
    features: Array, mass: Floats, rng: np.random.Generator
) -> Generator[None, None, tuple[_Side, Floats, Floats]]:
    """Standardised principal axes: a side that projects onto them, the rows' coordinates, and
    the variance along each."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    dull = spread <= 1e-5 * (np.abs(mean) + 1e-3)
    scale = np.where(dull, 0, 1 / np.where(dull, 1, spread)).astype(np.float32)
    rows = _unit((features - mean) * scale)
    centre = rows.mean(axis=0)
    sample = (rows - centre) * np.sqrt(mass)[:, None].astype(np.float32)
    if len(rows) > _BASIS_ROWS:
        sample = sample[rng.choice(len(rows), _BASIS_ROWS, replace=False)]
    yield
    values, vectors = np.linalg.eigh((sample @ sample.T).astype(np.float64))
    yield
    keep = np.flatnonzero(values > max(float(values[-1]), 1e-12) * 1e-6)[::-1][:_AXES]
    basis = sample.T @ (vectors[:, keep] / np.sqrt(values[keep])).astype(np.float32)
    coordinates = ((rows - centre) @ basis).astype(np.float64)
    if not coordinates.shape[1]:
        coordinates = np.zeros((len(rows), 1))
        basis = np.zeros((features.shape[1], 1), np.float32)
    # The sample's axes are not quite the principal ones of all rows.
    variance, turn = np.linalg.eigh(
        (coordinates * mass[:, None]).T @ coordinates / len(rows)
    )
    axes = (basis @ turn).astype(np.float32)
    side = _Side(mean, scale, axes, (centre @ axes).astype(np.float32))
    return side, coordinates @ turn, np.maximum(variance, 1e-12)


def _logistic(scores: Floats, wrong: Floats) -> tuple[Floats, float]:
    """Weights and bias of the logit of *wrong* at even odds: both kinds count alike. Newton's
    method on standardised scores, drawn to zero by a few observations."""
    mean, spread = scores.mean(axis=0), np.maximum(scores.std(axis=0), 1e-9)
    design = np.column_stack([(scores - mean) / spread, np.ones(len(scores))])
    matched = len(wrong) - wrong.sum()
    mass = np.where(wrong > 0, matched / max(wrong.sum(), 1), 1.0)
    pull = np.array([_PULL] * scores.shape[1] + [1e-3])
    point = np.zeros(design.shape[1])
    for _ in range(15):
        rate = sigmoid(design @ point)
        gradient = design.T @ (mass * (rate - wrong)) + pull * point
        bend = (design * (mass * rate * (1 - rate))[:, None]).T @ design + np.diag(pull)
        point -= np.linalg.solve(bend, gradient)
    weights = point[:-1] / spread
    return weights, float(point[-1] - mean @ weights)
