"""The row of headings that leads from one page of a dialog to the next, by mouse and arrow keys."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QTabBar, QWidget

from mmreview.ui import theme
from mmreview.ui.theme import UNIT


class SectionBar(QTabBar):
    """Words, the current one over a line."""

    def __init__(self, parent: QWidget, *, name: str, title: str) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def tabSizeHint(self, index: int) -> QSize:
        """The words and their air."""
        width = QFontMetrics(theme.font(bold=True)).horizontalAdvance(self.tabText(index))
        return QSize(width + 6 * UNIT, 8 * UNIT)

    def minimumTabSizeHint(self, index: int) -> QSize:
        """Words are never cut."""
        return self.tabSizeHint(index)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the words and the line."""
        colours = theme.current()
        painter = QPainter(self)
        painter.fillRect(QRect(0, self.height() - 1, self.width(), 1), colours.line)
        for index in range(self.count()):
            box = self.tabRect(index)
            current = index == self.currentIndex()
            painter.setFont(theme.font(bold=current))
            painter.setPen(colours.text if current else colours.muted)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.tabText(index))
            if current:
                line = colours.focus if self.hasFocus() else colours.text
                painter.fillRect(QRect(box.left() + 3 * UNIT, box.bottom() - 1,
                                       box.width() - 6 * UNIT, 2), line)
        painter.end()
