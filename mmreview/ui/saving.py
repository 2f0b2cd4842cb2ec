"""From a key press to a durable event, off the UI thread, in order, with nothing dropped.

Every wish (a correction, an undo, a committed read) waits its turn on the commit lane. If one
cannot be written, it and all behind it are kept, in order, and shown as unsaved until ``retry``
succeeds or a person discards them. What a reader wished and what is durable are never confused:
``stateSaved`` comes only after the commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QObject, Signal

from mmreview.domain.changes import ReadCommitted, StateChanged
from mmreview.domain.errors import Message, message_of
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction, FindingState, Stage
from mmreview.services.reviewing import Reviewing
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane

#: Seconds that the repaint lets the commit go first. A commit takes half a millisecond; beside a
#: paint that holds the interpreter it would take seven.
HEAD_START = 0.002


@dataclass(slots=True, eq=False)
class _Wish:
    """One thing to make durable. ``before`` is the state that the screen showed before it."""

    act: Callable[[], Any]
    saved: Callable[[Any], None]
    correction: Correction | None = None
    before: State = State.UNSET


class Saving(QObject):
    """The path of a reader's acts into the trail of one open project."""

    stateSaved = Signal(object)  # StateChanged: a correction is durable
    undoSaved = Signal(object)  # StateChanged, or None where there was nothing to take back
    readSaved = Signal(object)  # ReadCommitted
    saved = Signal(str)  # everything wished for is durable, since (UTC)
    savingStarted = Signal(int)  # so many wishes are on their way
    failed = Signal(object, int)  # Message, how many wishes are unsaved
    #: A wish that never became durable was taken back: (case key, finding, state before it).
    wishDropped = Signal(int, str, object)

    def __init__(
        self, runner: RunnerBase, reviewing: Reviewing, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._reviewing = reviewing
        self._wishes: list[_Wish] = []
        self._running = False
        self._problem: Message | None = None

    @property
    def is_settled(self) -> bool:
        """True while everything wished for is durable."""
        return not self._wishes

    @property
    def problem(self) -> Message | None:
        """Why the oldest wish could not be written, if it could not."""
        return self._problem

    @property
    def unsaved(self) -> int:
        """How many wishes are not durable yet."""
        return len(self._wishes)

    def wished(self, case_key: int) -> dict[str, Correction]:
        """The newest correction of each finding of a case that is not durable yet, with what each
        implies for the rest of its exclusive group."""
        found: dict[str, Correction] = {}
        for wish in self._wishes:
            made = wish.correction
            if made is not None and made.case_key == case_key:
                found[made.finding] = made
                for name in self._reviewing.schema.implied_absent(made.finding, made.state):
                    found[name] = replace(made, finding=name, state=State.ABSENT)
        return found

    def correct(self, correction: Correction, *, before: State) -> None:
        """Make a state hold. ``before`` is what the screen showed, in case it is taken back."""
        self._add(
            _Wish(
                act=lambda: self._reviewing.correct(correction),
                saved=self.stateSaved.emit,
                correction=correction,
                before=before,
            )
        )

    def undo(self, reader: str, *, repeat_of: int | None = None) -> None:
        """Take the newest correction back: an unsaved one is dropped, a durable one gets an
        event of its own. In a second reading (``repeat_of`` is its case) its newest answer."""
        last = next((w for w in reversed(self._wishes) if w.correction is not None), None)
        if last is not None and self._problem is not None:
            self._drop(last)
            return
        self._add(
            _Wish(
                act=lambda: self._reviewing.undo(reader, repeat_of=repeat_of),
                saved=self.undoSaved.emit,
            )
        )

    def commit_read(
        self, key: int, *, reader: str, version: int | None, stage: Stage, repeat: bool = False
    ) -> None:
        """End the read of a case."""
        self._add(
            _Wish(
                act=lambda: self._reviewing.commit_read(
                    key, reader=reader, version=version, stage=stage, repeat=repeat
                ),
                saved=self.readSaved.emit,
            )
        )

    def retry(self) -> None:
        """Try the kept wishes again, oldest first."""
        if self._wishes and not self._running:
            self._problem = None
            self._start()

    def discard(self) -> None:
        """Give the kept wishes up (a person said so); the screen goes back to what is durable."""
        for wish in reversed(list(self._wishes)):
            self._drop(wish)

    def _add(self, wish: _Wish) -> None:
        self._wishes.append(wish)
        if self._problem is not None:
            self.failed.emit(self._problem, len(self._wishes))
        elif not self._running:
            self._start()
        else:
            self.savingStarted.emit(len(self._wishes))

    def _drop(self, wish: _Wish) -> None:
        if self._running and wish is self._wishes[0]:
            return  # it is being written at this moment: it can only be undone once it is durable
        self._wishes.remove(wish)
        if wish.correction is not None:
            self.wishDropped.emit(wish.correction.case_key, wish.correction.finding, wish.before)
        if not self._wishes:
            self._problem = None
            self.saved.emit("")
        elif self._problem is not None:
            self.failed.emit(self._problem, len(self._wishes))

    def _start(self) -> None:
        self._running = True
        self.savingStarted.emit(len(self._wishes))
        wish = self._wishes[0]
        task = self._runner.submit(
            Lane.COMMIT, wish.act, on_done=self._on_written, on_failed=self._on_write_failed
        )
        task.wait(HEAD_START)

    def _on_written(self, change: StateChanged | ReadCommitted | None) -> None:
        self._running = False
        self._wishes.pop(0).saved(change)
        if not self._wishes:
            self.saved.emit(change.at if change is not None else "")
        elif not self._running:
            self._start()

    def _on_write_failed(self, error: Exception) -> None:
        self._running = False
        self._problem = message_of(error)
        self.failed.emit(self._problem, len(self._wishes))


def wished_state(correction: Correction, previous: State) -> FindingState:
    """What the screen shows of a correction until it is durable."""
    return FindingState(
        finding=correction.finding,
        state=correction.state,
        basis=correction.basis,
        reader=correction.reader,
        at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        previous=previous,
        version=correction.version,
    )
