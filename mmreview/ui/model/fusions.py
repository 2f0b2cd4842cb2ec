"""Which fusion serves, which others there are and what each does; one can be trained from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from mmreview.reporting import fusion_words
from mmreview.services.learning import AUTO
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT

_COLUMNS = ("name", "auroc", "log_loss", "what")


class FusionsPage(QWidget):
    """A row for each fusion, the automatic choice first."""

    trainWanted = Signal(str)  # a fusion's name, or ``auto``

    def __init__(self, parent: QWidget, names: Sequence[str]) -> None:
        super().__init__(parent)
        self._names = (AUTO, *names)
        self._possible = True
        columns = [
            Column(name, f"ui.model.fusion.{name}", words=name in ("name", "what"))
            for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="fusionsTable", title=tr("ui.model.fusions"))
        self.sheet.table.itemSelectionChanged.connect(self._on_selected)
        self.sheet.table.doubleClicked.connect(lambda _: self._on_train_clicked())
        self.sheet.table.installEventFilter(self)
        self._train = QPushButton(tr("ui.model.fusion.train"), self)
        self._train.setObjectName("trainFusionButton")
        self._train.setAccessibleName(self._train.text())
        self._train.setToolTip(tr("ui.model.fusion.train.tip"))
        self._train.setAutoDefault(False)
        self._train.clicked.connect(self._on_train_clicked)
        row = QHBoxLayout()
        row.addWidget(note(tr("ui.model.fusion.hint"), self), 1)
        row.addWidget(self._train)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(Well(self.sheet.table, self), 1)
        layout.addLayout(row)
        self.show_serving("", None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Return is for the row: it would press the dialog's own button and close the page."""
        entered = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        pressed = event.type() == QEvent.Type.KeyPress
        if pressed and isinstance(event, QKeyEvent) and event.key() in entered:
            self._on_train_clicked()
            return True
        return super().eventFilter(watched, event)

    def show_serving(self, fusion: str, found: Mapping[str, Any] | None) -> None:
        """Mark what serves; ``found`` is what the last search measured, if there was one."""
        usual = {
            row["fusion"]: row
            for row in reversed((found or {}).get("rows", ()))
            if (row.get("plan") or {}).get("freedom", 1.0) == 1.0
            and not (row.get("plan") or {}).get("without")
        }
        rows = []
        for name in self._names:
            measured = usual.get(name, {})
            serves = name == fusion
            words = tr("ui.model.fusion.automatic") if name == AUTO else name
            if serves:
                words = tr("ui.model.tried.serves", candidate=words)
            what = tr("ui.model.fusion.automatic.what") if name == AUTO else fusion_words(name)
            rows.append(
                [
                    Cell(words, "plain", bold=serves, serves=serves),
                    Cell(share(measured.get("auroc"))), Cell(share(measured.get("log_loss"))),
                    Cell(what),
                ]
            )
        self.sheet.show_rows(rows)
        if not self.sheet.table.selectionModel().hasSelection():
            self.sheet.table.selectRow(0)
        self._on_selected()

    def set_possible(self, possible: bool) -> None:
        """Whether a round can be started now."""
        self._possible = possible
        self._on_selected()

    def _chosen(self) -> str:
        rows = self.sheet.table.selectionModel().selectedRows()
        return self._names[rows[0].row()] if rows else ""

    def _on_selected(self) -> None:
        self._train.setEnabled(self._possible and bool(self._chosen()))

    def _on_train_clicked(self) -> None:
        if self._possible and self._chosen():
            self.trainWanted.emit(self._chosen())
