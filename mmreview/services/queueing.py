"""Which unread case comes next, and why, by a named policy.

Issue by issue more policies join here behind the same call; each returns keys in order, and the
reason of each case travels with its worklist row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from mmreview.domain.cases import WorklistFilter, WorklistSort
from mmreview.domain.errors import MmreviewError
from mmreview.domain.ports import CaseStore
from mmreview.domain.queues import QueueEntry


class Queueing:
    """The queue of one project. Reads the sort keys that ``Predicting.score_all`` left."""

    def __init__(self, *, cases: CaseStore) -> None:
        self._cases = cases
        self._policies: dict[str, Callable[[], Sequence[int]]] = {
            "priority": lambda: self._sorted(WorklistSort.PRIORITY),
            "conflict": lambda: self._sorted(WorklistSort.CONFLICT),
            "random": self._random,
        }

    @property
    def policies(self) -> tuple[str, ...]:
        """The names that ``queue`` takes."""
        return tuple(self._policies)

    def queue(self, *, policy: str = "priority", top: int = 20) -> list[QueueEntry]:
        """The first ``top`` unread cases by ``policy``, with the reason of each.

        Raises:
            MmreviewError: ``error.policy_not_found`` for an unknown policy.
        """
        if policy not in self._policies:
            raise MmreviewError(
                "error.policy_not_found", policy=policy, known=", ".join(self._policies)
            )
        keys = self._policies[policy]()[:top]
        return [
            QueueEntry(
                key=row.key,
                case=row.id,
                priority=row.priority or 0.0,
                reason="queue.random" if policy == "random" else row.reason or "queue.not_scored",
                reason_params=row.reason_params,
            )
            for row in self._cases.worklist_rows(keys)
        ]

    def _sorted(self, sort: WorklistSort) -> Sequence[int]:
        return self._cases.worklist_keys(WorklistFilter(unread=True), sort)

    def _random(self) -> Sequence[int]:
        # A hash of the key is a shuffle that stays the same from call to call.
        keys = self._sorted(WorklistSort.ID)
        return sorted(keys, key=lambda key: hashlib.sha256(str(key).encode()).digest())
