"""How quickly corrections come: an hour of work, by day and by reader, pauses left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from PySide6.QtCore import QDate, QLocale
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.domain.insights import Pace
from mmreview.translation import language, tr
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.insights.plot import Point, Series, SeriesPlot
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT

_COLUMNS = ("who", "hours", "reads", "reads_per_hour", "corrections", "corrections_per_hour")


class PacePage(QWidget):
    """Corrections and cases an hour over days, and a table of readers and days."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._paces: Sequence[Pace] = ()
        self._days: list[str] = []
        self._said = note(tr("ui.insights.pace.none"), self)
        self._said.setObjectName("paceSaid")
        self._plot = SeriesPlot(
            self, name="pacePlot", axis=tr("ui.insights.pace.axis"),
            write_y=lambda value: f"{value:,.0f}", write_x=self._day,
        )
        columns = [Column(n, f"ui.insights.column.{n}", words=n == "who") for n in _COLUMNS]
        self.sheet = Sheet(columns, self, name="paceTable", title=tr("ui.insights.pace"))
        self.sheet.widen(0)
        self._table = Well(self.sheet.table, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(self._said)
        layout.addWidget(self._plot, 1)
        layout.addWidget(self._table, 1)
        layout.addStretch()

    def show_paces(self, paces: Sequence[Pace]) -> None:
        """Show everybody's, each reader's, each day's."""
        self._paces = paces
        worked = [pace for pace in paces if pace.reads or pace.corrections]
        days = [pace for pace in worked if pace.day and pace.corrections_per_hour is not None]
        self._days = [pace.day for pace in days]
        self._plot.setVisible(len(days) > 1)
        self._table.setVisible(bool(worked))
        known = bool(worked) and worked[0].corrections_per_hour is not None
        code = "none" if not worked else "said" if known else "little"
        self._said.setText(tr(f"ui.insights.pace.{code}"))
        rates = {
            name: [Point(at, value, tip=self._tip(pace)) for at, pace in enumerate(days)
                   if (value := getattr(pace, name)) is not None]
            for name in ("corrections_per_hour", "reads_per_hour")
        }
        series = [
            Series(tr("ui.insights.pace.cases"), rates["reads_per_hour"], role="muted",
                   dashed=True),
            Series(tr("ui.insights.pace.corrections"), rates["corrections_per_hour"]),
        ]
        said = tr("ui.insights.pace.plot", count=len(days))
        self._plot.show_series(series, said=said, least=0.0)
        readers = [pace for pace in worked if not pace.day]
        by_day = [pace for pace in reversed(worked) if pace.day]
        self.sheet.show_rows([self._cells(pace) for pace in (*readers, *by_day)])

    def _day(self, at: float) -> str:
        """The day at a place of the axis."""
        if not self._days or at != int(at) or not 0 <= at < len(self._days):
            return ""
        return _day_words(self._days[int(at)])

    def _tip(self, pace: Pace) -> str:
        return "\n".join([
            _who(pace), *(f"{tr(f'ui.insights.column.{name}')} {cell.text}"
                          for name, cell in zip(_COLUMNS[1:], self._cells(pace)[1:], strict=True)),
        ])

    @staticmethod
    def _cells(pace: Pace) -> list[Cell]:
        whole = not pace.reader and not pace.day
        return [
            Cell(_who(pace), "plain", bold=whole),
            Cell(f"{pace.hours:.1f}"),
            Cell(f"{pace.reads:,}"),
            Cell(_rate(pace.reads_per_hour)),
            Cell(f"{pace.corrections:,}"),
            Cell(_rate(pace.corrections_per_hour), "plain", bold=whole),
        ]

    def written(self) -> list[list[str]]:
        """The table, for a file."""
        return self.sheet.written()


def _who(pace: Pace) -> str:
    if pace.day:
        return _day_words(pace.day)
    return pace.reader or tr("ui.insights.pace.everybody")


def _day_words(day: str) -> str:
    found = date.fromisoformat(day)
    return QLocale(language()).toString(QDate(found.year, found.month, found.day),
                                        tr("ui.insights.pace.day"))


def _rate(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"
