"""What a version is asked about a case: each finding by itself, each exclusive group as one.

A question is a distribution over its answers: present or absent, or which finding of a group (or
none of them) holds. Uncertainty is a property of questions, so that a group of seven findings
counts once. Arrays have one column a question, NaN where there is no opinion; a question stands
with one finding, the one that a reader should look at first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.exclusive import GroupHead

Floats = NDArray[np.floating]

_LEAST = 1e-7
_BLOCK = 4096


@dataclass(frozen=True)
class Questions:
    """``alone`` are the columns of findings in no group, ``groups`` those of each group with
    whether one of them must hold."""

    alone: tuple[int, ...]
    groups: tuple[tuple[tuple[int, ...], bool], ...]

    @property
    def columns(self) -> tuple[tuple[int, ...], ...]:
        """The findings that each question asks about, in the order of the arrays."""
        return tuple((column,) for column in self.alone) + tuple(c for c, _ in self.groups)

    def entropy(self, fused: Floats) -> Floats:
        """(n, questions) entropies in bits of (n, findings) probabilities (Shannon 1948)."""
        found = np.empty((len(fused), len(self.alone) + len(self.groups)), fused.dtype)
        found[:, : len(self.alone)] = _entropy_of_two(self._of_alone(fused))
        for place, (columns, one_of) in enumerate(self.groups, len(self.alone)):
            chances = _answers(fused, columns, one_of)
            lost = -(chances * np.log2(np.maximum(chances, _LEAST))).sum(axis=1)
            found[:, place] = lost
        return found

    def margin(self, fused: Floats) -> Floats:
        """(n, questions) how much likelier the likeliest answer is than the next one, 0 to 1."""
        found = np.empty((len(fused), len(self.alone) + len(self.groups)), fused.dtype)
        found[:, : len(self.alone)] = np.abs(2 * self._of_alone(fused) - 1)
        for place, (columns, one_of) in enumerate(self.groups, len(self.alone)):
            two = np.sort(_answers(fused, columns, one_of), axis=1)[:, -2:]
            found[:, place] = two[:, 1] - two[:, 0] if two.shape[1] == 2 else two[:, 0]
        return found

    def named(self, fused: Floats, question: NDArray[np.intp]) -> NDArray[np.intp]:
        """(n,) the finding to name for each case's ``question``: that of a group which is
        likeliest."""
        found = np.asarray([c[0] for c in self.columns], np.intp)[question]
        for place, (columns, _) in enumerate(self.groups, len(self.alone)):
            rows = np.flatnonzero(question == place)
            own = np.nan_to_num(fused[np.ix_(rows, columns)])
            found[rows] = np.asarray(columns)[own.argmax(axis=1)]
        return found

    def _of_alone(self, fused: Floats) -> Floats:
        return fused if len(self.alone) == fused.shape[1] else fused[:, list(self.alone)]


def asked(findings: int, groups: Sequence[GroupHead]) -> Questions:
    """The questions of a model of so many findings."""
    shared = {column for head in groups for column in head.group.columns}
    alone = tuple(column for column in range(findings) if column not in shared)
    return Questions(alone, tuple((h.group.columns, h.group.one_of) for h in groups))


def mean(values: Floats, weights: Floats | None = None) -> Floats:
    """(n,) means of (n, questions) over what is not NaN, by (questions,) weights; NaN where there
    is nothing."""
    known = ~np.isnan(values)
    each = np.ones(values.shape[1]) if weights is None else weights
    each = each.astype(values.dtype)
    if known.all():
        return values @ (each / each.sum())
    total = known @ each
    summed = np.where(known, values, 0) @ each
    return np.where(total > 0, summed / np.where(total > 0, total, 1), np.nan)


def in_blocks(score: Callable[[Floats], Floats], fused: Floats) -> Floats:
    """(n,) what ``score`` says of (n, findings) probabilities, some at a time: what it makes on
    the way stays in a core's cache, which is three times as quick for 100,000 cases."""
    begins = range(0, max(len(fused), 1), _BLOCK)
    return np.concatenate([score(fused[begin : begin + _BLOCK]) for begin in begins])


def _entropy_of_two(p: Floats) -> Floats:
    p = np.clip(p, _LEAST, 1 - _LEAST)
    q = 1 - p
    return -(p * np.log2(p) + q * np.log2(q))


def _answers(fused: Floats, columns: Sequence[int], one_of: bool) -> Floats:
    """(n, answers) the distribution of an exclusive group; NaN without an opinion."""
    own = fused[:, list(columns)]
    unknown = np.isnan(own).all(axis=1)
    chances = np.nan_to_num(own)
    if not one_of:
        chances = np.hstack([chances, np.maximum(1 - chances.sum(axis=1, keepdims=True), 0)])
    chances[unknown] = np.nan
    return chances
