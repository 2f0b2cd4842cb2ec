"""One slider for each of three or more modalities: weights that always add up to the same.

Moving one gives to, or takes from, the others in proportion to what they have, so that every point
of the simplex can be reached with two of them. ``WeightPanel`` shows it in place of its one slider.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QColor, QLinearGradient, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.lambda_slider import KNOB, STEPS, LambdaSlider
from mmreview.ui.text_line import TextLine
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, modality

#: Below this width there is no room for names beside the numbers.
_NARROW = 90 * UNIT


class ShareSlider(LambdaSlider):
    """One modality's share: its colour reaches as far as the knob."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.modality = name
        self.setObjectName(f"lambdaSlider.{name}")
        self.setAccessibleName(tr("ui.weight.share", modality=modality(name)))
        self.setToolTip(tr("ui.weight.drag_tip"))

    def minimumSizeHint(self) -> QSize:
        """Three stand side by side in a narrow window."""
        return QSize(12 * UNIT, self.sizeHint().height())

    def _track_brush(self, at: float) -> QLinearGradient | QColor:
        colours = theme.current()
        if not self.isEnabled():
            return colours.track
        brush = QLinearGradient(KNOB, 0, self.width() - KNOB, 0)
        share = min(0.999, max(0.001, (at - KNOB) / max(1.0, self.width() - 2 * KNOB)))
        brush.setColorAt(max(0.0, share - 0.0005), colours.modality(self.modality))
        brush.setColorAt(min(1.0, share + 0.0005), colours.track)
        return brush


class ShareSliders(QWidget):
    """The sliders with their numbers. ``weights`` are exact; a slider shows whole hundredths."""

    weightsMoved = Signal(object)  # dict of modality to weight

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._weights: dict[str, float] = {}
        self._sliders: dict[str, ShareSlider] = {}
        self._values: dict[str, TextLine] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(2 * UNIT)

    def weights(self) -> dict[str, float]:
        """The weights that the sliders stand for."""
        return dict(self._weights)

    def show_weights(self, weights: Mapping[str, float]) -> None:
        """Stand at these; the sliders are made anew for other modalities."""
        if tuple(weights) != tuple(self._sliders):
            self._make(tuple(weights))
        self._weights = dict(weights)
        total = sum(weights.values())
        for name, slider in self._sliders.items():
            slider.blockSignals(True)
            slider.setValue(round(STEPS * weights[name] / total) if total else 0)
            slider.blockSignals(False)
            value = fraction(weights[name])
            text = tr("ui.weight.value_tip", modality=modality(name), value=value)
            self._values[name].set_text(value if self.width() < _NARROW else text)
            self._values[name].setAccessibleName(text)
            self._values[name].setToolTip(text)
            slider.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window the numbers stand without their names: each has its colour."""
        super().resizeEvent(event)
        if (event.oldSize().width() < _NARROW) != (self.width() < _NARROW) and self._weights:
            self.show_weights(self._weights)

    def set_marks(self, marks: Mapping[str, list[tuple[float, str, str]]]) -> None:
        """Mark shares on each modality's slider (see ``LambdaSlider.set_marks``)."""
        for name, slider in self._sliders.items():
            slider.set_marks(marks.get(name, []))

    def take_focus(self) -> None:
        """Let the keys go to the first slider."""
        for slider in self._sliders.values():
            slider.setFocus()
            return

    def _make(self, names: tuple[str, ...]) -> None:
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._sliders, self._values = {}, {}
        for name in names:
            value, slider = TextLine(role=theme.role_of(name), parent=self), ShareSlider(name, self)
            slider.valueChanged.connect(self._on_value_changed)
            self._values[name], self._sliders[name] = value, slider
            self._row.addWidget(value)
            self._row.addWidget(slider, 1)
            value.show()
            slider.show()

    def _on_value_changed(self, step: int) -> None:
        moved = self.sender().modality
        total = sum(self._weights.values())
        share = total * step / STEPS
        others = {name: weight for name, weight in self._weights.items() if name != moved}
        rest = sum(others.values())
        given = {
            name: (total - share) * (weight / rest if rest > 0 else 1 / len(others))
            for name, weight in others.items()
        }
        weights = {name: share if name == moved else given[name] for name in self._weights}
        self.show_weights(weights)
        self.weightsMoved.emit(self.weights())
