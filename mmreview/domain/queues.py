"""The order in which cases are offered, with a reason for each, in words (message codes)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.domain.predictions import (
    CaseScore,
    Prediction,
    ScoreTable,
    entropy_bits,
    is_conflict,
    is_wrong_pair,
)

#: Reasons by which the worklist marks a case and filters for conflicts.
CONFLICT_REASONS = ("queue.conflict", "queue.wrong_pair")


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One offered case: why it is offered and how much."""

    key: int
    case: str
    priority: float
    reason: str
    reason_params: Mapping[str, Any] = field(default_factory=dict)
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One case that an acquisition policy would have read next: ``score`` is larger the sooner
    (its unit is the policy's own), ``reason`` a message code."""

    key: int
    score: float
    reason: str
    params: Mapping[str, Any] = field(default_factory=dict)


def score(prediction: Prediction, *, key: int) -> CaseScore:
    """The sort keys of a case: the mean uncertainty of the fused opinion plus the largest conflict.

    Both are in bits; an exclusive group counts as one question, with the entropy of its one
    distribution. The probability of a wrong pair is added where it is high. The reason is
    ``queue.wrong_pair``; else ``queue.conflict`` with the finding, where the case's largest
    conflict is one to mark; else ``queue.uncertain`` with the finding nearest to 50 %.
    """
    fused = [(f.fused, f.finding) for f in prediction.findings if f.fused is not None]
    if not fused:
        return CaseScore(key=key, conflict=None, priority=None, reason="queue.no_opinion")
    uncertainty = _uncertainty({name: p for p, name in fused}, prediction.groups)
    conflicts = [
        (f.in_conflict, f.conflict, f.finding)
        for f in prediction.findings
        if f.conflict is not None
    ]
    return _score(
        key,
        uncertainty=uncertainty,
        uncertain=min(fused, key=lambda pair: abs(pair[0] - 0.5))[1],
        conflict=prediction.conflict,
        conflicting=max(conflicts, key=lambda found: found[:2])[2] if conflicts else "",
        rank=prediction.conflict_rank,
        wrong_pair=prediction.wrong_pair,
    )


def _uncertainty(fused: Mapping[str, float], groups: Sequence[ExclusiveGroup]) -> float:
    """The mean entropy, in bits, of what is asked: each finding by itself, each group as one."""
    alone = dict(fused)
    asked: list[float] = []
    for group in groups:
        chances = [alone.pop(name) for name in group.findings if name in alone]
        if chances and group.kind is Exclusivity.AT_MOST_ONE:
            chances.append(max(0.0, 1.0 - math.fsum(chances)))
        if chances:
            asked.append(-math.fsum(p * math.log2(p) for p in chances if p > 0.0))
    asked += map(entropy_bits, alone.values())
    return math.fsum(asked) / len(asked)


def scores(table: ScoreTable, *, keys: Sequence[int], findings: Sequence[str]) -> list[CaseScore]:
    """``score`` of many cases."""
    columns = zip(
        keys,
        table.uncertainty.tolist(),
        table.uncertain_at.tolist(),
        table.conflict.tolist(),
        table.conflict_at.tolist(),
        table.conflict_rank.tolist(),
        table.wrong_pair.tolist(),
        strict=True,
    )
    return [
        _score(
            key,
            uncertainty=uncertainty,
            uncertain=findings[uncertain],
            conflict=_known(conflict),
            conflicting=findings[conflicting],
            rank=_known(rank),
            wrong_pair=_known(wrong),
        )
        for key, uncertainty, uncertain, conflict, conflicting, rank, wrong in columns
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _score(
    key: int, *, uncertainty: float, uncertain: str, conflict: float | None, conflicting: str,
    rank: float | None, wrong_pair: float | None,
) -> CaseScore:
    """The sort keys and the reason; an ``uncertainty`` of NaN is no opinion at all."""
    if math.isnan(uncertainty):
        return CaseScore(key=key, conflict=None, priority=None, reason="queue.no_opinion")
    priority = uncertainty + (conflict or 0.0)
    if is_wrong_pair(wrong_pair):
        priority += wrong_pair or 0.0
        return CaseScore(key, conflict, priority, "queue.wrong_pair", doubt=uncertainty)
    reason, finding = "queue.uncertain", uncertain
    if is_conflict(conflict, rank):
        reason, finding = "queue.conflict", conflicting
    return CaseScore(key, conflict, priority, reason, {"finding": finding}, uncertainty)
