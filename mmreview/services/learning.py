"""Learning from corrections: snapshot, train, compare, then serve, refuse or wait for a reader.

One round is a generator of ``TrainingStep`` that the learning lane runs. ``rounds`` walks its
states, each durable before the next; here is what a round learns from, how its version is
registered with its event, and the acts of a person: decide, promote, roll back.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmreview.domain.changes import ChampionChanged
from mmreview.domain.errors import BundleInvalid, MmreviewError
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import (
    CaseStore,
    EventStore,
    RoundStore,
    Trainer,
    TrainingRequest,
    TrainingResult,
    VersionStore,
)
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.rounds import Round
from mmreview.domain.versions import LambdaChoice, Role, Version
from mmreview.services.gating import Gating
from mmreview.services.rounds import Rounds, version_folder
from mmreview.services.standing_in import StandingIn

#: The fusion of a first version; later rounds keep the serving version's.
DEFAULT_FUSION = "mixture"
#: The fusion of a round that searches for the best model (``ml.fusion`` has the same name for it).
AUTO = "auto"
#: So many cases without a label are tried at most: more cost time and teach next to nothing.
MOST_UNLABELLED = 2000
#: A version's learning curve lies beside its files and is no part of it.
_CURVE = "learning_curve.json"
#: The event that a version begins with, by what it is to the project.
_BEGINS = {
    Role.CHAMPION: EventKind.VERSION_PROMOTED,
    Role.REFUSED: EventKind.VERSION_REFUSED,
    Role.CHALLENGER: EventKind.VERSION_TRAINED,
}


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a person can choose of a round. ``fusion`` and ``weight`` None keep the serving
    version's. With ``unlabelled`` cases without a label teach too, if that is proved to help."""

    fusion: str | None = None
    weight: LambdaChoice | None = None
    seed: int = 0
    unlabelled: bool = False


class NothingToRollBack(MmreviewError):
    """The serving version has no version before it."""

    code = "error.nothing_to_roll_back"


class VersionUnfit(MmreviewError):
    """A version cannot serve; ``detail`` says why."""

    code = "error.version_unfit"


