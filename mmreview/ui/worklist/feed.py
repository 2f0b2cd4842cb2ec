"""Asks the case store for the worklist, on the display lane, and drops answers nobody waits for.

One query brings the keys and the pages that will be on the screen first. Pages that the view asks
for while it scrolls are fetched a few at a time, newest first, so that a scroll through 100,000
cases does not stand in the way of the case that is being opened (they share the lane).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmreview.domain.cases import WorklistFilter, WorklistRow, WorklistSort
from mmreview.domain.errors import Message, MmreviewError
from mmreview.domain.ports import CaseStore
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane
from mmreview.ui.worklist.model import PAGE, Page

#: Pages fetched in one go; older wishes are forgotten (they have been scrolled past).
_AT_ONCE = 4

#: Counts follow a correction this many milliseconds later, so that a burst counts once.
_COUNT_DELAY = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """The cases that pass, and the pages around the place that is shown first."""

    keys: array[int]
    pages: dict[int, Page]
    keep_place: bool


class WorklistFeed(QObject):
    """The worklist's questions to one project."""

    answered = Signal(object)  # Answer
    unreadFound = Signal(object)  # bytearray, one flag a key of the last answer
    pagesLoaded = Signal(object)  # {page: rows}
    rowsLoaded = Signal(object)  # [WorklistRow]
    counted = Signal(object)  # WorklistCounts
    failed = Signal(object)  # Message

    def __init__(
        self,
        runner: RunnerBase,
        page_keys: Callable[[int], list[int]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._page_keys = page_keys
        self._cases: CaseStore | None = None
        self._project = 0  # grows with every project: late answers of the one before are dropped
        self._answer = 0  # grows with every answer: pages of an older order are dropped
        self._wanted: deque[int] = deque(maxlen=_AT_ONCE)
        self._fetching = False
        self._asking = False
        self._fetch_soon = self._timer(0, self._fetch)
        self._count_soon = self._timer(_COUNT_DELAY, self.count)

    def _timer(self, delay: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(delay)
        timer.timeout.connect(slot)
        return timer

    def set_cases(self, cases: CaseStore | None) -> None:
        """Ask this project from now on (None: none is open)."""
        self._cases = cases
        self._project += 1
        self._answer += 1
        self._wanted.clear()
        self._fetching = self._asking = False
        self._fetch_soon.stop()
        self._count_soon.stop()

    @property
    def is_asking(self) -> bool:
        """True while the answer to the newest query is on its way."""
        return self._asking

    # --- the list ---------------------------------------------------------------------------------

    def query(
        self,
        where: WorklistFilter,
        sort: WorklistSort,
        *,
        around: int | None = None,
        keep_place: bool = False,
        count: bool = False,
    ) -> None:
        """Which cases pass, in which order? ``around`` is the key that will be on top (None: the
        first), so that its page comes with the answer. ``count`` asks for the counts as well, but
        after whatever the answer leads to (a case that is opened waits on the same lane)."""
        cases = self._cases
        if cases is None:
            return

        def ask() -> Answer:
            keys = cases.worklist_keys(where, sort)
            return Answer(keys, _pages_around(cases, keys, around), keep_place)

        def done(answer: Answer) -> None:
            self._asking = False
            self._answer += 1
            self._wanted.clear()
            self.answered.emit(answer)
            self._find_unread(answer.keys, where)
            if count:
                self.count()

        def failed(message: Message) -> None:
            self._asking = False
            self.failed.emit(message)

        self._asking = True
        self._submit(ask, done, key="worklist.keys", failed=failed)

    def _find_unread(self, keys: array[int], where: WorklistFilter) -> None:
        cases, answer = self._cases, self._answer
        if cases is None:
            return

        def ask() -> bytearray:
            unread = set(cases.worklist_keys(replace(where, due=True), WorklistSort.ID))
            return bytearray(map(unread.__contains__, keys))

        def done(flags: bytearray) -> None:
            if answer == self._answer:
                self.unreadFound.emit(flags)

        self._submit(ask, done, key="worklist.unread")

    # --- rows -------------------------------------------------------------------------------------

    def want_page(self, page: int) -> None:
        """The view misses this page (safe to call while painting)."""
        if page in self._wanted:
            return
        self._wanted.append(page)
        if not self._fetching:
            self._fetch_soon.start()

    def _fetch(self) -> None:
        cases, answer = self._cases, self._answer
        if cases is None or self._fetching or not self._wanted:
            return
        wanted = {page: self._page_keys(page) for page in reversed(self._wanted)}
        self._wanted.clear()
        self._fetching = True

        def ask() -> dict[int, Page]:
            return {page: _rows(cases, keys) for page, keys in wanted.items() if keys}

        def done(pages: dict[int, Page]) -> None:
            self._fetching = False
            if answer == self._answer:
                self.pagesLoaded.emit(pages)
            if self._wanted:
                self._fetch_soon.start()

        def failed(message: Message) -> None:
            self._fetching = False
            self.failed.emit(message)

        self._submit(ask, done, failed=failed)

    def fetch_rows(self, keys: Sequence[int]) -> None:
        """Bring these rows anew, and soon the counts."""
        cases = self._cases
        if cases is None or not keys:
            return
        wanted = list(keys)
        self._submit(lambda: cases.worklist_rows(wanted), self.rowsLoaded.emit)
        self._count_soon.start()

    def count(self) -> None:
        """How many cases would each filter keep?"""
        cases = self._cases
        if cases is not None:
            self._submit(cases.worklist_counts, self.counted.emit, key="worklist.counts")

    def _submit(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        *,
        key: str = "",
        failed: Callable[[Message], None] | None = None,
    ) -> None:
        project = self._project

        def on_done(found: Any) -> None:
            if project == self._project:
                done(found)

        def on_failed(error: Exception) -> None:
            if project == self._project:
                (failed or self.failed.emit)(_message(error))

        self._runner.submit(Lane.DISPLAY, work, key=key, on_done=on_done, on_failed=on_failed)


def _pages_around(cases: CaseStore, keys: array[int], around: int | None) -> dict[int, Page]:
    """The page of ``around`` (or the first) and the one after it, in one call to the store."""
    first = 0
    if around is not None and around in keys:
        first = keys.index(around) // PAGE
    span = keys[first * PAGE : (first + 2) * PAGE].tolist()
    rows = _rows(cases, span)
    return {first + at: rows[at * PAGE : (at + 1) * PAGE] for at in (0, 1) if at * PAGE < len(rows)}


def _rows(cases: CaseStore, keys: Sequence[int]) -> list[WorklistRow | None]:
    """One row a key, None where the case is gone since."""
    found = {row.key: row for row in cases.worklist_rows(keys)}
    return [found.get(key) for key in keys]


def _message(error: Exception) -> Message:
    if isinstance(error, MmreviewError):
        return error.message
    return Message("error.unknown", {"detail": type(error).__name__})
