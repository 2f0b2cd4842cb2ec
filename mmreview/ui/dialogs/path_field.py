"""A path that is typed, dropped or browsed for, without blocking the event loop."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from mmreview.translation import tr
from mmreview.ui.theme import UNIT


class PathField(QWidget):
    """A line for a path and a button that browses. ``folders`` browses for folders, else files
    that fit ``pattern``."""

    pathChanged = Signal(str)

    def __init__(
        self, parent: QWidget | None, *, name: str, title: str, folders: bool = False,
        pattern: str = "",
    ) -> None:
        super().__init__(parent)
        self._title = title
        self._folders = folders
        self._pattern = pattern
        self._line = QLineEdit(self)
        self._line.setObjectName(name)
        self._line.setAccessibleName(title)
        self._line.textChanged.connect(self.pathChanged)
        self._line.setAcceptDrops(False)
        self._browse = QPushButton(tr("ui.dialog.browse"), self)
        self._browse.setObjectName(f"{name}Browse")
        self._browse.setAccessibleName(tr("ui.dialog.browse_for", what=title))
        self._browse.setAutoDefault(False)
        self._browse.clicked.connect(self._on_browse_clicked)
        self.setAcceptDrops(True)
        self.setFocusProxy(self._line)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._line, 1)
        layout.addWidget(self._browse)

    @property
    def path(self) -> str:
        """What is in the line."""
        return self._line.text().strip()

    def set_path(self, path: str) -> None:
        """Put a path into the line."""
        self._line.setText(path)

    def set_placeholder(self, text: str) -> None:
        """What the line says while it is empty."""
        self._line.setPlaceholderText(text)

    def _on_browse_clicked(self) -> None:
        start = Path(self.path).expanduser() if self.path else Path.home()
        while not start.exists() and start != start.parent:
            start = start.parent
        dialog = QFileDialog(self, self._title, str(start), self._pattern)
        dialog.setObjectName("browseDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self._folders:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.set_path)
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one local file or folder."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Put what was dropped into the line."""
        local = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if local:
            self.set_path(local[0])
            event.acceptProposedAction()
