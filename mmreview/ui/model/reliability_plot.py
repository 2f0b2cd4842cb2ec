"""One opinion's reliability curve: what it says against what is, over a perfect model's band."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality, percent

#: On the right half of the last number has to fit.
_LEFT, _BOTTOM, _TOP, _RIGHT = 11 * UNIT, 9 * UNIT, 3 * UNIT, 5 * UNIT
_DOT = 3.0


class ReliabilityPlot(QWidget):
    """A square plot. Bins are ``[mean, share present, band low, band high, cases]``."""

    def __init__(self, opinion: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"reliability.{opinion}")
        self._opinion = opinion
        self._bins: Sequence[Sequence[float]] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_bins(self, bins: Sequence[Sequence[float]]) -> None:
        """Draw these."""
        self._bins = bins
        outside = sum(not low <= share <= high for _, share, low, high, _ in bins)
        said = tr("ui.model.calibration.outside", count=outside, bins=len(bins))
        self.setAccessibleName(f"{modality(self._opinion)}: {said}")
        self.setToolTip(
            "\n".join(
                tr("ui.model.calibration.bin", said=percent(mean), true=percent(share),
                   low=percent(low), high=percent(high), count=int(cases))
                for mean, share, low, high, cases in bins
            )
        )
        self.update()

    def sizeHint(self) -> QSize:
        """Large enough to read a point."""
        return QSize(64 * UNIT, 64 * UNIT)

    def minimumSizeHint(self) -> QSize:
        """Still a plot."""
        return QSize(40 * UNIT, 40 * UNIT)

    def _area(self) -> QRectF:
        side = min(self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        return QRectF(_LEFT, _TOP, side, side)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes, diagonal, band and curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        self._draw_axes(painter, area)
        self._draw_curve(painter, area)
        painter.end()

    def _draw_axes(self, painter: QPainter, area: QRectF) -> None:
        colours = theme.current()
        painter.setFont(theme.font(theme.SMALL, tabular=True))
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = area.left() + tick * area.width()
            y = area.bottom() - tick * area.height()
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(colours.muted)
            if tick in (0.0, 0.5, 1.0):
                words = percent(tick)
                painter.drawText(
                    QRectF(0, y - 8, _LEFT - UNIT, 16),
                    int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), words,
                )
                painter.drawText(
                    QRectF(x - 30, area.bottom() + UNIT, 60, 16),
                    int(Qt.AlignmentFlag.AlignHCenter), words,
                )
        painter.setPen(QPen(colours.faint, 1, Qt.PenStyle.DashLine))
        painter.drawLine(area.bottomLeft(), area.topRight())

    def _draw_curve(self, painter: QPainter, area: QRectF) -> None:
        colours = theme.current()

        def at(x: float, y: float) -> QPointF:
            return QPointF(area.left() + x * area.width(), area.bottom() - y * area.height())

        band = QColor(colours.muted)
        band.setAlpha(70)
        painter.setPen(QPen(band, 9, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        for mean, _, low, high, _ in self._bins:
            painter.drawLine(at(mean, low), at(mean, max(high, low + 0.005)))
        colour = colours.modality(self._opinion)
        painter.setPen(QPen(colour, 1.5))
        points = [at(mean, share) for mean, share, *_ in self._bins]
        painter.drawPolyline(points)
        painter.setBrush(colour)
        for point in points:
            painter.drawEllipse(point, _DOT, _DOT)
