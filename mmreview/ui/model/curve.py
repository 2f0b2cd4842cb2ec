"""The learning curve: would more labels help? Measured when a person asks, since it takes time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.curve_plot import CurvePlot, Line
from mmreview.ui.theme import UNIT

_MEAN = "macro"


class CurvePage(QWidget):
    """The plot, or what it would show and the button that measures it."""

    measureWanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._found: Mapping[str, Any] = {}
        self._finding = ""
        self._said = note("", self)
        self._said.setObjectName("curveSaid")
        self._plot = CurvePlot(self)
        self._measure = QPushButton(tr("ui.model.curve.measure"), self)
        self._measure.setObjectName("measureCurveButton")
        self._measure.setAccessibleName(self._measure.text())
        self._measure.setToolTip(tr("ui.model.curve.measure.tip"))
        self._measure.setAutoDefault(False)
        self._measure.clicked.connect(self.measureWanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._said)
        layout.addWidget(self._measure, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._plot, 1)
        layout.addStretch()
        self._fill()

    def show_curve(self, found: Mapping[str, Any] | None) -> None:
        """Show what was measured; without it, what could be."""
        self._found = found or {}
        self._fill()

    def show_finding(self, finding: str) -> None:
        """Show one finding; the mean for an empty one."""
        self._finding = finding
        self._fill()

    def set_possible(self, possible: bool) -> None:
        """Whether it can be measured now."""
        self._measure.setEnabled(possible)

    def written(self) -> list[list[str]]:
        """Every point, for a file."""
        rows = [
            [finding, opinion, str(point["cases"]), str(point["labels"]),
             *("" if value is None else f"{value:.4f}" for value in values)]
            for point in self._found.get("points", ())
            for finding, opinions in point["rows"].items()
            for opinion, values in opinions.items()
        ]
        return [["finding", "opinion", "cases", "labels", "auroc", "low", "high"], *rows]

    def _fill(self) -> None:
        lines = self._lines()
        there = any(lines.values())
        self._plot.setVisible(there)
        if not self._found:
            self._said.setText(tr("ui.model.curve.none"))
        elif not there:
            self._said.setText(tr("ui.model.curve.undefined"))
        else:
            self._said.setText(
                tr("ui.model.curve.said", groups=self._found["groups"], folds=self._found["folds"],
                   cases=self._found["cases"], gain=self._gain(lines))
            )
        self._plot.show_lines(lines)

    def _lines(self) -> dict[str, Line]:
        lines: dict[str, list[tuple[float, float, float | None, float | None]]] = {}
        for point in self._found.get("points", ()):
            for opinion, (value, low, high) in point["rows"].get(
                self._finding or _MEAN, {}
            ).items():
                if value is not None:
                    lines.setdefault(opinion, []).append((point["labels"], value, low, high))
        return dict(lines)

    @staticmethod
    def _gain(lines: Mapping[str, Line]) -> str:
        """What the last step of labels brought the fused opinion."""
        line = lines.get("fused") or ()
        if len(line) < 2:
            return ""
        (few, before, *_), (many, after, *_) = line[-2:]
        return tr("ui.model.curve.gain", few=f"{few:,.0f}", many=f"{many:,.0f}",
                  before=share(before), after=share(after))
