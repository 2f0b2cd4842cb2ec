"""Fine-tuning beside the reader: one round at a time on the learning lane.

A round starts by hand, after N corrections, or when nobody has read for a while. The round itself
is ``services.learning``; here is when it starts, what the window is told, and that corrections made
meanwhile start the next round once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from mmreview.domain.changes import ChampionChanged
from mmreview.domain.errors import MmreviewError, TooFewLabels, message_of
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.services.desk import Desk
from mmreview.services.learning import AUTO, TrainingOptions
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task
from mmreview.ui.idle import IdleWatch

#: The share of a round that is done when what its fusion reads had to be encoded first.
_ENCODED = 0.7


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the window is told after each correction and each round."""

    champion: Version | None
    waiting: Version | None
    since: int
    unlearned: int
    needed: int


class Training(QObject):
    """Rounds, promotion and rollback for one open project. ``began`` (monotonic seconds) and
    ``step`` tell of the round that runs."""

    started = Signal(bool)  # whether it searches for the best model
    stepped = Signal(object)  # TrainingStep
    finished = Signal(object)  # Version, serving or refused
    failed = Signal(object)  # Message
    cancelled = Signal()
    servingFailed = Signal(object)  # Message: another version could not be let serve
    championChanged = Signal()  # another version serves from now on
    decided = Signal()  # a version that waited does not wait any more, and does not serve
    #: Champion Version or None, corrections since, labels that a first version still needs.
    counted = Signal(object, int, int)
    waitingFound = Signal(object)  # the Version that waits for a reader's decision, or None
    interrupted = Signal()  # the program ended in the middle of the last round

    def __init__(
        self,
        runner: RunnerBase,
        desk: Desk,
        reader: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._reader = reader
        self._task: Task | None = None
        self._automatic = False
        self._after = 25
        self._since_attempt = 0
        self._has_counted = False
        self._idle = IdleWatch(self)
        self._idle.idled.connect(self._on_idled)
        self.began = 0.0
        self.step: TrainingStep | None = None

    @property
    def is_running(self) -> bool:
        """True while a round waits or runs."""
        return self._task is not None and not self._task.is_over

    def set_automatic(self, automatic: bool, after: int) -> None:
        """Train by itself once ``after`` corrections came since the last attempt: at once, if so
        many have come."""
        self._automatic, self._after = automatic, after
        self._start_if_due()

    def set_idle(self, on: bool, minutes: int) -> None:
        """Train what is unlearned when no key or mouse has been used for so many minutes."""
        self._idle.watch(minutes if on else 0)

    def _on_idled(self) -> None:
        if self._since_attempt:
            self.train()

    def note_correction(self) -> None:
        """A correction became durable: count it, and start a round if it is time."""
        self._since_attempt += 1
        self.count()
        self._start_if_due()

    def count(self) -> None:
        """Ask what serves and how many corrections it has not seen; ``counted`` answers."""
        self._runner.submit(
            Lane.DISPLAY,
            self._found,
            key="count",
            on_done=self._on_counted,
        )

    def _found(self) -> _Counted:
        learning = self._desk.learning
        champion = learning.champion()
        needed = learning.labels_needed() if champion is None else 0
        return _Counted(
            champion, learning.waiting(), learning.corrections_since(),
            learning.corrections_unlearned(), needed,
        )

    def _on_counted(self, found: _Counted) -> None:
        self.counted.emit(found.champion, found.since, found.needed)
        self.waitingFound.emit(found.waiting)
        if not self._has_counted:  # what an earlier session left unlearned counts as well
            self._has_counted = True
            self._since_attempt = max(self._since_attempt, found.unlearned)
            if self._desk.learning.interrupted and not self.is_running:
                self.interrupted.emit()
                self._start_if_due()

    def train(self) -> None:
        """Start a round now, unless one runs."""
        self._start(TrainingOptions())

    def train_with(self, fusion: str) -> None:
        """Start a round with this fusion, unless one runs; ``auto`` looks for the best model."""
        self._start(TrainingOptions(fusion=fusion))

    def train_with_unlabelled(self) -> None:
        """Start a round in which cases without a label teach too, if that is proved to help."""
        self._start(TrainingOptions(unlabelled=True))

    def _start(self, options: TrainingOptions) -> None:
        if self.is_running or self._desk.info.read_only:
            return
        searching = options.fusion == AUTO
        self._since_attempt = 0
        self.began, self.step = time.monotonic(), None
        self._task = self._runner.submit(
            Lane.LEARNING,
            lambda: self._round(options),
            name="ui.task.searching" if searching else "ui.task.training",
            on_progress=self._on_stepped,
            on_done=self._on_trained,
            on_failed=self._on_failed,
            on_cancelled=self._on_cancelled,
        )
        if self.is_running:  # it may have ended at once
            self.started.emit(searching)

    def _round(self, options: TrainingOptions) -> Generator[TrainingStep, None, Version]:
        """A round. Where its fusion reads more than is encoded (parts of images and reports),
        that is encoded first: a window cannot send its reader to the command line."""
        learning, actor = self._desk.learning, self._reader()
        try:
            return (yield from learning.train(actor=actor, options=options))
        except MmreviewError as error:
            if error.code != "error.parts_missing":
                raise
        learning.prepare(options)
        for step in self._desk.predicting.encode_all():
            share = step.done / step.total if step.total else 0.0
            yield TrainingStep("training.phase.encoding", _ENCODED * share)
        again = learning.train(actor=actor, options=options)
        while True:
            try:
                each = next(again)
            except StopIteration as done:
                version: Version = done.value
                return version
            yield replace(each, fraction=_ENCODED + (1.0 - _ENCODED) * each.fraction)

    def _on_stepped(self, step: TrainingStep) -> None:
        self.step = step
        self.stepped.emit(step)

    def cancel(self) -> None:
        """Stop the round; nothing of it remains."""
        if self._task is not None:
            self._task.cancel()

    def promote(self, number: int) -> None:
        """Let a version serve by the reader's decision."""
        self._serve(lambda: self._desk.learning.promote(number, actor=self._reader()))

    def decide(self, number: int, accept: bool) -> None:
        """A waiting version serves, or is refused, by the reader's decision."""
        self._serve(
            lambda: self._desk.learning.decide(number, accept=accept, actor=self._reader())
        )

    def rollback(self) -> None:
        """Let the version before serve again; corrections stay."""
        self._serve(lambda: self._desk.learning.rollback(actor=self._reader()))

    def _serve(self, act: Callable[[], ChampionChanged | None]) -> None:
        self._runner.submit(
            Lane.COMMIT, act, on_done=self._on_served, on_failed=self._on_serve_failed
        )

    def _on_served(self, changed: ChampionChanged | None) -> None:
        if changed is not None:
            self.championChanged.emit()
        else:
            self.decided.emit()
        self.count()

    def _on_serve_failed(self, error: Exception) -> None:
        self.servingFailed.emit(message_of(error))

    def _on_trained(self, version: Version) -> None:
        self._task = None
        self.finished.emit(version)
        serving = self._desk.predicting.serving()
        # A parent that was found damaged does not serve any more, whatever came of the round.
        stands_in = serving is not None and serving.version != version.parent
        if version.role is Role.CHAMPION or stands_in:
            self.championChanged.emit()
        self.count()
        self._start_if_due()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        if isinstance(error, TooFewLabels):
            self._since_attempt = self._after  # the next correction may be the one that was missing
        self.failed.emit(message_of(error))

    def _on_cancelled(self) -> None:
        self._task = None
        self.cancelled.emit()

    def _start_if_due(self) -> None:
        if self._automatic and self._since_attempt >= self._after and not self.is_running:
            self.train()
