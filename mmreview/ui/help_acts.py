"""The system report of the Help menu, and the report of a crash, shown when there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from mmreview.domain.errors import message_of
from mmreview.tasks.task import Lane

if TYPE_CHECKING:
    from mmreview.ui.main_window import MainWindow


def open_system_report(window: MainWindow) -> None:
    """Say what ``mmreview doctor`` says, for who has no terminal; made in the background."""
    if window.diagnose is None:
        return
    from mmreview.ui.dialogs.report import SystemReportDialog

    dialog = SystemReportDialog(window)

    def if_open(show: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda found: show(found) if isValid(dialog) else None

    task = window.runner.submit(
        Lane.BULK,
        window.diagnose,
        key="system_report",
        on_progress=if_open(dialog.show_progress),
        on_done=if_open(dialog.show_report),
        on_failed=if_open(lambda error: dialog.show_failure(message_of(error))),
        on_cancelled=lambda: dialog.show_cancelled() if isValid(dialog) else None,
    )
    dialog.cancelWanted.connect(lambda: task.cancel())  # Qt cannot hold a Task's method
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


class CrashNotice(QObject):
    """Shows crash reports of one window, one at a time; the later ones lie in the same folder."""

    _crashed = Signal(object)  # Path, from any thread

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._shown = False
        self._crashed.connect(self._on_crashed, Qt.ConnectionType.QueuedConnection)

    def tell(self, report: Path) -> None:
        """There is a new report; may be called on any thread."""
        if isValid(self):
            self._crashed.emit(report)

    def show_left(self, report: Path) -> None:
        """The program ended in a crash the last time."""
        self._show(report, last_time=True)

    def _on_crashed(self, report: Path) -> None:
        self._show(report, last_time=False)

    def _show(self, report: Path, *, last_time: bool) -> None:
        if self._shown or self._window.is_closed:
            return
        from mmreview.ui.dialogs.report import CrashDialog

        try:
            text = report.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        self._shown = True
        dialog = CrashDialog(self._window, report, text, last_time=last_time)
        dialog.finished.connect(self._on_closed)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _on_closed(self, _: int) -> None:
        self._shown = False
