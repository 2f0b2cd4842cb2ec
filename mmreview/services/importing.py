"""Cases into a project: check every row, take its images in, draw its partition, store it.

``formats`` reads the rows, ``imaging`` proves the images, ``store`` keeps the cases; here is the
order of it. Rows go in by batches of one transaction each, so an import that is cancelled or killed
leaves whole cases behind and goes on when it is run again: rows that are in already are recognised
by their fingerprint before any image is opened.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmreview.domain.cases import CLINICAL, ImageRef, Partition
from mmreview.domain.clinical import read_values
from mmreview.domain.errors import (
    FindingNotFound,
    ImageUnreadable,
    Message,
    SourceUnreadable,
    StatesContradict,
)
from mmreview.domain.findings import FindingSchema, State
from mmreview.domain.ports import (
    CaseDraft,
    CaseStore,
    EventStore,
    PreferenceStore,
    SourceReader,
    SourceRow,
    UpsertCounts,
)
from mmreview.domain.progress import Progress
from mmreview.domain.reads import EventKind, NewEvent, canonical_json
from mmreview.services.auditing import file_sha256
from mmreview.services.image_shelf import ImagePaths, ImageShelf, Probe

#: Rows of one transaction, and the seconds after which one is made with fewer.
_BATCH_ROWS = 200
_BATCH_SECONDS = 2.0

#: How often progress is shown, and a cancel noticed, inside a batch (seconds).
_STEP_SECONDS = 0.2

#: How many problems a report keeps; all are counted and all are yielded.
_KEPT_PROBLEMS = 1000

#: Images that are proven, hashed and written at a time: waiting for the disk is most of an import
#: (2.5 x as fast as one, tests/benchmarks/importing.py); more would hold more decoded images.
_WORKERS = 4

#: Shares of patient groups unless the project has its own.
_AUDIT_SHARE = 0.10
_CONTROL_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """``reference`` leaves the images where they are, also outside the manifest's folder."""

    reference: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. ``problems`` are the first thousand of ``problem_count``."""

    added: int
    updated: int
    unchanged: int
    problem_count: int
    problems: tuple[Message, ...]


class Importing:
    """Imports into one project."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        events: EventStore,
        preferences: PreferenceStore,
        folder: Path,
        probe: Probe,
    ) -> None:
        self._cases = cases
        self._events = events
        self._preferences = preferences
        self._folder = folder
        self._probe = probe

    def run(
        self, reader: SourceReader, *, options: ImportOptions, actor: str
    ) -> Generator[Progress, None, ImportReport]:
        """Import every row; a bad one becomes a problem of its step and the rest go on.

        Closing the generator keeps the batches that are in; nothing of the others is.

        Raises:
            SourceUnreadable: the source can no longer be read.
            WriteFailed, ProjectReadOnly: the project cannot be written; the batch is not in.
        """
        manifest = _manifest_sha256(reader.source)
        images = ImageShelf(self._folder, self._probe, reference=options.reference)
        images.tidy()
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="import")
        try:
            intake = _Intake(
                cases=self._cases,
                images=images,
                pool=pool,
                paths=ImagePaths(reader.root, confined=not options.reference),
                preferences=self._preferences,
                total=reader.count(),
            )
            yield from intake.take(reader.rows())
        finally:
            pool.shutdown(cancel_futures=True)
        report = intake.report()
        self._events.append(
            NewEvent(
                kind=EventKind.IMPORT_FINISHED,
                actor=actor,
                payload={
                    "source": reader.source.name.encode(errors="replace").decode(),
                    "sha256": manifest,
                    "reference": options.reference,
                    "added": report.added,
                    "updated": report.updated,
                    "unchanged": report.unchanged,
                    "problems": report.problem_count,
                },
            )
        )
        return report


def _manifest_sha256(source: Path) -> str:
    try:
        return file_sha256(source)
    except OSError as error:
        raise SourceUnreadable(path=str(source), detail=error.strerror or str(error)) from error


class _RowRefused(Exception):
    """A row cannot be a case; ``message`` lacks only the line and the case."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.message = Message(code, params)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A row whose words are sound; its images are found but not yet opened."""

    row: SourceRow
    group: str
    labels: Mapping[str, State]
    sources: tuple[Path, ...]
    fingerprint: str


