"""Likely to show what has hardly been seen: cases of rare findings.

Source: He & Carbonell 2007, *Nearest-Neighbor-Based Active Learning for Rare Category Detection*,
for the aim; with a version the likeliest positives are asked for, as Warmuth et al. 2003 do
(*Active Learning with Support Vector Machines in the Drug Discovery Process*, "largest positive").
The rarer half of the findings take turns, the rarest first, so that none takes every place.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import best, choices
from mmreview.ml.acquisition.entropy import probabilities
from mmreview.ml.acquisition.pool import Pool


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """In turn the likeliest case of each rare finding; its score is that finding's probability."""
    findings = pool.predictor.findings
    [fused] = yield from pool.scan(probabilities)
    seen = {name: pool.positives.get(name, 0) for name in findings}
    rows, at = in_turn(fused, rarer_half(fused, list(seen.values())), pool.request.top)
    scores = np.full(len(pool), np.nan, np.float32)
    scores[rows] = fused[rows, at]
    reasons = [_reason(findings[place], seen) for place in at.tolist()]
    return choices(pool.keys, rows, scores, reasons)


def rarer_half(fused: NDArray[np.float32], positives: list[int]) -> list[int]:
    """The findings that there are opinions on, the rarer half of them, the rarest first."""
    known = [t for t in range(fused.shape[1]) if not np.isnan(fused[:, t]).all()]
    order = sorted(known, key=lambda t: (positives[t], t))
    return order[: (len(order) + 1) // 2]


def in_turn(
    fused: NDArray[np.float32], findings: list[int], top: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows that findings choose one after the other, and which of them chose each."""
    # Nobody can lose more of its likeliest than all others choose.
    ranked = {t: iter(best(fused[:, t], top).tolist()) for t in findings}
    found: dict[int, int] = {}
    turns = list(findings)
    while turns and len(found) < top:
        for t in list(turns):
            row = next((row for row in ranked[t] if row not in found), None)
            if row is None:
                turns.remove(t)
            elif len(found) < top:
                found[row] = t
    return np.array(list(found), np.intp), np.array(list(found.values()), np.intp)


def _reason(finding: str, seen: Mapping[str, int]) -> tuple[str, dict[str, object]]:
    return "queue.rare", {"finding": finding, "count": seen[finding]}
