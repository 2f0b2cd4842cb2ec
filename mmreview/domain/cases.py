"""Cases and what the worklist shows of them. Values only; ``store`` fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mmreview.domain.clinical import read_values, values_sha256

#: The registered modalities that a case carries itself. Others join by registration.
IMAGE = "image"
TEXT = "text"
#: Age, sex, temperature … where a project's metadata have them (see ``domain.clinical``).
CLINICAL = "clinical"


class Partition(StrEnum):
    """Drawn once per patient group at import. Audit never trains, calibrates or selects."""

    TRAIN = "train"
    AUDIT = "audit"
    CONTROL = "control"


class ReadStatus(StrEnum):
    """How far the reading of a case has come, over all readers."""

    UNREAD = "unread"
    STARTED = "started"
    READ = "read"


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a case. ``path`` is relative to the project folder, or absolute when the
    import left it in place (``--reference``). ``sha256`` is over the file's bytes."""

    sha256: str
    path: str
    width: int
    height: int
    view: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """The unit of review: images and a report, either may be missing.

    ``key`` is the database's integer; ``id`` is the manifest's. ``group`` is the patient group
    that partitions and folds keep together. ``metadata`` is whatever else the manifest said.
    """

    key: int
    id: str
    group: str
    partition: Partition
    images: tuple[ImageRef, ...]
    report: str | None
    report_sha256: str | None = None
    patient_id: str = ""
    accession: str = ""
    study_date: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that are there."""
        there = {IMAGE: self.images, TEXT: self.report, CLINICAL: self.clinical}
        return tuple(name for name, content in there.items() if content)

    @property
    def clinical(self) -> Mapping[str, float]:
        """The clinical values that the metadata hold, by name, in the order they are shown."""
        return read_values(self.metadata).values

    def hashes(self, modality: str) -> tuple[str, ...]:
        """The content hashes whose features stand for ``modality``."""
        if modality == IMAGE:
            return tuple(image.sha256 for image in self.images)
        if modality == TEXT and self.report_sha256:
            return (self.report_sha256,)
        if modality == CLINICAL and (values := self.clinical):
            return (values_sha256(values),)
        return ()


@dataclass(frozen=True)
class CaseContents:
    """What the features of some cases are cached by: ``hashes[m][i]`` are the content hashes of
    the i-th case for modality ``m`` (as ``Case.hashes`` says), empty if absent."""

    partitions: tuple[Partition, ...]
    hashes: Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """What one row of the worklist shows. ``conflict`` is the largest over the findings, in bits;
    ``reason`` is a message code with ``reason_params`` (why the case is offered). ``stream`` is
    the queue's (``streams.Stream``), empty for a case that is not in it; ``leased_by`` names
    another reader who has the case; ``marked`` says that image and report contradict each other.
    A case that is planted again looks as if nobody had read it.
    ``scored_by`` is the version that conflict, priority and reason come from, 0 for none."""

    key: int
    id: str
    caption: str
    partition: Partition
    status: ReadStatus
    has_image: bool
    has_report: bool
    corrections: int
    conflict: float | None = None
    priority: float | None = None
    reason: str = ""
    reason_params: Mapping[str, Any] = field(default_factory=dict)
    read_at: str = ""
    stream: str = ""
    leased_by: str = ""
    marked: bool = False
    scored_by: int = 0


class WorklistSort(StrEnum):
    """Orders of the worklist; ties and missing scores fall back to the order of import.

    ``QUEUE`` is the order in which cases are offered; behind those, by priority."""

    QUEUE = "queue"
    PRIORITY = "priority"
    CONFLICT = "conflict"
    ID = "id"


@dataclass(frozen=True, slots=True)
class WorklistFilter:
    """Which cases the worklist holds. Conditions are joined by *and*; the defaults let all in.

    ``text`` is searched for in id, caption and report (case-insensitive). ``finding`` keeps the
    cases where a reader or the import marked that finding present. ``unread`` keeps those without a
    committed read and those that this reader is to read a second time; ``due`` those of them that
    no other reader has on lease.
    """

    text: str = ""
    unread: bool = False
    due: bool = False
    corrected: bool = False
    conflict: bool = False
    missing_modality: bool = False
    finding: str = ""


@dataclass(frozen=True, slots=True)
class WorklistCounts:
    """How many cases each filter would keep, for the chips and the footer."""

    total: int
    unread: int
    read: int
    corrected: int
    conflict: int
    missing_modality: int
