"""The composition root: plugs store, model, imaging and formats into the services. No Qt.

``cli`` and ``app`` both start here. Nothing heavy is imported before it is needed: the database
library with the first project, the model's libraries with the first encode or fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from mmreview import paths
from mmreview.domain.cases import CLINICAL
from mmreview.domain.errors import MmreviewError, TooFewLabels
from mmreview.domain.findings import FindingSchema
from mmreview.domain.progress import Progress
from mmreview.services.desk import Desk, ImportChoice, ProjectInfo

if TYPE_CHECKING:
    from mmreview.domain.acquisition import Acquisition
    from mmreview.domain.likeness import Likeness
    from mmreview.domain.ports import Features, Trainer
    from mmreview.domain.versions import Version
    from mmreview.formats.training_log import RoundLogs
    from mmreview.services.audit_set import AuditSet
    from mmreview.services.auditing import Auditing
    from mmreview.services.desk import ImportSource
    from mmreview.services.gating import Gating
    from mmreview.services.importing import Importing, ImportReport
    from mmreview.services.insights import LoopInsights
    from mmreview.services.learning import Learning
    from mmreview.services.predicting import Predicting
    from mmreview.services.queueing import Queueing
    from mmreview.services.simulating import Simulating
    from mmreview.services.standing_in import StandingIn
    from mmreview.store.engine import Store

#: Who signs the events that no person made.
SYSTEM = "mmreview"

DEFAULT_SCHEMA = "chexpert-14"
DEFAULT_DEMO_CASES = 60


class NotSynthetic(MmreviewError):
    """The demo was wished for in a project that is somebody's own."""

    code = "error.not_synthetic"


class ProjectOpener:
    """Opens and makes projects (``services.desk.Opener``). ``beside_window`` leaves one core to
    the thread that draws."""

    def __init__(self, *, device: str = "auto", beside_window: bool = False) -> None:
        self._device = device
        self._beside_window = beside_window

    def open(self, path: Path, *, read_only: bool = False) -> Desk:
        """Open a project (ProjectNotFound, ProjectLocked, ProjectTooNew, ProjectDamaged)."""
        from mmreview.store.engine import open_store

        store = open_store(paths.as_project(path), read_only=read_only)
        return self._furnish(store)

    def create(self, path: Path, *, schema: str = DEFAULT_SCHEMA, seed: int = 0) -> Desk:
        """Make an empty project. ``schema`` is a built-in name or a YAML file; ``seed`` draws the
        partitions (ProjectExists, SchemaInvalid)."""
        from mmreview.formats.schema import read_schema

        return self._create(path, read_schema(schema), seed=seed)

    def _create(self, path: Path, schema: FindingSchema, *, seed: int) -> Desk:
        from mmreview.store.engine import create_store

        store = create_store(paths.as_project(path), schema)
        store.preferences.set("seed", seed)
        return self._furnish(store)

    def create_demo(self, path: Path, *, seed: int = 0) -> Desk:
        """Make an empty synthetic project, or open the one that is there.

        Raises:
            NotSynthetic: what is there has cases of its own; none of ours may get between them.
        """
        from mmreview.demo.cohort import demo_schema

        if (paths.as_project(path) / "project.sqlite").exists():
            desk = self.open(path)
            if desk.info.synthetic:
                return desk
            if desk.cases.count() or desk.info.schema.name != demo_schema().name:
                desk.close()
                raise NotSynthetic(path=str(path))
        else:
            desk = self._create(path, demo_schema(), seed=seed)
        desk.preferences.set("synthetic", True)
        desk.preferences.set("demo_seed", seed)
        folder = desk.info.folder
        desk.close()
        return self.open(folder)

    def fill_demo(
        self, desk: Desk, *, cases: int = DEFAULT_DEMO_CASES, seed: int = 0
    ) -> Generator[Progress, None, None]:
        """Draw, import, encode, fit and score the synthetic cohort; resumes after a kill."""
        from mmreview.demo.cohort import write_cohort

        seed = desk.preferences.get("demo_seed", seed)
        if not desk.preferences.get("demo_imported", False):
            with tempfile.TemporaryDirectory(prefix="mmreview-demo-") as scratch:
                manifest = yield from write_cohort(Path(scratch), cases=cases, seed=seed)
                yield from desk.import_source(manifest, choice=ImportChoice(), actor=SYSTEM)
            desk.preferences.set("demo_imported", True)
        yield from self.refresh(desk, actor=SYSTEM)

    def refresh(self, desk: Desk, *, actor: str) -> Generator[Progress, None, None]:
        """After an import: encode what is new, fit a first model if none serves (or if the one that
        does is of an older program's features, or knows less than the project has), score, make
        the queue.

        With too few labels for a first model the project is worked on unassisted; that is no
        error.
        """
        from mmreview.services.rounds import RoundRunning

        yield from desk.predicting.encode_all()
        if desk.learning.champion() is None or desk.predicting.outgrown():
            try:
                for step in desk.learning.train(actor=actor):
                    yield Progress(step.phase, round(100 * step.fraction), 100)
            except TooFewLabels:  # read unassisted until there are enough
                pass
            except RoundRunning:  # somebody pressed Train meanwhile: that round makes it
                pass
        desk.predicting.serve()
        yield from desk.predicting.score_all()
        yield from desk.queueing.refresh()

    def schemas(self) -> tuple[str, ...]:
        """The names of the finding schemas that travel with the program."""
        return tuple(sorted(p.stem for p in (paths.resources() / "schemas").glob("*.yaml")))

    def _furnish(self, store: Store) -> Desk:
        from mmreview.ml.acquisition import PolicyRegistry
        from mmreview.ml.device import leave_core_for_window
        from mmreview.ml.features import EncodedFeatures
        from mmreview.ml.likeness import FeatureLikeness
        from mmreview.ml.trainer import FusionTrainer

        if self._beside_window:
            leave_core_for_window()
        features = EncodedFeatures(
            folder=store.folder / "features",
            root=store.folder,
            read_only=store.read_only,
            device=self._device,
        )
        trainer = FusionTrainer(features)
        return furnish(
            store, features=features, trainer=trainer, likeness=FeatureLikeness(features),
            acquisition=PolicyRegistry(features, load=trainer.load),
        )


