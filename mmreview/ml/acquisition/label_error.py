"""Labels that the models doubt, for a second look: what a round found by confident learning
(Northcutt, Jiang & Chuang 2021; see ``ml.label_errors``) and left in its version's metrics.
"""

from __future__ import annotations

from collections.abc import Generator

from mmreview.domain.acquisition import PolicyNeedsSuspects, PolicyNeedsVersion
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.pool import Pool


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """Cases of the pool with a suspected label, the worst first; the score is how much the models
    doubt it, 0 to 1. A case counts once, by its worst label."""
    version = pool.request.version
    if version is None:
        raise PolicyNeedsVersion(policy=pool.request.policy)
    if "suspects" not in version.metrics:
        raise PolicyNeedsSuspects(version=version.id)
    yield Progress("progress.acquire", len(pool), len(pool))
    return suspected(pool)


def suspected(pool: Pool) -> list[Choice]:
    """The same; nothing where the version names no suspects."""
    version = pool.request.version
    inside = set(pool.keys.tolist())
    found: dict[int, Choice] = {}
    for each in version.metrics.get("suspects", ()) if version else ():
        key = int(each["key"])
        if key in inside and key not in found:
            found[key] = Choice(
                key, 1.0 - float(each["confidence"]), f"queue.doubt_{each['state']}",
                {"finding": each["finding"]},
            )
    return list(found.values())[: pool.request.top]
