"""A reader at a case: open it, correct findings, take a correction back, commit the read.

The window calls ``open_case`` and draws the ``CaseView`` it gets, which holds only what the
reader's stage allows; every mutation is one event, durable when the call returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmreview.domain.cases import Case, Partition, ReadStatus, WorklistRow
from mmreview.domain.changes import ReadCommitted, StateChanged
from mmreview.domain.errors import Message
from mmreview.domain.findings import FindingSchema, State
from mmreview.domain.labels import Suspect
from mmreview.domain.ports import CaseStore, EventStore, QueueStore
from mmreview.domain.predictions import Prediction
from mmreview.domain.reads import Correction, Event, EventKind, FindingState, NewEvent, Stage
from mmreview.domain.streams import NEUTRAL, Stream
from mmreview.services.predicting import Predicting
from mmreview.services.repeats import Repeats
from mmreview.services.suspicions import Suspicions


@dataclass(frozen=True, slots=True)
class CaseView:
    """All that the review page draws of one case.

    ``prediction`` is None unless ``prediction_status`` is ``prediction.ready``; otherwise the
    status is the message code that says why (no model yet, not encoded yet, audit reading).
    ``states`` holds the findings that have a state; ``image_paths`` are absolute. A ``repeat`` is
    read a second time, without opinions and without what is known of it (see ``repeats``).
    ``suspects`` are the findings whose label is worth a second look, from the model's stage on.
    """

    case: Case
    row: WorklistRow
    image_paths: tuple[Path, ...]
    states: Mapping[str, FindingState]
    prediction: Prediction | None
    prediction_status: Message
    stage: Stage = Stage.MODEL
    repeat: bool = False
    suspects: Mapping[str, Suspect] = field(default_factory=dict)


class Reviewing:
    """The acts of reading. One instance a project; safe from any thread."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        events: EventStore,
        predicting: Predicting,
        folder: Path,
        queue: QueueStore | None = None,
        suspicions: Suspicions | None = None,
    ) -> None:
        self._cases = cases
        self._events = events
        self._predicting = predicting
        self._folder = folder
        self._queue = queue
        self._suspicions = suspicions
        self.repeats = Repeats(cases=cases, events=events)

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
        repeat = row.stream == Stream.REPEATS and self._queue is not None
        blind = repeat or case.partition is Partition.AUDIT
        if blind:
            status = Message("prediction.blind" if repeat else "prediction.audit_blind")
            prediction = None
            row = replace(row, conflict=None, priority=None, reason=NEUTRAL)
        else:
            prediction, status = self._opinion(case) if predict else (None, PENDING)
        states = self._known(case, repeat=repeat)
        suspects: Mapping[str, Suspect] = {}
        if self._suspicions is not None and not blind:
            suspects = self._suspicions.of(self._predicting.version, key, states)
        return CaseView(
            case=case,
            row=row,
            image_paths=tuple(self._folder / image.path for image in case.images),
            states=states,
            prediction=prediction,
            prediction_status=status,
            stage=Stage.REPORT if blind else Stage.MODEL,
            repeat=repeat,
            suspects=suspects,
        )

    def _known(self, case: Case, *, repeat: bool) -> Mapping[str, FindingState]:
        if repeat and self._queue is not None:
            return self.repeats.states(case, self._queue.reader)
        return self._cases.states(case.key)

    def _opinion(self, case: Case) -> tuple[Prediction | None, Message]:
        return self._predicting.opinion(case)

    def correct(self, correction: Correction) -> StateChanged:
        """Make a state hold; durable when this returns. *Present* in an exclusive group makes the
        others of the group absent in the same transaction. The answer of a second reading is kept
        beside the label.

        Raises:
            FindingNotFound, CaseNotFound: the correction names what is not there.
            WriteFailed: nothing was stored.
        """
        if correction.repeat:
            return self.repeats.answer(correction)
        case = self._cases.get(correction.case_key)
        finding = self.schema.canonical(correction.finding)
        held = self._cases.states(case.key)
        implied = self.schema.implied_absent(finding, correction.state)
        acts: list[tuple[str, State, Mapping[str, object]]] = [
            *((name, State.ABSENT, {"implied_by": finding}) for name in implied),
            (finding, correction.state, {"implies": list(implied)} if implied else {}),
        ]
        read = self._events.read_number(case.id, correction.reader)
        made = self._made(
            [
                NewEvent(
                    kind=EventKind.CORRECTION,
                    actor=correction.reader,
                    case=case.id,
                    read=read,
                    stage=str(correction.stage),
                    payload={
                        "finding": name,
                        "before": str(_of(held, name).state),
                        "before_basis": str(_of(held, name).basis),
                        "after": str(state),
                        "basis": str(correction.basis),
                        "version": correction.version,
                        **more,
                    },
                )
                for name, state, more in acts
            ]
        )
        *others, after = (
            FindingState(
                finding=name,
                state=state,
                basis=correction.basis,
                reader=correction.reader,
                at=event.at,
                seq=event.seq,
                previous=_of(held, name).state,
                version=correction.version,
            )
            for (name, state, _), event in zip(acts, made, strict=True)
        )
        return _changed(case, made[-1], before=_of(held, finding), after=after, implied=others)

    def _made(self, events: list[NewEvent]) -> list[Event]:
        """All of the events, durable, in one transaction."""
        if len(events) == 1:
            return [self._events.append(events[0])]
        return self._events.append_together(events)

    def undo(self, reader: str, *, repeat_of: int | None = None) -> StateChanged | None:
        """Take the reader's newest correction back, and what it implied, with events of their own
        in one transaction; None if there is nothing to take back. ``repeat_of`` is the case that is
        being read a second time: the newest answer there is taken back instead.

        What held before it holds again, unless another reader has spoken since: the events say
        what held until now and what holds from now on.
        """
        if repeat_of is not None:
            return self.repeats.undo(repeat_of, reader)
        event = self._events.undoable(reader)
        if event is None:
            return None
        data = event.data
        case = self._cases.find(event.case)
        implied = data.get("implies", [])
        # Its implied corrections are the events right before it, in this order.
        first = event.seq - len(implied)
        undone = {name: first + place for place, name in enumerate([*implied, data["finding"]])}
        held = self._cases.states(case.key)
        after = {
            name: _of(self._cases.states(case.key, without=seq), name)
            for name, seq in undone.items()
        }
        made = self._made(
            [
                NewEvent(
                    kind=EventKind.UNDO,
                    actor=reader,
                    case=case.id,
                    read=event.read,
                    stage=event.stage,
                    payload={
                        "undoes": seq,
                        "finding": name,
                        "before": str(_of(held, name).state),
                        "before_basis": str(_of(held, name).basis),
                        "after": str(after[name].state),
                        "basis": str(after[name].basis),
                        "version": data["version"],
                        **({"implied_by": data["finding"]} if seq != event.seq else {}),
                    },
                )
                for name, seq in undone.items()
            ]
        )
        *others, last = after.values()
        before = _of(held, data["finding"])
        return _changed(case, made[-1], before=before, after=last, implied=others)

    def commit_read(
        self, key: int, *, reader: str, version: int | None = None, stage: Stage = Stage.MODEL,
        repeat: bool = False,
    ) -> ReadCommitted:
        """End the reader's assessment of a case, also when nothing was changed: agreement is
        knowledge too. Durable when this returns. A ``repeat`` leaves the labels alone. The event
        says which stream of the queue the case came from."""
        if repeat:
            return self.repeats.commit(key, reader=reader)
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
                    "stream": self._stream(key),
                },
            )
        )
        return ReadCommitted(
            case_key=key, case=case.id, seq=event.seq, at=event.at, read=read, changed=len(changed)
        )

    def _stream(self, key: int) -> str:
        """Where the queue has the case from (``streams.Stream``), empty if it has no place."""
        return self._cases.worklist_rows([key])[0].stream

    def _changed_in(self, case_id: str, *, reader: str, read: int) -> set[str]:
        """The findings that a reader set in a read and did not take back, less the implied."""
        made: dict[int, str] = {}
        for event in self._events.events(case=case_id):
            if event.kind == EventKind.UNDO:
                made.pop(event.data["undoes"], None)
            elif (
                event.kind == EventKind.CORRECTION
                and (event.actor, event.read) == (reader, read)
                and "implied_by" not in event.data
            ):
                made[event.seq] = event.data["finding"]
        return set(made.values())

    def history(self, case_id: str) -> list[Event]:
        """Every event of a case, oldest first."""
        return list(self._events.events(case=case_id))


#: The opinions are on their way.
PENDING = Message("prediction.pending")


def _of(states: Mapping[str, FindingState], finding: str) -> FindingState:
    """The state that holds for a finding; *unset* where nobody has spoken."""
    return states.get(finding) or FindingState(finding=finding, state=State.UNSET)


def _changed(
    case: Case, event: Event, *, before: FindingState, after: FindingState,
    implied: list[FindingState],
) -> StateChanged:
    return StateChanged(
        case_key=case.key, case=case.id, seq=event.seq, at=event.at, before=before, after=after,
        implied=tuple(implied),
    )


def is_done(row: WorklistRow) -> bool:
    """True once a reader committed a read of the case."""
    return row.status is ReadStatus.READ
