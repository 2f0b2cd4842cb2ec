"""How far each reader agrees with themselves: the cases that they have read a second time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.domain.repeats import Consistency
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

_COLUMNS = ("reader", "finding", "cases", "pairs", "agreed", "kappa", "interval")
_WORDS = frozenset(("reader", "finding"))


class RepeatsPage(QWidget):
    """A row for each reader, and one for each finding that they answered twice."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._said = note(tr("ui.insights.repeats.none"), self)
        self._said.setObjectName("repeatsSaid")
        columns = [
            Column(name, f"ui.insights.repeats.{name}", words=name in _WORDS) for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="repeatsTable", title=tr("ui.insights.repeats"))
        self.sheet.widen(1)
        self._table = Well(self.sheet.table, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(self._said)
        layout.addWidget(self._table, 1)
        layout.addStretch()

    def show_consistency(self, found: Sequence[Consistency]) -> None:
        """Show each reader's agreement, over all findings first."""
        self._table.setVisible(bool(found))
        self._said.setText(tr(f"ui.insights.repeats.{'said' if found else 'none'}"))
        self.sheet.show_rows([_cells(each) for each in found])

    def written(self) -> list[list[str]]:
        """The table, for a file."""
        return self.sheet.written()


def _cells(found: Consistency) -> list[Cell]:
    whole = not found.finding
    bounds = found.low is not None and found.high is not None
    return [
        Cell(found.reader, "plain", bold=whole),
        Cell(found.finding or tr("ui.insights.changed.all"), "plain", bold=whole),
        Cell(f"{found.cases:,}"),
        Cell(f"{found.pairs:,}"),
        Cell(percent(found.agreed / found.pairs) if found.pairs else "—"),
        Cell("—" if found.kappa is None else _fraction(found.kappa), "plain", bold=whole),
        Cell(f"{_fraction(found.low)} – {_fraction(found.high)}" if bounds else ""),
    ]


def _fraction(value: float | None) -> str:
    """Two decimals without the leading zero, a true minus."""
    text = f"{value or 0.0:.2f}".replace("0.", ".", 1)
    return text.replace("-", "−")
