"""Bringing cases in: what to read and how, then how far it is and what is wrong with which row.

Hiding the dialog while an import runs lets it go on; it comes back by itself if rows have problems.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QSaveFile, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from mmreview.domain.errors import Message
from mmreview.domain.progress import Progress
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, Well, note
from mmreview.ui.dialogs.path_field import PathField
from mmreview.ui.text_line import CheckLine, ThinProgress
from mmreview.ui.theme import UNIT

if TYPE_CHECKING:
    from mmreview.services.importing import ImportReport

#: Problems that are listed; more are counted.
_LISTED = 1000
_FORMATS = ("auto", "jsonl", "csv")


class ImportDialog(Dialog):
    """Asks for a source, then shows the import of it."""

    importWanted = Signal(str, object)  # the source, ImportChoice
    cancelWanted = Signal()

    def __init__(self, parent: QWidget | None, *, source: str = "") -> None:
        super().__init__(
            parent, name="importDialog", title=tr("ui.import.title"), hint=tr("ui.import.hint")
        )
        self.setMinimumWidth(150 * UNIT)
        self._running = False
        self._ended = False
        self._problems: list[str] = []
        self._problem_count = 0
        self._make_form()
        self._make_run()
        self._import = self.button("importButton", tr("ui.import.start"), primary=True)
        self._import.clicked.connect(self._on_import_clicked)
        self._cancel = self.button("cancelImportButton", tr("ui.dialog.cancel"))
        self._cancel.clicked.connect(self._on_cancel_clicked)
        self._close = self.button("closeButton", tr("ui.dialog.close"))
        self._close.clicked.connect(self.reject)
        self._save = self.button("saveProblemsButton", tr("ui.import.save_problems"))
        self._save.clicked.connect(self._on_save_clicked)
        self.add_buttons(self._close, self._cancel, self._import, aside=(self._save,))
        self._source.pathChanged.connect(self._on_source_changed)
        self._source.set_path(source)
        self._show_form()

    def _make_form(self) -> None:
        self._source = PathField(
            self, name="importSource", title=tr("ui.import.source"),
            pattern=tr("ui.import.pattern"),
        )
        self._source.set_placeholder(tr("ui.import.source.example"))
        self._format = ChoiceField(self)
        self._format.setObjectName("importFormat")
        self._format.setAccessibleName(tr("ui.import.format"))
        for name in _FORMATS:
            self._format.addItem(tr(f"ui.import.format.{name}"), name)
        self._columns = QLineEdit(self)
        self._columns.setObjectName("importColumns")
        self._columns.setAccessibleName(tr("ui.import.columns"))
        self._columns.setPlaceholderText("id=study, image=file, report=text")
        self._complete = self._check("importLabelsComplete", "labels_complete")
        self._reference = self._check("importReference", "reference")
        checks = QVBoxLayout()
        checks.setSpacing(0)
        for check, part in (
            (self._complete, "labels_complete"), (self._reference, "reference")
        ):
            checks.addWidget(check)
            indented = note(tr(f"ui.import.{part}.help"), self)
            indented.setContentsMargins(5 * UNIT, 0, 0, 2 * UNIT)
            checks.addWidget(indented)
        form = QFormLayout()
        form.setHorizontalSpacing(4 * UNIT)
        form.setVerticalSpacing(2 * UNIT)
        form.addRow(tr("ui.import.source"), self._source)
        form.addRow(tr("ui.import.format"), self._format)
        form.addRow(tr("ui.import.columns"), self._columns)
        form.addRow("", note(tr("ui.import.columns.help"), self))
        form.addRow("", checks)
        self._form = QWidget(self)
        self._form.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        self.body.addWidget(self._form)

    def _check(self, name: str, part: str) -> CheckLine:
        check = CheckLine(tr(f"ui.import.{part}"), size=theme.BODY)
        check.setObjectName(name)
        check.setAccessibleName(tr(f"ui.import.{part}"))
        return check

    def _make_run(self) -> None:
        self._summary = QLabel(self)
        self._summary.setObjectName("importSummary")
        self._summary.setFont(theme.font(tabular=True))
        self._summary.setWordWrap(True)
        self._summary.setTextFormat(Qt.TextFormat.PlainText)
        self._bar = ThinProgress(self)
        self._bar.setObjectName("importProgress")
        self._bar.setAccessibleName(tr("ui.import.progress"))
        self._list = QPlainTextEdit(self)
        self._list.setObjectName("importProblems")
        self._list.setAccessibleName(tr("ui.import.problems"))
        self._list.setReadOnly(True)
        self._list.setUndoRedoEnabled(False)
        self._list.setTabChangesFocus(True)
        self._list.setFont(theme.font(theme.SMALL, tabular=True))
        self._list.setMinimumHeight(40 * UNIT)
        self._well = Well(self._list, self)
        for widget in (self._summary, self._bar, self._well):
            self.body.addWidget(widget, 1 if widget is self._well else 0)

    # --- what the caller tells --------------------------------------------------------------------

    def show_progress(self, progress: Progress) -> None:
        """Another step, with the problems found in it."""
        if self._ended:
            return
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        self._note_problems(progress.problems)
        self._say(
            tr(
                "ui.import.running" if progress.total else "ui.import.running_unknown",
                done=_number(progress.done), total=_number(progress.total),
                problems=_number(self._problem_count),
            )
        )

    def show_result(self, report: ImportReport) -> None:
        """It is through."""
        if report.problem_count > self._problem_count:  # steps that were never shown
            self._forget_problems()
            self._note_problems(report.problems)
            self._problem_count = report.problem_count
        self._bar.setRange(0, 1)
        self._bar.setValue(1)
        words = tr(
            "ui.import.done", added=_number(report.added), updated=_number(report.updated),
            unchanged=_number(report.unchanged), problems=_number(report.problem_count),
        )
        if report.problem_count > len(self._problems):
            words += " " + tr("ui.import.listed", listed=_number(len(self._problems)))
        self._end(words)

    def show_failure(self, message: Message) -> None:
        """The source could not be read at all, or the import broke off."""
        self._end(tr(message.code, **message.params), failed=True)

    def show_cancelled(self) -> None:
        """A person cancelled; rows that are in stay in."""
        self._end(tr("ui.import.cancelled"))

    # --- what is shown when -----------------------------------------------------------------------

    def _show_form(self) -> None:
        for widget in (self._summary, self._bar, self._well, self._save, self._cancel):
            widget.hide()
        self._on_source_changed()

    def _show_running(self) -> None:
        self._running, self._ended = True, False
        self._forget_problems()
        self._form.setEnabled(False)
        self._bar.setRange(0, 0)
        self._say(tr("ui.import.starting"))
        self._save.hide()
        self._well.hide()
        self._bar.show()
        self._import.setEnabled(False)
        self._cancel.setEnabled(True)
        self._cancel.show()
        self._name_close(tr("ui.import.hide"))
        self._close.setToolTip(tr("ui.import.hide.tip"))
        self._cancel.setFocus()

    def _end(self, words: str, *, failed: bool = False) -> None:
        self._running, self._ended = False, True
        self._say(words, failed=failed)
        self._form.setEnabled(True)
        self._cancel.hide()
        self._bar.setVisible(not failed)
        self._save.setVisible(bool(self._problems))
        self._name_close(tr("ui.dialog.close"))
        self._close.setToolTip("")
        self._on_source_changed()
        if self.isHidden():
            if self._problems or failed:
                self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
                self.show()
            else:
                self.close()
                self.deleteLater()
        else:
            self._close.setFocus()

    def _name_close(self, words: str) -> None:
        self._close.setText(words)
        self._close.setAccessibleName(words)

    def _say(self, words: str, *, failed: bool = False) -> None:
        palette = self.palette()
        if failed:
            palette.setColor(palette.ColorRole.WindowText, theme.current().bad)
        self._summary.setPalette(palette)
        self._summary.setText(words)
        self._summary.show()

    def _note_problems(self, problems: tuple[Message, ...]) -> None:
        if not problems:
            return
        self._problem_count += len(problems)
        room = _LISTED - len(self._problems)
        lines = [tr(problem.code, **problem.params) for problem in problems[:room]]
        if lines:
            self._problems.extend(lines)
            self._list.appendPlainText("\n".join(lines))
        if self._well.isHidden():
            self._well.show()
            self.resize(self.width(), max(self.height(), self.sizeHint().height()))

    def _forget_problems(self) -> None:
        self._problems.clear()
        self._problem_count = 0
        self._list.clear()

    # --- what a person does -----------------------------------------------------------------------

    def _on_source_changed(self) -> None:
        self._import.setEnabled(bool(self._source.path) and not self._running)

    def _on_import_clicked(self) -> None:
        from mmreview.services.desk import ImportChoice

        choice = ImportChoice(
            format=self._format.currentData(),
            columns=self._columns.text().strip(),
            labels_complete=self._complete.isChecked(),
            reference=self._reference.isChecked(),
        )
        self._show_running()
        self.importWanted.emit(self._source.path, choice)

    def _on_cancel_clicked(self) -> None:
        self._cancel.setEnabled(False)
        self.cancelWanted.emit()

    def _on_save_clicked(self) -> None:
        source = Path(self._source.path)
        dialog = QFileDialog(
            self, tr("ui.import.save_problems"), str(source.with_suffix(".problems.txt"))
        )
        dialog.setObjectName("saveProblemsDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(self.save_problems)
        dialog.open()

    def save_problems(self, path: str) -> None:
        """Write the listed problems, one a line, all or nothing."""
        file = QSaveFile(path)
        text = "".join(f"{line}\n" for line in self._problems).encode()
        if file.open(QSaveFile.OpenModeFlag.WriteOnly) and file.write(text) == len(text):
            saved = file.commit()
        else:
            saved = False
        if saved:
            self._say(tr("ui.import.saved", path=path, count=len(self._problems)))
        else:
            detail = file.errorString()
            self._say(tr("ui.import.not_saved", path=path, detail=detail), failed=True)

    def reject(self) -> None:
        """Close; while an import runs only hide, so that it goes on."""
        if self._running:
            self.hide()
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """The window's own close button does what Escape does."""
        if self._running:
            event.ignore()
            self.hide()
        else:
            super().closeEvent(event)


def _number(value: int) -> str:
    return QLocale(QLocale.Language.English).toString(value)
