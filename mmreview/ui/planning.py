"""The act of planning: a simulation in the learning lane, shown in its dialog."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from shiboken6 import isValid

from mmreview.domain.errors import message_of
from mmreview.domain.progress import Progress
from mmreview.tasks.task import Lane

if TYPE_CHECKING:
    from mmreview.domain.simulations import Simulation, SimulationOptions
    from mmreview.services.desk import Desk
    from mmreview.ui.dialogs.planning import PlanningDialog
    from mmreview.ui.main_window import MainWindow


def open_planning(window: MainWindow) -> PlanningDialog | None:
    """Ask what to simulate; run it and show it there."""
    session = window.session
    if session is None:
        return None
    from mmreview.ui.dialogs.planning import PlanningDialog

    desk = session.desk
    dialog = PlanningDialog(
        window, policies=desk.simulating.policies, project=desk.info.name,
        synthetic=desk.info.synthetic,
    )
    dialog.simulationWanted.connect(lambda options: _simulate(window, desk, dialog, options))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog


def _simulate(
    window: MainWindow, desk: Desk, dialog: PlanningDialog, options: SimulationOptions
) -> None:
    """In the learning lane: two rounds at once would take each other's time."""
    began = monotonic()

    def if_open(show: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda found: show(found) if isValid(dialog) else None

    task = window.runner.submit(
        Lane.LEARNING,
        lambda: _work(desk, options),
        name="ui.task.simulation",
        key="simulation",
        on_progress=if_open(lambda step: dialog.show_step(step, began)),
        on_done=if_open(dialog.show_found),
        on_failed=if_open(lambda error: dialog.show_failed(message_of(error))),
        on_cancelled=lambda: dialog.show_cancelled() if isValid(dialog) else None,
    )
    if not task.is_over:
        dialog.show_step(None, began)
        dialog.cancelWanted.connect(lambda: task.cancel())  # Qt cannot hold a Task's method


def _work(desk: Desk, options: SimulationOptions) -> Generator[Progress, None, Simulation]:
    yield from desk.predicting.encode_all()
    return (yield from desk.simulating.run(options))
