"""What the menus do with the audit set: open its dialog, ask how it is, draw, change the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from shiboken6 import isValid

from mmreview.domain.audit_sets import AuditStatus, Draw
from mmreview.domain.errors import message_of
from mmreview.domain.gates import GateRules
from mmreview.tasks.task import Lane
from mmreview.translation import tr

if TYPE_CHECKING:
    from mmreview.ui.dialogs.audit_set import AuditSetDialog
    from mmreview.ui.main_window import MainWindow


def open_audit_set(window: MainWindow) -> AuditSetDialog | None:
    """Show the audit set and the gate's criteria; draw and change from there."""
    session = window.session
    if session is None:
        return None
    from mmreview.ui.dialogs.audit_set import AuditSetDialog

    desk = session.desk
    dialog = AuditSetDialog(window, writable=not desk.info.read_only)
    wished = {"precision": 0.05}

    def _on_found(found: tuple[AuditStatus, GateRules]) -> None:
        if isValid(dialog):
            dialog.show_status(*found)

    def _on_failed(error: Exception) -> None:
        window.show_problem(message_of(error))
        _ask()  # what the dialog shows is what holds

    def _ask() -> None:
        window.runner.submit(
            Lane.DISPLAY,
            lambda: (desk.audit_set.status(precision=wished["precision"]), desk.gating.rules()),
            key="audit set",
            on_done=_on_found,
            on_failed=lambda error: window.show_problem(message_of(error)),
        )

    def _on_precision_chosen(value: float) -> None:
        wished["precision"] = value
        _ask()

    def _on_draw_wanted(count: int, refresh: bool) -> None:
        def _on_drawn(draw: Draw) -> None:
            _tell_drawn(window, draw, refresh=refresh)
            _ask()

        window.runner.submit(
            Lane.COMMIT,
            lambda: desk.audit_set.draw(count, actor=window.settings.reader, refresh=refresh),
            on_done=_on_drawn,
            on_failed=_on_failed,
        )

    def _on_rule_changed(name: str, value: object) -> None:
        window.runner.submit(
            Lane.COMMIT,
            lambda: desk.gating.change(actor=window.settings.reader, **{name: value}),
            on_done=lambda _: _ask(),
            on_failed=_on_failed,
        )

    dialog.precisionChosen.connect(_on_precision_chosen)
    dialog.drawWanted.connect(_on_draw_wanted)
    dialog.ruleChanged.connect(_on_rule_changed)
    _ask()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog


def _tell_drawn(window: MainWindow, draw: Draw, *, refresh: bool) -> None:
    """Cases changed their partition: show them as what they are now, and say how many."""
    window.page.reload()
    if window.session is not None:
        window.session.preparing.score()
    code = "ui.audit.refreshed" if refresh else "ui.audit.drawn"
    text = tr(code, count=draw.cases, patients=draw.patients, retired=draw.retired)
    window.page.banner.show_message(text, severity="info")
