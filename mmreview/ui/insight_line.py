"""The learning panel's quiet word on whether the loop helps: two small curves once they were
measured, what is missing until then. A press opens the Insights."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from mmreview.domain.insights import Comparison, Pace, Readiness
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import compared

_ELIDE = Qt.TextElideMode.ElideRight
#: Pixels that the names of the curves stay apart.
_APART = 14.0


class InsightLine(QAbstractButton):
    """A caption over the curves, or over a line that says what is missing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("insightsButton")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)
        self._curves: list[tuple[str, list[tuple[float, float]]]] = []
        self._lines: list[str] = []
        self.clear()

    def clear(self) -> None:
        """Nothing is known yet."""
        self._curves = []
        self._say([tr("ui.insights.line.title"), "", ""], tr("ui.insights.line.title"))

    def show_summary(
        self, pace: Pace, readiness: Readiness, comparison: Comparison | None
    ) -> None:
        """Show how things stand."""
        rate = pace.corrections_per_hour
        quick = "" if rate is None else tr("ui.insights.line.pace", rate=f"{rate:,.0f}")
        self._curves = []
        if comparison is not None:
            found = comparison.found
            self._curves = [
                (arm, [(point["cases"], point[arm][0]) for point in found["points"]])
                for arm in ("control", "queue")
            ]
            short = found["verdict"].removeprefix("insights.saving.")
            self._say([tr(f"ui.insights.line.saving.{short}", **found["params"])],
                      " ".join([compared(found), tr("ui.insights.line.curves"), quick]).strip())
        else:
            what = max(readiness.missing, key=lambda name: readiness.missing[name])
            if readiness.ready:
                state = tr("ui.insights.line.ready")
            else:
                state = tr(f"ui.insights.line.missing.{what}", count=readiness.missing[what])
            self._say([tr("ui.insights.line.title"), state, quick],
                      " · ".join(part for part in (state, quick) if part))

    def _say(self, lines: Sequence[str], said: str) -> None:
        self._lines = list(lines)
        title = tr("ui.insights.line.title")
        self.setAccessibleName(said if said == title else f"{title} {said}")
        self.setToolTip(f"{said}\n{tr('ui.insights.line.tip')}" if said != title else
                        tr("ui.insights.line.tip"))
        self.update()

    def sizeHint(self) -> QSize:
        """Beside the buttons; as high as its row."""
        return QSize(56 * UNIT, 16 * UNIT)

    def minimumSizeHint(self) -> QSize:
        """It keeps its width."""
        return QSize(56 * UNIT, 8 * UNIT)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the words and the curves."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = theme.font(theme.SMALL, tabular=True)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        height = metrics.height()
        lines = [line for line in self._lines if line]
        top = 0.0 if self._curves else max(0.0, (self.height() - height * len(lines)) / 2)
        for at, line in enumerate(lines):
            painter.setPen(colours.text if self.underMouse() else colours.muted)
            box = QRectF(UNIT, top + at * height, self.width() - 2 * UNIT, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter,
                             metrics.elidedText(line, _ELIDE, box.width()))
        if self._curves:
            names = {arm: tr(f"ui.insights.line.{arm}") for arm, _ in self._curves}
            widest = max(metrics.horizontalAdvance(name) for name in names.values())
            top = height + 2 * UNIT
            area = QRectF(UNIT, top, self.width() - widest - 5 * UNIT, self.height() - top - UNIT)
            self._draw_curves(painter, area, names)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), UNIT, UNIT)
        painter.end()

    def _draw_curves(self, painter: QPainter, area: QRectF, names: dict[str, str]) -> None:
        colours = theme.current()
        heights = [y for _, line in self._curves for _, y in line]
        low, high = min(heights), max(heights)
        most = max(x for _, line in self._curves for x, _ in line)
        ends = []
        for arm, line in self._curves:
            places = [
                QPointF(area.left() + x / most * area.width(),
                        area.bottom() - (y - low) / max(high - low, 0.02) * area.height())
                for x, y in line
            ]
            colour: QColor = colours.text if arm == "queue" else colours.muted
            style = Qt.PenStyle.SolidLine if arm == "queue" else Qt.PenStyle.DashLine
            painter.setPen(QPen(colour, 1.5, style))
            painter.drawPolyline(places)
            ends.append((places[-1].y(), arm, colour))
        ends.sort(key=lambda end: end[0])
        upper = max(ends[0][0], area.top() + UNIT)
        lower = max(ends[-1][0], upper + _APART)
        over = max(0.0, lower - area.bottom())
        for (_, arm, colour), y in zip(ends, (upper - over, lower - over), strict=True):
            painter.setPen(colour)
            painter.drawText(QRectF(area.right() + 2 * UNIT, y - 8, self.width(), 16),
                             Qt.AlignmentFlag.AlignVCenter, names[arm])
