"""The seams of the house: what services need, said as protocols. ``compose`` plugs the rooms in.

``store`` implements the first half, ``ml`` the second. Later rooms (evidence, viewers, formats)
join here.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmreview.domain.cases import (
    Case,
    CaseContents,
    ImageRef,
    Partition,
    WorklistCounts,
    WorklistFilter,
    WorklistRow,
    WorklistSort,
)
from mmreview.domain.errors import Message
from mmreview.domain.findings import ExclusiveGroup, FindingSchema, State
from mmreview.domain.gates import Attempt, GateRules
from mmreview.domain.labels import LabelTable
from mmreview.domain.predictions import CaseScore, Prediction, ScoreTable
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.domain.reads import Event, FindingState, NewEvent
from mmreview.domain.rounds import Round, RoundState
from mmreview.domain.streams import Lease, Offer
from mmreview.domain.versions import GateVerdict, LambdaChoice, Role, Version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# --- import -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of an import source, as read: nothing is checked against the project yet.

    ``labels`` maps finding names as written to states; ``labels_complete`` says that findings not
    named are absent. ``line`` is 1-based. ``problem`` is set instead when the row is unreadable.
    """

    line: int
    id: str = ""
    images: tuple[str, ...] = ()
    report: str | None = None
    labels: Mapping[str, State] | None = None
    labels_complete: bool = False
    patient_id: str = ""
    split_group: str = ""
    accession: str = ""
    study_date: str = ""
    views: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problem: Message | None = None


class SourceReader(Protocol):
    """Reads one outside format. ``source`` is the file that is read, ``root`` the folder that
    relative image paths start from."""

    source: Path
    root: Path

    def count(self) -> int:
        """How many rows there are, 0 if that is not cheap to know."""
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Every row in order; an unreadable one carries its ``problem``."""
        ...


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A checked row, ready for the database. ``fingerprint`` is a sha256 over all of it, so that
    importing the same row twice is recognised. ``labels`` uses the schema's spelling."""

    id: str
    group: str
    partition: Partition
    images: tuple[ImageRef, ...]
    report: str | None
    report_sha256: str | None
    patient_id: str
    accession: str
    study_date: str
    metadata: Mapping[str, Any]
    labels: Mapping[str, State]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What one batch did to the project."""

    added: int
    updated: int
    unchanged: int


# --- store ------------------------------------------------------------------------------------


class CaseStore(Protocol):
    """Cases, the worklist over them and the labels that hold. Safe to call from any thread."""

    schema: FindingSchema

    def get(self, key: int) -> Case:
        """The case with this key. Raises CaseNotFound."""
        ...

    def find(self, case_id: str) -> Case:
        """The case with this id. Raises CaseNotFound."""
        ...

    def many(self, keys: Sequence[int]) -> list[Case]:
        """The cases with these keys, in this order; unknown keys are left out."""
        ...

    def batches(self, size: int = 256) -> Iterator[list[Case]]:
        """Every case in order of import, in bounded memory."""
        ...

    def contents(self, keys: Sequence[int]) -> CaseContents:
        """What the features of these cases are cached by. ``keys`` ascend and all are of cases.
        Several times as quick as ``many``."""
        ...

    def count(self) -> int:
        """How many cases there are."""
        ...

    def worklist_keys(self, where: WorklistFilter, sort: WorklistSort) -> array[int]:
        """The keys ('q') of the cases that pass, in order. One scan, no row is materialised."""
        ...

    def worklist_rows(self, keys: Sequence[int]) -> list[WorklistRow]:
        """What the worklist shows of these cases, in this order."""
        ...

    def worklist_counts(self) -> WorklistCounts:
        """How many cases each filter would keep."""
        ...

    def states(self, key: int, *, without: int = 0) -> dict[str, FindingState]:
        """The state that holds for each finding of a case: the last correction of any reader,
        else the import's label. Findings without either are left out. ``without`` leaves one
        correction out, as if it were undone."""
        ...

    def label_table(
        self, through_seq: int | None = None, *, like: LabelTable | None = None
    ) -> LabelTable:
        """The labels that hold, or held after event ``through_seq``, as one table; quicker if
        ``like`` is another one that was just read."""
        ...

    def keys_of(self, ids: Sequence[str]) -> dict[str, int]:
        """The key of each of these ids that is in the project."""
        ...

    def unlabelled_table(self, limit: int, *, seed: int) -> LabelTable:
        """Up to ``limit`` training cases that nobody has labelled, drawn at random: a table of
        theirs without any label."""
        ...

    def fingerprints(self, ids: Sequence[str]) -> dict[str, str]:
        """The fingerprint of each of these ids that is already in the project."""
        ...

    def partitions(self, groups: Sequence[str]) -> dict[str, Partition]:
        """The partition that each of these groups already has."""
        ...

    def upsert(self, drafts: Sequence[CaseDraft]) -> UpsertCounts:
        """Add or update these cases in one transaction."""
        ...


class EventStore(Protocol):
    """The append-only trail. Every append is one durable transaction. Safe from any thread."""

    def append(self, event: NewEvent) -> Event:
        """Store one event and what is derived from it. Raises WriteFailed, ProjectReadOnly."""
        ...

    def append_together(self, events: Sequence[NewEvent]) -> list[Event]:
        """Store several events, one after the other, in one transaction: all of them or none.
        Raises as ``append`` does."""
        ...

    def events(self, *, after: int = 0, case: str | None = None) -> Iterator[Event]:
        """Events in order, optionally of one case only."""
        ...

    def last_seq(self) -> int:
        """The sequence number of the newest event, 0 for none."""
        ...

    def undoable(self, actor: str) -> Event | None:
        """The newest correction of ``actor`` that no undo has taken back, if any. Of those made
        in one act it is the one that implied the others (see ``reads.EventKind``)."""
        ...

    def read_number(self, case: str, actor: str) -> int:
        """The number of the read that ``actor`` is in on ``case``: committed reads + 1."""
        ...

    def corrections_after(self, seq: int) -> int:
        """How many corrections came after event ``seq`` and were not undone; those that another
        one implied do not count."""
        ...


class VersionStore(Protocol):
    """Which versions exist and which one serves. Files are the model's business."""

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        ...

    def get(self, version: int) -> Version:
        """Raises VersionNotFound."""
        ...

    def champion(self) -> Version | None:
        """The serving version."""
        ...

    def next_id(self) -> int:
        """The id that the next version will get."""
        ...

    def add(self, version: Version, event: NewEvent) -> Event:
        """Register a version whose files are already durable, with its event, in one
        transaction. A champion retires the one before; one that serves or waits takes the
        place of those that waited. The round that it came of is settled with it."""
        ...

    def set_role(self, version: int, role: Role, event: NewEvent) -> Event:
        """Change a version's role, with its event, in one transaction. A champion retires the
        one before. A round that waited for this is settled with it."""
        ...


