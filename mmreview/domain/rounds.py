"""A round of training as the project remembers it: where it stands, what it learned from, its end.

A round goes snapshot → training → evaluating, then its version serves, is refused, or waits for a
named reader. Each step is stored before the next begins (``services.learning`` walks, ``store``
keeps), so that after a kill one can tell a round that ended from one that did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mmreview.domain.errors import Message
from mmreview.domain.versions import Role


class RoundState(StrEnum):
    """Where a round stands. Never renamed: databases outlive the code."""

    SNAPSHOT = "snapshot"
    TRAINING = "training"
    EVALUATING = "evaluating"
    WAITING = "waiting"
    SERVING = "serving"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: Somebody is at work, or was when the program ended: no version has come of it yet.
UNFINISHED = (RoundState.SNAPSHOT, RoundState.TRAINING, RoundState.EVALUATING)

#: What a round comes to by what its version is to the project.
SETTLED: Mapping[Role, RoundState] = {
    Role.CHAMPION: RoundState.SERVING,
    Role.REFUSED: RoundState.REFUSED,
    Role.CHALLENGER: RoundState.WAITING,
}


@dataclass(frozen=True, slots=True)
class Round:
    """One round. It learns what was said up to event ``through_seq``; the version that it starts
    from knew the events up to ``since_seq``.

    ``id`` is 0 before the store has given it one. ``version`` is the number that its version has,
    or will have if there is one; None once it ended without. ``options`` is JSON (fusion, weight,
    seed). ``reason`` says why there is no version. Times are UTC, empty while it has not ended.
    """

    actor: str
    since_seq: int
    through_seq: int
    version: int | None
    options: Mapping[str, Any] = field(default_factory=dict)
    state: RoundState = RoundState.SNAPSHOT
    id: int = 0
    started_at: str = ""
    ended_at: str = ""
    reason: Message | None = None
