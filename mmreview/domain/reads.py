"""Reads, corrections and the event trail they are derived from.

Every act of a person or of the model's gate is one row of the only append-only table. An event's
hash covers its own fields and the hash of the one before, so a changed, removed or inserted row is
found by ``verify``. States, labels and read marks are derived from events, never stored alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mmreview.domain.findings import Basis, State

#: The hash before the first event.
GENESIS_HASH = "0" * 64


class EventKind(StrEnum):
    """What happened. Never renamed: the trail outlives the code.

    A correction to *present* in an exclusive group sets the others of the group absent in the same
    act: a correction each, ``implied_by`` the finding, in the same transaction right before the
    one that ``implies`` them. An undo takes back such an act as a whole, an undo each.
    """

    PROJECT_CREATED = "project_created"
    IMPORT_FINISHED = "import_finished"
    CORRECTION = "correction"
    UNDO = "undo"
    READ_COMMITTED = "read_committed"
    VERSION_TRAINED = "version_trained"
    VERSION_PROMOTED = "version_promoted"
    VERSION_REFUSED = "version_refused"
    VERSION_ROLLED_BACK = "version_rolled_back"
    SETTING_CHANGED = "setting_changed"
    REPEAT_ANSWERED = "repeat_answered"
    AUDIT_DRAWN = "audit_drawn"


class Stage(StrEnum):
    """How much the reader had been shown when the event was made."""

    IMAGE = "image"
    REPORT = "report"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before it has a place in the chain. ``case`` is a case id or empty."""

    kind: EventKind
    actor: str
    case: str = ""
    read: int = 0
    stage: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the trail. ``at`` is UTC, ISO 8601 with microseconds and a ``Z``."""

    seq: int
    kind: str
    actor: str
    at: str
    case: str
    read: int
    stage: str
    payload: str
    prev_hash: str
    hash: str

    @property
    def data(self) -> dict[str, Any]:
        """The payload, parsed."""
        parsed: dict[str, Any] = json.loads(self.payload)
        return parsed


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def event_hash(
    *, seq: int, kind: str, actor: str, at: str, case: str, read: int, stage: str,
    payload: str, prev_hash: str,
) -> str:
    """The sha256 (hex) of an event's fields and of the hash before it."""
    fields = [seq, kind, actor, at, case, read, stage, payload, prev_hash]
    return hashlib.sha256(canonical_json(fields).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FindingState:
    """The state that holds for a finding on a case, by one reader (or by the import).

    ``previous`` is the state it replaced; ``seq`` is the event that set it (0 for the import).
    """

    finding: str
    state: State
    basis: Basis = Basis.BOTH
    reader: str = ""
    at: str = ""
    seq: int = 0
    previous: State = State.UNSET
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A reader's wish: this finding of this case has this state. ``version`` is what they saw;
    ``repeat`` says that it answers a second reading and must leave the label alone."""

    case_key: int
    finding: str
    state: State
    reader: str
    basis: Basis = Basis.BOTH
    version: int | None = None
    stage: Stage = Stage.MODEL
    repeat: bool = False
