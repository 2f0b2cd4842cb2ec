"""A reader at a case: open it, correct findings, take a correction back, commit the read.

The window calls ``open_case`` and draws the ``CaseView`` it gets, which holds only what the
reader's stage allows; every mutation is one event, durable when the call returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmreview.domain.cases import Case, Partition, ReadStatus, WorklistRow
from mmreview.domain.changes import ReadCommitted, StateChanged
from mmreview.domain.errors import Message
from mmreview.domain.findings import Basis, FindingSchema, State
from mmreview.domain.ports import CaseStore, EventStore
from mmreview.domain.predictions import Prediction
from mmreview.domain.reads import Correction, Event, EventKind, FindingState, NewEvent, Stage
from mmreview.services.predicting import Predicting


@dataclass(frozen=True, slots=True)
class CaseView:
    """All that the review page draws of one case.

    ``prediction`` is None unless ``prediction_status`` is ``prediction.ready``; otherwise the
    status is the message code that says why (no model yet, not encoded yet, audit reading).
    ``states`` holds the findings that have a state; ``image_paths`` are absolute.
    """

    case: Case
    row: WorklistRow
    image_paths: tuple[Path, ...]
    states: Mapping[str, FindingState]
    prediction: Prediction | None
    prediction_status: Message
    stage: Stage = Stage.MODEL


class Reviewing:
    """The acts of reading. One instance a project; safe from any thread."""

    def __init__(
        self, *, cases: CaseStore, events: EventStore, predicting: Predicting, folder: Path
    ) -> None:
        self._cases = cases
        self._events = events
        self._predicting = predicting
        self._folder = folder

    @property
    def schema(self) -> FindingSchema:
        """The project's findings."""
        return self._cases.schema

    def open_case(self, key: int, *, predict: bool = True) -> CaseView:
        """The case as its reader may see it. With ``predict`` False the opinions are left out
        (``prediction.pending``), so that the page can be drawn before they are computed.

        Raises:
            CaseNotFound: no case has this key.
        """
        case = self._cases.get(key)
        [row] = self._cases.worklist_rows([key])
        prediction, status = self._opinion(case) if predict else (None, PENDING)
        blind = case.partition is Partition.AUDIT
        if blind:
            prediction, status = None, Message("prediction.audit_blind")
            row = replace(row, conflict=None, priority=None, reason="queue.neutral")
        return CaseView(
            case=case,
            row=row,
            image_paths=tuple(self._folder / image.path for image in case.images),
            states=self._cases.states(key),
            prediction=prediction,
            prediction_status=status,
            stage=Stage.REPORT if blind else Stage.MODEL,
        )

    def _opinion(self, case: Case) -> tuple[Prediction | None, Message]:
        return self._predicting.opinion(case)

    def correct(self, correction: Correction) -> StateChanged:
        """Make a state hold; durable when this returns.

        Raises:
            FindingNotFound, CaseNotFound: the correction names what is not there.
            WriteFailed: nothing was stored.
        """
        case = self._cases.get(correction.case_key)
        finding = self.schema.canonical(correction.finding)
        before = self._state(correction.case_key, finding)
        payload: dict[str, Any] = {
            "finding": finding,
            "before": str(before.state),
            "before_basis": str(before.basis),
            "after": str(correction.state),
            "basis": str(correction.basis),
            "version": correction.version,
        }
        event = self._events.append(
            NewEvent(
                kind=EventKind.CORRECTION,
                actor=correction.reader,
                case=case.id,
                read=self._events.read_number(case.id, correction.reader),
                stage=str(correction.stage),
                payload=payload,
            )
        )
        after = FindingState(
            finding=finding,
            state=correction.state,
            basis=correction.basis,
            reader=correction.reader,
            at=event.at,
            seq=event.seq,
            previous=before.state,
            version=correction.version,
        )
        return _changed(case, event, before=before, after=after)

    def undo(self, reader: str) -> StateChanged | None:
        """Take the reader's newest correction back, with an event of its own; None if there is
        nothing to take back.

        What held before it holds again, unless another reader has spoken since: the event says
        what held until now and what holds from now on.
        """
        event = self._events.undoable(reader)
        if event is None:
            return None
        data = event.data
        case = self._cases.find(event.case)
        before = self._state(case.key, data["finding"])
        after = self._state(case.key, data["finding"], without=event.seq)
        undo = self._events.append(
            NewEvent(
                kind=EventKind.UNDO,
                actor=reader,
                case=case.id,
                read=event.read,
                stage=event.stage,
                payload={
                    "undoes": event.seq,
                    "finding": data["finding"],
                    "before": str(before.state),
                    "before_basis": str(before.basis),
                    "after": str(after.state),
                    "basis": str(after.basis),
                    "version": data["version"],
                },
            )
        )
        return _changed(case, undo, before=before, after=after)

    def commit_read(
        self, key: int, *, reader: str, version: int | None = None, stage: Stage = Stage.MODEL
    ) -> ReadCommitted:
        """End the reader's assessment of a case, also when nothing was changed: agreement is
        knowledge too. Durable when this returns."""
        case = self._cases.get(key)
        read = self._events.read_number(case.id, reader)
        changed = self._changed_in(case.id, reader=reader, read=read)
        event = self._events.append(
            NewEvent(
                kind=EventKind.READ_COMMITTED,
                actor=reader,
                case=case.id,
                read=read,
                stage=str(stage),
                payload={
                    "states": {n: str(s.state) for n, s in sorted(self._cases.states(key).items())},
                    "changed": sorted(changed),
                    "version": version,
                },
            )
        )
        return ReadCommitted(
            case_key=key, case=case.id, seq=event.seq, at=event.at, read=read, changed=len(changed)
        )

    def _changed_in(self, case_id: str, *, reader: str, read: int) -> set[str]:
        """The findings that a reader set in a read and did not take back."""
        made: dict[int, str] = {}
        for event in self._events.events(case=case_id):
            if event.kind == EventKind.UNDO:
                made.pop(event.data["undoes"], None)
            elif event.kind == EventKind.CORRECTION and (event.actor, event.read) == (reader, read):
                made[event.seq] = event.data["finding"]
        return set(made.values())

    def history(self, case_id: str) -> list[Event]:
        """Every event of a case, oldest first."""
        return list(self._events.events(case=case_id))

    def _state(self, key: int, finding: str, *, without: int = 0) -> FindingState:
        empty = FindingState(finding=finding, state=State.UNSET, basis=Basis.BOTH)
        return self._cases.states(key, without=without).get(finding, empty)


#: The opinions are on their way.
PENDING = Message("prediction.pending")


def _changed(
    case: Case, event: Event, *, before: FindingState, after: FindingState
) -> StateChanged:
    return StateChanged(
        case_key=case.key, case=case.id, seq=event.seq, at=event.at, before=before, after=after
    )


def is_done(row: WorklistRow) -> bool:
    """True once a reader committed a read of the case."""
    return row.status is ReadStatus.READ
