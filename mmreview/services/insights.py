"""Does the loop help? What trail and versions say of it, and the control arm that proves it.

Nothing here is stored but the comparison with the control arm, which takes a while to measure and
is kept beside the version that served meanwhile. Everything else follows from events and cards.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmreview.domain.cases import Partition
from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import State
from mmreview.domain.insights import (
    ARMS,
    CONTROL,
    LEAST_AUDIT,
    LEAST_READ,
    QUEUE,
    Agreement,
    Attempt,
    Comparison,
    Insights,
    Pace,
    Readiness,
)
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import CaseStore, EventStore, Trainer, VersionStore
from mmreview.domain.progress import Progress
from mmreview.domain.reads import Stage
from mmreview.domain.versions import Version
from mmreview.services.gating import Gating
from mmreview.services.learning import Learning
from mmreview.services.repeats import Repeats
from mmreview.services.standing_in import loaded
from mmreview.services.trail_walk import Read, TrailWalk, share

#: The comparison lies beside a version's files and is no part of it.
_FILE = "control_arm.json"
#: It is measured again once there are so many times the cases.
_AGAIN = 1.5
_BLOCK = 4096
#: So many versions are measured again on today's audit cases, and the first.
_NEWEST = 99
#: What a version called a finding (a byte a finding): absent, present, nothing.
_CALLED = {0: State.ABSENT, 1: State.PRESENT}


class LoopInsights:
    """The insights of one project. Safe from any thread; slow ones belong in the background."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        events: EventStore,
        versions: VersionStore,
        trainer: Trainer,
        learning: Learning,
        gating: Gating,
        folder: Path,
    ) -> None:
        self._cases = cases
        self._events = events
        self._versions = versions
        self._trainer = trainer
        self._learning = learning
        self._gating = gating
        self._folder = folder
        self._walk = TrailWalk()
        self._said: dict[int, dict[int, bytes]] = {}
        self._audit_mark = 0
        self._audits: dict[int, Mapping[str, Any]] = {}

    def collect(self) -> Generator[Progress, None, Insights]:
        """Everything. Asks old versions what they had said and how good they are on the audit
        cases that are labelled now: seconds the first time, next to nothing afterwards."""
        with self._walk.lock:
            self._walk.take(self._events.events(after=self._walk.seq))
            reads, paces = list(self._walk.reads), self._walk.paces()
            first = self._walk.first_reads()
        versions = self._versions.versions()
        table = self._cases.label_table()
        kinds = self._partitions(read.case for read in reads)
        spent = [r.seq for case, r in first.items() if _drawn(kinds, case) is Partition.TRAIN]
        audited = yield from self._audited(versions, table)
        agreements, unknown = yield from self._agreements(reads, versions, kinds)
        readiness = _readiness(_by_arm(first, kinds), _labelled(table))
        return Insights(
            paces=paces,
            agreements=agreements,
            attempts=tuple(
                self._attempt(version, spent, audited.get(version.id)) for version in versions
            ),
            readiness=readiness,
            comparison=self._comparison(versions, readiness),
            unknown=unknown,
            consistency=tuple(Repeats(cases=self._cases, events=self._events).consistency()),
        )

    def summary(self) -> tuple[Pace, Readiness, Comparison | None]:
        """The pace of all readers, and how the comparison stands: cheap from the second time."""
        with self._walk.lock:
            self._walk.take(self._events.events(after=self._walk.seq))
            pace, first = self._walk.paces()[0], self._walk.first_reads()
        kinds = self._partitions(first)
        read = _by_arm(first, kinds)
        audit = sum(drawn is Partition.AUDIT for _, drawn in kinds.values())
        if min(len(read[arm]) for arm in ARMS) >= LEAST_READ:  # else it does not matter yet
            audit = _labelled(self._cases.label_table())
        readiness = _readiness(read, audit)
        return pace, readiness, self._comparison(self._versions.versions(), readiness)

    # --- the control arm ------------------------------------------------------------------------

    def measure(self) -> Generator[Progress, None, dict[str, Any]]:
        """Compare the queue with the control arm on what was read so far; kept.

        Raises:
            MmreviewError: ``error.no_version`` before anything serves.
            TooFewToCompare: an arm or the audit set has too few cases.
        """
        champion = self._versions.champion()
        if champion is None:
            raise MmreviewError("error.no_version")
        with self._walk.lock:
            self._walk.take(self._events.events(after=self._walk.seq))
            first = self._walk.first_reads()
        read = _by_arm(first, self._partitions(first))
        found = yield from self._learning.control_arm(read=read)
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        folder = self._folder / champion.folder
        if folder.is_dir():
            partial = folder / f"{_FILE}.partial"
            partial.write_text(json.dumps({"at": at, "found": found}), encoding="utf-8")
            partial.replace(folder / _FILE)
        return found

    def _comparison(
        self, versions: Sequence[Version], readiness: Readiness
    ) -> Comparison | None:
        """The newest that was measured."""
        for version in reversed(versions):
            try:
                text = (self._folder / version.folder / _FILE).read_text(encoding="utf-8")
                kept = json.loads(text)
                found, at = kept["found"], str(kept["at"])
                measured = int(found["points"][-1]["cases"])
            except (OSError, ValueError, LookupError, TypeError):
                continue
            due = min(readiness.have[arm] for arm in ARMS) >= _AGAIN * measured
            return Comparison(version.id, at, found, due=due)
        return None

    # --- which cases ----------------------------------------------------------------------------

    def _partitions(self, ids: Iterable[str]) -> dict[str, tuple[int, Partition]]:
        """The key and the partition of each of these cases."""
        keys = self._cases.keys_of(sorted(set(ids)))
        ordered = sorted(keys.values())
        kinds = dict(zip(ordered, self._cases.contents(ordered).partitions, strict=True))
        return {id: (key, kinds[key]) for id, key in keys.items()}

    # --- versions -------------------------------------------------------------------------------

    def _audited(
        self, versions: Sequence[Version], table: LabelTable
    ) -> Generator[Progress, None, Mapping[int, Mapping[str, Any]]]:
        """What is known of versions on the audit cases of ``table``: the first and the newest."""
        rows = [at for at, drawn in enumerate(table.partitions) if drawn is Partition.AUDIT]
        mark = hash((table.keys[rows].tobytes(), table.targets[rows].tobytes()))
        if mark != self._audit_mark:
            self._audit_mark, self._audits = mark, {}
        wanted = [*versions[:1], *versions[1:][-_NEWEST:]]
        new = [v for v in wanted if v.id not in self._audits]
        if rows and new:
            found = yield from self._trainer.audit(
                table.take(rows), findings=self._cases.schema.names,
                versions=[(v, self._folder / v.folder) for v in new],
            )
            self._audits |= {v.id: found.get(v.id) or {} for v in new}
        return self._audits

    def _attempt(
        self, version: Version, spent: Sequence[int], again: Mapping[str, Any] | None
    ) -> Attempt:
        gate, audit = version.gate, again or self._audit_of(version)
        fused = (audit.get("auroc") or {}).get("fused")
        band = audit.get("ece_perfect")
        return Attempt(
            version=version.id,
            at=version.created_at,
            outcome=str(gate.get("outcome") or ("accepted" if gate.get("accepted") else "refused")),
            served=version.id in self._walk.served,
            reason=str(gate.get("reason", "")),
            params=dict(gate.get("params") or {}),
            basis=str(gate.get("basis", "")),
            reads=bisect_right(spent, version.through_seq),
            corrections=self._walk.corrections_through(version.through_seq),
            audit_cases=int(audit.get("cases") or 0),
            auroc=(fused[0], fused[1], fused[2]) if fused else None,
            ece=audit.get("ece"),
            ece_perfect=(band[0], band[1]) if band else None,
            difference=gate.get("log_loss_difference"),
            bounds=_bounds(gate),
        )

    def _audit_of(self, version: Version) -> Mapping[str, Any]:
        """What the card says of the audit cases, if today's set was asked: figures of two sets do
        not compare."""
        asked = (version.gate.get("report") or {}).get("audit_set", 0)
        return _carded(version) if asked == self._gating.audit_set() else {}

    # --- what readers changed -------------------------------------------------------------------

    def _agreements(
        self, reads: Sequence[Read], versions: Sequence[Version],
        kinds: Mapping[str, tuple[int, Partition]],
    ) -> Generator[Progress, None, tuple[tuple[Agreement, ...], int]]:
        """All, by finding, by version; and how many reads had a version that cannot answer."""
        known = {version.id: version for version in versions}
        shown = [r for r in reads if r.stage == Stage.MODEL and r.version in known]
        wanted: dict[int, set[int]] = {}
        for read in shown:
            if read.version is not None and read.case in kinds:
                wanted.setdefault(read.version, set()).add(kinds[read.case][0])
        for at, (number, keys) in enumerate(wanted.items()):
            yield Progress("progress.audit", at, len(wanted))
            self._ask(known[number], keys)
        counts = _Counts(self._cases.schema.names)
        unknown = 0
        for read in reads:
            key = kinds.get(read.case, (-1, None))[0]
            called = self._said.get(read.version or 0, {}).get(key)
            blind = read.stage != Stage.MODEL or read.version is None
            unknown += not blind and called is None
            counts.add(read, None if blind else called)
        return counts.agreements(), unknown

    def _ask(self, version: Version, keys: set[int]) -> None:
        """Note what a version says of cases that it was not asked about before."""
        known = self._said.setdefault(version.id, {})
        new = sorted(keys - known.keys())
        if not new:
            return
        names = self._cases.schema.names
        try:
            predictor = loaded(
                self._trainer, version, self._folder / version.folder, known=names
            )
        except (MmreviewError, OSError):  # damaged, or of encoders that are gone
            return
        order = [predictor.findings.index(n) if n in predictor.findings else -1 for n in names]
        for begin in range(0, len(new), _BLOCK):
            block = new[begin : begin + _BLOCK]
            fused = predictor.score(self._cases.contents(block).hashes).fused
            for key, row in zip(block, fused.tolist(), strict=True):
                known[key] = bytes(_call(row[at]) if at >= 0 else 2 for at in order)


