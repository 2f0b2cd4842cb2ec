"""AUROC of each opinion against the number of labels that taught it, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, modality

#: An opinion's points: labels, AUROC, low and high (None without an interval).
Line = Sequence[tuple[float, float, float | None, float | None]]
_LEFT, _BOTTOM, _TOP, _RIGHT = 10 * UNIT, 12 * UNIT, 3 * UNIT, 32 * UNIT


class CurvePlot(QWidget):
    """The lines, each named at its right end."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("curvePlot")
        self._lines: Mapping[str, Line] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_lines(self, lines: Mapping[str, Line]) -> None:
        """Draw these."""
        self._lines = {name: line for name, line in lines.items() if line}
        last = [f"{modality(name)} {fraction(line[-1][1], 3)}"
                for name, line in self._lines.items()]
        self.setAccessibleName(tr("ui.model.curve.plot", last=" · ".join(last)))
        self.update()

    def sizeHint(self) -> QSize:
        """Wide enough for its names."""
        return QSize(180 * UNIT, 70 * UNIT)

    def minimumSizeHint(self) -> QSize:
        """Still a plot."""
        return QSize(90 * UNIT, 40 * UNIT)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes, intervals, lines and names."""
        if not self._lines:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.SMALL, tabular=True))
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        points = [point for line in self._lines.values() for point in line]
        lowest = min(value if low is None else low for _, value, low, _ in points)
        bottom = min(0.9, max(0.0, math.floor(10 * lowest) / 10))
        most = max(labels for labels, *_ in points)

        def at(labels: float, value: float) -> QPointF:
            y = (min(1.0, max(bottom, value)) - bottom) / (1.0 - bottom)
            return QPointF(area.left() + labels / most * area.width(),
                           area.bottom() - y * area.height())

        self._draw_axes(painter, area, bottom, most)
        for name, line in self._lines.items():
            _draw_line(painter, [(at(n, v), None if low is None else at(n, low),
                                  None if high is None else at(n, high))
                                 for n, v, low, high in line], theme.current().modality(name))
        self._draw_names(painter, {name: at(line[-1][0], line[-1][1])
                                   for name, line in self._lines.items()}, area)
        painter.end()

    def _draw_axes(self, painter: QPainter, area: QRectF, bottom: float, most: float) -> None:
        colours = theme.current()
        steps = round(10 * (1.0 - bottom))
        for step in range(steps + 1):
            value = bottom + step / 10
            y = area.bottom() - step / steps * area.height()
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(colours.muted)
            painter.drawText(QRectF(0, y - 8, _LEFT - 2 * UNIT, 16),
                             int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
                             fraction(value, 1))
        flags = int(Qt.AlignmentFlag.AlignHCenter)
        labels = sorted({labels for line in self._lines.values() for labels, *_ in line})
        for value in labels:
            x = area.left() + value / most * area.width()
            painter.drawText(QRectF(x - 40, area.bottom() + UNIT, 80, 16), flags, f"{value:,.0f}")
        painter.drawText(QRectF(area.left(), area.bottom() + 6 * UNIT, area.width(), 18), flags,
                         tr("ui.model.curve.labels"))

    def _draw_names(
        self, painter: QPainter, ends: Mapping[str, QPointF], area: QRectF
    ) -> None:
        """Names beside the ends of their lines, moved apart where these are near."""
        taken = -1e9
        for name, end in sorted(ends.items(), key=lambda item: item[1].y()):
            y = max(end.y(), taken + 16)
            taken = y
            painter.setPen(theme.current().modality(name))
            words = f"{modality(name)}  {fraction(self._lines[name][-1][1], 3)}"
            painter.drawText(QRectF(area.right() + 3 * UNIT, y - 9, _RIGHT - 3 * UNIT, 18),
                             int(Qt.AlignmentFlag.AlignVCenter), words)


def _draw_line(
    painter: QPainter, points: Sequence[tuple[QPointF, QPointF | None, QPointF | None]],
    colour: QColor,
) -> None:
    faint = QColor(colour)
    faint.setAlpha(110)
    painter.setPen(QPen(faint, 1))
    for _, low, high in points:
        if low is not None and high is not None:
            painter.drawLine(low, high)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline([point for point, *_ in points])
    painter.setBrush(colour)
    for point, *_ in points:
        painter.drawEllipse(point, 3.0, 3.0)
