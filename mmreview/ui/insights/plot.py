"""A quiet plot of a few series with their intervals: whole band or a line at each point.

Series are told apart by line and name, never by a modality's colour: what is compared here are not
modalities. Names stand at the right ends; a point says its numbers when the pointer rests on it,
and pages have the same numbers as a table or a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_BOTTOM, _TOP, _GAP = 12 * UNIT, 3 * UNIT, 3 * UNIT
_DOT, _NEAR = 3.5, 12.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval (None without). ``mark`` is ``dot``, ``ring`` (for what was
    refused) or empty; ``tip`` is said when the pointer rests on it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    mark: str = "dot"
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order of x. ``role`` is a colour of the theme; a ``band`` is drawn between the
    intervals' ends, otherwise a line at each point; without ``joined`` points stand alone."""

    name: str
    points: Sequence[Point]
    role: str = "text"
    dashed: bool = False
    band: bool = False
    joined: bool = True


class SeriesPlot(QWidget):
    """Series over one axis. ``write_y`` and ``write_x`` write the numbers of the axes."""

    def __init__(
        self, parent: QWidget, *, name: str, axis: str, write_y: Callable[[float], str],
        write_x: Callable[[float], str] = lambda value: f"{value:,.0f}",
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._axis = axis
        self._write_y, self._write_x = write_y, write_x
        self._series: Sequence[Series] = ()
        self._span = (0.0, 1.0)
        self._ticks: Sequence[float] = (0.0, 1.0)
        self._widest = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_series(
        self, series: Sequence[Series], *, said: str, least: float | None = None,
        most: float | None = None,
    ) -> None:
        """Draw these; ``said`` is what they show, in words. The axis reaches at least from
        ``least`` to ``most``."""
        self._series = [each for each in series if each.points]
        heights = [v for each in self._series for p in each.points
                   for v in (p.y, p.low, p.high) if v is not None]
        low = min([*heights, *([] if least is None else [least])], default=0.0)
        high = max([*heights, *([] if most is None else [most])], default=1.0)
        self._ticks = ticks(low, high)
        right = [p.x for each in self._series for p in each.points]
        left = min([0.0, *right])
        self._span = left, max([*right, left + 1.0])
        self.setAccessibleName(said)
        self.update()

    def sizeHint(self) -> QSize:
        """Wide enough for its names."""
        return QSize(120 * UNIT, 60 * UNIT)

    def minimumSizeHint(self) -> QSize:
        """Still a plot."""
        return QSize(70 * UNIT, 34 * UNIT)

    # --- where things are -------------------------------------------------------------------------

    def _area(self) -> QRectF:
        metrics = QFontMetricsF(theme.font(theme.SMALL, tabular=True))
        left = max((metrics.horizontalAdvance(self._write_y(t)) for t in self._ticks), default=0)
        names = [metrics.horizontalAdvance(each.name) for each in self._series if each.name]
        right = max(names, default=0.0) + (_GAP if names else 0.0) + 4 * UNIT
        return QRectF(left + 2 * UNIT, _TOP, self.width() - left - right - 2 * UNIT,
                      self.height() - _TOP - _BOTTOM)

    def _at(self, area: QRectF, x: float, y: float) -> QPointF:
        (left, right), (bottom, top) = self._span, (self._ticks[0], self._ticks[-1])
        return QPointF(area.left() + (x - left) / (right - left) * area.width(),
                       area.bottom() - (y - bottom) / (top - bottom) * area.height())

    def event(self, event: QEvent) -> bool:
        """Say the numbers of the point that the pointer rests on."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            area, pointer = self._area(), QPointF(event.pos())
            tips = [
                point.tip
                for each in self._series
                for point in each.points
                if point.tip
                and (self._at(area, point.x, point.y) - pointer).manhattanLength() < _NEAR
            ]
            QToolTip.showText(event.globalPos(), "\n".join(tips), self)
            return True
        return super().event(event)

    # --- drawing ----------------------------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes, intervals, lines, points and names."""
        if not self._series:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.SMALL, tabular=True))
        area = self._area()
        self._draw_axes(painter, area)
        for each in self._series:
            self._draw_intervals(painter, area, each)
        for each in self._series:
            self._draw_line(painter, area, each)
        self._draw_names(painter, area)
        painter.end()

    def _draw_axes(self, painter: QPainter, area: QRectF) -> None:
        colours = theme.current()
        for value in self._ticks:
            y = self._at(area, self._span[0], value).y()
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(colours.muted)
            painter.drawText(QRectF(0, y - 8, area.left() - 2 * UNIT, 16),
                             int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
                             self._write_y(value))
        metrics = QFontMetricsF(painter.font())
        flags = int(Qt.AlignmentFlag.AlignHCenter)
        free = math.inf
        for value in sorted({p.x for each in self._series for p in each.points}, reverse=True):
            x, words = self._at(area, value, 0.0).x(), self._write_x(value)
            half = metrics.horizontalAdvance(words) / 2 + 1.5 * UNIT
            left = min(max(x - half, 0.0), self.width() - 2 * half)  # never cut at an edge
            if words and left + 2 * half <= free:
                painter.drawText(QRectF(left, area.bottom() + UNIT, 2 * half, 16), flags, words)
                free = left
        painter.drawText(QRectF(area.left(), area.bottom() + 6 * UNIT, area.width(), 18), flags,
                         self._axis)

    def _draw_intervals(self, painter: QPainter, area: QRectF, series: Series) -> None:
        colour = QColor(getattr(theme.current(), series.role))
        known = [(p.x, p.low, p.high) for p in series.points
                 if p.low is not None and p.high is not None]
        if series.band:
            colour.setAlpha(34)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            upper = [self._at(area, x, high) for x, _, high in known]
            lower = [self._at(area, x, low) for x, low, _ in reversed(known)]
            painter.drawPolygon(QPolygonF([*upper, *lower]))
            return
        colour.setAlpha(110)
        painter.setPen(QPen(colour, 1))
        for x, low, high in known:
            painter.drawLine(self._at(area, x, low), self._at(area, x, high))

    def _draw_line(self, painter: QPainter, area: QRectF, series: Series) -> None:
        colours = theme.current()
        colour = getattr(colours, series.role)
        style = Qt.PenStyle.DashLine if series.dashed else Qt.PenStyle.SolidLine
        painter.setPen(QPen(colour, 1.5, style))
        places = [(self._at(area, p.x, p.y), p.mark) for p in series.points]
        if series.joined:
            for (start, _), (end, _) in pairwise(places):
                painter.drawLine(start, end)
        painter.setPen(QPen(colour, 1.5))
        for place, mark in places:
            painter.setBrush(colour if mark == "dot" else colours.surface)
            if mark:
                painter.drawEllipse(place, _DOT, _DOT)

    def _draw_names(self, painter: QPainter, area: QRectF) -> None:
        """Names beside the ends of their lines, moved apart where these are near."""
        ends = sorted(
            (self._at(area, each.points[-1].x, each.points[-1].y).y(), each.name, each.role)
            for each in self._series if each.name
        )
        taken = -math.inf
        for y, name, role in ends:
            taken = max(y, taken + 16)
            painter.setPen(getattr(theme.current(), role))
            painter.drawText(QRectF(area.right() + _GAP, taken - 9, self.width(), 18),
                             int(Qt.AlignmentFlag.AlignVCenter), name)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, four to seven of them."""
    reach = max(high - low, 1e-3)
    rough = reach / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough - 1e-12)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [at * step for at in range(first, last + 1)]


def written(series: Mapping[str, Sequence[Point]], digits: int = 4) -> list[list[str]]:
    """Every point of some series, for a file: name, x, value, low, high."""
    return [
        [name, f"{point.x:g}", *("" if v is None else f"{v:.{digits}f}"
                                 for v in (point.y, point.low, point.high))]
        for name, points in series.items()
        for point in points
    ]
