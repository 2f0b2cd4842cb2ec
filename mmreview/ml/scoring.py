"""The serving version's opinions on many cases at once, as columns: what sorts the worklist.

``predictor`` says all that is known of one case, as objects; here the same numbers are made for
a million cases, a block at a time, and nothing of a case is made by itself. Memory is bounded by
one block, whatever the number of cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.predictions import CONFLICT_FLOOR, CONFLICT_MARK, CONFLICT_TOP, ScoreTable
from mmreview.ml.exclusive import GroupHead
from mmreview.ml.model import Model
from mmreview.ml.pairing import PairEvidence, divergence, entropy

Floats = NDArray[np.float64]

#: Cases that are worked on together: their features should stay in a core's cache.
BLOCK = 512


def score_block(
    model: Model, pairs: PairEvidence, features: Mapping[str, NDArray[np.float32]],
    present: Mapping[str, NDArray[np.bool_]],
) -> ScoreTable:
    """The columns of n cases, from (n, width) features and (n,) presence by modality."""
    opinions = model.opinions(features, present)
    probabilities = opinions.probabilities
    fused = probabilities.pop("fused")
    own = {m: np.where(np.isnan(fused), np.nan, p) for m, p in probabilities.items()}
    bits = _conflicts([np.where(model.heads[m].taught, p, np.nan) for m, p in own.items()])
    largest = _highest(bits)
    ranks, mark = np.full(len(largest), np.nan), np.full(bits.shape[1], np.nan)
    if pairs.conflict is not None:
        ranks = pairs.conflict.largest_ranks(largest)
        mark = pairs.conflict.exceeded(CONFLICT_TOP)
    doubt = _doubt(fused, model.groups)
    known = ~np.isnan(doubt)
    counts = known.sum(axis=1)
    total = np.where(known, doubt, 0.0).sum(axis=1)
    by_size = np.where(np.isnan(mark), CONFLICT_MARK, CONFLICT_FLOOR)
    marked = (bits >= by_size) & ~(bits <= mark)
    return ScoreTable(
        fused=fused,
        modalities=own,
        uncertainty=np.where(counts > 0, total / np.maximum(counts, 1), np.nan),
        uncertain_at=np.nan_to_num(np.abs(fused - 0.5), nan=2.0).argmin(axis=1),
        conflict=largest,
        conflict_at=(np.nan_to_num(bits, nan=-1.0) + 2.0 * marked).argmax(axis=1),
        conflict_rank=ranks,
        wrong_pair=pairs.wrong(features, present, opinions.logits, model.prior),
    )


def joined(tables: Sequence[ScoreTable]) -> ScoreTable:
    """Blocks of columns as one."""
    first = tables[0]
    if len(tables) == 1:
        return first
    columns = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ScoreTable.__dataclass_fields__
        if name != "modalities"
    }
    own = {m: np.concatenate([table.modalities[m] for table in tables]) for m in first.modalities}
    return ScoreTable(modalities=own, **columns)


def _conflicts(voices: Sequence[Floats]) -> Floats:
    """(n, findings): the largest divergence of any two opinions, in bits; NaN below two."""
    bits = np.full(voices[0].shape, np.nan)
    for i, first in enumerate(voices):
        for second in voices[:i]:
            bits = np.fmax(bits, divergence(first, second))
    return bits


def _doubt(fused: Floats, groups: Sequence[GroupHead]) -> Floats:
    """(n, findings): the entropy of each opinion in bits. That of an exclusive group, which is one
    question however many findings it has, stands with its first finding, the others have none."""
    doubt = entropy(fused)
    for head in groups:
        first, *others = head.group.columns
        chances = np.nan_to_num(fused[:, list(head.group.columns)])
        if not head.group.one_of:
            rest = np.maximum(1 - chances.sum(axis=1, keepdims=True), 0)
            chances = np.hstack([chances, rest])
        lost = -(chances * np.log2(np.maximum(chances, 1e-12))).sum(axis=1)
        known = ~np.isnan(fused[:, list(head.group.columns)]).all(axis=1)
        doubt[:, first] = np.where(known, lost, np.nan)
        doubt[:, others] = np.nan
    return doubt


def _highest(bits: Floats) -> Floats:
    """(n,) of (n, findings): the largest, NaN where there is none."""
    known = np.nan_to_num(bits, nan=-1.0).max(axis=1)
    return np.where(known < 0, np.nan, known)
