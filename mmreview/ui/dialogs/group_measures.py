"""A section of the model dialog: how good the serving version is at questions with several answers
(exclusive groups): measures of each opinion, and what was taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Well
from mmreview.ui.dialogs.table import quiet_table
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.numbers import between, difference
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality

_COLUMNS = (
    "opinion", "accuracy", "interval", "balanced_accuracy", "auroc", "log_loss", "ece",
    "fused_less",
)
_ROW = 7 * UNIT
#: More rows than these are scrolled to.
_SHOWN = 5
Row = Mapping[str, Any]


class GroupMeasures(QWidget):
    """Hidden while a version knows no exclusive groups."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("groupMeasures")
        self._rows: list[Row] = []
        title = QLabel(tr("ui.model.group"), self)
        title.setFont(theme.font(bold=True))
        self._choice = ChoiceField(self)
        self._choice.setObjectName("groupChoice")
        self._choice.setAccessibleName(tr("ui.model.group"))
        self._choice.setMinimumWidth(44 * UNIT)
        self._choice.currentIndexChanged.connect(self._fill)
        self._count = QLabel(self)
        self._count.setFont(theme.font(theme.SMALL))
        self._count.setProperty("muted", True)
        self._table = quiet_table(
            len(_COLUMNS), self, name="groupTable", title=tr("ui.model.group")
        )
        for at, name in enumerate(_COLUMNS):
            item = QTableWidgetItem(tr(f"ui.model.group.{name}"))
            item.setTextAlignment(_side(name == "opinion"))
            item.setToolTip(tr(f"ui.model.group.{name}.tip"))
            self._table.setHorizontalHeaderItem(at, item)
        self._confusion = quiet_table(
            0, self, name="confusionTable", title=tr("ui.model.confusion")
        )
        self._lay_out(title)
        self.hide()

    def _lay_out(self, title: QLabel) -> None:
        head, tables, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        head.setSpacing(2 * UNIT)
        head.addWidget(title)
        head.addWidget(self._choice)
        head.addWidget(self._count, 1)
        tables.setSpacing(2 * UNIT)
        tables.addWidget(Well(self._table, self), 9)
        tables.addWidget(Well(self._confusion, self), 4)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        column.addLayout(head)
        column.addLayout(tables)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show a version's rows (``ml.group_metrics``), one for each group and opinion."""
        self._rows = list(rows)
        self._choice.blockSignals(True)
        self._choice.clear()
        for name in dict.fromkeys(row["group"] for row in self._rows):
            self._choice.addItem(name)
        self._choice.blockSignals(False)
        self._choice.setEnabled(self._choice.count() > 1)
        self.setVisible(bool(self._rows))
        self._fill()

    def _fill(self) -> None:
        rows = [row for row in self._rows if row["group"] == self._choice.currentText()]
        if not rows:
            return
        self._count.setText(tr("ui.model.group.cases", count=rows[0]["n"]))
        self._table.setRowCount(len(rows))
        for at, row in enumerate(rows):
            for column, (name, text) in enumerate(_cells(row).items()):
                bold = row["opinion"] == "fused" and name == "accuracy"
                item = _cell(text, _colour(row, name), left=name == "opinion", bold=bold)
                self._table.setItem(at, column, item)
            self._table.setRowHeight(at, _ROW)
        self._fill_confusion(rows[0])
        shown = min(_SHOWN, max(len(rows), self._confusion.rowCount()))
        for table in (self._table, self._confusion):
            table.setFixedHeight(8 * UNIT + shown * _ROW + 2)

    def _fill_confusion(self, row: Row) -> None:
        """A row for what is true, a column for what the fused opinion took it for."""
        colours = theme.current()
        names = [tr("ui.model.none_of_them") if c is None else c for c in row["classes"]]
        table: QTableWidget = self._confusion
        # Headings come last: a column is measured when it gets one, and wants its cells by then.
        table.setRowCount(0)
        table.setColumnCount(1 + len(names))
        table.setRowCount(len(names))
        for true, counts in enumerate(row["confusion"]):
            table.setItem(true, 0, _cell(names[true], colours.text, left=True))
            for said, count in enumerate(counts):
                right = true == said
                colour = colours.text if right else colours.muted if count else colours.faint
                table.setItem(true, 1 + said, _cell(f"{count:,}", colour, bold=right))
        for true in range(len(names)):
            table.setRowHeight(true, _ROW)
        for at, text in enumerate((tr("ui.model.confusion"), *names)):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_side(at == 0))
            item.setToolTip(tr("ui.model.confusion.tip"))
            table.setHorizontalHeaderItem(at, item)

    def changeEvent(self, event: QEvent) -> None:
        """Cells carry colours: give them those of the theme that is on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and getattr(self, "_rows", None):
            self._fill()


def _cells(row: Row) -> dict[str, str]:
    interval = (row.get("intervals") or {}).get("accuracy")
    ahead = (row.get("difference") or {}).get("accuracy")
    loss = row.get("log_loss")
    cells = {
        "opinion": modality(row["opinion"]),
        "interval": between(interval),
        "log_loss": "—" if loss is None else f"{loss:.3f}",
        "ece": f"{share(row.get('ece'))} / {share(row.get('ece_perfect'))}",
        "fused_less": difference(ahead),
    }
    return {name: cells[name] if name in cells else share(row.get(name)) for name in _COLUMNS}


def _cell(
    text: str, colour: QColor, *, left: bool = False, bold: bool = False
) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setTextAlignment(_side(left))
    item.setFont(theme.font(bold=bold, tabular=True))
    item.setForeground(colour)
    return item


def _side(left: bool) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(row: Row, column: str) -> QColor:
    """An opinion has its colour; a fused opinion that is proved worse is red; the rest is quiet."""
    colours = theme.current()
    ahead = (row.get("difference") or {}).get("accuracy")
    if column == "fused_less" and ahead is not None and ahead[2] < 0:
        return colours.bad
    return colours.modality(row["opinion"]) if column in ("opinion", "accuracy") else colours.muted
