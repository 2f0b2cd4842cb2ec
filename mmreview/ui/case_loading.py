"""Brings the open case to the page, and the next ones before they are asked for.

Everything is read and decoded on the display lane; the answer for a case nobody looks at any more
is dropped. A case whose features are not cached yet is encoded on the interactive lane, before its
turn in the bulk. Prefetched cases are shown within the key press that asks for them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from mmreview.domain.errors import Message, MmreviewError, message_of
from mmreview.domain.predictions import Prediction
from mmreview.services.desk import Desk
from mmreview.services.reviewing import CaseView
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane, Task

#: How many cases are kept ready, the open one included.
_KEPT = 8


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A case and its first image, ready to be drawn (``None``: it has no image)."""

    view: CaseView
    picture: Any


class CaseLoading(QObject):
    """Loads, prefetches and refreshes cases of one open project."""

    caseLoaded = Signal(object)  # LoadedCase, of the newest case that was wanted
    loadFailed = Signal(int, object)  # case key, Message
    opinionLoaded = Signal(int, object, object)  # case key, Prediction or None, Message
    pictureLoaded = Signal(int, int, object)  # case key, position, PreparedPicture or Message

    def __init__(self, runner: RunnerBase, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._ready: OrderedDict[int, LoadedCase] = OrderedDict()
        self._wanted: int | None = None
        self._prefetch: Task | None = None
        self._encoding: Task | None = None
        self._pictures: list[Task] = []
        # What is read while a case changes or another version takes over is out of date when it
        # arrives: the clock ticks with every change, and each answer knows when it was asked for.
        self._clock = 0
        self._changed: dict[int, int] = {}
        self._all_changed = 0

    def want(self, key: int) -> None:
        """Bring this case; ``caseLoaded`` comes at once if it was prefetched."""
        self._wanted = key
        if self._prefetch is not None:
            self._prefetch.forget()
            self._prefetch = None
        for task in self._pictures:  # of the case before: they must not stand in the way
            task.forget()
        self._pictures.clear()
        asked = self._clock
        loaded = self._ready.get(key)
        if loaded is not None:
            self._on_loaded(loaded, asked)
            return
        self._runner.submit(
            Lane.DISPLAY,
            lambda: self._load(key),
            key="case",
            on_done=lambda found: self._on_loaded(found, asked),
            on_failed=lambda error: self.loadFailed.emit(key, message_of(error)),
        )

    def prefetch(self, keys: Sequence[int]) -> None:
        """Make these cases ready, nearest first, while nothing else is wanted."""
        missing = [key for key in keys if key not in self._ready]
        if missing:
            asked = self._clock
            self._prefetch = self._runner.submit(
                Lane.DISPLAY,
                lambda: self._load_each(missing),
                key="prefetch",
                on_progress=lambda loaded: self._keep(loaded, asked),
                on_failed=lambda _: None,  # it will be said when the case is opened
            )

    def want_picture(self, key: int, position: int, path: Path) -> None:
        """Bring one more image of the open case."""
        task = self._runner.submit(
            Lane.DISPLAY,
            lambda: load_prepared(path),
            on_done=lambda picture: self.pictureLoaded.emit(key, position, picture),
            on_failed=lambda error: self.pictureLoaded.emit(key, position, message_of(error)),
        )
        self._pictures.append(task)

    def want_opinion(self, key: int) -> None:
        """Ask the serving version about this case, encoding it first if need be."""
        if self._encoding is not None and not self._encoding.is_over:
            self._encoding.forget()
        self._encoding = self._runner.submit(
            Lane.INTERACTIVE,
            lambda: self._opine(key),
            key="opinion",
            on_done=lambda found: self._on_opinion(key, *found),
            on_failed=lambda error: self._on_opinion(key, None, message_of(error)),
        )

    def stop(self) -> None:
        """Answer nobody any more: the project closes."""
        self._wanted = None
        self._ready.clear()
        for task in (self._prefetch, self._encoding, *self._pictures):
            if task is not None:
                task.forget()
        self.blockSignals(True)

    def forget(self, key: int) -> None:
        """What was kept of this case is out of date."""
        self._clock += 1
        self._changed[key] = self._clock
        self._ready.pop(key, None)

    def forget_all(self) -> None:
        """Another version serves, or cases were imported: everything kept is out of date."""
        self._clock += 1
        self._all_changed = self._clock
        self._ready.clear()

    def _is_stale(self, key: int, asked: int) -> bool:
        return max(self._all_changed, self._changed.get(key, 0)) > asked

    # --- on a lane ------------------------------------------------------------------------------

    def _load(self, key: int) -> LoadedCase:
        view = self._desk.reviewing.open_case(key)
        picture: Any = None
        if view.image_paths:
            try:
                picture = load_prepared(view.image_paths[0])
            except MmreviewError as error:
                picture = error.message
        return LoadedCase(view, picture)

    def _load_each(self, keys: Sequence[int]) -> Iterator[LoadedCase]:
        for key in keys:
            yield self._load(key)

    def _opine(self, key: int) -> tuple[Prediction | None, Message]:
        view = self._desk.reviewing.open_case(key)
        if view.prediction_status.code == "prediction.not_encoded":
            problems = self._desk.predicting.encode_case(view.case)
            view = self._desk.reviewing.open_case(key)
            if view.prediction is None and problems:
                return None, problems[0]
        return view.prediction, view.prediction_status

    # --- on the main thread -----------------------------------------------------------------------

    def _keep(self, loaded: LoadedCase, asked: int) -> None:
        if self._is_stale(loaded.view.case.key, asked):
            return
        if loaded.view.prediction_status.code == "prediction.not_encoded":
            return  # its opinion is on its way; keeping it would show an old word
        self._ready[loaded.view.case.key] = loaded
        self._ready.move_to_end(loaded.view.case.key)
        while len(self._ready) > _KEPT:
            self._ready.popitem(last=False)

    def _on_loaded(self, loaded: LoadedCase, asked: int) -> None:
        self._keep(loaded, asked)
        key = loaded.view.case.key
        if key != self._wanted:
            return
        if self._is_stale(key, asked):
            self.want(key)
            return
        self.caseLoaded.emit(loaded)
        if loaded.view.prediction_status.code == "prediction.not_encoded":
            self.want_opinion(key)

    def _on_opinion(self, key: int, prediction: Prediction | None, status: Message) -> None:
        loaded = self._ready.get(key)
        if loaded is not None:
            view = replace(loaded.view, prediction=prediction, prediction_status=status)
            self._ready[key] = replace(loaded, view=view)
        if key == self._wanted:
            self.opinionLoaded.emit(key, prediction, status)


def load_prepared(path: Path) -> Any:
    """Decode an image and make it ready to be painted. Runs off the UI thread.

    Raises:
        ImageUnreadable: it cannot be decoded.
    """
    from mmreview.imaging.windowing import load_picture
    from mmreview.ui.image_view import prepare

    return prepare(load_picture(path))
