"""Replaying known labels as a reader, to see how many labels a policy saves.

A run is a small life of its own in a *scratch project* in a temporary folder: the same cases,
features from the source's cache, no labels. A simulated reader is offered a batch by a policy,
says every finding (through ``Reviewing``, an event each, right with a given probability), a round
trains on it (``Learning``), and its version is measured on patients that the scratch project does
not hold at all. The source is only read. Its audit cases are left alone: they are neither replayed
nor measured on, a simulation makes its own split of the others.

What a round brings serves, also where the gate refused it: labels are compared here, not gates.
Until a first version can be fitted, a policy that looks at opinions draws at random.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmreview.domain.acquisition import (
    Acquisition,
    AcquisitionRequest,
    PolicyNeedsSuspects,
    PolicyNeedsVersion,
    PolicyNotFound,
)
from mmreview.domain.cases import Case, Partition, WorklistFilter, WorklistSort
from mmreview.domain.errors import MmreviewError, TooFewLabels
from mmreview.domain.findings import ExclusiveGroup, Exclusivity, FindingSchema, State
from mmreview.domain.ports import CaseDraft, CaseStore, Predictor, Yardstick
from mmreview.domain.progress import Progress
from mmreview.domain.reads import Correction, canonical_json
from mmreview.domain.simulations import RANDOM, Curve, Simulation, SimulationOptions
from mmreview.domain.versions import Role, Version
from mmreview.services.learning import Learning
from mmreview.services.reviewing import Reviewing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READER = "simulated reader"
#: Patients below which nothing can be held out of what is measured on the rest.
_LEAST_GROUPS = 4
_STEP = "progress.simulate"
_BATCH = 200
_RUNS = "runs.jsonl"
#: Stands with each kept run: other rules of simulating make other curves.
_RULES = 1


class TooLittleToSimulate(MmreviewError):
    """Too few labelled ``cases``, or none of their findings can be measured on patients that are
    held out."""

    code = "error.simulate_too_little"


@dataclass(frozen=True)
class Bench:
    """A scratch project with what a run needs of it. ``load`` reads a version's files."""

    cases: CaseStore
    reviewing: Reviewing
    learning: Learning
    acquisition: Acquisition
    folder: Path
    load: Callable[[Version], Predictor]
    close: Callable[[], None]


@dataclass(frozen=True)
class _Replay:
    """The labelled cases of one seed. ``truth`` and ``said`` are (cases, findings) targets, as
    known and as the simulated reader says them; ``held_out`` (cases,) and ``measured``
    (findings,) are masks."""

    cases: Sequence[Case]
    truth: NDArray[np.float32]
    said: Sequence[Mapping[str, State]]
    held_out: NDArray[np.bool_]
    measured: NDArray[np.bool_]

    @property
    def pool(self) -> list[int]:
        """The rows that can be read."""
        return (~self.held_out).nonzero()[0].tolist()


