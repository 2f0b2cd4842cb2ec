"""Opinions on findings that exclude each other: one distribution instead of a yes or no each.

Heads, calibration and fusion know findings one by one; what comes out of them is the log-odds z of
each finding against all else. Of an exclusive group the opinion is a softmax, with an implicit
"none of them" at logit 0 where at most one holds:

    logit_k = slope_k · z_k + offset_k,     p_k = exp(logit_k) / Σ_j exp(logit_j)

(vector scaling, Guo 2017). It is fitted by log-loss on held-out opinions, for each modality alone
and for each set that is fused, so that the image's bars add up to 100 % as the fused ones do, and a
case with one modality has exactly that one's opinion. ``logit_k`` is an exact sum of contributions
(they are scaled with z); only the step to probabilities sees the other classes: the log-odds of k
are logit_k - log Σ_{j≠k} exp(logit_j).

Slopes are drawn to what softmax asks of log-odds: near an even opinion over C classes log p moves
(C-1)/C as fast as the log-odds of p do (exactly 1/2 for two); with "none" among them, 1. Measured
on four real tasks (``tests/benchmarks/exclusive.py``): against yes-or-no opinions scaled to add up,
the fused log-loss is lower on three of four (mean over ten seeds -.011; no interval leaves out 0),
the report's on three (two of them surely). One slope for all classes gives half of that. It costs
the rarest class of the fourth (14 cases) .01 of AUROC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import LEAST_SLOPE

Floats = NDArray[np.float64]
Subset = tuple[str, ...]

#: How many observations the slope's and the offsets' starting points count for.
_PSEUDO = 20.0
_NEWTON_STEPS = 20
#: Log-odds further out than this are certainty in any case.
_MOST_LOG_ODDS = 30.0


@dataclass(frozen=True)
class Group:
    """Columns of the findings of which exactly one (``one_of``), or at most one, holds."""

    columns: tuple[int, ...]
    one_of: bool
    name: str = ""

    def rearranged(self, columns: NDArray[np.intp]) -> Group | None:
        """The group where the findings stand in the order of ``columns``; None if one is gone."""
        place = {int(old): new for new, old in enumerate(columns)}
        if not all(old in place for old in self.columns):
            return None
        return replace(self, columns=tuple(place[old] for old in self.columns))


@dataclass(frozen=True)
class GroupHead:
    """A group and, for each set of modalities, (2, classes) slopes and offsets."""

    group: Group
    scales: Mapping[Subset, Floats]


def normalised(logits: Floats, *, one_of: bool) -> Floats:
    """(n, classes) probabilities of (n, classes) logits; NaN classes have no part."""
    weight, rest = _weights(logits, one_of=one_of)
    total = np.nansum(weight, axis=1, keepdims=True) + rest
    with np.errstate(invalid="ignore"):
        return weight / total


def log_odds(logits: Floats, *, one_of: bool) -> Floats:
    """(n, classes) log-odds of each class against all others, after ``normalised``."""
    weight, rest = _weights(logits, one_of=one_of)
    others = np.nan_to_num(weight) @ (1 - np.eye(weight.shape[1])) + rest
    tiny = np.exp(-_MOST_LOG_ODDS)
    odds = np.log(np.maximum(weight, tiny)) - np.log(np.maximum(others, tiny))
    return np.clip(odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)


def _weights(logits: Floats, *, one_of: bool) -> tuple[Floats, Floats | float]:
    """exp(logits) up to a common factor, and "none of them" in the same."""
    top = np.where(np.isnan(logits), -np.inf, logits).max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    if one_of:
        return np.exp(logits - top), 0.0
    top = np.maximum(top, 0.0)
    return np.exp(logits - top), np.exp(-top)


def finished(logits: Floats, heads: tuple[GroupHead, ...]) -> Floats:
    """(n, findings) log-odds of each finding from (n, findings) scaled logits: what a logistic
    function turns into the probabilities, which in a group add up to 1."""
    if not heads:
        return logits
    result = logits.copy()
    for head in heads:
        columns = list(head.group.columns)
        result[:, columns] = log_odds(logits[:, columns], one_of=head.group.one_of)
    return result


def finished_alone(logits: Floats, modality: str, heads: tuple[GroupHead, ...]) -> Floats:
    """The same of one modality's (n, findings) logits, which are not scaled yet."""
    scaled = logits.copy() if heads else logits
    for head in heads:
        columns, scale = list(head.group.columns), head.scales[(modality,)]
        scaled[:, columns] = scale[0] * logits[:, columns] + scale[1]
    return finished(scaled, heads)


def scales_of(
    head: GroupHead, there: Mapping[str, NDArray[np.bool_]]
) -> tuple[Floats, Floats]:
    """(n, classes) slopes and offsets for cases that have the modalities ``there``."""
    names = tuple(there)
    has = np.column_stack([there[m] for m in names])
    slope = np.ones((len(has), len(head.group.columns)))
    offset = np.zeros(slope.shape)
    for subset, scale in head.scales.items():
        rows = (has == np.array([m in subset for m in names])).all(axis=1)
        slope[rows], offset[rows] = scale
    return slope, offset


def sets_of(modalities: Subset) -> list[Subset]:
    """Every set of modalities that a case can have."""
    return [
        names for size in range(1, len(modalities) + 1) for names in combinations(modalities, size)
    ]