class RoundStore(Protocol):
    """Which rounds of training were begun and what came of them (see ``domain.rounds``). Each call
    is one short durable transaction; ``VersionStore`` settles a round with its version."""

    def begin(self, round: Round) -> Round:
        """Store a round in its first state; returns it with its id and when it began. A round that
        has not ended is none any more: it ends as interrupted."""
        ...

    def advance(self, number: int, state: RoundState) -> None:
        """Round ``number`` has come to another state that is no end."""
        ...

    def end(self, number: int, state: RoundState, reason: Message) -> None:
        """Round ``number`` ended without a version."""
        ...

    def interrupt(self) -> int:
        """End every round that a kill left unfinished; returns how many. Writes only then."""
        ...

    def rounds(self, limit: int = 50) -> list[Round]:
        """The newest rounds, newest first."""
        ...

    def learned_through(self) -> int:
        """The last event that any round that came to a version has learned, whatever the gate
        said; 0 for none."""
        ...


class ScoreStore(Protocol):
    """Disposable sort keys per version, beside the database, outside trail and backups.
    ``serving`` is the version that the worklist is sorted and marked by, 0 for none."""

    serving: int

    def replace(self, version: int, scores: Iterable[CaseScore]) -> None:
        """Store these scores for ``version`` (others of that version stay)."""
        ...

    def serve(self, version: int | None) -> None:
        """Sort and mark the worklist by this version's scores from now on; drop older ones."""
        ...

    def missing(self, version: int, limit: int, *, after: int = 0) -> list[int]:
        """Keys above ``after``, in order, of up to ``limit`` cases without a score under
        ``version``."""
        ...


class QueueStore(Protocol):
    """The head of the queue, as disposable as the scores, and what a new one is made from."""

    reader: str

    def replace(self, version: int, offers: Sequence[Offer]) -> None:
        """Let these be the queue from now on, as ``version`` (0: none) ranked them."""
        ...

    def take_out(self, key: int) -> None:
        """The case has been read: it gives its place up."""
        ...

    def head(self, limit: int) -> list[Offer]:
        """The first places, in order."""
        ...

    def pool(self, partition: Partition) -> array[int]:
        """The keys ('q') of the cases of a partition that nobody has read, ascending."""
        ...

    def doubtful(self, version: int, of: Partition, top: int) -> list[tuple[int, float]] | None:
        """The ``top`` of these cases by the mean entropy (bits) of what ``version`` says of them:
        keys with it, largest first; None while it has not scored all of them."""
        ...

    def read_count(self) -> int:
        """How many reads have been committed, second readings among them."""
        ...

    def reads_of(self, reader: str) -> list[tuple[int, int]]:
        """The cases that this reader has committed a read of, in the order of the first: key and
        how many reads."""
        ...


