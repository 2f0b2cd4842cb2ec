"""Does 80 % mean eight times in ten? A plot for each opinion, with its calibration errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.reliability_plot import ReliabilityPlot
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality, opinions

_ALL = "all"


class CalibrationPage(QWidget):
    """Small plots side by side, one for each opinion."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._metrics: Mapping[str, Any] = {}
        self._finding = ""
        self._empty = note(tr("ui.model.calibration.none"), self)
        self._empty.setObjectName("calibrationNone")
        self._legend = note(tr("ui.model.calibration.legend"), self)
        self._plots = QGridLayout()
        self._plots.setSpacing(2 * UNIT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._legend)
        layout.addWidget(self._empty)
        layout.addLayout(self._plots, 1)

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Show a version's metrics."""
        self._metrics = metrics
        self._fill()

    def show_finding(self, finding: str) -> None:
        """Show one finding; all labels together for an empty one."""
        self._finding = finding
        self._fill()

    def written(self) -> list[list[str]]:
        """Every bin of every finding and opinion, for a file."""
        head = ["finding", "opinion", "said", "present", "perfect_low", "perfect_high", "cases"]
        rows = [
            [finding, opinion, *(str(number) for number in one)]
            for finding, curves in (self._metrics.get("reliability") or {}).items()
            for opinion in opinions(curves)
            for one in curves[opinion]
        ]
        return [head, *rows]

    def _fill(self) -> None:
        while (item := self._plots.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        curves = (self._metrics.get("reliability") or {}).get(self._finding or _ALL) or {}
        there = any(curves.values())
        self._empty.setVisible(not there)
        self._legend.setVisible(there)
        for column, opinion in enumerate(opinions(curves) if there else ()):
            title = QLabel(modality(opinion), self)
            title.setFont(theme.font(bold=True))
            plot = ReliabilityPlot(opinion, self)
            plot.show_bins(curves[opinion])
            numbers = note(self._numbers(opinion), self)
            numbers.setObjectName(f"calibrationNumbers.{opinion}")
            for row, widget in enumerate((title, numbers, plot)):
                self._plots.addWidget(widget, row, column)
                widget.show()
            self._plots.setColumnStretch(column, 1)
        self._plots.setRowStretch(2, 1)

    def _numbers(self, opinion: str) -> str:
        if self._finding:
            found = (self._metrics.get("per_finding") or {}).get(self._finding, {})
        else:
            found = self._metrics.get("macro") or {}
        own = found.get(opinion) or {}
        code = "ui.model.calibration.numbers" + ("" if self._finding else "_mean")
        names = ("ece", "ece_perfect", "ece_adaptive", "ece_adaptive_perfect", "brier")
        return tr(code, **{name: share(own.get(name)) for name in names})
