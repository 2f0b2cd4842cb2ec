"""The order in which cases are offered, with a reason for each, in words (message codes)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmreview.domain.predictions import CaseScore, Prediction, entropy_bits, is_conflict

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


def score(prediction: Prediction, *, key: int) -> CaseScore:
    """The sort keys of a case: the mean uncertainty of the fused opinion plus the largest conflict.

    Both are in bits; the probability of a wrong pair is added where it is high. The reason is
    ``queue.wrong_pair``; else ``queue.conflict`` with the finding, where the case's largest
    conflict is one to mark; else ``queue.uncertain`` with the finding nearest to 50 %.
    """
    fused = [(f.fused, f.finding) for f in prediction.findings if f.fused is not None]
    if not fused:
        return CaseScore(key=key, conflict=None, priority=None, reason="queue.no_opinion")
    uncertainty = math.fsum(entropy_bits(p) for p, _ in fused) / len(fused)
    conflicts = [
        (f.in_conflict, f.conflict, f.finding)
        for f in prediction.findings
        if f.conflict is not None
    ]
    conflict = prediction.conflict
    priority = uncertainty + (conflict or 0.0)
    params = {"finding": min(fused, key=lambda pair: abs(pair[0] - 0.5))[1]}
    reason = "queue.uncertain"
    if prediction.is_wrong_pair and prediction.wrong_pair is not None:
        reason, params = "queue.wrong_pair", {}
        priority += prediction.wrong_pair
    elif is_conflict(conflict, prediction.conflict_rank):
        reason, params = "queue.conflict", {"finding": max(conflicts)[2]}
    return CaseScore(
        key=key,
        conflict=conflict,
        priority=priority,
        reason=reason,
        reason_params=params,
    )
