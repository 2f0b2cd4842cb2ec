"""What stands in the list's place when there is nothing to list: why, and what helps."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from mmreview.ui import theme
from mmreview.ui.theme import UNIT


class EmptyState(QWidget):
    """A sentence, a second one, and one button."""

    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("worklistEmpty")
        self._title = QLabel(self)
        self._title.setFont(theme.font(bold=True))
        self._text = QLabel(self)
        self._text.setFont(theme.font(theme.SMALL))
        self._text.setProperty("muted", True)
        for label in (self._title, self._text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._button = QPushButton(self)
        self._button.setObjectName("worklistEmptyButton")
        self._button.clicked.connect(self.pressed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(5 * UNIT, 12 * UNIT, 5 * UNIT, 5 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addSpacing(UNIT)
        layout.addWidget(self._button, alignment=Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def show_words(self, title: str, text: str, action: str = "") -> None:
        """Say this; without an action there is no button."""
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._button.setText(action)
        self._button.setAccessibleName(action)
        self._button.setVisible(bool(action))