class _Intake:
    """One import under way: its counts, its problems and the ids it has seen."""

    def __init__(
        self, *, cases: CaseStore, images: ImageShelf, pool: ThreadPoolExecutor,
        paths: ImagePaths, preferences: PreferenceStore, total: int,
    ) -> None:
        self._cases = cases
        self._images = images
        self._pool = pool
        self._paths = paths
        self._preferences = preferences
        self._draw = _Draw.of(preferences)
        self._total = total
        self._done = 0
        self._counts = UpsertCounts(0, 0, 0)
        self._lines: dict[str, int] = {}
        self._problem_count = 0
        self._problems: list[Message] = []
        self._news: list[Message] = []

    def report(self) -> ImportReport:
        """What has been done so far."""
        return ImportReport(
            added=self._counts.added,
            updated=self._counts.updated,
            unchanged=self._counts.unchanged,
            problem_count=self._problem_count,
            problems=tuple(sorted(self._problems, key=lambda p: p.params.get("line", 0))),
        )

    def take(self, rows: Iterator[SourceRow]) -> Generator[Progress, None, None]:
        """Every row, batch by batch."""
        yield self._step()
        while batch := list(itertools.islice(rows, _BATCH_ROWS)):
            yield from self._take_batch(batch)
            yield self._step()
        self._total = self._done
        yield self._step()

    def _step(self) -> Progress:
        news, self._news = tuple(self._news), []
        return Progress("progress.import", self._done, max(self._total, self._done), news)

    def _take_batch(self, rows: Sequence[SourceRow]) -> Generator[Progress, None, None]:
        checked = [found for row in rows if (found := self._checked(row)) is not None]
        self._read_clinical([found.row for found in checked])
        known = self._cases.fingerprints([found.row.id for found in checked])
        changed = [found for found in checked if not self._is_in(found, known)]
        partitions = self._partitions(changed, known)
        taken = [self._pool.submit(self._take_images, found) for found in changed]
        drafts: list[CaseDraft] = []
        stored = shown = time.monotonic()
        for found, images in zip(changed, taken, strict=True):
            try:
                drafts.append(_draft(found, partitions[found.row.id], images.result()))
            except _RowRefused as refusal:
                self._problem(found.row, refusal.message)
            now = time.monotonic()
            if now - stored > _BATCH_SECONDS:
                self._store(drafts)
                drafts, stored = [], time.monotonic()
            if now - shown > _STEP_SECONDS:
                yield self._step()
                shown = time.monotonic()
        self._store(drafts)

    def _store(self, drafts: Sequence[CaseDraft]) -> None:
        if drafts:
            self._count(self._cases.upsert(drafts))
            self._done += len(drafts)

    def _count(self, more: UpsertCounts) -> None:
        self._counts = UpsertCounts(
            self._counts.added + more.added,
            self._counts.updated + more.updated,
            self._counts.unchanged + more.unchanged,
        )

    def _read_clinical(self, rows: Sequence[SourceRow]) -> None:
        """Name the clinical values that are not believed, and remember that the project has some:
        from then on they are a modality of it. The rows go in as they are."""
        has_some = False
        for row in rows:
            reading = read_values(row.metadata)
            has_some = has_some or bool(reading.values)
            for problem in reading.problems:
                self._note(row, problem)
        if has_some and not self._preferences.get(CLINICAL, False):
            self._preferences.set(CLINICAL, True)

    def _problem(self, row: SourceRow, message: Message) -> None:
        """The row cannot go in."""
        self._done += 1
        self._note(row, message)

    def _note(self, row: SourceRow, message: Message) -> None:
        named = {"line": row.line, **({"case": row.id} if row.id else {})}
        message = Message(message.code, {**named, **message.params})
        self._problem_count += 1
        self._news.append(message)
        if len(self._problems) < _KEPT_PROBLEMS:
            self._problems.append(message)

    def _checked(self, row: SourceRow) -> _Checked | None:
        """The row if its words can be a case; otherwise its problem is noted."""
        if row.problem is not None:
            self._problem(row, row.problem)
            return None
        first = self._lines.setdefault(row.id, row.line)
        try:
            if first != row.line:
                raise _RowRefused("import.id_repeated", first=first)
            if not row.images and not row.report:
                raise _RowRefused("import.nothing_to_read")
            labels = _labels(row, self._cases.schema)
            sources = tuple(self._paths.find(name) for name in row.images)
        except _RowRefused as refusal:
            self._problem(row, refusal.message)
            return None
        except ImageUnreadable as error:
            self._problem(row, _of_image(error, str(error.params["path"])).message)
            return None
        group = row.split_group or row.patient_id or row.id
        return _Checked(
            row=row,
            group=group,
            labels=labels,
            sources=sources,
            fingerprint=_fingerprint(row, group, labels, self._images.stamps(sources)),
        )

    def _is_in(self, found: _Checked, known: Mapping[str, str]) -> bool:
        """True when the same row is in the project with all of its images."""
        if known.get(found.row.id) != found.fingerprint:
            return False
        case = self._cases.find(found.row.id)
        if not all(self._images.has(image.path) for image in case.images):
            return False
        self._count(UpsertCounts(0, 0, 1))
        self._done += 1
        return True

    def _partitions(
        self, changed: Sequence[_Checked], known: Mapping[str, str]
    ) -> dict[str, Partition]:
        """The partition of each row: the one its group has, else what known cases bring into a
        new group, else drawn. A patient is never in two: a case that moves goes along."""
        groups = self._cases.partitions(sorted({found.group for found in changed}))
        own = {
            found.row.id: self._cases.find(found.row.id).partition
            for found in changed
            if found.row.id in known
        }
        # What may have trained must not come to audit the model that it trained: train goes first.
        for partition in (Partition.TRAIN, Partition.CONTROL, Partition.AUDIT):
            for found in changed:
                if own.get(found.row.id) is partition:
                    groups.setdefault(found.group, partition)
        return {
            found.row.id: groups.get(found.group) or self._draw.partition(found.group)
            for found in changed
        }

    def _take_images(self, found: _Checked) -> tuple[ImageRef, ...]:
        """The row's images, in the project. Runs in the pool; touches nothing of this object."""
        row = found.row
        images: list[ImageRef] = []
        views = row.views or ("",) * len(row.images)
        for name, source, view in zip(row.images, found.sources, views, strict=True):
            try:
                images.append(self._images.take_in(source, view))
            except ImageUnreadable as error:
                raise _of_image(error, name) from None
        return tuple(images)


