"""Texts for whoever looks after this computer: to read, copy, save. Nothing is sent anywhere.

The system report is made while the dialog is open (``show_progress``, then ``show_text``).
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSaveFile, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit, QPushButton, QWidget

from mmreview.domain.errors import Message
from mmreview.domain.progress import Progress
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well
from mmreview.ui.text_line import TextLine, ThinProgress
from mmreview.ui.theme import UNIT


class ReportDialog(Dialog):
    """A read-only text with *Copy* and *Save…*. ``file_name`` is what a saved one is called."""

    def __init__(
        self,
        parent: QWidget | None,
        *,
        name: str,
        title: str,
        hint: str,
        text: str = "",
        file_name: str = "mmreview-system.txt",
    ) -> None:
        super().__init__(parent, name=name, title=title, hint=hint)
        self.resize(190 * UNIT, 130 * UNIT)
        self._file_name = file_name
        self._view = QPlainTextEdit(self)
        self._view.setObjectName("reportText")
        self._view.setAccessibleName(title)
        self._view.setReadOnly(True)
        self._view.setUndoRedoEnabled(False)
        self._view.setTabChangesFocus(True)
        self._view.setFont(theme.font(theme.SMALL, tabular=True))
        self.body.addWidget(Well(self._view, self), 1)
        self._said = TextLine(size=theme.SMALL, role="muted", parent=self)
        self._said.setObjectName("reportState")
        self.body.addWidget(self._said)
        self._copy = self.button("copyButton", tr("ui.report.copy"))
        self._copy.clicked.connect(self._on_copy_clicked)
        self._save = self.button("saveButton", tr("ui.report.save"))
        self._save.clicked.connect(self._on_save_clicked)
        self._close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        self._close.clicked.connect(self.reject)
        self.add_buttons(*self._right(), self._close, aside=(self._copy, self._save))
        self.show_text(text)

    def _right(self) -> tuple[QPushButton, ...]:
        """Buttons of a kind of report, left of *Close*."""
        return ()

    def show_text(self, text: str) -> None:
        """This is the report."""
        self._view.setPlainText(text)
        self._copy.setEnabled(bool(text))
        self._save.setEnabled(bool(text))

    def _say(self, words: str, *, failed: bool = False) -> None:
        self._said.set_text(words, role="bad" if failed else "muted")

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._view.toPlainText())
        self._say(tr("ui.report.copied"))

    def _on_save_clicked(self) -> None:
        dialog = QFileDialog(self, tr("ui.report.save"), self._file_name)
        dialog.setObjectName("saveReportDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.fileSelected.connect(self.save)
        dialog.open()

    def save(self, path: str) -> None:
        """Write the text, all or nothing."""
        file = QSaveFile(path)
        text = (self._view.toPlainText() + "\n").encode()
        written = file.open(QSaveFile.OpenModeFlag.WriteOnly) and file.write(text) == len(text)
        if written and file.commit():
            self._say(tr("ui.report.saved", path=path))
        else:
            self._say(tr("ui.report.not_saved", path=path, detail=file.errorString()), failed=True)


class SystemReportDialog(ReportDialog):
    """What ``mmreview doctor`` says. Closing it while it is in the making cancels that."""

    cancelWanted = Signal()

    def __init__(self, parent: QWidget | None) -> None:
        self._bar = ThinProgress()
        super().__init__(
            parent, name="systemReportDialog", title=tr("ui.system_report.title"),
            hint=tr("ui.system_report.hint"),
        )
        self._bar.setObjectName("reportProgress")
        self._bar.setAccessibleName(tr("doctor.checking"))
        self._bar.setRange(0, 0)
        self.body.insertWidget(self.body.indexOf(self._said) + 1, self._bar)
        self._say(tr("ui.system_report.making"))
        self._close.setFocus()

    def _right(self) -> tuple[QPushButton, ...]:
        self._cancel = self.button("cancelReportButton", tr("ui.dialog.cancel"))
        self._cancel.clicked.connect(self._on_cancel_clicked)
        return (self._cancel,)

    def show_progress(self, step: Progress) -> None:
        """How far the files of the installation are hashed."""
        self._bar.setRange(0, max(step.total, 1))
        self._bar.setValue(step.done)
        self._say(tr(step.stage))

    def show_report(self, text: str) -> None:
        """It is made; its last line is the verdict."""
        self.show_text(text)
        self._end(text.rpartition("\n")[2])
        self._view.setFocus()

    def show_failure(self, message: Message) -> None:
        """It could not be made."""
        self._end(tr(message.code, **message.params), failed=True)

    def show_cancelled(self) -> None:
        """A person cancelled."""
        self._end(tr("ui.system_report.cancelled"))

    def _end(self, words: str, *, failed: bool = False) -> None:
        self._bar.hide()
        self._cancel.hide()
        self._say(words, failed=failed)

    def _on_cancel_clicked(self) -> None:
        self._cancel.setEnabled(False)
        self.cancelWanted.emit()

    def reject(self) -> None:
        """Close; what is still in the making is not wanted any more."""
        if not self._cancel.isHidden():
            self.cancelWanted.emit()
        super().reject()


class CrashDialog(ReportDialog):
    """A crash report, to look at before anybody gets it. ``last_time``: the program ended."""

    def __init__(
        self, parent: QWidget | None, report: Path, text: str, *, last_time: bool = False
    ) -> None:
        self._report = report
        super().__init__(
            parent, name="crashDialog", title=tr("ui.crash.title"),
            hint=tr("ui.crash.hint.last_time" if last_time else "ui.crash.hint"),
            text=text.rstrip("\n"), file_name=report.name,
        )
        self._say(tr("ui.crash.lies", path=str(report)))
        self._close.setFocus()

    def _right(self) -> tuple[QPushButton, ...]:
        folder = self.button("openFolderButton", tr("ui.crash.open_folder"))
        folder.clicked.connect(self._on_folder_clicked)
        return (folder,)

    def _on_folder_clicked(self) -> None:
        folder = self._report.parent
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._say(tr("ui.crash.no_folder", path=str(folder)), failed=True)