class LeaseStore(Protocol):
    """Who has which case at the moment. Only the process that writes the project can lease."""

    def held(self, *, now: int) -> list[Lease]:
        """The leases that have not run out (seconds since 1970)."""
        ...

    def take(
        self, keys: Sequence[int], *, reader: str, now: int, until: int, over: Sequence[int] = ()
    ) -> list[int]:
        """Lease those of ``keys`` that no other reader has; which those are, in order. The leases
        of ``over`` end in the same transaction. Raises WriteFailed, ProjectReadOnly."""
        ...

    def give_back(self, keys: Sequence[int], *, reader: str) -> None:
        """End these leases of this reader."""
        ...


class PreferenceStore(Protocol):
    """Small settings that belong to the project (seed, partition shares, synthetic mark)."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        ...

    def set(self, name: str, value: Any) -> None:
        """Store a JSON value durably."""
        ...


# --- model ------------------------------------------------------------------------------------


class Features(Protocol):
    """Frozen encoders and the cache of what they said. ``ml`` implements it, lazily."""

    modalities: tuple[str, ...]

    def join(self, modality: str) -> None:
        """Encode cases by a further registered modality from now on; it may have joined before."""
        ...

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Those of ``cases`` that lack at least one feature. Imports no encoder."""
        ...

    def encode(self, cases: Sequence[Case]) -> Iterator[Progress]:
        """Encode what is missing; every yielded step is durable in the cache. An item that cannot
        be encoded is a problem of its step, never the end of the work."""
        ...

    def warm_up(self) -> None:
        """Load what the first encode would load."""
        ...

    def describe(self) -> dict[str, Any]:
        """Device, encoders and hashes, for ``doctor``, cards and the status bar."""
        ...


class Predictor(Protocol):
    """One version, loaded. Immutable, safe from any thread."""

    version: int
    findings: tuple[str, ...]
    modalities: tuple[str, ...]
    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    fusion: str

    def predict(self, cases: Sequence[Case]) -> list[Prediction]:
        """One prediction a case, from cached features only. A modality whose features are not
        cached counts as absent (call ``Features.encode`` first to have it)."""
        ...

    def value_parts(self, case: Case) -> Mapping[str, Mapping[str, float]]:
        """What each clinical value of a case adds to each finding's own clinical logit: finding
        to name to logit. Empty where the version knows no clinical values."""
        ...

    def score(self, hashes: Mapping[str, Sequence[tuple[str, ...]]]) -> ScoreTable:
        """The same opinions as columns, on as many cases as ``hashes`` has contents for by
        modality (see ``CaseStore.contents``). No object is made for a case."""
        ...


