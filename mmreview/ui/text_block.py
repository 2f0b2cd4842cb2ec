"""Several lines of small text that are elided rather than cut: what the learning panel says of a
round, which has as much room as the panel is high.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QTextLayout
from PySide6.QtWidgets import QLabel, QToolTip, QWidget

from mmreview.ui import theme

_WIDE = Qt.TextFlag.TextSingleLine


class TextBlock(QLabel):
    """Wrapped quiet text. Where its lines have no room the last one that has ends in an ellipsis,
    and the whole is in the tooltip; the accessible name is always the whole."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("muted", True)
        self.setFont(theme.font(theme.SMALL))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def set_text(self, text: str) -> None:
        """Show ``text``; nothing happens when it is there already."""
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(text)

    def shown(self) -> list[str]:
        """The lines that are seen, the last one elided where there are more."""
        lines, room = self._lines(), max(1, self.height() // self.fontMetrics().height())
        if len(lines) <= room:
            return lines
        rest = " ".join(lines[room - 1 :])
        elide = Qt.TextElideMode.ElideRight
        return [*lines[: room - 1], self.fontMetrics().elidedText(rest, elide, self.width())]

    def _lines(self) -> list[str]:
        """All of its lines at this width."""
        found = []
        for paragraph in self.text().split("\n"):
            layout = QTextLayout(paragraph, self.font(), self)
            layout.beginLayout()
            line = layout.createLine()
            while line.isValid():
                line.setLineWidth(self.width())
                begin = line.textStart()
                found.append(paragraph[begin : begin + line.textLength()].rstrip())
                line = layout.createLine()
            layout.endLayout()
        return found

    def minimumSizeHint(self) -> QSize:
        """It may be elided to one line."""
        return QSize(0, self.fontMetrics().height())

    def event(self, event: QEvent) -> bool:
        """Show the whole text on hover when it is elided."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            if self.shown() != self._lines():
                QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the lines that have room."""
        shown = self.shown()
        if shown == self._lines():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        height = self.fontMetrics().height()
        for at, line in enumerate(shown):
            painter.drawText(QRect(0, at * height, self.width(), height), _WIDE, line)
        painter.end()
