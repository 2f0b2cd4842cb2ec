"""The weight of the image against the report, as a what-if on the open case.

The slider shows the weights that serve, with the cross-validated and the learned value marked.
Moving it asks for other opinions on the open case and changes nothing that lasts: the page fuses
again by plain arithmetic (``Prediction.reweighted``) while the slider moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QSlider, QToolTip, QWidget

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.domain.versions import ServingModel
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.text_line import Chip, TextLine
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, modality

_STEPS = 100

#: From this width on there is room for values, slider, chip and button side by side.
_ROOMY = 150 * UNIT
_KNOB = 7.0


class LambdaSlider(QSlider):
    """The image's share of the weight, 0 to 1 in steps of .01: the further right the knob, the
    more the image counts, and the longer its colour is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("lambdaSlider")
        self.setAccessibleName(tr("ui.weight.slider"))
        self.setRange(0, _STEPS)
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
        return QSize(60 * UNIT, math.ceil(2 * self._metrics.capHeight() + 2 * _KNOB + 2 * UNIT))

    def minimumSizeHint(self) -> QSize:
        """Still usable."""
        return QSize(24 * UNIT, self.sizeHint().height())

    # --- by mouse ---------------------------------------------------------------------------------

    def _x(self, share: float) -> float:
        return _KNOB + share * (self.width() - 2 * _KNOB)

    def _value_at(self, x: float) -> int:
        share = (x - _KNOB) / max(1.0, self.width() - 2 * _KNOB)
        return round(_STEPS * min(1.0, max(0.0, share)))

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
        at = self._x(self.value() / _STEPS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._track_brush(at))
        painter.drawRoundedRect(
            QRectF(_KNOB, middle - 2, self.width() - 2 * _KNOB, 4), 2, 2
        )
        for place, (share, label, _tip) in enumerate(self._marks):
            self._draw_mark(painter, QPointF(self._x(share), middle), label, above=place == 0)
        painter.setPen(QPen(colours.surface, 2))
        painter.setBrush(colours.text if self.isEnabled() else colours.faint)
        painter.drawEllipse(QPointF(at, middle), _KNOB, _KNOB)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(at, middle), _KNOB + 1.5, _KNOB + 1.5)
        painter.end()

    def _track_brush(self, at: float) -> QLinearGradient | QColor:
        colours = theme.current()
        if not self.isEnabled():
            return colours.track
        brush = QLinearGradient(_KNOB, 0, self.width() - _KNOB, 0)
        share = min(0.999, max(0.001, (at - _KNOB) / max(1.0, self.width() - 2 * _KNOB)))
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
            QPointF(box.center().x(), at.y() + sign * (_KNOB + 2 + self._metrics.capHeight() / 2))
        )
        painter.setFont(self._font)
        painter.setPen(colours.muted)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)


