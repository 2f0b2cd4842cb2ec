"""What the menus do with the insights: the dialog, and the measurement that it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from shiboken6 import isValid

from mmreview.domain.errors import message_of
from mmreview.tasks.task import Lane

if TYPE_CHECKING:
    from mmreview.domain.insights import Insights
    from mmreview.ui.dialogs.insights import InsightsDialog
    from mmreview.ui.main_window import MainWindow


def open_insights(window: MainWindow, *, page: str = "saving") -> InsightsDialog | None:
    """Show whether the loop helps; compare the queue with the control arm from there."""
    session = window.session
    if session is None:
        return None
    from mmreview.ui.dialogs.insights import InsightsDialog

    measuring, desk = session.measuring, session.desk
    dialog = InsightsDialog(window)
    dialog.show_page(page)

    def _on_found(found: Insights) -> None:
        if isValid(dialog):
            dialog.show_insights(found, writable=not desk.info.read_only)

    def _on_changed(*_: object) -> None:
        window.runner.submit(
            Lane.BULK,
            desk.insights.collect,
            name="ui.task.insights",
            key="all_insights",
            on_progress=lambda step: dialog.show_reading(step) if isValid(dialog) else None,
            on_done=_on_found,
            on_failed=lambda error: window.show_problem(message_of(error)),
        )

    def _on_moved(*_: object) -> None:
        if measuring.is_running:
            dialog.show_step(measuring.step, measuring.began)

    wires = [
        (session.training.finished, _on_changed), (measuring.measured, _on_changed),
        (measuring.started, _on_moved), (measuring.stepped, _on_moved),
        (measuring.measured, lambda _: dialog.show_measured()),
        (measuring.failed, dialog.show_failed), (measuring.cancelled, dialog.show_cancelled),
    ]
    for signal, slot in wires:
        signal.connect(slot)

    def _on_closed(_: int) -> None:
        for signal, slot in wires:
            signal.disconnect(slot)

    dialog.finished.connect(_on_closed)
    dialog.measureWanted.connect(measuring.measure)
    dialog.cancelWanted.connect(measuring.cancel)
    _on_moved()
    _on_changed()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
