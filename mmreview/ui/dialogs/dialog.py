"""What all dialogs share: a heading, the grid, a row of buttons, a framed ground for lists.

They are opened (``open``), never executed; Escape closes; the first button of a row is the default.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from mmreview.ui import theme
from mmreview.ui.theme import UNIT


class Dialog(QDialog):
    """A dialog with a heading; subclasses fill ``body``."""

    def __init__(self, parent: QWidget | None, *, name: str, title: str, hint: str = "") -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setWindowTitle(title)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(6 * UNIT, 5 * UNIT, 6 * UNIT, 5 * UNIT)
        self.body.setSpacing(3 * UNIT)
        heading = QLabel(title, self)
        heading.setFont(theme.font(theme.TITLE, bold=True))
        self.body.addWidget(heading)
        if hint:
            self.body.addWidget(note(hint, self))

    def button(self, name: str, text: str, *, primary: bool = False) -> QPushButton:
        """A button of this dialog, not placed yet."""
        made = QPushButton(text, self)
        made.setObjectName(name)
        made.setAccessibleName(text)
        made.setAutoDefault(False)
        made.setProperty("primary", primary)
        if primary:
            made.setDefault(True)
        return made

    def add_buttons(self, *buttons: QPushButton, aside: tuple[QPushButton, ...] = ()) -> None:
        """A row of buttons: ``aside`` at the left, the others at the right, the main one last."""
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        for button in aside:
            row.addWidget(button)
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        self.body.addSpacing(UNIT)
        self.body.addLayout(row)


class Well(QFrame):
    """A framed, slightly sunken ground for a list or a table."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, UNIT, 1, UNIT)
        layout.addWidget(content)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.line, 1))
        painter.setBrush(colours.surface)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), UNIT, UNIT)


def note(text: str, parent: QWidget) -> QLabel:
    """A quiet sentence that may take several lines."""
    label = QLabel(text, parent)
    label.setFont(theme.font(theme.SMALL))
    label.setProperty("muted", True)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
