"""What the search for the best model tried, what won, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from mmreview.reporting import candidate_words, search_verdict, search_worth
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.numbers import between, difference, signed
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality

_COLUMNS = (
    "candidate", "auroc", "auroc_interval", "auroc_less", "log_loss", "log_loss_interval",
    "log_loss_less", "ahead", "ece",
)


class TriedPage(QWidget):
    """The verdict in words over the table of candidates, the best first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        columns = [
            Column(name, f"ui.model.tried.{name}", words=name == "candidate") for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="triedTable", title=tr("ui.model.tried"))
        self._verdict = QLabel(self)
        self._verdict.setObjectName("searchVerdict")
        self._verdict.setWordWrap(True)
        self._verdict.setFont(theme.font(bold=True))
        self._worth = note("", self)
        self._worth.setObjectName("searchWorth")
        self._well = Well(self.sheet.table, self)
        self._empty = note(tr("ui.model.tried.none"), self)
        self._empty.setObjectName("searchNone")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        for widget in (self._empty, self._verdict, self._worth):
            layout.addWidget(widget)
        layout.addWidget(self._well, 1)
        layout.addStretch()
        self.show_search(None, 0)

    def show_search(
        self, found: Mapping[str, Any] | None, version: int, *, serves: bool = False
    ) -> None:
        """Show the table that ``version`` holds; without one, what a search would do. ``serves``
        says that what it chose serves still."""
        there = found is not None
        self._empty.setVisible(not there)
        for widget in (self._verdict, self._worth, self._well):
            widget.setVisible(there)
        if found is None:
            self.sheet.show_rows([])
            return
        self._verdict.setText(search_verdict(found))
        on = tr(
            "ui.model.tried.on", version=version, cases=found["cases"], groups=found["groups"],
            folds=found["folds"],
        )
        self._worth.setText(f"{search_worth(found)} {on}".strip())
        chosen = found["chosen"], found.get("plan")
        self.sheet.show_rows(
            [
                _cells(row, chosen=(row["fusion"], row.get("plan")) == chosen, serves=serves)
                for row in found["rows"]
            ]
        )


def _cells(row: Mapping[str, Any], *, chosen: bool, serves: bool) -> list[Cell]:
    """A candidate; a modality has its colour, and one that the chosen is surely behind is red."""
    plan, role = row.get("plan"), "plain"
    words = candidate_words(row["fusion"], plan)
    if plan is None and tr(f"fusion.{row['fusion']}") == f"fusion.{row['fusion']}":
        words, role = modality(row["fusion"]), row["fusion"]
    if chosen:
        code = "ui.model.tried.serves" if serves else "ui.model.tried.chosen"
        words = tr(code, candidate=words)
    intervals, less = row.get("intervals") or {}, row.get("difference") or {}
    auroc, loss = less.get("auroc"), less.get("log_loss")
    return [
        Cell(words, role, bold=chosen, serves=chosen and serves),
        Cell(share(row["auroc"]), "plain", bold=chosen),
        Cell(between(intervals.get("auroc"))),
        Cell("" if chosen else difference(auroc),
             "bad" if auroc is not None and auroc[2] < 0 else "muted"),
        Cell(share(row["log_loss"]), "plain", bold=chosen),
        Cell(between(intervals.get("log_loss"))),
        Cell("" if chosen else difference(loss, 4),
             "bad" if loss is not None and loss[1] > 0 else "muted"),
        Cell("—" if row.get("ahead") is None else signed(row["ahead"])),
        Cell(share(row["ece"])),
    ]
