"""What the window remembers for its user, kept while it runs and written as it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QObject, QSize, Signal
from PySide6.QtWidgets import QMainWindow

from mmreview.domain.errors import Message
from mmreview.settings import Settings, save

if TYPE_CHECKING:
    from mmreview.ui.review_page import ReviewPage

#: A window that was never sized, and what the system's frame may take around it.
_SIZE, _FRAME = QSize(1440, 900), QSize(16, 48)


class Memory(QObject):
    """This user's settings. ``lasting`` False keeps them for this window only."""

    unsaved = Signal(object)  # Message: the settings file cannot be written

    def __init__(
        self, settings: Settings, *, lasting: bool, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.settings = settings
        self.lasting = lasting

    def take(self, settings: Settings, *, write: bool = True) -> None:
        """These hold from now on."""
        self.settings = settings
        if write and self.lasting:
            try:
                save(settings)
            except OSError as error:
                detail = error.strerror or type(error).__name__
                self.unsaved.emit(Message("error.settings_unsaved", {"detail": detail}))

    def change(self, **changes: Any) -> None:
        """Remember something from now on."""
        self.take(replace(self.settings, **changes))

    def keep_splitter(self, name: str, state: str) -> None:
        """Remember how one divided area looks."""
        self.change(splitters={**self.settings.splitters, name: state})

    def restore_window(self, window: QMainWindow) -> None:
        """Give the window the place and size it had, if it is to be remembered; at first what the
        screen has room for, frame included."""
        room = window.screen().availableGeometry()
        window.resize(
            min(_SIZE.width(), room.width() - _FRAME.width()),
            min(_SIZE.height(), room.height() - _FRAME.height()),
        )
        if self.lasting and self.settings.window:
            window.restoreGeometry(QByteArray.fromBase64(self.settings.window.encode()))

    def restore_page(self, page: ReviewPage) -> None:
        """Make the page look and work as its user wants it."""
        settings = self.settings
        page.set_reader(settings.reader)
        page.set_advance(settings.advance)
        page.reading.report.set_text_size(settings.text_size)
        page.learning.set_automatic(settings.automatic, settings.automatic_after)
        page.learning.set_idle(settings.idle, settings.idle_minutes)
        if not self.lasting:
            return
        page.learning.set_collapsed(settings.splitters.get("learning") == "collapsed")
        if columns := settings.splitters.get("columns"):
            page.columns.restoreState(QByteArray.fromBase64(columns.encode()))
        if reading := settings.splitters.get("reading"):
            page.reading.restore_state(reading)

    def follow_page(self, page: ReviewPage) -> None:
        """Keep what its user changes on the page, as they change it."""
        page.learning.automaticChanged.connect(
            lambda on, after: self.change(automatic=on, automatic_after=after)
        )
        page.learning.idleChanged.connect(
            lambda on, minutes: self.change(idle=on, idle_minutes=minutes)
        )
        page.learning.collapsedChanged.connect(
            lambda on: self.keep_splitter("learning", "collapsed" if on else "")
        )
        page.reading.report.textSizeChanged.connect(lambda size: self.change(text_size=size))

    def remember(self, window: QMainWindow, page: ReviewPage | None) -> None:
        """Keep how the window looks now."""
        splitters = dict(self.settings.splitters)
        if page is not None:
            splitters["columns"] = bytes(page.columns.saveState().toBase64().data()).decode()
            splitters["reading"] = page.reading.save_state()
        window_state = bytes(window.saveGeometry().toBase64().data()).decode()
        self.change(window=window_state, splitters=splitters)
