"""A page of the Model dialog that is a table: cells with words, colours and a meaning of their own,
and the same table for a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.table import SERVES, quiet_table
from mmreview.ui.theme import UNIT


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its words are ``{code}`` and its tooltip ``{code}.tip``."""

    name: str
    code: str
    words: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell. ``role`` is ``plain``, ``muted``, ``bad`` or the name of an opinion;
    ``serves`` gives its row the edge of what is current."""

    text: str
    role: str = "muted"
    bold: bool = False
    serves: bool = False


class Sheet:
    """A quiet table of ``Cell``s."""

    def __init__(
        self, columns: Sequence[Column], parent: QWidget, *, name: str, title: str
    ) -> None:
        self._columns = tuple(columns)
        self._rows: list[Sequence[Cell]] = []
        self.table: QTableWidget = quiet_table(len(columns), parent, name=name, title=title)
        for at, column in enumerate(self._columns):
            item = QTableWidgetItem(tr(column.code))
            item.setTextAlignment(_alignment(column))
            item.setToolTip(tr(f"{column.code}.tip"))
            self.table.setHorizontalHeaderItem(at, item)

    def widen(self, at: int) -> None:
        """Give what room there is to this column, so that numbers stand together."""
        header = self.table.horizontalHeader()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(16 * UNIT)  # it never shrinks to nothing
        header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)

    def show_rows(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Show these rows instead of what is there."""
        self._rows = list(rows)
        self.draw()

    def draw(self) -> None:
        """Show the rows again (another theme has other colours)."""
        self.table.setRowCount(len(self._rows))
        for at, row in enumerate(self._rows):
            for place, (column, cell) in enumerate(zip(self._columns, row, strict=True)):
                item = QTableWidgetItem(cell.text)
                item.setTextAlignment(_alignment(column))
                item.setFont(theme.font(bold=cell.bold, tabular=True))
                item.setForeground(_colour(cell.role))
                if cell.serves:
                    item.setData(SERVES, True)
                if column.words:
                    item.setToolTip(cell.text)
                self.table.setItem(at, place, item)
            self.table.setRowHeight(at, 7 * UNIT)

    def written(self) -> list[list[str]]:
        """Headings and cells, for a file: a plain minus, and nothing where there is nothing."""
        head = [tr(column.code) for column in self._columns]
        return [head, *[[_plain(cell.text) for cell in row] for row in self._rows]]


def _plain(text: str) -> str:
    return "" if text == "—" else text.replace("−", "-")


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column.words else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(role: str) -> QColor:
    colours = theme.current()
    known = {"plain": colours.text, "muted": colours.muted, "bad": colours.bad}
    return known.get(role) or colours.modality(role)
