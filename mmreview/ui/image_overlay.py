"""The words in the four corners of the image, legible on whatever lies under them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPixmap

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.image_pyramid import Window
from mmreview.ui.theme import UNIT

#: The same in light and dark: the image's ground is black in both.
_INK = QColor("#dfe3e9")
_BRIGHT = QColor("#ffffff")
#: Around each line: a soft ring, then a closer and darker one.
_HALO = tuple(
    (
        tuple(
            QPointF(radius * math.cos(turn * math.pi / 4), radius * math.sin(turn * math.pi / 4))
            for turn in range(8)
        ),
        QColor(0, 0, 0, shade),
    )
    for radius, shade in ((2.0, 36), (1.0, 110))
)
_ROOM = QPointF(3, 3)


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
        metrics = QFontMetricsF(_font())
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


def described(
    default: Window, window: Window, *, percent: float, captions: tuple[str, ...], is_lively: bool
) -> Corners:
    """The corners of an image at ``percent`` zoom in ``window``: whose it is, how it is shown, and
    whether that differs from how it came (``default``)."""
    is_fine = window.width < 20
    width, level = (
        f"{value:.1f}" if is_fine else f"{value:.0f}" for value in (window.width, window.level)
    )
    notes = []
    if window.inverted:
        notes.append(tr("ui.reading.inverted"))
    if (window.low, window.high) != (default.low, default.high):
        notes.append(tr("ui.reading.window_changed"))
    return Corners(
        top_left=captions,
        top_right=(
            tr("ui.reading.zoom", percent=f"{percent:.0f}"),
            tr("ui.reading.window", width=width, level=level),
        ),
        bottom_right=tuple(notes),
        is_lively=is_lively,
    )


def _draw(painter: QPainter, at: QPointF, text: str, ink: QColor) -> None:
    """Draw a line whose baseline begins at ``at``."""
    words = _words(text, ink.rgb(), painter.device().devicePixelRatioF())
    ascent = QFontMetricsF(_font()).ascent()
    painter.drawPixmap(QPointF(round(at.x()), round(at.y() - ascent)) - _ROOM, words)


@lru_cache(maxsize=96)
def _words(text: str, ink: int, ratio: float) -> QPixmap:
    """A line with its halo, drawn once: only the numbers that change are drawn again."""
    metrics = QFontMetricsF(_font())
    width = math.ceil(metrics.horizontalAdvance(text) + 2 * _ROOM.x())
    height = math.ceil(metrics.height() + 2 * _ROOM.y())
    pixmap = QPixmap(math.ceil(width * ratio), math.ceil(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setFont(_font())
    start = QPointF(0, metrics.ascent()) + _ROOM
    for steps, shade in _HALO:
        painter.setPen(shade)
        for step in steps:
            painter.drawText(start + step, text)
    painter.setPen(QColor.fromRgb(ink))
    painter.drawText(start, text)
    painter.end()
    return pixmap


def _font() -> QFont:
    return theme.font(theme.SMALL, tabular=True)
