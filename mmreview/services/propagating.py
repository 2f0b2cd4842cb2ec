"""One confirmation for a whole cluster: the findings of a case, given to its near-duplicates.

After a read the window asks ``find`` in the background and offers what it finds; a person looks
at the cluster and confirms, and ``give`` makes the same states hold for all of it: a correction
each, in one transaction, each saying which case it came from. ``take_back`` undoes the whole act.

Audit and control cases neither give nor take: the first are read without any opinion, the second
stay a random sample.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from mmreview.domain.cases import Case, Partition, WorklistFilter, WorklistRow, WorklistSort
from mmreview.domain.findings import Basis, State
from mmreview.domain.likeness import Alike, Alikeness, Likeness
from mmreview.domain.ports import CaseStore, EventStore
from mmreview.domain.progress import Progress
from mmreview.domain.reads import EventKind, FindingState, NewEvent, Stage

#: The cluster that is offered is never larger: more than a person can look at.
MOST_ALIKE = 50


@dataclass(frozen=True, slots=True)
class Twin:
    """A near-duplicate and what it would be given: the states that differ from its own."""

    alike: Alike
    row: WorklistRow
    case: Case
    states: tuple[FindingState, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A case with the states that hold for it, and its near-duplicates, the most alike first.
    Twins that have all of these already are left out."""

    case: Case
    states: tuple[FindingState, ...]
    twins: tuple[Twin, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """An act of giving: the corrections ``first_seq`` to ``last_seq``, durable since ``at``."""

    source: str
    cases: int
    findings: int
    first_seq: int
    last_seq: int
    keys: tuple[int, ...]
    at: str


class Propagating:
    """Near-duplicates of one project. Safe from any thread."""

    def __init__(self, *, cases: CaseStore, events: EventStore, likeness: Likeness) -> None:
        self._cases = cases
        self._events = events
        self._likeness = likeness

    def find(self, key: int) -> Generator[Progress, None, Cluster]:
        """The near-duplicates of a case that lack any of its findings.

        Raises:
            CaseNotFound: no case has this key.
        """
        case = self._cases.get(key)
        held = self._cases.states(key)
        states = tuple(state for state in held.values() if state.state is not State.UNSET)
        if case.partition is not Partition.TRAIN or not _worth_giving(held):
            return Cluster(case, states, ())
        everything = self._cases.worklist_keys(WorklistFilter(), WorklistSort.ID)
        keys = sorted(other for other in everything if other != key)
        contents = self._cases.contents(keys)
        mine = {modality: case.hashes(modality) for modality in contents.hashes}
        alike = yield from self._likeness.alike(mine, keys=keys, hashes=contents.hashes)
        teaches = dict(zip(keys, contents.partitions, strict=True))
        near = [each for each in alike if teaches[each.key] is Partition.TRAIN][:MOST_ALIKE]
        rows = {row.key: row for row in self._cases.worklist_rows([each.key for each in near])}
        cases = {each.key: each for each in self._cases.many([each.key for each in near])}
        twins = []
        for each in near:
            lacking = self._lacking(held, each)
            if lacking:
                twins.append(Twin(each, rows[each.key], cases[each.key], lacking))
        return Cluster(case, states, tuple(twins))

    def _lacking(
        self, held: Mapping[str, FindingState], alike: Alike
    ) -> tuple[FindingState, ...]:
        """The states that a near-duplicate would be given. With the picture alone in common, those
        that a reader said rest on it."""
        theirs = self._cases.states(alike.key)
        wanted = {
            name: state
            for name, state in held.items()
            if state.state is not State.UNSET
            and (alike.kind is Alikeness.WHOLE or state.basis is Basis.IMAGE)
        }
        for name, state in list(wanted.items()):  # two of an exclusive group never hold at once
            for other in self._cases.schema.implied_absent(name, state.state):
                if other in theirs and theirs[other].state is State.PRESENT:
                    wanted.setdefault(other, replace(state, finding=other, state=State.ABSENT))
        return tuple(
            state
            for name, state in wanted.items()
            if name not in theirs or theirs[name].state is not state.state
        )

    def give(self, cluster: Cluster, keys: Sequence[int], *, reader: str) -> Given | None:
        """Make the states hold for the twins with these keys; durable when this returns. None if
        there is nothing to give.

        Raises:
            WriteFailed: nothing was stored.
        """
        chosen = [twin for twin in cluster.twins if twin.case.key in set(keys)]
        events = [
            self._correction(cluster.case, twin, state, reader)
            for twin in chosen
            for state in self._lacking({s.finding: s for s in twin.states}, twin.alike)
        ]
        if not events:
            return None
        made = self._events.append_together(events)
        return Given(
            source=cluster.case.id, cases=len(chosen), findings=len(made),
            first_seq=made[0].seq, last_seq=made[-1].seq,
            keys=tuple(twin.case.key for twin in chosen), at=made[-1].at,
        )

    def _correction(
        self, source: Case, twin: Twin, state: FindingState, reader: str
    ) -> NewEvent:
        held = self._cases.states(twin.case.key).get(state.finding)
        return NewEvent(
            kind=EventKind.CORRECTION,
            actor=reader,
            case=twin.case.id,
            read=self._events.read_number(twin.case.id, reader),
            # The reader confirms a likeness; no opinion on this case was shown.
            stage=str(Stage.REPORT),
            payload={
                "finding": state.finding,
                "before": str(held.state if held else State.UNSET),
                "before_basis": str(held.basis if held else Basis.BOTH),
                "after": str(state.state),
                "basis": str(state.basis),
                "version": None,
                "propagated_from": source.id,
            },
        )

    def take_back(self, given: Given, *, reader: str) -> int:
        """Undo an act of giving, in one transaction; what was corrected since stays. Returns how
        many corrections were taken back.

        Raises:
            WriteFailed: nothing was stored.
        """
        keys = {self._cases.get(key).id: key for key in given.keys}
        taken: dict[int, tuple[str, str]] = {}
        undone: set[int] = set()
        for event in self._events.events(after=given.first_seq - 1):
            if event.kind == EventKind.UNDO:
                undone.add(event.data["undoes"])
            elif (
                event.seq <= given.last_seq
                and event.kind == EventKind.CORRECTION
                and event.data.get("propagated_from") == given.source
            ):
                taken[event.seq] = (event.case, event.data["finding"])
        events = []
        for seq, (case, finding) in taken.items():
            if seq in undone:
                continue
            before = self._cases.states(keys[case]).get(finding)
            after = self._cases.states(keys[case], without=seq).get(finding)
            events.append(_undo(seq, case, finding, reader, before, after))
        if events:
            self._events.append_together(events)
        return len(events)


def _undo(
    seq: int, case: str, finding: str, reader: str, before: FindingState | None,
    after: FindingState | None,
) -> NewEvent:
    unset = FindingState(finding=finding, state=State.UNSET)
    before, after = before or unset, after or unset
    return NewEvent(
        kind=EventKind.UNDO,
        actor=reader,
        case=case,
        stage=str(Stage.REPORT),
        payload={
            "undoes": seq,
            "finding": finding,
            "before": str(before.state),
            "before_basis": str(before.basis),
            "after": str(after.state),
            "basis": str(after.basis),
            "version": None,
        },
    )


def _worth_giving(held: Mapping[str, FindingState]) -> bool:
    """Whether a reader has said anything of the case: what was merely imported is not confirmed."""
    return any(state.reader and state.state is not State.UNSET for state in held.values())
