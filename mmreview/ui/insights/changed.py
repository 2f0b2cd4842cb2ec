"""What readers saw otherwise: than the import had it, and than the model they were shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.domain.insights import Agreement, Share
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.insights.plot import Point, Series, SeriesPlot
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent, percents

_COLUMNS = ("finding", "model", "model_interval", "model_judged", "import", "import_interval",
            "import_judged")


class ChangedPage(QWidget):
    """The share over versions, and a table by finding."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._said = note(tr("ui.insights.changed.none"), self)
        self._said.setObjectName("changedSaid")
        self._plot = SeriesPlot(
            self, name="changedPlot", axis=tr("ui.insights.changed.axis"), write_y=percent,
            write_x=lambda value: f"v{value:.0f}" if value == int(value) else "",
        )
        columns = [
            Column(name, f"ui.insights.changed.{name}", words=name == "finding")
            for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="changedTable", title=tr("ui.insights.changed"))
        self.sheet.widen(0)
        self._table = Well(self.sheet.table, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(self._said)
        layout.addWidget(self._plot, 1)
        layout.addWidget(self._table, 1)
        layout.addStretch()

    def show_agreements(self, agreements: Sequence[Agreement], unknown: int) -> None:
        """Show the whole, each finding, each version; ``unknown`` reads could not be judged."""
        there = any(a.model.judged or a.imported.judged for a in agreements)
        self._table.setVisible(there)
        said = tr("ui.insights.changed.said" if there else "ui.insights.changed.none")
        if unknown:
            said += " " + tr("ui.insights.changed.unknown", count=unknown)
        self._said.setText(said)
        over = [a for a in agreements if a.version is not None]
        series = [
            Series(tr("ui.insights.changed.import"), _points(over, "imported"), role="muted",
                   dashed=True),
            Series(tr("ui.insights.changed.model"), _points(over, "model")),
        ]
        self._plot.setVisible(any(len(each.points) > 1 for each in series))
        words = tr("ui.insights.changed.plot", count=len(over))
        self._plot.show_series(series, said=words, least=0.0)
        rows = [a for a in agreements if a.version is None] if there else []
        self.sheet.show_rows([_cells(a) for a in rows])

    def written(self) -> list[list[str]]:
        """The table, for a file."""
        return self.sheet.written()


def _points(agreements: Sequence[Agreement], which: str) -> list[Point]:
    found = []
    for agreement in agreements:
        share: Share = getattr(agreement, which)
        if share.value is not None:
            tip = tr("ui.insights.changed.tip", version=agreement.version, changed=share.changed,
                     judged=share.judged, share=percent(share.value))
            found.append(
                Point(agreement.version or 0, share.value, share.low, share.high, tip=tip)
            )
    return found


def _cells(agreement: Agreement) -> list[Cell]:
    whole = not agreement.finding
    name = tr("ui.insights.changed.all") if whole else agreement.finding
    cells = [Cell(name, "plain", bold=whole)]
    for share in (agreement.model, agreement.imported):
        value, low, high = share.value, share.low, share.high
        cells += [
            Cell("—" if value is None else percent(value), "plain", bold=whole),
            Cell("" if low is None or high is None else percents((low, high))),
            Cell(f"{share.changed:,} / {share.judged:,}"),
        ]
    return cells
