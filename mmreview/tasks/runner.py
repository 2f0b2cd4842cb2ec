"""The runner: lanes of one worker thread each; callbacks on the main thread only.

Between yields of a generator the worker checks for cancel and closes it. Steps are handed over in
bunches, so that a loop that yields thousands a second cannot flood the event loop. Closing is
staged and idempotent: refuse new work, let pending commits end, cancel the rest, wait bounded
without blocking, then tell.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from mmreview.domain.errors import MmreviewError
from mmreview.tasks.task import Lane, Task, TaskState, Work

#: How long closing waits for lanes that will not end. Then the process ends without them; what
#: they had not made durable was never acknowledged.
SHUTDOWN_SECONDS = 15.0

#: Linux niceness of the lanes that must not be felt.
_NICE = {Lane.BULK: 5, Lane.LEARNING: 10}

#: Threads that hold the interpreter give it up to the UI thread this often.
_SWITCH_SECONDS = 0.001

_log = logging.getLogger(__name__)


class RunnerBase(QObject):
    """What a window needs of a runner. ``submit`` is the one way in."""

    #: A named task began to run, moved, or is over (Task).
    taskStarted = Signal(object)
    taskProgressed = Signal(object)
    taskEnded = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open: list[Task] = []
        self._refusing = False

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Everything that waits or runs."""
        return tuple(self._open)

    @property
    def is_idle(self) -> bool:
        """True while nothing waits or runs."""
        return not self._open

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
        """Do ``work`` (a function; if it returns a generator, that is run to its end) on ``lane``.

        ``name`` is a message code that shows it in the status bar. With ``key``, an older task of
        the same key is forgotten: only the newest answer matters. The callbacks run on the main
        thread: ``on_done`` with the result (a generator's return value), ``on_progress`` with
        each yielded step, ``on_failed`` with the exception. An error that has no sentence is a
        crash, with a report; one that nobody wants is logged. After ``shutdown`` nothing is taken:
        the task comes back cancelled.
        """
        task = Task(lane, work, name=name, key=key)
        task.on_done, task.on_failed = on_done, on_failed
        task.on_progress, task.on_cancelled = on_progress, on_cancelled
        if self._refusing:
            task.cancel()
            task.state = TaskState.CANCELLED
            return task
        if key:
            for older in self._open:
                if older.key == key:
                    older.forget()
        self._open.append(task)
        self._take(task)
        return task

    def _take(self, task: Task) -> None:
        """Bring a task that is open now to its lane."""
        raise TypeError("RunnerBase only says what a runner is")

    def shutdown(self, on_closed: Callable[[], None] | None = None) -> None:
        """Refuse new work, finish commits, cancel the rest, then call ``on_closed``."""
        raise TypeError("RunnerBase only says what a runner is")

    def _report_steps(self, task: Task) -> None:
        if task.report_steps() and task.name:
            self.taskProgressed.emit(task)

    def _finish(self, task: Task) -> None:
        self._report_steps(task)
        if task.state is TaskState.FAILED and task.error is not None:
            self._log_failure(task, task.error)
        task.report_end()
        if task.name:
            self.taskEnded.emit(task)


    def _log_failure(self, task: Task, error: Exception) -> None:
        """What has a sentence is told by whoever asked; anything else is a crash."""
        from mmreview import logs

        where = f"task {task.name or task.lane}"
        if not isinstance(error, MmreviewError):
            logs.report(error, where=where)
        elif task.on_failed is None:
            _log.error("%s failed: %s", where, logs.describe(error))


class Runner(RunnerBase):
    """The real one. Make it on the main thread; its lanes start with their first task."""

    _stepped = Signal(object)
    _ended = Signal(object)
    _began = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        self._queues: dict[Lane, SimpleQueue[Task | None]] = {}
        self._threads: dict[Lane, threading.Thread] = {}
        self._closed = False
        self._on_closed: list[Callable[[], None]] = []
        self._deadline = 0.0
        self._poll: QTimer | None = None
        queued = Qt.ConnectionType.QueuedConnection
        self._began.connect(self._on_began, queued)
        self._stepped.connect(self._report_steps, queued)
        self._ended.connect(self._on_ended, queued)

    @property
    def is_closed(self) -> bool:
        """True once ``shutdown`` has ended."""
        return self._closed

    def _take(self, task: Task) -> None:
        self._queue(task.lane).put(task)

    def _queue(self, lane: Lane) -> SimpleQueue[Task | None]:
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = SimpleQueue()
            thread = threading.Thread(
                target=self._work, args=(lane, queue), name=f"mmreview-{lane}", daemon=True
            )
            self._threads[lane] = thread
            thread.start()
        return queue

    # --- on a lane's thread ---------------------------------------------------------------------

    def _work(self, lane: Lane, queue: SimpleQueue[Task | None]) -> None:
        _be_nice(lane)
        while (task := queue.get()) is not None:
            if task.name and not task.is_cancelled:
                self._tell(self._began, task)
            task.run(lambda stepped: self._tell(self._stepped, stepped))
            self._tell(self._ended, task)

    def _tell(self, signal: Any, task: Task) -> None:
        try:
            signal.emit(task)
        except RuntimeError:  # the window is gone: there is nobody left to tell
            task.cancel()

    # --- on the main thread -----------------------------------------------------------------------

    def _on_began(self, task: Task) -> None:
        if not task.is_over:
            self.taskStarted.emit(task)

    def _on_ended(self, task: Task) -> None:
        if task in self._open:
            self._open.remove(task)
        self._finish(task)

    # --- closing ----------------------------------------------------------------------------------

    def shutdown(self, on_closed: Callable[[], None] | None = None) -> None:
        """See ``RunnerBase.shutdown``. Twice is once; every ``on_closed`` is called."""
        if self._closed:
            if on_closed is not None:
                on_closed()
            return
        if on_closed is not None:
            self._on_closed.append(on_closed)
        if self._refusing:
            return
        self._refusing = True
        for task in self._open:
            if task.lane is not Lane.COMMIT:
                task.cancel()
        for queue in self._queues.values():
            queue.put(None)
        self._deadline = time.monotonic() + SHUTDOWN_SECONDS
        self._poll = QTimer(self)
        self._poll.setInterval(10)
        self._poll.timeout.connect(self._on_polled)
        self._poll.start()
        self._on_polled()

    def _on_polled(self) -> None:
        alive = [thread for thread in self._threads.values() if thread.is_alive()]
        if (alive or self._open) and time.monotonic() < self._deadline:
            return
        if alive:
            _log.warning("closed with busy lanes: %s", [thread.name for thread in alive])
        if self._poll is not None:
            self._poll.stop()
            self._poll.deleteLater()
            self._poll = None
        self._closed = True
        for tell in self._on_closed:
            tell()
        self._on_closed.clear()


def _be_nice(lane: Lane) -> None:
    """Lower this thread's priority where the system lets a thread have its own (Linux). Threads
    that the work starts (OpenMP) inherit it."""
    if lane in _NICE and sys.platform.startswith("linux"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE[lane])
        except OSError:
            _log.info("lane %s keeps its priority", lane)