# --- fitting -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GroupLesson:
    """What the groups' heads learn from: calibrated held-out ``logits`` of each modality, NaN rows
    where a case lacks it, and (n, findings) ``truths`` for each set of modalities."""

    groups: tuple[Group, ...]
    logits: Mapping[str, Floats]
    truths: Mapping[Subset, Floats]
    targets: Floats

    def learn(
        self, fuse: Callable[[Mapping[str, Floats]], Floats], *, fused: bool
    ) -> tuple[GroupHead, ...]:
        """The heads of one model; ``fuse`` gives its fused (n, findings) logits from those of the
        modalities, before any group is looked at. Without ``fused`` nothing is learned for sets of
        several modalities."""
        if not self.groups:
            return ()
        there = {m: ~np.isnan(z).all(axis=1) for m, z in self.logits.items()}
        scales: list[dict[Subset, Floats]] = [{} for _ in self.groups]
        for names, truth in self.truths.items():
            rows = np.logical_and.reduce([there[m] for m in names])
            if len(names) == 1:
                logits = self.logits[names[0]][rows]
            elif fused:
                logits = fuse(
                    {
                        m: z[rows] if m in names else np.full_like(z[rows], np.nan)
                        for m, z in self.logits.items()
                    }
                )
            else:
                logits = np.full_like(truth[rows], np.nan)
            for group, found in zip(self.groups, scales, strict=True):
                columns = list(group.columns)
                found[names] = fit_scale(
                    logits[:, columns], truth[rows][:, columns], self.targets[:, columns],
                    one_of=group.one_of,
                )
        return tuple(GroupHead(g, s) for g, s in zip(self.groups, scales, strict=True))


def classes_of(truth: Floats, *, one_of: bool) -> NDArray[np.intp]:
    """(n,) class of each row of (n, classes) truths: the one that is present; ``classes`` for
    "none of them" where that is possible and every finding is absent; -1 where it is not known."""
    present = truth == 1
    found = np.where(present.sum(axis=1) == 1, present.argmax(axis=1), -1)
    if not one_of:
        found = np.where((truth == 0).all(axis=1), truth.shape[1], found)
    return found.astype(np.intp)


def fit_scale(logits: Floats, truth: Floats, targets: Floats, *, one_of: bool) -> Floats:
    """(2, classes) slopes and offsets of (n, classes) logits by Newton's method.

    ``targets`` are all labels there are of the group: they say how frequent each class is, which
    is where the offsets are drawn to. Classes without any label (NaN logits) get 1 and 0.
    """
    known = ~np.isnan(targets).all(axis=0)
    width = int(known.sum())
    result = np.stack([np.ones(len(known)), np.zeros(len(known))])
    if not width:
        return result
    all_classes = classes_of(targets[:, known], one_of=one_of)
    counts = np.bincount(all_classes[all_classes >= 0], minlength=width + 1) + 0.5
    counts = counts[:width] if one_of else counts
    base = np.log(counts[:width] / (1.0 if one_of else counts[width]))
    # The log-odds with which heads begin: no evidence then leaves the frequencies.
    frequent = np.log(counts[:width] / np.maximum(counts.sum() - counts[:width], 0.5))
    classes = classes_of(truth[:, known], one_of=one_of)
    rows = (classes >= 0) & ~np.isnan(logits[:, known]).any(axis=1)
    centre = max(width - 1, 1) / max(width, 2) if one_of else 1.0
    signal = logits[rows][:, known] - frequent
    slope, offset = _newton(signal, classes[rows], base, one_of=one_of, centre=centre)
    result[:, known] = slope, base - slope * frequent + offset
    return result


def _newton(
    signal: Floats, classes: NDArray[np.intp], base: Floats, *, one_of: bool, centre: float
) -> tuple[Floats, Floats]:
    """(classes,) slopes and offsets of ``base + slope · signal + offset`` with the least log-loss,
    drawn to ``centre`` and 0."""
    n, width = signal.shape
    power = float(np.square(signal).mean()) if n else 1.0
    start = np.repeat([centre, 0.0], width)
    pull = _PSEUDO * 0.25 * np.repeat([max(power, 1e-6), 1.0], width)
    truth = (classes[:, None] == np.arange(width)).astype(np.float64)
    point = start.copy()
    for _ in range(_NEWTON_STEPS):
        slope, offset = point[:width], point[width:]
        rate = normalised(base + slope * signal + offset, one_of=one_of)
        wrong = rate - truth
        gradient = np.concatenate([(wrong * signal).sum(axis=0), wrong.sum(axis=0)])
        # Columns: how each parameter moves its class, weighted by the class's chance.
        part = np.hstack([rate * signal, rate])
        bend = np.diag(pull) - part.T @ part
        own = (rate * signal).sum(axis=0)
        diagonal = np.arange(width)
        bend[diagonal, diagonal] += (rate * signal**2).sum(axis=0)
        bend[diagonal, width + diagonal] += own
        bend[width + diagonal, diagonal] += own
        bend[width + diagonal, width + diagonal] += rate.sum(axis=0)
        move = np.linalg.solve(bend, gradient + pull * (point - start))
        point -= np.clip(move, -1.0, 1.0)
        if np.abs(move).max() < 1e-6:
            break
    return np.maximum(point[:width], LEAST_SLOPE), point[width:]
