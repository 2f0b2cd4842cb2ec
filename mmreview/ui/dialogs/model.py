"""What the serving version can do and how it was chosen: measures, what was tried, calibration and
the fusions. A search for the best model starts here and runs in the learning lane; the dialog only
shows how far it is, and can be closed meanwhile."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedWidget, QWidget

from mmreview.domain.errors import Message, MmreviewError
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.services.exporting import written_whole
from mmreview.services.learning import AUTO
from mmreview.translation import tr
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.model.calibration import CalibrationPage
from mmreview.ui.model.curve import CurvePage
from mmreview.ui.model.fusions import FusionsPage
from mmreview.ui.model.measures import MeasuresPage
from mmreview.ui.model.run_strip import RunStrip
from mmreview.ui.model.sections import SectionBar
from mmreview.ui.model.tried import TriedPage
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import verdict

_PAGES = ("measures", "tried", "calibration", "curve", "fusions")
#: The pages that can show one finding alone.
_BY_FINDING = frozenset(("measures", "calibration", "curve"))


class ModelDialog(Dialog):
    """The Model page of the serving version."""

    trainWanted = Signal(str)  # a fusion's name; ``auto`` searches
    curveWanted = Signal()
    cancelWanted = Signal()

    def __init__(self, parent: QWidget | None, *, fusions: Sequence[str] = ()) -> None:
        super().__init__(
            parent, name="modelDialog", title=tr("ui.model.title"), hint=tr("ui.model.hint")
        )
        self._running = False
        self._writable = True
        self._version: Version | None = None
        self._make_top()  # first: keys go from the sections to their page
        self._measures = MeasuresPage(self)
        self._tried = TriedPage(self)
        self._calibration = CalibrationPage(self)
        self._curve = CurvePage(self)
        self._curve.measureWanted.connect(self.curveWanted)
        self._fusions = FusionsPage(self, fusions)
        self._fusions.trainWanted.connect(self._on_train_wanted)
        self._stack = QStackedWidget(self)
        pages = (self._measures, self._tried, self._calibration, self._curve, self._fusions)
        for page in pages:
            self._stack.addWidget(page)
        self.body.addWidget(self._stack, 1)
        self._strip = RunStrip(self)
        self._strip.cancelWanted.connect(self.cancelWanted)
        self.body.addWidget(self._strip)
        self._make_buttons()
        self._sections.currentChanged.connect(self._on_page_changed)
        self._on_page_changed(0)
        self._show_possible()
        self.resize(288 * UNIT, 160 * UNIT)

    def _make_top(self) -> None:
        self._basis = note(tr("ui.versions.none"), self)
        self._basis.setObjectName("modelBasis")
        self._sections = SectionBar(self, name="modelSections", title=tr("ui.model.sections"))
        for name in _PAGES:
            self._sections.addTab(tr(f"ui.model.{name}"))
        self._finding = ChoiceField(self)
        self._finding.setObjectName("modelFinding")
        self._finding.setAccessibleName(tr("ui.model.column.finding"))
        self._finding.addItem(tr("ui.model.all_findings"), "")
        self._finding.setMinimumWidth(52 * UNIT)
        self._finding.currentIndexChanged.connect(self._on_finding_chosen)
        row = QHBoxLayout()
        row.setSpacing(3 * UNIT)
        row.addWidget(self._sections, 1, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self._finding)
        self.body.addWidget(self._basis)
        self.body.addLayout(row)

    def _make_buttons(self) -> None:
        self._search = self.button("searchButton", tr("ui.model.search"))
        self._search.setToolTip(tr("ui.model.search.tip"))
        self._search.clicked.connect(lambda: self._on_train_wanted(AUTO))
        self._save = self.button("saveTableButton", tr("ui.model.save"))
        self._save.setToolTip(tr("ui.model.save.tip"))
        self._save.clicked.connect(self._on_save_clicked)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close, aside=(self._search, self._save))

    # --- what it shows ----------------------------------------------------------------------------

    def show_versions(self, versions: Sequence[Version], *, writable: bool = True) -> None:
        """Show the one that serves, if any does. Without ``writable`` no round can be started."""
        self._writable = writable
        serving = next((v for v in versions if v.role is Role.CHAMPION), None)
        self._version = serving
        self._show_possible()
        if serving is None:
            return
        metrics = serving.metrics
        basis = metrics.get("basis", "cross_validation")
        self._basis.setText(
            tr(f"ui.model.basis.{basis}", version=serving.id, count=metrics.get("cases", 0))
        )
        self._show_findings(list(metrics.get("per_finding") or {}))
        self._measures.show_metrics(metrics)
        self._calibration.show_metrics(metrics)
        # A routine round keeps what a search found: the newest table holds.
        searched = [v for v in versions if "search" in v.metrics]
        newest = max(searched, key=lambda v: v.id, default=None)
        found = newest.metrics["search"] if newest is not None else None
        if newest is not None:
            serves = newest.role is not Role.REFUSED and serving.fusion == newest.fusion
            self._tried.show_search(found, newest.id, serves=serves)
        self._fusions.show_serving(serving.fusion, found)
        self._show_savable()

    def _show_findings(self, findings: Sequence[str]) -> None:
        chosen = self._finding.currentData()
        self._finding.blockSignals(True)
        while self._finding.count() > 1:
            self._finding.removeItem(1)
        for finding in findings:
            self._finding.addItem(finding, finding)
        self._finding.setCurrentIndex(max(0, self._finding.findData(chosen)))
        self._finding.blockSignals(False)
        self._on_finding_chosen()

    def show_page(self, name: str) -> None:
        """Turn to ``measures``, ``tried``, ``calibration``, ``curve`` or ``fusions``."""
        self._sections.setCurrentIndex(_PAGES.index(name))

    def show_curve(self, found: Mapping[str, Any] | None) -> None:
        """Show the serving version's learning curve; None where nobody has measured it."""
        self._curve.show_curve(found)
        self._show_savable()

    # --- a round ----------------------------------------------------------------------------------

    def show_step(self, step: TrainingStep | None, began: float) -> None:
        """A round that began at ``began`` (monotonic seconds) is at ``step``, or waits."""
        self._running = True
        self._strip.show_step(step, began)
        self._show_possible()

    def show_finished(self, version: Version) -> None:
        """A round made a version, serving or refused."""
        code = "ui.learning.refused" if version.role is Role.REFUSED else "ui.learning.serves"
        self._end(f"{tr(code, version=version.id)}. {verdict(version)}".strip())

    def show_measured(self, found: Mapping[str, Any]) -> None:
        """The learning curve is measured."""
        self.show_curve(found)
        self._end(tr("ui.model.curve.measured"))

    def show_failed(self, problem: Message) -> None:
        """A round could not end."""
        self._end(tr(problem.code, **problem.params), bad=True)

    def show_cancelled(self) -> None:
        """A round was cancelled; nothing of it remains."""
        self._end(tr("ui.learning.cancelled"))

    def _end(self, said: str, *, bad: bool = False) -> None:
        self._running = False
        self._strip.show_end(said, bad=bad)
        self._show_possible()

    def _show_possible(self) -> None:
        possible = self._writable and not self._running
        self._search.setEnabled(possible)
        self._fusions.set_possible(possible)
        self._curve.set_possible(possible and self._version is not None)

    def _show_savable(self) -> None:
        self._save.setEnabled(len(self._written()) > 1)  # more than headings

    def _on_train_wanted(self, fusion: str) -> None:
        if fusion == AUTO:
            self.show_page("tried")
        self.trainWanted.emit(fusion)

    # --- what a person does -----------------------------------------------------------------------

    def _on_page_changed(self, at: int) -> None:
        self._stack.setCurrentIndex(at)
        self._finding.setVisible(_PAGES[at] in _BY_FINDING)
        self._show_savable()

    def _on_finding_chosen(self) -> None:
        finding = str(self._finding.currentData() or "")
        self._measures.show_finding(finding)
        self._calibration.show_finding(finding)
        self._curve.show_finding(finding)

    def _written(self) -> list[list[str]]:
        name = _PAGES[self._stack.currentIndex()]
        pages = {
            "measures": self._measures.written, "tried": self._tried.sheet.written,
            "calibration": self._calibration.written, "curve": self._curve.written,
            "fusions": self._fusions.sheet.written,
        }
        return pages[name]()

    def _on_save_clicked(self) -> None:
        name = f"{_PAGES[self._stack.currentIndex()]}.csv"
        dialog = QFileDialog(self, tr("ui.model.save"), name, "CSV (*.csv)")
        dialog.setObjectName("saveTableDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.save)
        dialog.open()

    def save(self, path: str) -> None:
        """Write the page's table as CSV and say so."""
        try:
            with written_whole(Path(path)) as file:
                csv.writer(file, lineterminator="\n").writerows(self._written())
        except MmreviewError as error:
            self._say(tr(error.code, **error.params), bad=True)
        else:
            self._say(tr("ui.model.saved", path=path))

    def _say(self, said: str, *, bad: bool = False) -> None:
        if not self._running:
            self._strip.show_end(said, bad=bad)

    def changeEvent(self, event: QEvent) -> None:
        """Cells carry colours: give them those of the theme that is on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and getattr(self, "_fusions", None):
            for page in (self._measures, self._tried, self._fusions):
                page.sheet.draw()
