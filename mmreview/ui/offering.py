"""The queue behind the window: made anew when it is due, told when it is there, cases on lease.

A new queue is due after an import, when another version serves, after some reads, and when shares
or reader change; it is made on the bulk lane, can be cancelled there, and the reader goes on by
the one before. The open case is on lease while it is open, for readers of other processes to see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress

from PySide6.QtCore import QObject, QTimer, Signal

from mmreview.domain.changes import ReadCommitted
from mmreview.domain.errors import MmreviewError, message_of
from mmreview.domain.progress import Progress
from mmreview.domain.streams import QueueRules
from mmreview.services.desk import Desk
from mmreview.services.queueing import QueueMade
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane

#: A queue is made anew after so many reads, but it may cost no more than this share of the time.
READS, SHARE = 10, 0.1
#: The open case's lease is renewed this often, in milliseconds.
_RENEW_MS = 10 * 60 * 1000


class Offering(QObject):
    """Queue and leases of one open project."""

    queueMade = Signal(object)  # QueueMade: the list can be asked again
    readNoted = Signal(object)  # ReadCommitted, and the case has given its place up
    problemFound = Signal(object)  # Message

    def __init__(
        self,
        runner: RunnerBase,
        desk: Desk,
        reader: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._reader = reader
        self._open: int | None = None
        self._holder = ""  # who has it on lease
        self._since = 0
        self._tell = False  # a person waits to hear of the next queue
        self._rests_until = 0.0  # by ``time.monotonic``
        self._renewal = QTimer(self)
        self._renewal.setSingleShot(True)
        self._renewal.setInterval(_RENEW_MS)
        self._renewal.timeout.connect(self._hold)

    def start(self) -> None:
        """Say whose queue it is."""
        self._desk.queueing.read_by(self._reader())

    def change_reader(self) -> None:
        """Another reader reads on: other repeats, other leases."""
        before = self._holder
        if self._desk.queueing.can_lease and before:
            self._hold_for(None, before)
        self.start()
        self._hold()
        self.refresh()

    def refresh(self) -> None:
        """Make the queue anew. A request that still waits is replaced by this one."""
        self._since = 0
        self._runner.submit(
            Lane.BULK,
            self._made,
            name="ui.task.queueing",
            key="queue",
            on_done=self._on_made,
            on_failed=self._on_failed,
        )

    def _made(self) -> Generator[Progress, None, QueueMade]:
        begin = time.monotonic()
        made = yield from self._desk.queueing.refresh()
        end = time.monotonic()
        self._rests_until = end + (end - begin) * (1 / SHARE - 1)
        return made

    def change_rules(self, rules: QueueRules) -> None:
        """Use other shares from now on."""
        reader = self._reader()
        self._runner.submit(
            Lane.COMMIT,
            lambda: self._desk.queueing.change_rules(rules, actor=reader),
            on_done=lambda _: self._on_rules_changed(),
            on_failed=self._on_failed,
        )

    def note_opened(self, key: int) -> None:
        """The reader has another case open: it is theirs, the one before is not any more."""
        if key != self._open:
            self._open = key
            self._hold()

    def note_read(self, read: ReadCommitted) -> None:
        """A read is durable: its case gives its place up; after some of them the queue is due."""
        self._since += 1
        self._runner.submit(
            Lane.COMMIT,
            lambda: self._desk.queueing.note_read(read.case_key),
            on_done=lambda _: self.readNoted.emit(read),
            on_failed=self._on_failed,
        )
        if self._since >= READS and time.monotonic() >= self._rests_until:
            self.refresh()

    def end(self) -> None:
        """Give the open case back: the project closes, and no lane works for it any more."""
        self._renewal.stop()
        with suppress(MmreviewError):  # it runs out by itself
            self._desk.queueing.hold(None, reader=self._holder or self._reader())

    def _hold(self) -> None:
        if not self._desk.queueing.can_lease:
            return
        self._holder = self._reader()
        self._hold_for(self._open, self._holder)
        self._renewal.start()

    def _hold_for(self, key: int | None, reader: str) -> None:
        self._runner.submit(
            Lane.COMMIT,
            lambda: self._desk.queueing.hold(key, reader=reader),
            on_failed=lambda _: None,  # a courtesy: nothing of the reader's own is lost
        )

    def _on_made(self, made: QueueMade) -> None:
        self.queueMade.emit(made)
        if self._tell and made.notes:
            self.problemFound.emit(made.notes[-1])
        self._tell = False

    def _on_rules_changed(self) -> None:
        self._tell = True
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        self.problemFound.emit(message_of(error))
