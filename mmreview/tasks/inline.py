"""The runner's inline twin: the same calls, done at once on the calling thread.

For tests and for pictures without a display. With ``held`` True tasks wait until ``run_next`` or
``run_all`` is called, so that a test can look at the moment between asking and getting.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task


class InlineRunner(RunnerBase):
    """Runs each task when it is submitted, or when it is told to."""

    def __init__(self, parent: QObject | None = None, *, held: bool = False) -> None:
        super().__init__(parent)
        self.held = held

    @property
    def is_closed(self) -> bool:
        """True once ``shutdown`` was called."""
        return self._refusing

    def _take(self, task: Task) -> None:
        if not self.held:
            self.run_all()

    def run_next(self, lane: Lane | None = None) -> Task | None:
        """Run the oldest waiting task (of ``lane``); None if there is none."""
        for task in self._open:
            if lane is None or task.lane is lane:
                self._open.remove(task)
                if task.name and not task.is_cancelled:
                    self.taskStarted.emit(task)
                task.run(self._report_steps)
                self._finish(task)
                return task
        return None

    def run_all(self, lane: Lane | None = None) -> None:
        """Run waiting tasks, and those that they submit, until none is left."""
        while self.run_next(lane) is not None:
            pass

    def shutdown(self, on_closed: Callable[[], None] | None = None) -> None:
        """Finish waiting commits, drop the rest, call back."""
        for task in self.tasks:
            if task.lane is not Lane.COMMIT:
                task.cancel()
        self.run_all()
        self._refusing = True
        if on_closed is not None:
            on_closed()
