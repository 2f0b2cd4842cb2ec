"""From scores to choices: the best few of many, ties in order of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.queues import Choice

Numbers = NDArray[np.floating]
#: A message code and its parameters.
Reason = tuple[str, Mapping[str, Any]]


def best(scores: Numbers, top: int) -> NDArray[np.intp]:
    """The rows of the ``top`` largest of (n,) scores, largest first, ties in order of rows; rows
    of NaN are never among them."""
    rows = np.flatnonzero(~np.isnan(scores))
    top = min(top, len(rows))
    if top <= 0:
        return rows[:0]
    own = scores if len(rows) == len(scores) else scores[rows]
    if top < len(rows):
        least = np.partition(own, len(own) - top)[len(own) - top]
        above = np.flatnonzero(own > least)
        level = np.flatnonzero(own == least)[: top - len(above)]
        kept = np.concatenate([above, level])
    else:
        kept = np.arange(len(own))
    kept = kept[np.lexsort((kept, -own[kept]))]
    return rows[kept]


def choices(
    keys: NDArray[np.int64], rows: NDArray[np.intp], scores: Numbers, reasons: Sequence[Reason]
) -> list[Choice]:
    """One choice for each of these rows, in this order, each with its reason."""
    found = zip(keys[rows].tolist(), scores[rows].tolist(), reasons, strict=True)
    return [Choice(key, score, *reason) for key, score, reason in found]


def about(
    code: str, findings: Sequence[str], at: NDArray[np.intp]
) -> list[Reason]:
    """One reason a case, each naming one of the findings."""
    return [(code, {"finding": findings[place]}) for place in at.tolist()]
