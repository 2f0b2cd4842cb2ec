"""Everything that a window or a command needs of one open project, in one value.

``compose`` builds it; ``ui`` and ``cli`` use nothing else of the rooms below.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mmreview.domain.acquisition import Acquisition
from mmreview.domain.findings import FindingSchema
from mmreview.domain.ports import CaseStore, EventStore, PreferenceStore
from mmreview.domain.progress import Progress
from mmreview.services.audit_set import AuditSet
from mmreview.services.auditing import Auditing
from mmreview.services.exporting import Exporting
from mmreview.services.gating import Gating
from mmreview.services.importing import ImportReport
from mmreview.services.insights import LoopInsights
from mmreview.services.learning import Learning
from mmreview.services.predicting import Predicting
from mmreview.services.propagating import Propagating
from mmreview.services.queueing import Queueing
from mmreview.services.reviewing import Reviewing
from mmreview.services.simulating import Simulating


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """Which project this is. ``holder`` says who writes it when ``read_only`` is forced by them;
    ``synthetic`` projects are marked as such everywhere."""

    name: str
    folder: Path
    schema: FindingSchema
    synthetic: bool
    read_only: bool
    holder: str = ""


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """What a person chose about a source (see the ``import`` verb)."""

    format: str = "auto"
    columns: str = ""
    labels_complete: bool = False
    reference: bool = False


class ImportSource(Protocol):
    """Imports a file or folder into the open project."""

    def __call__(
        self, source: Path, *, choice: ImportChoice, actor: str
    ) -> Generator[Progress, None, ImportReport]:
        """Run the import (see ``services.importing``)."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """An open project. ``close`` is idempotent and waits for nothing."""

    info: ProjectInfo
    cases: CaseStore
    events: EventStore
    preferences: PreferenceStore
    reviewing: Reviewing
    predicting: Predicting
    learning: Learning
    gating: Gating
    audit_set: AuditSet
    queueing: Queueing
    acquisition: Acquisition
    simulating: Simulating
    propagating: Propagating
    exporting: Exporting
    auditing: Auditing
    insights: LoopInsights
    import_source: ImportSource
    describe_model: Callable[[], Mapping[str, Any]]
    close: Callable[[], None]


class Opener(Protocol):
    """Opens and makes projects; ``compose`` implements it, the window is given one."""

    def open(self, path: Path, *, read_only: bool = False) -> Desk:
        """Open a project (ProjectNotFound, ProjectLocked, ProjectTooNew, ProjectDamaged)."""
        ...

    def create(self, path: Path, *, schema: str) -> Desk:
        """Make an empty project with a named finding schema or a YAML file and open it."""
        ...

    def create_demo(self, path: Path, *, seed: int) -> Desk:
        """Make an empty synthetic project, or open the one that is there."""
        ...

    def fill_demo(
        self, desk: Desk, *, cases: int, seed: int
    ) -> Generator[Progress, None, None]:
        """Draw, import, encode, fit and score the synthetic cohort; resumes after a kill."""
        ...

    def refresh(self, desk: Desk, *, actor: str) -> Generator[Progress, None, None]:
        """After an import: encode what is new, fit a first model if none serves, score."""
        ...

    def schemas(self) -> tuple[str, ...]:
        """The names of the finding schemas that travel with the program."""
        ...
