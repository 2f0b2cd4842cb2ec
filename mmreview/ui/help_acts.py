"""What the Help menu does beside opening the manual: the system report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
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
