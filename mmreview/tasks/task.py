"""One piece of work and how far it has come; the handle that ``submit`` returns."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from enum import StrEnum
from inspect import isgenerator
from typing import Any


class Lane(StrEnum):
    """Where work waits its turn; one worker each, so that a reader never queues behind training.

    ``display`` decodes and pages, ``interactive`` warms up and predicts the open case, ``commit``
    makes corrections durable, ``bulk`` imports, encodes, scores and exports, ``learning`` trains.
    """

    DISPLAY = "display"
    INTERACTIVE = "interactive"
    COMMIT = "commit"
    BULK = "bulk"
    LEARNING = "learning"


class TaskState(StrEnum):
    """How far a task has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: Work is a function; if it returns a generator, that is run to its end, with a check for cancel
#: between yields.
Work = Callable[[], Any]


class Task:
    """A handle: cancel it, ask how it is. ``name`` is a message code, empty for quiet work.

    The callbacks run on the main thread only, and none of them after ``forget``.
    """

    __slots__ = (
        "_cancel", "_over", "_steps", "_steps_lock", "error", "key", "lane", "name", "on_cancelled",
        "on_done", "on_failed", "on_progress", "result", "state", "step", "work",
    )

    def __init__(self, lane: Lane, work: Work, *, name: str = "", key: str = "") -> None:
        self.lane = lane
        self.work = work
        self.name = name
        self.key = key
        self.state = TaskState.WAITING
        self.result: Any = None
        self.error: Exception | None = None
        self.step: Any = None
        self.on_done: Callable[[Any], None] | None = None
        self.on_failed: Callable[[Exception], None] | None = None
        self.on_progress: Callable[[Any], None] | None = None
        self.on_cancelled: Callable[[], None] | None = None
        self._cancel = threading.Event()
        self._over = threading.Event()
        self._steps: deque[Any] = deque()
        self._steps_lock = threading.Lock()

    def cancel(self) -> None:
        """Stop before the next step. A task that waits never starts. Harmless when it is over."""
        self._cancel.set()

    @property
    def is_cancelled(self) -> bool:
        """True once ``cancel`` was called (the task may still be finishing a step)."""
        return self._cancel.is_set()

    @property
    def is_over(self) -> bool:
        """True once it is done, failed or cancelled."""
        return self.state in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)

    def wait(self, seconds: float) -> bool:
        """Let the worker go first, for at most so long; True if it is done (its callbacks are
        still to come)."""
        return self._over.wait(seconds)

    def forget(self) -> None:
        """Cancel, and call nobody back."""
        self.on_done = self.on_failed = self.on_progress = self.on_cancelled = None
        self.cancel()

    # --- the worker's side ----------------------------------------------------------------------

    def run(self, stepped: Callable[[Task], None]) -> None:
        """Do the work on the calling thread; ``stepped`` is told when steps wait to be taken.

        Never raises: what went wrong is in ``error``.
        """
        if self.is_cancelled:
            self.state = TaskState.CANCELLED
            self._over.set()
            return
        self.state = TaskState.RUNNING
        try:
            result = self.work()
            if isgenerator(result):
                result = self._iterate(result, stepped)
            self.result = result
            if self.state is TaskState.RUNNING:
                self.state = TaskState.DONE
        except Exception as error:  # the lane must outlive any work
            self.error = error
            self.state = TaskState.FAILED
        finally:
            self._over.set()

    def _iterate(
        self, work: Generator[Any, None, Any], stepped: Callable[[Task], None]
    ) -> Any:
        try:
            while True:
                try:
                    step = next(work)
                except StopIteration as end:
                    return end.value
                with self._steps_lock:
                    self._steps.append(step)
                    first = len(self._steps) == 1
                if first:
                    stepped(self)
                if self.is_cancelled:
                    self.state = TaskState.CANCELLED
                    return None
        finally:
            work.close()

    # --- the main thread's side -----------------------------------------------------------------

    def take_steps(self) -> list[Any]:
        """The steps since the last call, in order."""
        with self._steps_lock:
            steps = list(self._steps)
            self._steps.clear()
        if steps:
            self.step = steps[-1]
        return steps

    def report_steps(self) -> list[Any]:
        """Hand the waiting steps to ``on_progress``; returns them."""
        steps = self.take_steps()
        for step in steps:
            if self.on_progress is not None:
                self.on_progress(step)
        return steps

    def report_end(self) -> None:
        """Call back how it ended."""
        if self.state is TaskState.DONE and self.on_done is not None:
            self.on_done(self.result)
        elif self.state is TaskState.FAILED and self.error is not None:
            if self.on_failed is not None:
                self.on_failed(self.error)
        elif self.state is TaskState.CANCELLED and self.on_cancelled is not None:
            self.on_cancelled()
        self.work = _nothing  # let go of what the work held


def _nothing() -> None:
    return None
