"""One open project in the window: its services, its background work, and the wires between them.

Opening a project makes a session, closing it ends one. The session owns ``Saving``, ``Training``
and ``Preparing``; page and status bar only show what these say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmreview.domain.changes import ReadCommitted
from mmreview.domain.errors import Message
from mmreview.domain.progress import Progress
from mmreview.domain.versions import ServingModel, Version
from mmreview.services.desk import Desk, ImportChoice, Opener
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task
from mmreview.translation import tr
from mmreview.ui import learning_curves
from mmreview.ui.measuring import Measuring
from mmreview.ui.near_duplicates import NearDuplicates
from mmreview.ui.offering import Offering
from mmreview.ui.preparing import Preparing
from mmreview.ui.review_page import ReviewPage
from mmreview.ui.saving import Saving
from mmreview.ui.status_bar import StatusBar
from mmreview.ui.training import Training
from mmreview.ui.verdict import taught_unlabelled

#: While cases come in, the worklist is asked again at most this often.
_REFRESH_MS = 1000


class Session(QObject):
    """The open project. ``start`` once the page is on the screen."""

    problemFound = Signal(object)  # Message
    filling = Signal(object)  # Progress, while the synthetic project is being made
    filled = Signal()  # … it is there

    def __init__(
        self,
        *,
        runner: RunnerBase,
        desk: Desk,
        opener: Opener,
        page: ReviewPage,
        status: StatusBar,
        reader: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.desk = desk
        self._runner = runner
        self._page = page
        self._status = status
        self._reader = reader
        self._last_case = ""
        self._filling = False
        self._champion: Version | None = None
        self._told: Message | None = None  # what was said of a damaged version
        self.saving = Saving(runner, desk.reviewing, self)
        self.training = Training(runner, desk, reader, self)
        self.preparing = Preparing(runner, desk, opener, self)
        self.measuring = Measuring(runner, desk, self.training, self)
        self.offering = Offering(runner, desk, reader, self)
        self.alike = NearDuplicates(
            runner, desk, banner=page.banner, reader=reader, window=page.window(), parent=self
        )
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REFRESH_MS)
        self._later.timeout.connect(page.worklist.refresh)
        self._connect_saving()
        self._connect_learning()
        self._connect_preparing()
        self._connect_offering()

    def _connect_saving(self) -> None:
        self.saving.saved.connect(self._status.show_saved)
        self.saving.savingStarted.connect(self._status.show_saving)
        self.saving.failed.connect(self._on_save_failed)
        self._status.retryWanted.connect(self.saving.retry)
        self._page.correctionSaved.connect(self.training.note_correction)
        self.saving.readSaved.connect(self.alike.note_read)
        self.alike.given.connect(self._on_given)
        self.alike.problemFound.connect(self.problemFound)

    def _connect_learning(self) -> None:
        panel, training = self._page.learning, self.training
        panel.trainWanted.connect(training.train)
        panel.cancelWanted.connect(training.cancel)
        panel.decisionWanted.connect(training.decide)
        panel.automaticChanged.connect(training.set_automatic)
        panel.idleChanged.connect(training.set_idle)
        training.started.connect(panel.show_started)
        training.stepped.connect(panel.show_step)
        training.finished.connect(self._on_trained)
        training.failed.connect(panel.show_failed)
        training.cancelled.connect(panel.show_cancelled)
        training.servingFailed.connect(self.problemFound)
        training.counted.connect(self._on_counted)
        training.waitingFound.connect(panel.show_waiting)
        training.interrupted.connect(panel.show_interrupted)
        training.championChanged.connect(self._on_champion_changed)
        self.measuring.summarised.connect(panel.insight.show_summary)
        self.saving.readSaved.connect(lambda *_: self.measuring.note_read())

    def _connect_preparing(self) -> None:
        self.preparing.modelServed.connect(self._on_model_served)
        self.preparing.modelWarmed.connect(self._page.refresh_opinion)
        self.preparing.casesPrepared.connect(self._on_cases_prepared)
        self.preparing.headScored.connect(self._page.worklist.refresh)
        self.preparing.casesScored.connect(self._page.worklist.refresh)
        self.preparing.progressed.connect(self._on_progressed)
        self.preparing.problemFound.connect(self.problemFound)
        self._page.worklist.listChanged.connect(self._on_list_changed)

    def _connect_offering(self) -> None:
        page, offering = self._page, self.offering
        page.caseOpened.connect(self._on_case_opened)
        self.saving.readSaved.connect(offering.note_read)
        offering.readNoted.connect(self._on_read_noted)
        offering.queueMade.connect(lambda _: page.show_queue())
        offering.problemFound.connect(self.problemFound)

    def start(self, *, last_case: str, background: bool) -> None:
        """Show the project. ``background`` False leaves encoding and warm-up out (a picture)."""
        self._last_case = last_case
        info = self.desk.info
        self._status.set_synthetic(info.synthetic)
        self._status.set_read_only(
            tr("ui.session.read_only", holder=info.holder) if info.read_only else ""
        )
        self._page.learning.set_read_only(info.read_only)
        self.offering.start()
        self._page.set_desk(self.desk, self.saving)
        self.preparing.serve()
        self.training.count()
        self.measuring.automatic = background and not info.read_only
        self.measuring.summarise()
        self._describe()
        if background and not info.read_only:
            self._runner.submit(Lane.INTERACTIVE, learning_curves.warm_up)
            self.preparing.warm_up()

    def fill_demo(self, *, cases: int, seed: int) -> None:
        """Make the synthetic project whole; its first case opens when everything is there."""
        self._filling = True
        self.preparing.fill_demo(cases=cases, seed=seed)

    def prepare(self) -> None:
        """Encode what is new, fit a first version if there are labels, score."""
        if not self.desk.info.read_only:
            self.preparing.prepare(reader=self._reader())

    def import_source(
        self,
        source: str,
        choice: ImportChoice,
        *,
        on_progress: Callable[[Progress], None],
        on_done: Callable[[object], None],
        on_failed: Callable[[Exception], None],
        on_cancelled: Callable[[], None],
    ) -> Task:
        """Bring cases in on the bulk lane; what is in is prepared afterwards, also if it was
        cancelled or broke off (rows that are in stay in)."""

        def ended(tell: Callable[[], None]) -> None:
            tell()
            self._page.reload()
            self.prepare()

        return self._runner.submit(
            Lane.BULK,
            lambda: self.desk.import_source(Path(source), choice=choice, actor=self._reader()),
            name="ui.task.importing",
            on_progress=on_progress,
            on_done=lambda report: ended(lambda: on_done(report)),
            on_failed=lambda error: ended(lambda: on_failed(error)),
            on_cancelled=lambda: ended(on_cancelled),
        )

    def look_for_alike(self) -> None:
        """Look for near-duplicates of the open case."""
        key = self._page.case_key
        if self._page.is_repeat:
            self.problemFound.emit(Message("ui.review.repeat_alike"))
        elif key is not None:
            self.alike.look(key)

    def end(self) -> None:
        """Close the project's files. The runner must not work for it any more."""
        self._later.stop()
        self.offering.end()
        self._page.clear()
        self.desk.close()
        self.deleteLater()  # with it go its wires

    # --- what became true -----------------------------------------------------------------------

    def _on_list_changed(self) -> None:
        """Cases are there: open the one that was open last, else the first of the queue."""
        worklist = self._page.worklist
        if self._page.has_wish or self._filling or not worklist.has_keys:
            return
        if not self._last_case:
            self._open_first(None)
            return
        last, self._last_case = self._last_case, ""
        self._runner.submit(
            Lane.DISPLAY,
            lambda: self.desk.cases.find(last).key,
            on_done=self._open_first,
            on_failed=lambda _: self._open_first(None),  # it is not there any more
        )

    def _open_first(self, key: int | None) -> None:
        worklist = self._page.worklist
        if self._page.has_wish:  # a person was faster
            return
        if key is None:
            key = worklist.next_key(None, unread=True) or worklist.next_key(None, unread=False)
        if key is not None:
            self._page.open_case(key)
            self._page.findings.setFocus()  # the reader's keys must not land in the search

    def _on_model_served(self, model: ServingModel | None) -> None:
        self._page.show_model(model)
        self._status.show_version(model.version if model is not None else None)
        notice = self.desk.predicting.notice
        if notice is not None and notice != self._told:
            self._told = notice
            self.problemFound.emit(notice)
            self.training.count()

    def _on_cases_prepared(self) -> None:
        self.preparing.serve()
        self.training.count()
        self._page.worklist.refresh()
        if self._filling:
            self._filling = False
            self.filled.emit()

    def _on_progressed(self, step: Progress) -> None:
        if self._filling:
            self.filling.emit(step)
        if step.stage == "progress.import" and not self._later.isActive():
            self._later.start()
        if step.stage == "progress.encode" and not self._page.case_id:
            self._page.worklist.refresh()
        for problem in step.problems:
            self.problemFound.emit(problem)

    def _on_champion_changed(self) -> None:
        self.preparing.serve()
        self.offering.refresh()  # first: the head of the queue is read before the rest is scored
        self.preparing.score()

    def _on_case_opened(self, _: str) -> None:
        if self._page.case_key is not None:
            self.offering.note_opened(self._page.case_key)

    def _on_read_noted(self, read: ReadCommitted) -> None:
        if read.repeat:  # it is an ordinary read case again
            self._page.take_changed([read.case_key])

    def _on_counted(self, champion: Version | None, since: int, needed: int) -> None:
        self._champion = champion
        self._page.learning.show_model(champion, since, needed)

    def _on_trained(self, version: Version) -> None:
        self._page.learning.show_finished(version, self._champion)
        if said := taught_unlabelled(version):
            self._page.banner.show_message(said, severity="info")

    def _on_given(self, keys: list[int]) -> None:
        self._page.take_changed(keys)
        for _ in keys:
            self.training.note_correction()

    def _on_save_failed(self, problem: Message, count: int) -> None:
        # The indicator says "not saved" itself.
        code = {"error.write_failed": "ui.session.write_failed"}.get(problem.code, problem.code)
        self._status.show_failed(tr(code, **problem.params), count)

    def _describe(self) -> None:
        self._runner.submit(
            Lane.INTERACTIVE,
            self.desk.describe_model,
            key="describe",
            on_done=lambda facts: self._status.show_device(_device(facts)),
            on_failed=lambda _: self._status.show_device(""),
        )


def _device(facts: Mapping[str, Any]) -> str:
    """Where the model computes, in a few words."""
    if facts.get("device_kind") == "cpu":
        return tr("ui.session.cpu", count=facts.get("threads", 1))
    return str(facts.get("device", ""))
