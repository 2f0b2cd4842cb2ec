"""Does the loop help? The queue against chance, versions, pace and what readers changed.

Everything is derived from the trail when the dialog opens; only the comparison with the control arm
takes a while, runs in the learning lane and goes on if the dialog is closed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from mmreview.domain.errors import Message, MmreviewError
from mmreview.domain.insights import Insights
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.services.exporting import written_whole
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.insights.changed import ChangedPage
from mmreview.ui.insights.pace import PacePage
from mmreview.ui.insights.repeats import RepeatsPage
from mmreview.ui.insights.saving import SavingPage
from mmreview.ui.insights.versions import VersionsPage
from mmreview.ui.model.run_strip import RunStrip
from mmreview.ui.model.sections import SectionBar
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

_PAGES = ("saving", "versions", "changed", "pace", "repeats")


class InsightsDialog(Dialog):
    """The Insights of the open project."""

    measureWanted = Signal()
    cancelWanted = Signal()

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(
            parent, name="insightsDialog", title=tr("ui.insights.title"),
            hint=tr("ui.insights.hint"),
        )
        self._running = False
        self._writable = True
        self._sections = SectionBar(self, name="insightsSections", title=tr("ui.model.sections"))
        for name in _PAGES:
            self._sections.addTab(tr(f"ui.insights.{name}"))
        self.body.addWidget(self._sections)
        self._saving = SavingPage(self)
        self._saving.measureWanted.connect(self.measureWanted)
        self._versions = VersionsPage(self)
        self._changed = ChangedPage(self)
        self._pace = PacePage(self)
        self._repeats = RepeatsPage(self)
        self._stack = QStackedWidget(self)
        for page in (self._saving, self._versions, self._changed, self._pace, self._repeats):
            self._stack.addWidget(page)
        self._reading = note("", self)  # in the pages' place until there is something to show
        self._reading.setObjectName("insightsReading")
        self._stack.hide()
        self.body.addWidget(self._reading, 1, Qt.AlignmentFlag.AlignTop)
        self.body.addWidget(self._stack, 1)
        self._strip = RunStrip(self)
        self._strip.cancelWanted.connect(self.cancelWanted)
        self.body.addWidget(self._strip)
        self._save = self.button("saveInsightsButton", tr("ui.model.save"))
        self._save.setToolTip(tr("ui.model.save.tip"))
        self._save.clicked.connect(self._on_save_clicked)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close, aside=(self._save,))
        self._sections.currentChanged.connect(self._on_page_changed)
        self._on_page_changed(0)
        self.show_reading(None)
        self.resize(288 * UNIT, 160 * UNIT)

    # --- what it shows ----------------------------------------------------------------------------

    def show_reading(self, step: Progress | None) -> None:
        """The trail is being read, or old versions are being asked."""
        parts = [tr("ui.insights.reading" if step is None else step.stage)]
        if step is not None and step.total:
            parts.append(percent(step.done / step.total))
        self._reading.setText(" · ".join(parts))

    def show_insights(self, found: Insights, *, writable: bool = True) -> None:
        """Show all of it. Without ``writable`` nothing can be measured."""
        self._writable = writable
        self._reading.hide()
        self._stack.show()
        self._saving.show_comparison(found.comparison, found.readiness)
        self._versions.show_attempts(found.attempts)
        self._changed.show_agreements(found.agreements, found.unknown)
        self._pace.show_paces(found.paces)
        self._repeats.show_consistency(found.consistency)
        self._show_possible()

    def show_page(self, name: str) -> None:
        """Turn to ``saving``, ``versions``, ``changed``, ``pace`` or ``repeats``."""
        self._sections.setCurrentIndex(_PAGES.index(name))

    # --- the measurement --------------------------------------------------------------------------

    def show_step(self, step: Progress | None, began: float) -> None:
        """A measurement that began at ``began`` (monotonic seconds) is at ``step``, or waits."""
        self._running = True
        if step is None:
            self._strip.show_step(None, began)
        else:
            share = step.done / step.total if step.total else 0.0
            self._strip.show_step(TrainingStep(step.stage, share), began)
        self._show_possible()

    def show_measured(self) -> None:
        """It is measured; what was found is shown by ``show_insights``."""
        self._end(tr("ui.insights.measured"))

    def show_failed(self, problem: Message) -> None:
        """It could not be measured."""
        calm = problem.code == "error.too_few_to_compare"
        self._end(tr(problem.code, **problem.params), bad=not calm)

    def show_cancelled(self) -> None:
        """It was cancelled; what was measured before stays."""
        self._end(tr("ui.insights.cancelled"))

    def _end(self, said: str, *, bad: bool = False) -> None:
        self._running = False
        self._strip.show_end(said, bad=bad)
        self._show_possible()

    def _show_possible(self) -> None:
        self._saving.set_possible(self._writable and not self._running)
        self._save.setEnabled(len(self._written()()) > 1)  # more than headings

    # --- what a person does -----------------------------------------------------------------------

    def _on_page_changed(self, at: int) -> None:
        self._stack.setCurrentIndex(at)
        self._show_possible()

    def _written(self) -> Callable[[], list[list[str]]]:
        pages = (self._saving, self._versions, self._changed, self._pace, self._repeats)
        return pages[self._stack.currentIndex()].written

    def _on_save_clicked(self) -> None:
        name = f"{_PAGES[self._stack.currentIndex()]}.csv"
        dialog = QFileDialog(self, tr("ui.model.save"), name, "CSV (*.csv)")
        dialog.setObjectName("saveTableDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.fileSelected.connect(self.save)
        dialog.open()

    def save(self, path: str) -> None:
        """Write the page's table as CSV and say so."""
        try:
            with written_whole(Path(path)) as file:
                csv.writer(file, lineterminator="\n").writerows(self._written()())
        except MmreviewError as error:
            said, bad = tr(error.code, **error.params), True
        else:
            said, bad = tr("ui.model.saved", path=path), False
        if not self._running:
            self._strip.show_end(said, bad=bad)

    def changeEvent(self, event: QEvent) -> None:
        """Cells carry colours: give them those of the theme that is on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and getattr(self, "_pace", None):
            for page in (self._versions, self._changed, self._pace):
                page.sheet.draw()
