"""The runner's inline twin: the same calls, done at once on the calling thread.

For tests and for pictures without a display. With ``held`` True tasks wait until ``run_next`` or
``run_all`` is called, so that a test can look at the moment between asking and getting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task, TaskState, Work


class InlineRunner(RunnerBase):
    """Runs each task when it is submitted, or when it is told to."""

    def __init__(self, parent: QObject | None = None, *, held: bool = False) -> None:
        super().__init__(parent)
        self.held = held
        self._waiting: list[Task] = []
        self._refusing = False

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Everything that waits."""
        return tuple(self._waiting)

    @property
    def is_idle(self) -> bool:
        """True while nothing waits."""
        return not self._waiting

    @property
    def is_closed(self) -> bool:
        """True once ``shutdown`` was called."""
        return self._refusing

    def submit(
        self,
        lane: Lane,
        work: Work,
        *,
        name: str = "",
        key: str = "",
        on_done: Callable[[Any], None] | None = None,
        on_failed: Callable[[Exception], None] | None = None,
        on_progress: Callable[[Any], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
    ) -> Task:
        """See ``RunnerBase.submit``."""
        task = Task(lane, work, name=name, key=key)
        task.on_done, task.on_failed = on_done, on_failed
        task.on_progress, task.on_cancelled = on_progress, on_cancelled
        if self._refusing:
            task.cancel()
            task.state = TaskState.CANCELLED
            return task
        if key:
            for older in self._waiting:
                if older.key == key:
                    older.forget()
        self._waiting.append(task)
        if not self.held:
            self.run_all()
        return task

    def run_next(self, lane: Lane | None = None) -> Task | None:
        """Run the oldest waiting task (of ``lane``); None if there is none."""
        for task in self._waiting:
            if lane is None or task.lane is lane:
                self._waiting.remove(task)
                if task.name and not task.is_cancelled:
                    self.taskStarted.emit(task)
                task.run(self._on_stepped)
                self._finish(task)
                return task
        return None

    def run_all(self, lane: Lane | None = None) -> None:
        """Run waiting tasks, and those that they submit, until none is left."""
        while self.run_next(lane) is not None:
            pass

    def _on_stepped(self, task: Task) -> None:
        if task.report_steps() and task.name:
            self.taskProgressed.emit(task)

    def shutdown(self, on_closed: Callable[[], None] | None = None) -> None:
        """Finish waiting commits, drop the rest, call back."""
        for task in list(self._waiting):
            if task.lane is not Lane.COMMIT:
                task.cancel()
        self.run_all()
        self._refusing = True
        if on_closed is not None:
            on_closed()
