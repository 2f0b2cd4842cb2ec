"""The words in the four corners of the image, legible on whatever lies under them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

#: The same in light and dark: the image's ground is black in both.
_INK = QColor("#dfe3e9")
_BRIGHT = QColor("#ffffff")
_HALO = QPen(QColor(0, 0, 0, 190), 3.5)
_HALO.setJoinStyle(Qt.PenJoinStyle.RoundJoin)


@dataclass(frozen=True, slots=True)
class Corners:
    """The lines of each corner, from the edge of the view inwards being top to bottom.
    ``is_lively`` brightens the right top one, while its numbers are being dragged."""

    top_left: tuple[str, ...] = ()
    top_right: tuple[str, ...] = ()
    bottom_left: tuple[str, ...] = ()
    bottom_right: tuple[str, ...] = ()
    is_lively: bool = False

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """Draw every corner within ``area``; what has no room is elided, the left side first."""
        font = theme.font(theme.SMALL, tabular=True)
        painter.save()
        painter.setFont(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetricsF(font)
        area = area.adjusted(3 * UNIT, 2 * UNIT, -3 * UNIT, -2 * UNIT)
        line = metrics.height() + 2
        for left, right, is_top in (
            (self.top_left, self.top_right, True),
            (self.bottom_left, self.bottom_right, False),
        ):
            rows = max(len(left), len(right))
            for row in range(rows):
                steps = row if is_top else row - rows + 1
                bottom = area.bottom() - metrics.descent()
                baseline = (area.top() + metrics.ascent() if is_top else bottom) + steps * line
                taken = 0.0
                if row < len(right) and right[row]:
                    width = metrics.horizontalAdvance(right[row])
                    taken = width + 3 * UNIT
                    ink = _BRIGHT if self.is_lively and is_top else _INK
                    _draw(painter, QPointF(area.right() - width, baseline), right[row], ink)
                if row < len(left) and left[row]:
                    room = area.width() - taken
                    text = metrics.elidedText(left[row], Qt.TextElideMode.ElideRight, room)
                    _draw(painter, QPointF(area.left(), baseline), text, _INK)
        painter.restore()


def _draw(painter: QPainter, at: QPointF, text: str, ink: QColor) -> None:
    painter.strokePath(_outline(text).translated(at), _HALO)
    painter.setPen(ink)
    painter.drawText(at, text)


@lru_cache(maxsize=64)
def _outline(text: str) -> QPainterPath:
    path = QPainterPath()
    path.addText(QPointF(0, 0), theme.font(theme.SMALL, tabular=True), text)
    return path
