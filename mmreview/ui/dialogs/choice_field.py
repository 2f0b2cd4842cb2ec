"""One of a few choices: a combo box drawn as the other fields are."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox

from mmreview.ui import theme
from mmreview.ui.theme import UNIT


class ChoiceField(QComboBox):
    """A combo box without the style's own arrow, which the style sheet would leave half drawn."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the field, the choice and a chevron."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.focus if self.hasFocus() else colours.line, 1))
        painter.setBrush(colours.background)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), UNIT, UNIT)
        painter.setFont(self.font())
        painter.setPen(colours.text if self.isEnabled() else colours.faint)
        box = self.rect().adjusted(2 * UNIT + 2, 0, -7 * UNIT, 0)
        words = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideRight, box.width()
        )
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, int(flags), words)
        pen = QPen(colours.muted if self.isEnabled() else colours.faint, 1.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        x, y = self.width() - 4.0 * UNIT, self.height() / 2
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])
