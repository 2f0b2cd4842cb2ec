"""The order in which cases are offered, with a reason for each, in words (message codes)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmreview.domain.predictions import CONFLICT_MARK, CaseScore, Prediction, entropy_bits


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

    Both are in bits. The reason is the larger of the two: ``queue.conflict`` with the finding,
    ``queue.uncertain`` with the finding nearest to 50 %.
    """
    fused = [(f.fused, f.finding) for f in prediction.findings if f.fused is not None]
    if not fused:
        return CaseScore(key=key, conflict=None, priority=None, reason="queue.no_opinion")
    uncertainty = math.fsum(entropy_bits(p) for p, _ in fused) / len(fused)
    conflicts = [(f.conflict, f.finding) for f in prediction.findings if f.conflict is not None]
    conflict, where = max(conflicts, default=(None, ""))
    nearest = min(fused, key=lambda pair: abs(pair[0] - 0.5))[1]
    if conflict is not None and conflict >= CONFLICT_MARK:
        reason, finding = "queue.conflict", where
    else:
        reason, finding = "queue.uncertain", nearest
    return CaseScore(
        key=key,
        conflict=conflict,
        priority=uncertainty + (conflict or 0.0),
        reason=reason,
        reason_params={"finding": finding},
    )