class Learning:
    """Training, promotion and rollback for one project."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        events: EventStore,
        versions: VersionStore,
        rounds: RoundStore,
        gating: Gating,
        trainer: Trainer,
        standing: StandingIn,
        folder: Path,
    ) -> None:
        self._cases = cases
        self._events = events
        self._versions = versions
        self._rounds = rounds
        self._gating = gating
        self._trainer = trainer
        self._standing = standing
        self._folder = folder
        #: How many rounds a kill had cut off when the project was opened.
        self.interrupted = 0
        self._walk = Rounds(rounds=rounds, versions=versions, trainer=trainer, folder=folder)

    def corrections_since(self) -> int:
        """How many corrections the serving version has not seen."""
        champion = self._versions.champion()
        return self._events.corrections_after(champion.through_seq if champion else 0)

    def corrections_unlearned(self) -> int:
        """How many corrections no round has learned yet, whatever came of it."""
        return self._events.corrections_after(self._rounds.learned_through())

    def rounds(self, limit: int = 50) -> list[Round]:
        """The newest rounds, newest first."""
        return self._rounds.rounds(limit)

    def waiting(self) -> Version | None:
        """The version that waits for a reader's decision, if one does."""
        versions = self._versions.versions()
        return next((v for v in reversed(versions) if v.role is Role.CHALLENGER), None)

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return self._versions.versions()

    def champion(self) -> Version | None:
        """The serving version."""
        return self._versions.champion()

    @property
    def fusions(self) -> tuple[str, ...]:
        """The names of the fusions that a round can be trained with."""
        return self._trainer.fusions

    def labels_needed(self) -> int:
        """How many further labels of one finding a first version needs; 0 if it can be fitted."""
        return self._trainer.labels_needed(self._cases.label_table())

    def prepare(self, options: TrainingOptions | None = None) -> None:
        """Let the next encoding make what the fusion of the next round reads (FusionNotFound)."""
        champion = self._versions.champion()
        served = champion.fusion if champion else DEFAULT_FUSION
        self._trainer.prepare((options and options.fusion) or served)

    def train(
        self, *, actor: str, options: TrainingOptions | None = None
    ) -> Generator[TrainingStep, None, Version]:
        """Run one round and return the new version: serving, refused or waiting (see its ``gate``).

        Closing the generator (cancel) leaves nothing behind but the word that it was cancelled.

        Raises:
            TooFewLabels: no finding has enough labels of both kinds yet.
            RoundRunning: another round runs.
            WriteFailed: the disk is full or cannot be written; the serving version goes on.
        """
        options = options or TrainingOptions()
        parent = self._versions.champion()
        try:
            return (yield from self._round(options, parent, actor=actor))
        except BundleInvalid as error:
            is_parent = parent is not None and error.params.get("version") == parent.id
            if parent is None or not (is_parent and error.is_damage):
                raise
            self._standing.replace(parent, error)
        # Compared with the version that stands in; with nothing where there is none.
        champion = self._versions.champion()
        is_sound = champion is not None and champion.id != parent.id
        return (yield from self._round(options, champion, actor=actor, is_sound=is_sound))

    def _round(
        self, options: TrainingOptions, parent: Version | None, *, actor: str,
        is_sound: bool = True,
    ) -> Generator[TrainingStep, None, Version]:
        seen = self._events.last_seq()
        wish = Round(
            actor=actor,
            since_seq=parent.through_seq if parent else 0,
            through_seq=seen,
            version=self._versions.next_id(),
            options={
                "fusion": self._fusion(options, parent),
                "weight": str(self._weight(options, parent)),
                "seed": options.seed,
                "unlabelled": options.unlabelled,
            },
        )
        return (
            yield from self._walk.run(
                wish,
                snapshot=lambda: self._snapshot(options, parent, seen, is_sound=is_sound),
                register=lambda request, result: self._register(request, result, actor=actor),
            )
        )

    @staticmethod
    def _fusion(options: TrainingOptions, parent: Version | None) -> str:
        return options.fusion or (parent.fusion if parent else DEFAULT_FUSION)

    @staticmethod
    def _weight(options: TrainingOptions, parent: Version | None) -> LambdaChoice:
        kept = dict(parent.metrics.get("recipe", {})) if parent else {}
        return options.weight or parse_weight(kept.get("weight", "cv"))

    def _snapshot(
        self, options: TrainingOptions, parent: Version | None, through_seq: int, *,
        is_sound: bool = True,
    ) -> TrainingRequest:
        number = self._versions.next_id()
        table, before = self._cases.label_table(through_seq), None
        if parent is not None:
            before = self._cases.label_table(parent.through_seq, like=table)
        return TrainingRequest(
            version=number,
            table=table,
            findings=self._cases.schema.names,
            schema=self._cases.schema.name,
            fusion=self._fusion(options, parent),
            weight=self._weight(options, parent),
            seed=options.seed,
            folder=self._folder / version_folder(number),
            parent=parent,
            parent_folder=self._folder / parent.folder if parent and is_sound else None,
            parent_table=before,
            families=self._families(),
            groups=self._cases.schema.groups,
            unlabelled=(
                self._cases.unlabelled_table(MOST_UNLABELLED, seed=options.seed)
                if options.unlabelled
                else None
            ),
            terms=self._gating.terms(parent),
        )

    def _register(
        self, request: TrainingRequest, result: TrainingResult, *, actor: str
    ) -> Version:
        """One transaction: the version, its event, the end of the round."""
        gate = asdict(result.gate)
        metrics = {**result.metrics, "recipe": {"weight": str(request.weight)}}
        version = Version(
            id=request.version,
            sha256=result.sha256,
            role=result.gate.role,
            parent=request.parent.id if request.parent else None,
            folder=version_folder(request.version),
            created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            fusion=result.fusion,
            corrections=request.table.corrections,
            through_seq=request.table.through_seq,
            metrics=metrics,
            gate=gate,
            lineage=result.lineage,
        )
        payload: dict[str, Any] = {
            "version": version.id,
            "sha256": version.sha256,
            "parent": version.parent,
            "through_seq": version.through_seq,
            "seed": request.seed,
            "gate": gate,
        }
        event = NewEvent(kind=_BEGINS[version.role], actor=actor, payload=payload)
        self._versions.add(version, event)
        return version

    def decide(self, number: int, *, accept: bool, actor: str) -> ChampionChanged | None:
        """A named reader's word on a version that waits: it serves, or is refused (None). One
        event either way.

        Raises:
            VersionNotFound: there is no such version.
            VersionUnfit: it does not wait, or for somebody else (``GateRules.reader``).
            BundleInvalid: its files are damaged; it goes on waiting.
        """
        version = self._versions.get(number)
        if version.role is not Role.CHALLENGER:
            raise VersionUnfit("error.version_not_waiting", version=number)
        self._require_named(version, actor)
        if accept:
            return self.promote(number, actor=actor)
        payload = {"version": number, "sha256": version.sha256, "decided": True}
        event = NewEvent(kind=EventKind.VERSION_REFUSED, actor=actor, payload=payload)
        self._versions.set_role(number, Role.REFUSED, event)
        return None

    def promote(self, number: int, *, actor: str) -> ChampionChanged:
        """Let a version serve by a person's decision, over the gate's word.

        Raises:
            VersionNotFound: there is no such version.
            VersionUnfit: it waits for somebody else (``GateRules.reader``).
            BundleInvalid: its files are damaged; the serving version goes on.
        """
        version = self._versions.get(number)
        if version.role is Role.CHALLENGER:
            self._require_named(version, actor)
        return self._serve(number, actor=actor, kind=EventKind.VERSION_PROMOTED)

    def _require_named(self, version: Version, actor: str) -> None:
        """A version that waits does so for the reader that the rules name."""
        named = self._gating.rules().reader
        if named and actor != named:
            raise VersionUnfit("error.version_waits_for", version=version.id, reader=named)

    def rollback(self, number: int | None = None, *, actor: str) -> ChampionChanged:
        """Let the version before the serving one (or ``number``) serve again. Corrections stay.

        Raises:
            NothingToRollBack: the serving version is the first.
        """
        champion = self._versions.champion()
        if number is None:
            if champion is None or champion.parent is None:
                raise NothingToRollBack()
            number = champion.parent
        return self._serve(number, actor=actor, kind=EventKind.VERSION_ROLLED_BACK)

    def _serve(self, number: int, *, actor: str, kind: EventKind) -> ChampionChanged:
        version = self._versions.get(number)
        previous = self._versions.champion()
        if previous is not None and previous.id == number:
            raise VersionUnfit("error.version_serves_already", version=number)
        self._standing.load(version)  # files that are damaged or foreign are refused
        event = self._versions.set_role(
            number,
            Role.CHAMPION,
            NewEvent(
                kind=kind,
                actor=actor,
                payload={"version": number, "previous": previous.id if previous else None},
            ),
        )
        return ChampionChanged(
            version=number, previous=previous.id if previous else None, seq=event.seq
        )

    def evaluate(
        self, *, folds: int = 5, seed: int = 0, weight: LambdaChoice | None = None
    ) -> Generator[Progress, None, dict[str, Any]]:
        """Grouped nested cross-validation of every opinion on the labels that hold (see
        ``ports.Trainer.evaluate``), the fused one by the serving version's fusion."""
        champion = self._versions.champion()
        return (
            yield from self._trainer.evaluate(
                self.labels(),
                findings=self._cases.schema.names,
                folds=folds,
                seed=seed,
                weight=weight or LambdaChoice(),
                families=self._families(),
                fusion=champion.fusion if champion else DEFAULT_FUSION,
                groups=self._cases.schema.groups,
            )
        )

    def learning_curve(self, *, keep: bool = True) -> Generator[Progress, None, dict[str, Any]]:
        """How good each opinion is by the number of labels (see ``ports.Trainer``), made as the
        serving version is; kept beside its files unless not ``keep``.

        Raises:
            TooFewLabels: no finding has enough labels of both kinds yet.
        """
        champion, seen = self._versions.champion(), self._events.last_seq()
        request = self._snapshot(TrainingOptions(), champion, seen)
        found = yield from self._trainer.learning_curve(request)
        if keep and request.parent_folder is not None and request.parent_folder.is_dir():
            partial = request.parent_folder / f"{_CURVE}.partial"
            partial.write_text(json.dumps(found), encoding="utf-8")
            partial.replace(request.parent_folder / _CURVE)
        return found

    def control_arm(
        self, *, read: Mapping[str, Sequence[int]]
    ) -> Generator[Progress, None, dict[str, Any]]:
        """What the queue saves against drawing at random (see ``ports.Trainer``), by models made
        as the serving version is. Keeps nothing.

        Raises:
            TooFewToCompare: too few cases were read.
        """
        champion, seen = self._versions.champion(), self._events.last_seq()
        request = self._snapshot(TrainingOptions(), champion, seen)
        return (yield from self._trainer.control_arm(request, read=read))

    def curve(self) -> dict[str, Any] | None:
        """The serving version's learning curve, if it was measured."""
        champion = self._versions.champion()
        if champion is None:
            return None
        try:
            text = (self._folder / champion.folder / _CURVE).read_text(encoding="utf-8")
            found: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return None
        return found

    def _families(self) -> tuple[str, ...]:
        return tuple(finding.group for finding in self._cases.schema.findings)

    def labels(self) -> LabelTable:
        """The labels that hold now."""
        return self._cases.label_table()

    def recover(self) -> int:
        """Clean up after a kill (see ``rounds.Rounds.recover``); returns how many rounds it cut."""
        self.interrupted = self._walk.recover()
        return self.interrupted


def parse_weight(text: str) -> LambdaChoice:
    """``manual:0.6``, ``cv`` or ``learned`` as a choice.

    Raises:
        MmreviewError: ``error.weight_invalid`` for anything else.
    """
    mode, _, value = text.partition(":")
    if mode in ("cv", "learned") and not value:
        return LambdaChoice(mode)
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if mode != "manual" or not 0.0 <= share <= 1.0:
        raise MmreviewError("error.weight_invalid", value=text)
    return LambdaChoice("manual", share)
