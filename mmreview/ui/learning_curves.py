"""The loss of a training round while it runs: on what it learns from, and on what is held out.

pyqtgraph takes a third of a second to import, so it is imported when the first curve is drawn;
``warm_up`` does that beforehand on any thread.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction

#: More points than this are thinned when drawn: the plot is not wider.
_POINTS = 400


def warm_up() -> None:
    """Import the plotting library, so that the first curve does not wait for it."""
    import pyqtgraph  # noqa: F401


class LearningCurves(QWidget):
    """Two curves over the iterations of one round, with their newest values above them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("learningCurves")
        self._loss: tuple[list[int], list[float]] = ([], [])
        self._held_out: tuple[list[int], list[float]] = ([], [])
        self._plot: Any = None
        self._lines: list[Any] = []
        self._legend = _Legend(self)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self._legend)
        self._layout.addStretch()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)

    def sizeHint(self) -> QSize:
        """Beside the progress; as high as its row."""
        return QSize(56 * UNIT, 16 * UNIT)

    @property
    def is_empty(self) -> bool:
        """True before the first loss of a round."""
        return not self._loss[0] and not self._held_out[0]

    def clear(self) -> None:
        """A round begins."""
        self._loss, self._held_out = ([], []), ([], [])
        self._legend.set_values(None, None)
        for line in self._lines:
            line.setData([], [])

    def add(self, iteration: int, *, loss: float | None, held_out: float | None) -> None:
        """Note one step; ``draw`` shows what was noted."""
        for (steps, values), value in ((self._loss, loss), (self._held_out, held_out)):
            if value is not None:
                steps.append(iteration)
                values.append(value)

    def draw(self) -> None:
        """Show everything noted so far."""
        if self.is_empty:
            return
        if self._plot is None:
            self._make_plot()
        for line, (steps, values) in zip(self._lines, (self._loss, self._held_out), strict=True):
            stride = max(1, len(steps) // _POINTS)
            line.setData(steps[::stride], values[::stride])
        last = [values[-1] if values else None for _, values in (self._loss, self._held_out)]
        self._legend.set_values(*last)

    def _make_plot(self) -> None:
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget(self)
        self._plot.setObjectName("learningPlot")
        self._plot.setAccessibleName(tr("ui.learning.curves"))
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        for axis in ("left", "bottom"):
            self._plot.hideAxis(axis)
        self._plot.getPlotItem().setContentsMargins(0, 0, 0, 0)
        self._lines = [self._plot.plot(antialias=True), self._plot.plot(antialias=True)]
        self._layout.removeItem(self._layout.itemAt(1))
        self._layout.addWidget(self._plot, 1)
        self._plot.setMinimumSize(0, 0)
        self._plot.show()
        self._restyle()

    def changeEvent(self, event: QEvent) -> None:
        """Another theme has other colours."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._restyle()

    def _restyle(self) -> None:
        if self._plot is None:
            return
        colours = theme.current()
        self._plot.setBackground(colours.surface)
        self._lines[0].setPen(QPen(colours.text, 0, Qt.PenStyle.SolidLine))
        self._lines[1].setPen(QPen(colours.muted, 0, Qt.PenStyle.DashLine))


class _Legend(QWidget):
    """Which line is which, with its newest value."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._font = theme.font(theme.SMALL, tabular=True)
        self._metrics = QFontMetricsF(self._font)
        self._values: tuple[float | None, float | None] = (None, None)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """One small line."""
        return QSize(40 * UNIT, round(self._metrics.height()))

    def set_values(self, loss: float | None, held_out: float | None) -> None:
        """Show the newest values."""
        self._values = (loss, held_out)
        self.setAccessibleName("  ".join(text for text, _ in self._entries()))
        self.update()

    def _entries(self) -> list[tuple[str, Qt.PenStyle]]:
        loss, held_out = self._values
        entries = []
        if loss is not None:
            value = fraction(loss, 3)
            entries.append((tr("ui.learning.loss", value=value), Qt.PenStyle.SolidLine))
        if held_out is not None:
            value = fraction(held_out, 3)
            entries.append((tr("ui.learning.held_out", value=value), Qt.PenStyle.DashLine))
        return entries

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw a piece of each line, its name and its value."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setFont(self._font)
        left = 0.0
        for text, style in self._entries():
            solid = style is Qt.PenStyle.SolidLine
            painter.setPen(QPen(colours.text if solid else colours.muted, 1.5, style))
            level = self.height() // 2
            painter.drawLine(round(left), level, round(left) + 16, level)
            left += 20
            width = self._metrics.horizontalAdvance(text) + 2
            painter.setPen(colours.muted)
            painter.drawText(
                QRectF(left, 0, width, self.height()), Qt.AlignmentFlag.AlignVCenter, text
            )
            left += width + 3 * UNIT
        painter.end()
