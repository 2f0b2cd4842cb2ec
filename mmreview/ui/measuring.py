"""Does the loop help? The control arm is measured beside the reader, when asked or when idle.

A round of training goes first: it stops a measurement, which begins again when the round is over.
After a round, and when a project is opened, the window is told how things stand (``summarised``);
where enough was read since the last comparison, the next one begins by itself.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Signal

from mmreview.domain.errors import message_of
from mmreview.domain.insights import Comparison, Pace, Readiness
from mmreview.domain.progress import Progress
from mmreview.services.desk import Desk
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task
from mmreview.ui.training import Training

#: Committed reads after which the panel is told anew.
_READS = 25


class Measuring(QObject):
    """The comparison of the queue with the control arm, for one open project. ``began``
    (monotonic seconds) and ``step`` tell of the measurement that runs."""

    started = Signal()
    stepped = Signal(object)  # Progress
    measured = Signal(object)  # what ``services.insights`` found
    failed = Signal(object)  # Message
    cancelled = Signal()
    summarised = Signal(object, object, object)  # Pace, Readiness, Comparison or None

    def __init__(
        self, runner: RunnerBase, desk: Desk, training: Training, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._training = training
        self._task: Task | None = None
        self._again = False
        self._reads = 0
        self.automatic = False
        self.began = 0.0
        self.step: Progress | None = None
        training.started.connect(self._on_round_started)
        for over in (training.finished, training.failed, training.cancelled):
            over.connect(self._on_round_ended)

    @property
    def is_running(self) -> bool:
        """True while it is measured or waits for it."""
        return self._task is not None and not self._task.is_over

    def summarise(self) -> None:
        """Ask how things stand; ``summarised`` answers."""
        self._runner.submit(
            Lane.BULK,
            self._desk.insights.summary,
            key="insights",
            on_done=lambda found: self._on_summary(*found),
            on_failed=lambda _: None,  # nothing is shown then
        )

    def note_read(self) -> None:
        """A read became durable."""
        self._reads += 1
        if self._reads == 1 or self._reads % _READS == 0:
            self.summarise()

    def measure(self) -> None:
        """Measure now, unless it is measured already."""
        if self.is_running or self._desk.info.read_only:
            return
        self.began, self.step = time.monotonic(), None
        self._task = self._runner.submit(
            Lane.LEARNING,
            self._desk.insights.measure,
            name="ui.task.control_arm",
            key="control_arm",
            on_progress=self._on_stepped,
            on_done=self._on_measured,
            on_failed=self._on_failed,
            on_cancelled=self._on_cancelled,
        )
        self.started.emit()

    def cancel(self) -> None:
        """Stop it; what was measured before stays."""
        self._again = False
        if self._task is not None:
            self._task.cancel()

    def _on_round_started(self, _: bool) -> None:
        if self.is_running and self._task is not None:
            self._again = True
            self._task.cancel()

    def _on_round_ended(self, *_: object) -> None:
        if self._again:
            self._again = False
            self.measure()
        else:
            self.summarise()

    def _on_summary(
        self, pace: Pace, readiness: Readiness, comparison: Comparison | None
    ) -> None:
        self.summarised.emit(pace, readiness, comparison)
        due = readiness.ready and (comparison is None or comparison.due)
        if due and self.automatic and not self._training.is_running:
            self.measure()

    def _on_stepped(self, step: Progress) -> None:
        self.step = step
        self.stepped.emit(step)

    def _on_measured(self, found: object) -> None:
        self._task = None
        self.measured.emit(found)
        self.summarise()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.automatic = False  # once is enough to say why
        self.failed.emit(message_of(error))

    def _on_cancelled(self) -> None:
        self._task = None
        if not self._again:  # a round only went first
            self.automatic = False
            self.cancelled.emit()