class _Counts:
    """(changed, judged) of each read, by finding and by version."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._versions: set[int] = set()
        self._found: dict[tuple[str, str, int | None], list[tuple[int, int]]] = {}

    def add(self, read: Read, called: bytes | None) -> None:
        """Note one read; ``called`` is None where no opinion was shown or none is known."""
        pairs: dict[str, tuple[list[int], list[int]]] = {}
        for at, name in enumerate(self._names):
            said = read.states.get(name)
            imported = read.imported.get(name)
            was = None if called is None else _CALLED.get(called[at])
            against_import = None if imported is None else int(said != imported)
            judged = said in (State.PRESENT, State.ABSENT)
            against_model = int(said != was) if judged and was is not None else None
            for source, changed in (("imported", against_import), ("model", against_model)):
                if changed is not None:
                    self._note(source, name, None, (changed, 1))
                    total = pairs.setdefault(source, ([], []))
                    total[0].append(changed)
                    total[1].append(1)
        for source, (changes, judgements) in pairs.items():
            whole = sum(changes), sum(judgements)
            self._note(source, "", None, whole)
            if read.version is not None:
                self._versions.add(read.version)
                self._note(source, "", read.version, whole)

    def _note(self, source: str, name: str, version: int | None, pair: tuple[int, int]) -> None:
        self._found.setdefault((source, name, version), []).append(pair)

    def agreements(self) -> tuple[Agreement, ...]:
        """All, by finding, by version."""
        wanted: list[tuple[str, int | None]] = [("", None)]
        wanted += [(name, None) for name in self._names]
        wanted += [("", version) for version in sorted(self._versions)]
        return tuple(
            Agreement(
                name, version,
                imported=share(self._found.get(("imported", name, version), ())),
                model=share(self._found.get(("model", name, version), ())),
            )
            for name, version in wanted
        )


def _by_arm(
    first: Mapping[str, Read], kinds: Mapping[str, tuple[int, Partition]]
) -> dict[str, list[int]]:
    """The keys of the cases read so far, in order of reading, by arm. What was read blind before
    it came to the train partition (a retired audit set) was not chosen by the queue."""
    found: dict[str, list[int]] = {arm: [] for arm in ARMS}
    for case, read in first.items():
        key, drawn = kinds.get(case, (0, None))
        if drawn is Partition.CONTROL:
            found[CONTROL].append(key)
        elif drawn is Partition.TRAIN and read.stage == Stage.MODEL:
            found[QUEUE].append(key)
    return found


def _labelled(table: LabelTable) -> int:
    """How many audit cases have a label."""
    labelled = (table.targets == table.targets).any(axis=1)
    return sum(
        drawn is Partition.AUDIT and bool(there)
        for drawn, there in zip(table.partitions, labelled, strict=True)
    )


def _readiness(read: Mapping[str, Sequence[int]], audit: int) -> Readiness:
    """How many cases each side of the comparison has, and lacks."""
    have = {**{arm: len(read[arm]) for arm in ARMS}, "audit": audit}
    least = {**dict.fromkeys(ARMS, LEAST_READ), "audit": LEAST_AUDIT}
    return Readiness(have, {what: max(0, least[what] - have[what]) for what in have})


def _drawn(kinds: Mapping[str, tuple[int, Partition]], case: str) -> Partition | None:
    """The partition of a case; None of one that is gone."""
    return kinds[case][1] if case in kinds else None


def _call(probability: float) -> int:
    """Present from one half on; nothing where there is no opinion."""
    return 2 if probability != probability else int(probability >= 0.5)


def _bounds(gate: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval of the difference from the champion, where the gate told one."""
    for rival in (gate.get("report") or {}).get("rivals", ()):
        if rival.get("role") == "champion" and rival.get("lower") is not None:
            return rival["lower"], rival["upper"]
    return None


def _carded(version: Version) -> Mapping[str, Any]:
    """What the card says of the audit cases; a version from before it said so may have its means
    from there."""
    metrics = version.metrics
    if "audit" in metrics:
        return metrics["audit"] or {}
    if metrics.get("basis") != "audit":
        return {}
    fused = (metrics.get("macro") or {}).get("fused") or {}
    value = fused.get("auroc", (metrics.get("auroc") or {}).get("fused"))
    if value is None:
        return {}
    low, high = (fused.get("intervals") or {}).get("auroc") or (None, None)
    return {"cases": metrics.get("cases"), "auroc": {"fused": [value, low, high]}}