class WeightPanel(QWidget):
    """The strip under image and report: both weights, the slider, and the way back."""

    weightsMoved = Signal(object)  # dict of modality to weight, while the slider moves
    whatIfLeft = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("weightPanel")
        self.setAccessibleName(tr("ui.weight.title"))
        self._weights: dict[str, float] = {}
        self._what_if = False
        self._title = TextLine(role="muted", parent=self)
        self._title.set_text(tr("ui.weight.title"))
        self._image = TextLine(role="image", parent=self)
        self._report = TextLine(role="report", parent=self)
        self._slider = LambdaSlider()
        self._slider.valueChanged.connect(self._on_value_changed)
        self._slider.setToolTip(tr("ui.weight.drag_tip"))
        self._calm = TextLine(role="muted", parent=self)
        self._chip = Chip(tr("ui.what_if"), role="text", parent=self)
        self._back = QPushButton(tr("ui.weight.back"))
        self._back.setObjectName("backToServingButton")
        self._back.setAccessibleName(tr("ui.weight.back"))
        self._back.setToolTip(tr("ui.weight.back_tip"))
        self._back.clicked.connect(self.leave_what_if)
        self._lay_out()
        self.show_model(None)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT)
        layout.setSpacing(3 * UNIT)
        for widget in (self._title, self._image):
            layout.addWidget(widget)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._calm, 1)
        for widget in (self._report, self._chip, self._back):
            layout.addWidget(widget)
        self._keep_room(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _keep_room(self, keep: bool) -> None:
        """Whether chip and button have their room also while hidden: the slider must not jump when
        they come, unless their room is what the values need."""
        for widget in (self._chip, self._back):
            policy = widget.sizePolicy()
            if policy.retainSizeWhenHidden() is not keep:
                policy.setRetainSizeWhenHidden(keep)
                widget.setSizePolicy(policy)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow window has room for the values only."""
        super().resizeEvent(event)
        self._keep_room(self.width() >= _ROOMY)

    # --- what it shows ----------------------------------------------------------------------------

    def show_model(self, model: ServingModel | None) -> None:
        """Show the weights of the version that serves; a what-if on another one is over."""
        weights = dict(model.weights) if model is not None else {}
        usable = set(weights) == {IMAGE, TEXT} and sum(weights.values()) > 0
        self._weights = weights if usable else {}
        for widget in (self._slider, self._image, self._report):
            widget.setVisible(usable)
        self._calm.setVisible(not usable)
        if model is None:
            self._calm.set_text(tr("ui.weight.no_model"))
        elif not usable and len(weights) > 2:
            values = " · ".join(f"{modality(m)} {fraction(w)}" for m, w in weights.items())
            self._calm.set_text(f"{values}  {tr('ui.weight.many')}")
        elif not usable:
            sentence = tr("ui.weight.no_weights", version=model.version, fusion=model.fusion)
            self._calm.set_text(sentence)
        if usable and model is not None:
            self._slider.set_marks(_marks(model))
        self._show_what_if(False)
        self._show_serving()

    def set_what_if(self, active: bool) -> None:
        """Mark that other weights than the serving ones are shown; without, the slider stands at
        the serving ones."""
        if not active:
            self._show_serving()
        self._show_what_if(active and bool(self._weights))

    def leave_what_if(self) -> None:
        """Go back to the weights that serve."""
        if not self.is_what_if:
            return
        self._slider.setFocus()
        self.set_what_if(False)
        self.whatIfLeft.emit()

    @property
    def is_what_if(self) -> bool:
        """True while other weights than the serving ones are shown."""
        return self._what_if

    def weights(self) -> dict[str, float]:
        """The weights that the slider stands for; empty where there are none to move."""
        if not self._weights:
            return {}
        total = sum(self._weights.values())
        share = self._slider.value() / _STEPS
        return {IMAGE: share * total, TEXT: (1.0 - share) * total}

    def changeEvent(self, event: QEvent) -> None:
        """Say why when the slider is of no use on this case."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            code = "ui.weight.drag_tip" if self.isEnabled() else "ui.weight.not_here"
            self._slider.setToolTip(tr(code))
            self.setToolTip("" if self.isEnabled() else tr("ui.weight.not_here"))

    def _show_serving(self) -> None:
        if self._weights:
            self._slider.blockSignals(True)
            self._slider.setValue(round(_STEPS * _share(self._weights)))
            self._slider.blockSignals(False)
            self._show_values(self._weights)

    def _show_what_if(self, active: bool) -> None:
        self._what_if = active
        self._chip.setVisible(active)
        self._back.setVisible(active)

    def _show_values(self, weights: Mapping[str, float]) -> None:
        for name, line in ((IMAGE, self._image), (TEXT, self._report)):
            value = fraction(weights[name])
            line.set_text(tr("ui.weight.value_tip", modality=modality(name), value=value))
        self._slider.update()

    # --- what a person does -----------------------------------------------------------------------

    def _on_value_changed(self, _: int) -> None:
        weights = self.weights()
        if weights:
            self._show_values(weights)
            self._show_what_if(True)
            self.weightsMoved.emit(weights)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground and the line above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().surface)
        painter.fillRect(0, 0, self.width(), 1, theme.current().line)
        painter.end()


def _share(weights: Mapping[str, float]) -> float:
    """The image's part of the whole weight."""
    return weights[IMAGE] / sum(weights.values())


def _marks(model: ServingModel) -> list[tuple[float, str, str]]:
    marks = []
    for weights, code in ((model.weights_cv, "cv"), (model.weights_learned, "learned")):
        if set(weights) == {IMAGE, TEXT} and sum(weights.values()) > 0:
            share = _share(weights)
            tip = tr(f"ui.weight.{code}_tip", value=fraction(share))
            marks.append((share, tr(f"ui.weight.{code}"), tip))
    return marks