def furnish(
    store: Store, *, features: Features, trainer: Trainer, likeness: Likeness,
    acquisition: Acquisition,
) -> Desk:
    """Join an open store and a model room into a desk."""
    from mmreview.imaging.decoding import probe
    from mmreview.services.exporting import Exporting
    from mmreview.services.importing import Importing
    from mmreview.services.predicting import Predicting
    from mmreview.services.propagating import Propagating
    from mmreview.services.reviewing import Reviewing
    from mmreview.services.standing_in import StandingIn
    from mmreview.services.suspicions import Suspicions

    _join_modalities(store, features)
    folder, cases, events, versions = store.folder, store.cases, store.events, store.versions
    standing = StandingIn(
        versions=versions, trainer=trainer, folder=folder, known=cases.schema.names
    )
    predicting = Predicting(
        cases=cases, versions=versions, scores=store.scores, features=features, standing=standing
    )
    gating = _gating(store)
    learning = _learning(store, trainer, gating, standing)
    importing = Importing(
        cases=cases, events=events, preferences=store.preferences, folder=folder, probe=probe
    )
    return Desk(
        info=_info(store),
        cases=cases,
        events=events,
        preferences=store.preferences,
        reviewing=Reviewing(
            cases=cases, events=events, predicting=predicting, folder=folder, queue=store.queue,
            suspicions=Suspicions(store.versions),
        ),
        predicting=predicting,
        learning=learning,
        gating=gating,
        audit_set=_audit_set(store, gating),
        queueing=_queueing(store, predicting, acquisition),
        acquisition=acquisition,
        simulating=_simulating(store, features, trainer, likeness, acquisition),
        propagating=Propagating(cases=cases, events=events, likeness=likeness),
        exporting=Exporting(cases=cases, events=events, folder=folder),
        auditing=_auditing(store, trainer),
        insights=_insights(store, trainer, learning, gating),
        import_source=_importer(importing, lambda: _join_modalities(store, features)),
        describe_model=features.describe,
        close=store.close,
    )


def _learning(store: Store, trainer: Trainer, gating: Gating, standing: StandingIn) -> Learning:
    """Rounds of training; what a kill left of one is cleaned up first."""
    from mmreview.services.learning import Learning

    learning = Learning(
        cases=store.cases,
        events=store.events,
        versions=store.versions,
        rounds=store.rounds,
        gating=gating,
        trainer=trainer,
        standing=standing,
        folder=store.folder,
    )
    if not store.read_only:
        learning.recover()
    return learning


def _simulating(
    store: Store, features: Features, trainer: Trainer, likeness: Likeness,
    acquisition: Acquisition,
) -> Simulating:
    """Simulations in scratch projects that share the features, and nothing else."""
    from mmreview.ml.yardstick import Yardstick
    from mmreview.services.simulating import Bench, Simulating
    from mmreview.store.engine import create_store

    def scratch(folder: Path) -> Bench:
        made = create_store(folder, store.cases.schema)
        made.preferences.set(CLINICAL, store.preferences.get(CLINICAL, False))
        desk = furnish(
            made, features=features, trainer=trainer, likeness=likeness, acquisition=acquisition
        )
        return Bench(
            cases=desk.cases,
            reviewing=desk.reviewing,
            learning=desk.learning,
            acquisition=acquisition,
            folder=made.folder,
            load=lambda version: trainer.load(version, made.folder / version.folder),
            close=desk.close,
        )

    return Simulating(
        cases=store.cases, scratch=scratch, policies=acquisition.policies, yardstick=Yardstick()
    )