def _of_image(error: ImageUnreadable, name: str) -> _RowRefused:
    """What is wrong with an image, said of its row: ``import.`` before the decoder's own code."""
    params = {key: value for key, value in error.params.items() if key != "path"}
    return _RowRefused(f"import.{error.code}", image=name, **params)


def _draft(found: _Checked, partition: Partition, images: tuple[ImageRef, ...]) -> CaseDraft:
    row = found.row
    return CaseDraft(
        id=row.id,
        group=found.group,
        partition=partition,
        images=images,
        report=row.report,
        report_sha256=_sha256(row.report.encode()) if row.report else None,
        patient_id=row.patient_id,
        accession=row.accession,
        study_date=row.study_date,
        metadata=row.metadata,
        labels=found.labels,
        fingerprint=found.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws partitions: the same group falls the same way in every import of a project."""

    seed: int
    audit_share: float
    control_share: float

    @classmethod
    def of(cls, preferences: PreferenceStore) -> _Draw:
        """The project's own draw."""
        return cls(
            seed=int(preferences.get("seed", 0)),
            audit_share=float(preferences.get("audit_share", _AUDIT_SHARE)),
            control_share=float(preferences.get("control_share", _CONTROL_SHARE)),
        )

    def partition(self, group: str) -> Partition:
        """The partition that this group draws."""
        digest = hashlib.sha256(f"{self.seed}:{group}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        if drawn < self.audit_share:
            return Partition.AUDIT
        if drawn < self.audit_share + self.control_share:
            return Partition.CONTROL
        return Partition.TRAIN


def _labels(row: SourceRow, schema: FindingSchema) -> dict[str, State]:
    """The row's states in the schema's spelling; unset ones are left out."""
    if row.labels is None:
        return {}
    named: dict[str, State] = {}
    for name, state in row.labels.items():
        try:
            named[schema.canonical(name)] = state
        except FindingNotFound as error:
            raise _RowRefused("import.finding_not_found", **error.params) from None
    states = dict.fromkeys(schema.names, State.ABSENT) if row.labels_complete else {}
    states.update(named)
    try:
        settled = schema.settled(states)
    except StatesContradict as error:
        raise _RowRefused(error.code, **error.params) from None
    return {name: state for name, state in settled.items() if state is not State.UNSET}


def _fingerprint(
    row: SourceRow, group: str, labels: Mapping[str, State], stamps: Sequence[object]
) -> str:
    """A sha256 over all that a row says and over what tells whether its images changed."""
    said = [
        row.id, group, row.images, row.views, row.report, row.patient_id, row.accession,
        row.study_date, row.metadata, labels, stamps,
    ]
    return _sha256(canonical_json(said).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
