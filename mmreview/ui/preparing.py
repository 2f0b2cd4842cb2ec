"""What happens behind an open project: the model warms up, cases are encoded, fitted and scored.

The page never waits for any of it. Each step ends in a signal that says what became true.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from PySide6.QtCore import QObject, Signal

from mmreview.domain.errors import message_of
from mmreview.domain.progress import Progress
from mmreview.services.desk import Desk, Opener
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane


class Preparing(QObject):
    """Background work for one open project that nobody asked for by hand."""

    modelServed = Signal(object)  # ServingModel or None: this version answers from now on
    modelWarmed = Signal()  # encoders are loaded: a new case is encoded at once
    #: Encoding, first fit and scoring ended: whole, or as far as they came (cancel, a problem).
    casesPrepared = Signal()
    headScored = Signal()  # the cases that come next are; the others follow
    casesScored = Signal()  # the worklist's order is that of the serving version
    progressed = Signal(object)  # Progress, of the bulk work
    problemFound = Signal(object)  # Message

    def __init__(
        self, runner: RunnerBase, desk: Desk, opener: Opener, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._opener = opener

    def serve(self) -> None:
        """Load the serving version. Light: no encoder is touched."""
        self._runner.submit(
            Lane.INTERACTIVE,
            self._desk.predicting.serve,
            key="serve",
            on_done=self.modelServed.emit,
            on_failed=self._on_failed,
        )

    def warm_up(self) -> None:
        """Load the encoders, so that the first fit or new case does not wait for them."""
        self._runner.submit(
            Lane.INTERACTIVE,
            self._desk.predicting.warm_up,
            name="ui.task.warm_up",
            on_done=lambda _: self.modelWarmed.emit(),
            on_failed=self._on_failed,
        )

    def prepare(self, *, reader: str) -> None:
        """Encode new cases, fit a first version if there are labels, score the worklist."""
        self._bulk(
            lambda: self._opener.refresh(self._desk, actor=reader),
            name="ui.task.preparing",
            on_done=self.casesPrepared.emit,
        )

    def fill_demo(self, *, cases: int, seed: int) -> None:
        """Draw, import, encode, fit and score the synthetic cohort."""
        self._bulk(
            lambda: self._opener.fill_demo(self._desk, cases=cases, seed=seed),
            name="ui.task.demo",
            on_done=self.casesPrepared.emit,
        )

    def score(self) -> None:
        """Score the worklist under the serving version, what comes next before the rest."""
        steps = iter((self.headScored.emit,))

        def _on_progress(step: Progress) -> None:
            self.progressed.emit(step)
            next(steps, lambda: None)()

        self._bulk(
            self._desk.predicting.score_all,
            name="ui.task.scoring",
            on_done=self.casesScored.emit,
            on_progress=_on_progress,
        )

    def _bulk(
        self,
        work: Callable[[], Generator[Progress, None, Any]],
        *,
        name: str,
        on_done: Callable[[], None],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._runner.submit(
            Lane.BULK,
            work,
            name=name,
            on_progress=on_progress or self.progressed.emit,
            on_done=lambda _: on_done(),
            on_failed=lambda error: (self._on_failed(error), on_done()),
            on_cancelled=on_done,
        )

    def _on_failed(self, error: Exception) -> None:
        self.problemFound.emit(message_of(error))