@dataclass(frozen=True, slots=True)
class Rival:
    """A version besides the champion that a challenger is compared with: ``first`` or ``best``.
    ``instead`` are those that come next to it, for when it cannot answer any more."""

    name: str
    version: Version
    folder: Path
    instead: tuple[tuple[Version, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class GateTerms:
    """What a challenger is judged by. ``attempts`` are those that audit set number ``audit_set``
    has judged before; ``left_out`` are versions that cannot answer any more."""

    rules: GateRules = field(default_factory=GateRules)
    rivals: tuple[Rival, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    audit_set: int = 0
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class TrainingRequest:
    """A snapshot to train on. ``parent`` warm-starts; ``parent_table`` are the labels that it
    knew, for a fair comparison of recipes while the audit set is too small. ``families`` are the
    schema's group of each finding: findings of one family teach each other's weights. The
    ``fusion`` ``auto`` is found by measurement; the result names it. ``groups`` are the schema's
    findings that exclude each other. ``unlabelled`` are cases without a label (a table without
    one) that may teach too, if that is proved to help. ``terms`` are what the gate judges by."""

    version: int
    table: LabelTable
    findings: tuple[str, ...]
    schema: str
    fusion: str
    weight: LambdaChoice
    seed: int
    folder: Path
    parent: Version | None = None
    parent_folder: Path | None = None
    parent_table: LabelTable | None = None
    families: tuple[str, ...] = ()
    groups: tuple[ExclusiveGroup, ...] = ()
    unlabelled: LabelTable | None = None
    terms: GateTerms = field(default_factory=GateTerms)


@dataclass(frozen=True)
class TrainingResult:
    """A bundle that is durable in ``folder``, measured, and the gate's verdict on it. ``lineage``
    is what it was made of (see ``Version``)."""

    sha256: str
    fusion: str
    metrics: Mapping[str, Any]
    gate: GateVerdict
    lineage: Mapping[str, Any] = field(default_factory=dict)


class Trainer(Protocol):
    """Fits, calibrates, measures and writes bundles. No database, no Qt."""

    @property
    def fusions(self) -> tuple[str, ...]:
        """The names of the fusions that it knows."""
        ...

    def train(self, request: TrainingRequest) -> Generator[TrainingStep, None, TrainingResult]:
        """Train one version. Closing the generator leaves nothing behind.

        Raises:
            TooFewLabels: no finding has enough labels of both kinds.
        """
        ...

    def prepare(self, fusion: str) -> None:
        """Count what ``fusion`` reads among the features that are missing and encoded."""
        ...

    def labels_needed(self, table: LabelTable) -> int:
        """How many further labels of one finding a first version needs; 0 if it can be fitted."""
        ...

    def evaluate(
        self, table: LabelTable, *, findings: tuple[str, ...], folds: int, seed: int,
        weight: LambdaChoice, families: tuple[str, ...] = (), fusion: str | None = None,
        groups: tuple[ExclusiveGroup, ...] = (),
    ) -> Generator[Progress, None, dict[str, Any]]:
        """Grouped nested cross-validation. Returns ``{"cases", "groups", "folds", "rows": [
        {"finding", "opinion", "positives", "n", "auroc", "ap", "f1", "recall", "accuracy",
        "ece", …}]}`` with ``finding`` = ``macro`` for the means and ``opinion`` one of ``fused``
        (by ``fusion``, or the default), the modalities and each other fusion (``fusion:NAME``).
        Each row also holds
        ``intervals`` {measure: [low, high]}, ``ece_perfect`` (what a perfect model would show)
        and, but for ``fused``, ``difference`` {measure: [fused less this, low, high]};
        ``micro`` beside ``rows`` holds a row for each opinion over all labels together;
        ``exclusive`` one for each of ``groups`` and opinion: ``{"group", "classes", "n",
        "accuracy", "balanced_accuracy", "auroc", "log_loss", "ece", "confusion", …}``;
        ``remarks`` what a person should hear, as in a version's metrics."""
        ...

    def learning_curve(
        self, request: TrainingRequest
    ) -> Generator[Progress, None, dict[str, Any]]:
        """AUROC of each opinion by how many labels teach it: ``{"points": [{"cases", "labels",
        "rows": {finding or "macro": {opinion: [auroc, low, high]}}}], "cases", "groups",
        "folds"}``. Writes nothing."""
        ...

    def control_arm(
        self, request: TrainingRequest, *, read: Mapping[str, Sequence[int]]
    ) -> Generator[Progress, None, dict[str, Any]]:
        """What the queue saves against drawing at random: models of the first n cases of
        ``read["queue"]`` and of ``read["control"]`` (keys in order of reading), measured on the
        audit cases. ``{"points": [{"cases", "labels": {arm: n}, "queue": [auroc, low, high],
        "control": …, "difference": …}], "audit": {"cases", "findings"}, "read": {arm: n},
        "verdict": message code, "params", "saving"}``; low and high are None where cases are too
        few. Writes nothing.

        Raises:
            TooFewToCompare: an arm or the audit set has too few cases.
        """
        ...

    def audit(
        self, table: LabelTable, *, findings: tuple[str, ...],
        versions: Sequence[tuple[Version, Path]],
    ) -> Generator[Progress, None, dict[int, dict[str, Any] | None]]:
        """How good each of these versions (in these folders) is on the audit cases of ``table``,
        all on the same: by version ``{"cases", "labels", "positives", "auroc": {"fused": [macro
        AUROC, low, high]}, "ece", "ece_perfect": [low, high]}``, None without audit labels; a
        version that cannot be read any more is left out. What a version has no opinion on counts
        as chance."""
        ...

    def load(self, version: Version, folder: Path) -> Predictor:
        """Load a bundle after checking its hash. Raises BundleInvalid."""
        ...


class Yardstick(Protocol):
    """Who is held out of a simulated reading, and how good a version is on them."""

    def hold_out(
        self, groups: tuple[str, ...], targets: NDArray[np.float32], *, share: float, seed: int
    ) -> NDArray[np.bool_]:
        """(n,) whether a case is held out: about ``share`` of all, whole patient groups."""
        ...

    def findings(
        self, targets: NDArray[np.float32], held_out: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(findings,) which have enough labels of either kind on either side to be measured."""
        ...

    def macro_auroc(
        self, truth: NDArray[np.float32], probabilities: NDArray[np.float64] | None
    ) -> float:
        """The mean AUROC of (n, findings) probabilities; one half without any."""
        ...


class ImageDecoder(Protocol):
    """Guarded decoding of an image file to grey or colour pixels (``imaging`` implements it)."""

    def __call__(self, path: Path) -> NDArray[np.uint8]:
        """(height, width) or (height, width, 3). Raises ImageUnreadable."""
        ...