def _auditing(store: Store, trainer: Trainer) -> Auditing:
    from mmreview.services.auditing import Auditing
    from mmreview.store.audit import covers_imports, verify_trail

    return Auditing(
        cases=store.cases,
        versions=store.versions,
        trainer=trainer,
        trail_problems=lambda: verify_trail(store),
        covers_imports=lambda: covers_imports(store),
        folder=store.folder,
    )


def _insights(
    store: Store, trainer: Trainer, learning: Learning, gating: Gating
) -> LoopInsights:
    from mmreview.services.insights import LoopInsights

    return LoopInsights(
        cases=store.cases, events=store.events, versions=store.versions, trainer=trainer,
        learning=learning, gating=gating, folder=store.folder,
    )


def _gating(store: Store) -> Gating:
    from mmreview.services.gating import Gating

    return Gating(
        versions=store.versions, events=store.events, preferences=store.preferences,
        folder=store.folder,
    )


def _audit_set(store: Store, gating: Gating) -> AuditSet:
    from mmreview.services.audit_set import AuditSet

    return AuditSet(
        store=store.audit_sets, cases=store.cases, versions=store.versions,
        preferences=store.preferences, gating=gating,
    )


def _queueing(store: Store, predicting: Predicting, acquisition: Acquisition) -> Queueing:
    from mmreview.services.queueing import Queueing

    def serving() -> Version | None:
        model = predicting.serve()
        return store.versions.get(model.version) if model is not None else None

    return Queueing(
        cases=store.cases,
        queue=store.queue,
        leases=store.leases,
        events=store.events,
        serving=serving,
        preferences=store.preferences,
        acquisition=acquisition,
        folder=store.folder,
        read_only=store.read_only,
    )


def _info(store: Store) -> ProjectInfo:
    return ProjectInfo(
        name=store.folder.stem,
        folder=store.folder,
        schema=store.cases.schema,
        synthetic=bool(store.preferences.get("synthetic", False)),
        read_only=store.read_only,
        holder=store.holder,
    )


def _join_modalities(store: Store, features: Features) -> None:
    """Clinical values are a modality of the projects that an import has found some in."""
    if store.preferences.get(CLINICAL, False):
        features.join(CLINICAL)


def _importer(importing: Importing, on_imported: Callable[[], None]) -> ImportSource:
    from mmreview.formats import open_source
    from mmreview.formats.columns import parse_columns
    from mmreview.services.importing import ImportOptions

    def run(
        source: Path, *, choice: ImportChoice, actor: str
    ) -> Generator[Progress, None, ImportReport]:
        reader = open_source(
            source,
            format=choice.format,
            columns=parse_columns(choice.columns) if choice.columns else None,
            labels_complete=choice.labels_complete,
        )
        options = ImportOptions(reference=choice.reference)
        try:
            return (yield from importing.run(reader, options=options, actor=actor))
        finally:
            on_imported()

    return run


def training_logs(
    folder: Path, *, tensorboard: Path | None = None, wandb: Path | None = None
) -> RoundLogs:
    """What to write of the next round of the project in ``folder``, and into which folders.

    Raises:
        MmreviewError: the extra that a kind needs is not installed, or a folder is the project's.
    """
    from mmreview.formats.tensorboard import TensorBoardLog
    from mmreview.formats.training_log import RoundLogs, TrainingLog
    from mmreview.formats.weights_and_biases import WandbLog
    from mmreview.services.exporting import refuse_inside

    kinds: list[tuple[Path | None, Callable[[Path], TrainingLog]]] = [
        (tensorboard, TensorBoardLog), (wandb, WandbLog)
    ]
    logs = []
    for target, make in kinds:
        if target is not None:
            refuse_inside(folder, target)
            logs.append(make(target))
    return RoundLogs(logs, folder)


def model_facts() -> dict[str, object]:
    """Device, encoders and hashes, with the weights checked (EncoderUnavailable)."""
    from mmreview.ml.features import EncodedFeatures

    with tempfile.TemporaryDirectory(prefix="mmreview-doctor-") as scratch:
        features = EncodedFeatures(folder=Path(scratch) / "features", root=Path(scratch))
        features.warm_up()
        return features.describe()