class Simulating:
    """Simulations of one project. ``scratch`` makes an empty project in a folder, for the same
    findings, over the same feature cache."""

    def __init__(
        self, *, cases: CaseStore, scratch: Callable[[Path], Bench], policies: Sequence[str],
        yardstick: Yardstick,
    ) -> None:
        self._cases = cases
        self._scratch = scratch
        self._policies = tuple(policies)
        self._yardstick = yardstick

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the policies that can be simulated."""
        return self._policies

    def run(
        self, options: SimulationOptions, *, keep: Path | None = None
    ) -> Generator[Progress, None, Simulation]:
        """Every policy with every seed, ``random`` among them. ``keep`` is a folder where each
        finished run is kept, so that the same simulation goes on where it was stopped. Closing
        the generator leaves nothing else behind.

        Raises:
            PolicyNotFound: there is no such policy.
            TooLittleToSimulate: the project has too few labels.
            WriteFailed: there is no room for a scratch project.
        """
        for policy in options.policies:
            if policy not in self._policies:
                raise PolicyNotFound(policy=policy, known=", ".join(self._policies))
        yield Progress(_STEP, 0, 0)
        cases, truth, audit = self._known()
        kept = _Kept(keep, options, cases, truth)
        rounds = -(-options.budget // options.batch)
        total = options.seeds * (1 + len(options.arms) * rounds)
        curves: list[Curve] = []
        replays = []
        for seed in range(options.seeds):
            replay = self._replay(cases, truth, options, seed)
            replays.append(replay)
            begun = seed * (1 + len(options.arms) * rounds)
            full = kept.full(seed)
            if full is None:
                full = yield from self._full(replay, begun, total, seed)
                kept.add({"seed": seed, "full": full})
            for place, policy in enumerate(options.arms):
                curve = kept.curve(policy, seed)
                if curve is None:
                    steps = begun + 1 + place * rounds, total
                    curve = yield from self._curve(replay, options, policy, seed, full, steps)
                    kept.add({"curve": asdict(curve)})
                curves.append(curve)
        yield Progress(_STEP, total, total)
        return Simulation(options, tuple(curves), _facts(replays, audit))

    # --- what is replayed ---------------------------------------------------------------------

    def _known(self) -> tuple[list[Case], NDArray[np.float32], int]:
        """The labelled cases outside the audit partition, their targets, and how many audit cases
        are left alone."""
        import numpy as np

        table = self._cases.label_table()
        labelled = ~np.isnan(table.targets).all(axis=1)
        audit = np.array([p is Partition.AUDIT for p in table.partitions], bool)
        rows = np.flatnonzero(labelled & ~audit)
        return (
            self._cases.many(table.keys[rows].tolist()),
            table.targets[rows],
            int((labelled & audit).sum()),
        )

    def _replay(
        self, cases: list[Case], truth: NDArray[np.float32], options: SimulationOptions, seed: int
    ) -> _Replay:
        groups = tuple(case.group for case in cases)
        if len(set(groups)) < _LEAST_GROUPS:
            raise TooLittleToSimulate(cases=len(cases))
        held_out = self._yardstick.hold_out(groups, truth, share=options.held_out, seed=seed)
        measured = self._yardstick.findings(truth, held_out)
        if not measured.any():
            raise TooLittleToSimulate(cases=len(cases))
        schema = self._cases.schema
        said = [
            spoken(schema, row, noise=options.noise, chance=random.Random(f"{seed} {case.id}"))
            for case, row in zip(cases, truth.tolist(), strict=True)
        ]
        return _Replay(cases, truth, said, held_out, measured)

    # --- one run ------------------------------------------------------------------------------

    def _full(
        self, replay: _Replay, done: int, total: int, seed: int
    ) -> Generator[Progress, None, float]:
        """The macro AUROC with every case of the pool read."""
        with tempfile.TemporaryDirectory(prefix="mmreview-simulation-") as folder:
            bench = self._scratch(Path(folder) / "scratch")
            try:
                yield from _fill(bench, replay, labels=True, step=Progress(_STEP, done, total))
                version = yield from _round(bench, Progress(_STEP, done, total))
                return self._measured(bench, version, replay)
            finally:
                bench.close()

    def _curve(
        self, replay: _Replay, options: SimulationOptions, policy: str, seed: int, full: float,
        steps: tuple[int, int],
    ) -> Generator[Progress, None, Curve]:
        begun, total = steps
        with tempfile.TemporaryDirectory(prefix="mmreview-simulation-") as folder:
            bench = self._scratch(Path(folder) / "scratch")
            try:
                step = Progress(_STEP, begun, total)
                yield from _fill(bench, replay, labels=False, step=step)
                points = [(0, self._measured(bench, None, replay))]
                row_of = {replay.cases[row].id: row for row in replay.pool}
                refused = 0
                while points[-1][0] < min(options.budget, len(row_of)):
                    step = Progress(_STEP, begun + len(points) - 1, total)
                    wanted = min(options.batch, options.budget - points[-1][0])
                    keys = yield from _offered(bench, policy, wanted, seed, step)
                    for key in keys:
                        _read(bench, key, replay.said[row_of[bench.cases.get(key).id]])
                        yield step
                    version = yield from _round(bench, step)
                    refused += version is not None and version.role is Role.REFUSED
                    cases = points[-1][0] + len(keys)
                    points.append((cases, self._measured(bench, version, replay)))
                return Curve(policy, seed, tuple(points), full, refused)
            finally:
                bench.close()

    def _measured(self, bench: Bench, version: Version | None, replay: _Replay) -> float:
        """Macro AUROC of a version on the held-out patients; one half without one."""
        rows = replay.held_out.nonzero()[0].tolist()
        truth = replay.truth[rows][:, replay.measured]
        if version is None:
            return self._yardstick.macro_auroc(truth, None)
        predictor = bench.load(version)
        hashes = {
            m: [replay.cases[row].hashes(m) for row in rows] for m in predictor.modalities
        }
        fused = predictor.score(hashes).fused
        names = [self._cases.schema.names[t] for t in replay.measured.nonzero()[0].tolist()]
        columns = [predictor.findings.index(name) for name in names]
        return self._yardstick.macro_auroc(truth, fused[:, columns])


def spoken(
    schema: FindingSchema, truth: Sequence[float], *, noise: float, chance: random.Random
) -> dict[str, State]:
    """What the simulated reader says of a case: the truth of each finding, with probability
    ``noise`` the opposite; of an exclusive group another answer. Findings without a known truth
    (NaN) are not spoken of."""
    known = {n: value == 1 for n, value in zip(schema.names, truth, strict=True) if value == value}
    for group in schema.groups:
        if known.keys() >= set(group.findings) and chance.random() < noise:
            _confuse(group, known, chance)
    alone = [name for name in known if schema.group_of(name) is None]
    for name in alone:
        if chance.random() < noise:
            known[name] = not known[name]
    return {name: State.PRESENT if there else State.ABSENT for name, there in known.items()}


def _confuse(group: ExclusiveGroup, known: dict[str, bool], chance: random.Random) -> None:
    answers: list[str | None] = list(group.findings)
    if group.kind is Exclusivity.AT_MOST_ONE:
        answers.append(None)
    right = next((name for name in group.findings if known[name]), None)
    wrong = chance.choice([answer for answer in answers if answer != right])
    known.update({name: name == wrong for name in group.findings})


def _fill(
    bench: Bench, replay: _Replay, *, labels: bool, step: Progress
) -> Generator[Progress, None, None]:
    """The cases that can be read, without the text of their reports: features are looked up by
    its hash."""
    for begin in range(0, len(replay.pool), _BATCH):
        rows = replay.pool[begin : begin + _BATCH]
        bench.cases.upsert(
            [_draft(replay.cases[row], replay.said[row] if labels else {}) for row in rows]
        )
        yield step


def _draft(case: Case, labels: Mapping[str, State]) -> CaseDraft:
    return CaseDraft(
        id=case.id, group=case.group, partition=Partition.TRAIN, images=case.images, report=None,
        report_sha256=case.report_sha256, patient_id="", accession="", study_date="",
        metadata=case.metadata, labels=labels, fingerprint=case.id,
    )


def _offered(
    bench: Bench, policy: str, top: int, seed: int, step: Progress
) -> Generator[Progress, None, list[int]]:
    """The next batch by a policy, from the cases that are not read yet."""
    unread = sorted(bench.cases.worklist_keys(WorklistFilter(unread=True), WorklistSort.ID))
    champion = bench.learning.champion()
    request = AcquisitionRequest(
        policy=policy,
        top=top,
        keys=unread,
        hashes=bench.cases.contents(unread).hashes,
        table=bench.learning.labels(),
        findings=bench.cases.schema.names,
        version=champion,
        folder=bench.folder / champion.folder if champion else None,
        seed=seed,
    )
    try:
        keys = yield from _ranked(bench, request, step)
    except (PolicyNeedsVersion, PolicyNeedsSuspects):
        keys = []
    if len(keys) < top:  # a policy may know of no more
        others = yield from _ranked(bench, replace(request, policy=RANDOM, top=len(unread)), step)
        keys += [key for key in others if key not in set(keys)][: top - len(keys)]
    return keys


def _ranked(
    bench: Bench, request: AcquisitionRequest, step: Progress
) -> Generator[Progress, None, list[int]]:
    working = bench.acquisition.rank(request)
    while True:
        try:
            next(working)
        except StopIteration as done:
            return [choice.key for choice in done.value]
        yield step


def _read(bench: Bench, key: int, said: Mapping[str, State]) -> None:
    """Say every finding, what is present last: it settles the others of an exclusive group."""
    champion = bench.learning.champion()
    version = champion.id if champion else None
    for finding, state in sorted(said.items(), key=lambda one: one[1] is State.PRESENT):
        bench.reviewing.correct(
            Correction(
                case_key=key, finding=finding, state=state, reader=READER, version=version
            )
        )
    bench.reviewing.commit_read(key, reader=READER, version=version)


def _round(bench: Bench, step: Progress) -> Generator[Progress, None, Version | None]:
    """A round of training; what it brings serves. None with too few labels."""
    working = bench.learning.train(actor=READER)
    while True:
        try:
            next(working)
        except StopIteration as done:
            version: Version = done.value
            break
        except TooFewLabels:
            return bench.learning.champion()
        yield step
    if version.role is not Role.CHAMPION:
        bench.learning.promote(version.id, actor=READER)
    return version


def _facts(replays: Sequence[_Replay], audit: int) -> dict[str, Any]:
    return {
        "pool": round(sum(len(r.pool) for r in replays) / len(replays)),
        "held_out": round(sum(int(r.held_out.sum()) for r in replays) / len(replays)),
        "findings": round(sum(int(r.measured.sum()) for r in replays) / len(replays)),
        "audit": audit,
    }


class _Kept:
    """Finished runs in a file, a line each, for the same options on the same labels only."""

    def __init__(
        self, folder: Path | None, options: SimulationOptions, cases: Sequence[Case],
        truth: NDArray[np.float32],
    ) -> None:
        same = {k: v for k, v in asdict(options).items() if k not in ("policies", "seeds")}
        ids = sha256("\n".join(case.id for case in cases).encode())
        ids.update(truth.tobytes())
        self._key = sha256(canonical_json([_RULES, same, ids.hexdigest()]).encode()).hexdigest()
        self._path = folder / _RUNS if folder else None
        self._lines = self._read()

    def _read(self) -> list[dict[str, Any]]:
        if self._path is None or not self._path.is_file():
            return []
        lines = []
        for text in self._path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue  # cut off by a kill
            if isinstance(line, dict) and line.get("key") == self._key:
                lines.append(line)
        return lines

    def full(self, seed: int) -> float | None:
        """What was measured with every case read."""
        return next((x["full"] for x in self._lines if x.get("seed") == seed), None)

    def curve(self, policy: str, seed: int) -> Curve | None:
        """A finished run."""
        for line in self._lines:
            found = line.get("curve", {})
            if (found.get("policy"), found.get("seed")) == (policy, seed):
                points = tuple((int(n), float(value)) for n, value in found["points"])
                return Curve(**{**found, "points": points})
        return None

    def add(self, line: Mapping[str, Any]) -> None:
        """Keep one more."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(canonical_json({"key": self._key, **line}) + "\n")
