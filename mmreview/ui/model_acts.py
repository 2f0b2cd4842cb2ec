"""What the menus do with the model: the dialogs of versions and of the Model page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from shiboken6 import isValid

from mmreview.domain.errors import message_of
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.tasks.task import Lane

if TYPE_CHECKING:
    from mmreview.domain.versions import Version
    from mmreview.ui.dialogs.model import ModelDialog
    from mmreview.ui.main_window import MainWindow


def open_versions(window: MainWindow) -> None:
    """Show every version; promote and roll back from there."""
    session = window.session
    if session is None:
        return
    from mmreview.ui.dialogs.versions import VersionsDialog

    dialog = VersionsDialog(window)
    training = session.training

    def _on_found(versions: list[Version]) -> None:
        if isValid(dialog):
            dialog.show_versions(versions, writable=not session.desk.info.read_only)

    def _on_changed() -> None:
        window.runner.submit(
            Lane.DISPLAY,
            session.desk.learning.versions,
            key="versions",
            on_done=_on_found,
            on_failed=lambda error: window.show_problem(message_of(error)),
        )

    _on_changed()
    dialog.promoteWanted.connect(training.promote)
    dialog.refuseWanted.connect(lambda number: training.decide(number, False))
    dialog.rollbackWanted.connect(training.rollback)
    for change in (training.championChanged, training.finished, training.decided):
        change.connect(_on_changed)
        dialog.finished.connect(lambda _, change=change: change.disconnect(_on_changed))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def open_model(window: MainWindow, *, page: str = "measures") -> ModelDialog | None:
    """Show what the serving version can do and how it was chosen; search from there."""
    session = window.session
    if session is None:
        return None
    from mmreview.ui.dialogs.model import ModelDialog

    training, learning = session.training, session.desk.learning
    dialog = ModelDialog(window, fusions=learning.fusions)
    dialog.show_page(page)

    def _on_found(found: tuple[list[Version], Mapping[str, Any] | None]) -> None:
        if isValid(dialog):
            dialog.show_versions(found[0], writable=not session.desk.info.read_only)
            dialog.show_curve(found[1])

    def _on_changed(*_: object) -> None:
        window.runner.submit(
            Lane.DISPLAY,
            lambda: (learning.versions(), learning.curve()),
            key="model",
            on_done=_on_found,
            on_failed=lambda error: window.show_problem(message_of(error)),
        )

    def _on_moved(*_: object) -> None:
        if training.is_running:
            dialog.show_step(training.step, training.began)

    wires = [
        (training.championChanged, _on_changed), (training.finished, _on_changed),
        (training.started, _on_moved), (training.stepped, _on_moved),
        (training.finished, dialog.show_finished), (training.failed, dialog.show_failed),
        (training.cancelled, dialog.show_cancelled),
    ]
    for signal, slot in wires:
        signal.connect(slot)

    def _on_closed(_: int) -> None:
        for signal, slot in wires:
            signal.disconnect(slot)

    dialog.finished.connect(_on_closed)
    dialog.trainWanted.connect(training.train_with)
    dialog.curveWanted.connect(lambda: _measure_curve(window, dialog))
    dialog.cancelWanted.connect(training.cancel)
    _on_moved()
    _on_changed()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog


def _measure_curve(window: MainWindow, dialog: ModelDialog) -> None:
    """Measure the learning curve in the learning lane; it goes on if the dialog is closed."""
    session = window.session
    if session is None:
        return
    began = monotonic()

    def if_open(show: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda found: show(found) if isValid(dialog) else None

    def _on_step(step: Progress) -> None:
        share = step.done / step.total if step.total else 0.0
        dialog.show_step(TrainingStep(step.stage, share), began)

    task = window.runner.submit(
        Lane.LEARNING,
        lambda: session.desk.learning.learning_curve(),
        name="ui.task.learning_curve",
        key="learning_curve",
        on_progress=if_open(_on_step),
        on_done=if_open(dialog.show_measured),
        on_failed=if_open(lambda error: dialog.show_failed(message_of(error))),
        on_cancelled=lambda: dialog.show_cancelled() if isValid(dialog) else None,
    )
    if not task.is_over:
        dialog.show_step(None, began)
        dialog.cancelWanted.connect(lambda: task.cancel())  # Qt cannot hold a Task's method
