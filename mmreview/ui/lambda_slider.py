"""The slider of one weight, with what cross-validation and the joint fit found marked on it."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSlider, QToolTip, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT

#: Steps of a slider from nothing to everything, and the knob's radius.
STEPS = 100
KNOB = 7.0


class LambdaSlider(QSlider):
    """The image's share of the weight, 0 to 1 in steps of .01: the further right the knob, the
    more the image counts, and the longer its colour is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("lambdaSlider")
        self.setAccessibleName(tr("ui.weight.slider"))
        self.setRange(0, STEPS)
        self.setSingleStep(1)
        self.setPageStep(10)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._font = theme.font(theme.SMALL, tabular=True)
        self._metrics = QFontMetricsF(self._font)
        self._marks: list[tuple[float, str, str]] = []

    def set_marks(self, marks: list[tuple[float, str, str]]) -> None:
        """Mark shares: (share, tiny label, tooltip), at most two; the first stands above the
        track, the second below, so that near values stay readable."""
        self._marks = marks
        self.update()

    def sizeHint(self) -> QSize:
        """Track, knob and a small label above and below."""
        return QSize(60 * UNIT, math.ceil(2 * self._metrics.capHeight() + 2 * KNOB + 2 * UNIT))

    def minimumSizeHint(self) -> QSize:
        """Still usable."""
        return QSize(24 * UNIT, self.sizeHint().height())

    # --- by mouse ---------------------------------------------------------------------------------

    def _x(self, share: float) -> float:
        return KNOB + share * (self.width() - 2 * KNOB)

    def _value_at(self, x: float) -> int:
        share = (x - KNOB) / max(1.0, self.width() - 2 * KNOB)
        return round(STEPS * min(1.0, max(0.0, share)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The knob comes to the pointer."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setSliderDown(True)
        self.setValue(self._value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag."""
        if self.isSliderDown():
            self.setValue(self._value_at(event.position().x()))

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """Let go."""
        self.setSliderDown(False)
        self.update()

    def event(self, event: QEvent) -> bool:
        """Say what a mark is when the pointer is on it."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            near = [tip for share, _, tip in self._marks if abs(self._x(share) - event.x()) <= 8]
            text = "\n".join(near) or self.toolTip()
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    # --- painting ---------------------------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw track, marks and knob."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        at = self._x(self.value() / STEPS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._track_brush(at))
        painter.drawRoundedRect(
            QRectF(KNOB, middle - 2, self.width() - 2 * KNOB, 4), 2, 2
        )
        for place, (share, label, _tip) in enumerate(self._marks):
            self._draw_mark(painter, QPointF(self._x(share), middle), label, above=place == 0)
        painter.setPen(QPen(colours.surface, 2))
        painter.setBrush(colours.text if self.isEnabled() else colours.faint)
        painter.drawEllipse(QPointF(at, middle), KNOB, KNOB)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(at, middle), KNOB + 1.5, KNOB + 1.5)
        painter.end()

    def _track_brush(self, at: float) -> QLinearGradient | QColor:
        colours = theme.current()
        if not self.isEnabled():
            return colours.track
        brush = QLinearGradient(KNOB, 0, self.width() - KNOB, 0)
        share = min(0.999, max(0.001, (at - KNOB) / max(1.0, self.width() - 2 * KNOB)))
        brush.setColorAt(0, colours.image)
        brush.setColorAt(max(0.0, share - 0.0005), colours.image)
        brush.setColorAt(min(1.0, share + 0.0005), colours.report)
        brush.setColorAt(1, colours.report)
        return brush

    def _draw_mark(self, painter: QPainter, at: QPointF, label: str, *, above: bool) -> None:
        colours = theme.current()
        sign = -1 if above else 1
        painter.fillRect(QRectF(at.x() - 1, at.y() - 6, 2, 12), colours.muted)
        width = self._metrics.horizontalAdvance(label) + 2
        left = min(self.width() - width, max(0.0, at.x() - width / 2))
        box = QRectF(left, 0, width, self._metrics.height())
        box.moveCenter(
            QPointF(box.center().x(), at.y() + sign * (KNOB + 2 + self._metrics.capHeight() / 2))
        )
        painter.setFont(self._font)
        painter.setPen(colours.muted)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
