"""A case that its reader has read before, offered once more: blind, and beside the label.

Nothing of the first reading is shown, and the answers of the second are events of their own kind:
no label, no correction and no training knows of them. Committing tells where the two differ, and
``consistency`` counts how far each reader agrees with themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmreview.domain.cases import Case
from mmreview.domain.changes import ReadCommitted, StateChanged
from mmreview.domain.findings import Basis, State
from mmreview.domain.ports import CaseStore, EventStore
from mmreview.domain.reads import Correction, Event, EventKind, FindingState, NewEvent, Stage
from mmreview.domain.repeats import Consistency, consistency
from mmreview.domain.streams import Stream


class Repeats:
    """Second readings of one project. Safe from any thread."""

    def __init__(self, *, cases: CaseStore, events: EventStore) -> None:
        self._cases = cases
        self._events = events

    def states(self, case: Case, reader: str) -> dict[str, FindingState]:
        """What the reader has answered so far in the reading that they are in."""
        held = _held(self._acts(case, reader))
        return {name: held[name] for name in self._cases.schema.names if name in held}

    def answer(self, correction: Correction) -> StateChanged:
        """Keep an answer beside the label; durable when this returns. *Present* in an exclusive
        group answers the others of the group with absent.

        Raises:
            FindingNotFound, CaseNotFound, WriteFailed: nothing was stored.
        """
        case = self._cases.get(correction.case_key)
        schema = self._cases.schema
        finding = schema.canonical(correction.finding)
        held = self.states(case, correction.reader)
        implied = schema.implied_absent(finding, correction.state)
        acts: list[tuple[str, State, Mapping[str, object]]] = [
            *((name, State.ABSENT, {"implied_by": finding}) for name in implied),
            (finding, correction.state, {"implies": list(implied)} if implied else {}),
        ]
        read = self._events.read_number(case.id, correction.reader)
        made = self._events.append_together(
            [
                NewEvent(
                    kind=EventKind.REPEAT_ANSWERED,
                    actor=correction.reader,
                    case=case.id,
                    read=read,
                    stage=str(Stage.REPORT),
                    payload={
                        "finding": name,
                        "before": str(_of(held, name).state),
                        "after": str(state),
                        "basis": str(correction.basis),
                        **more,
                    },
                )
                for name, state, more in acts
            ]
        )
        *others, after = (_answer(event) for event in made)
        return StateChanged(
            case_key=case.key, case=case.id, seq=made[-1].seq, at=made[-1].at,
            before=_of(held, finding), after=after, implied=tuple(others), repeat=True,
        )

    def undo(self, case_key: int, reader: str) -> StateChanged | None:
        """Take the newest answer of this reading back, with an event of its own; None if there is
        none."""
        case = self._cases.get(case_key)
        acts = self._acts(case, reader)
        if not acts:
            return None
        held = _held(acts)
        seq, undone = acts.popitem()
        after = {name: _of(_held(acts), name) for name in undone}
        *_, finding = undone
        event = self._events.append(
            NewEvent(
                kind=EventKind.REPEAT_ANSWERED,
                actor=reader,
                case=case.id,
                read=self._events.read_number(case.id, reader),
                stage=str(Stage.REPORT),
                payload={
                    "undoes": seq,
                    "finding": finding,
                    "before": str(_of(held, finding).state),
                    "after": str(after[finding].state),
                },
            )
        )
        *others, last = after.values()
        return StateChanged(
            case_key=case.key, case=case.id, seq=event.seq, at=event.at,
            before=_of(held, finding), after=last, implied=tuple(others), repeat=True,
        )

    def commit(self, key: int, *, reader: str) -> ReadCommitted:
        """End the second reading: the event holds its answers and names the first reading. The
        label stays as it was; ``differs`` names the findings that were answered differently."""
        case = self._cases.get(key)
        answers = {name: str(held.state) for name, held in self.states(case, reader).items()}
        first = self._first(case.id, reader)
        before = first.data.get("states", {}) if first is not None else {}
        event = self._events.append(
            NewEvent(
                kind=EventKind.READ_COMMITTED,
                actor=reader,
                case=case.id,
                read=self._events.read_number(case.id, reader),
                stage=str(Stage.REPORT),
                payload={
                    "states": dict(sorted(answers.items())),
                    "changed": [],
                    "version": None,
                    "stream": str(Stream.REPEATS),
                    "repeats": first.seq if first is not None else None,
                },
            )
        )
        differs = [name for name, a, b in _paired(before, answers) if a != b]
        return ReadCommitted(
            case_key=key, case=case.id, seq=event.seq, at=event.at, read=event.read, changed=0,
            repeat=True, differs=tuple(differs),
        )

    def consistency(self) -> list[Consistency]:
        """Each reader's agreement with themselves: over all findings first, then by finding, in
        the schema's order."""
        committed: dict[int, Mapping[str, str]] = {}
        pairs: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        cases: dict[tuple[str, str], int] = defaultdict(int)
        for event in self._events.events():
            if event.kind != EventKind.READ_COMMITTED:
                continue
            data = event.data
            committed[event.seq] = data.get("states", {})
            if data.get("repeats") is None:
                continue
            found = list(_paired(committed.get(data["repeats"], {}), committed[event.seq]))
            cases[event.actor, ""] += bool(found)
            for name, first, second in found:
                cases[event.actor, name] += 1
                pairs[event.actor][""].append((first, second))
                pairs[event.actor][name].append((first, second))
        names = ("", *self._cases.schema.names)
        return [
            consistency(reader, name, cases=cases[reader, name], pairs=own[name])
            for reader, own in sorted(pairs.items())
            for name in names
            if name in own
        ]

    def _first(self, case: str, reader: str) -> Event | None:
        """The reader's newest committed read of the case that was no repeat."""
        found = None
        for event in self._events.events(case=case):
            own = event.kind == EventKind.READ_COMMITTED and event.actor == reader
            if own and "repeats" not in event.data:
                found = event
        return found

    def _acts(self, case: Case, reader: str) -> dict[int, dict[str, FindingState]]:
        """The answers of the reading that the reader is in, by event, less those taken back; each
        with what it implied, its own finding last."""
        read = self._events.read_number(case.id, reader)
        acts: dict[int, dict[str, FindingState]] = {}
        implied: dict[str, FindingState] = {}
        for event in self._events.events(case=case.id):
            if event.kind != EventKind.REPEAT_ANSWERED or (event.actor, event.read) != (
                reader, read,
            ):
                continue
            data = event.data
            if "undoes" in data:
                acts.pop(data["undoes"], None)
            elif "implied_by" in data:
                implied[data["finding"]] = _answer(event)
            else:
                acts[event.seq] = {**implied, data["finding"]: _answer(event)}
                implied = {}
        return acts


def _answer(event: Event) -> FindingState:
    data = event.data
    return FindingState(
        finding=data["finding"],
        state=State(data["after"]),
        basis=Basis(data["basis"]),
        reader=event.actor,
        at=event.at,
        seq=event.seq,
        previous=State(data["before"]),
    )


def _held(acts: Mapping[int, Mapping[str, FindingState]]) -> dict[str, FindingState]:
    held: dict[str, FindingState] = {}
    for act in acts.values():
        held |= act
    return held


def _of(states: Mapping[str, FindingState], finding: str) -> FindingState:
    return states.get(finding) or FindingState(finding=finding, state=State.UNSET)


def _paired(
    first: Mapping[str, str], second: Mapping[str, str]
) -> Sequence[tuple[str, str, str]]:
    """The findings that got a state in both readings, with both."""
    unset = str(State.UNSET)
    return [
        (name, first[name], state)
        for name, state in second.items()
        if state != unset and first.get(name, unset) != unset
    ]
