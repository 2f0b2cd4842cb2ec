"""The weight of the image against the report, as a what-if on the open case; of three or more
modalities a slider each.

The slider shows the weights that serve, with the cross-validated and the learned value marked.
Moving it asks for other opinions on the open case and changes nothing that lasts: the page fuses
again by plain arithmetic (``Prediction.reweighted``) while the slider moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.domain.versions import ServingModel
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.lambda_slider import STEPS, LambdaSlider
from mmreview.ui.share_sliders import ShareSliders
from mmreview.ui.text_line import Chip, TextLine
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, modality

#: From this width on there is room for values, slider, chip and button side by side.
_ROOMY = 150 * UNIT


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
        self._shares = ShareSliders(self)
        self._shares.weightsMoved.connect(self._on_shares_moved)
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
        layout.addWidget(self._shares, 1)
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
        usable = len(weights) > 1 and sum(weights.values()) > 0
        self._weights = weights if usable else {}
        one = usable and set(weights) == {IMAGE, TEXT}
        for widget in (self._slider, self._image, self._report):
            widget.setVisible(one)
        self._shares.setVisible(usable and not one)
        self._title.setVisible(one or not usable)  # the numbers say which weights
        self._calm.setVisible(not usable)
        if model is None:
            self._calm.set_text(tr("ui.weight.no_model"))
        elif not usable:
            sentence = tr("ui.weight.no_weights", version=model.version, fusion=model.fusion)
            self._calm.set_text(sentence)
        if one and model is not None:
            self._slider.set_marks(_marks(model, IMAGE))
        elif usable and model is not None:
            self._shares.show_weights(weights)
            self._shares.set_marks({m: _marks(model, m) for m in weights})
        self._show_tips()
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
        if self._has_shares:
            self._shares.take_focus()
        else:
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
        if self._has_shares:
            return self._shares.weights()
        total = sum(self._weights.values())
        share = self._slider.value() / STEPS
        return {IMAGE: share * total, TEXT: (1.0 - share) * total}

    def changeEvent(self, event: QEvent) -> None:
        """Say why when the slider is of no use on this case."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self._show_tips()

    def _show_tips(self) -> None:
        here = self.isEnabled() or not self._weights  # without weights the strip says so itself
        self._slider.setToolTip(tr("ui.weight.drag_tip" if here else "ui.weight.not_here"))
        self.setToolTip("" if here else tr("ui.weight.not_here"))

    @property
    def _has_shares(self) -> bool:
        return len(self._weights) > 1 and set(self._weights) != {IMAGE, TEXT}

    def _show_serving(self) -> None:
        if self._has_shares:
            self._shares.show_weights(self._weights)
        elif self._weights:
            self._slider.blockSignals(True)
            self._slider.setValue(round(STEPS * _share(self._weights, IMAGE)))
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

    def _on_shares_moved(self, weights: Mapping[str, float]) -> None:
        self._show_what_if(True)
        self.weightsMoved.emit(weights)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground and the line above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().surface)
        painter.fillRect(0, 0, self.width(), 1, theme.current().line)
        painter.end()


def _share(weights: Mapping[str, float], name: str) -> float:
    """A modality's part of the whole weight."""
    return weights[name] / sum(weights.values())


def _marks(model: ServingModel, name: str) -> list[tuple[float, str, str]]:
    marks = []
    for weights, code in ((model.weights_cv, "cv"), (model.weights_learned, "learned")):
        if set(weights) == set(model.weights) and sum(weights.values()) > 0:
            share = _share(weights, name)
            told = {"modality": modality(name), "value": fraction(share)}
            tip = tr(f"ui.weight.{code}_tip", **told)
            marks.append((share, tr(f"ui.weight.{code}"), tip))
    return marks
