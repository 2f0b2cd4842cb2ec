"""The strip under the findings: undo, next case, commit read; what the keys do, for the mouse.

The buttons take no focus from a click, so that the keys stay with the findings.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT


class ReadBar(QWidget):
    """Ends the read of the open case, or goes on without."""

    undoWanted = Signal()
    nextWanted = Signal()
    commitWanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("readBar")
        self.setAccessibleName(tr("ui.read.title"))
        self._undo = self._button("undoButton", "undo", self.undoWanted)
        self._next = self._button("nextCaseButton", "next", self.nextWanted)
        self._commit = self._button("commitReadButton", "commit", self.commitWanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._undo)
        layout.addStretch(1)
        layout.addWidget(self._next)
        layout.addWidget(self._commit)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _button(self, name: str, part: str, wanted: SignalInstance) -> QPushButton:
        button = QPushButton(tr(f"ui.read.{part}"), self)
        button.setObjectName(name)
        button.setAccessibleName(tr(f"ui.read.{part}"))
        button.setToolTip(tr(f"ui.read.{part}.tip"))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: wanted.emit())
        return button

    def set_writable(self, writable: bool) -> None:
        """Nothing can be committed or undone in a project that another process writes."""
        self._undo.setEnabled(writable)
        self._commit.setEnabled(writable)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground and the line above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().surface)
        painter.fillRect(0, 0, self.width(), 1, theme.current().line)
        painter.end()
