"""The window's body: the pages one behind the other, on which files can be dropped, and the status
bar. It keeps the focus from getting lost."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget


class DropArea(QStackedWidget):
    """Takes files wherever they are let go; of several the first."""

    dropped = Signal(object)  # Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: D102 - Qt's name
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: D102 - Qt's name
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths[0])


class Body(QWidget):
    """Pages above, status bar below. When the focused widget goes (a button that has done its
    work), Qt would hand the keys to whatever comes next, perhaps the search field: they go
    ``home``."""

    def __init__(self, pages: QWidget, status: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.home: QWidget | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(pages, 1)
        column.addWidget(status)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab, or the focused widget is gone."""
        focused = QApplication.focusWidget()
        gone = focused is not None and not (focused.isVisible() and focused.isEnabled())
        if gone and self.home is not None and self.home.isVisible():
            self.home.setFocus()
            return True
        return super().focusNextPrevChild(next)
