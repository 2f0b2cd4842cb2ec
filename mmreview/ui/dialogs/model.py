"""What the serving version can do: its measures per finding and opinion, how sure they are, and
whether its probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QTableWidgetItem, QWidget

from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well, note
from mmreview.ui.dialogs.group_measures import GroupMeasures
from mmreview.ui.dialogs.table import quiet_table
from mmreview.ui.dialogs.versions import share
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality, percent

_COLUMNS = (
    "finding", "opinion", "labels", "auroc", "interval", "fused_less", "ap", "f1", "brier", "ece",
    "ece_perfect",
)
_WORDS = frozenset(("finding", "opinion"))
Row = tuple[str, str, Mapping[str, Any]]


class ModelDialog(Dialog):
    """The serving version's measures: the mean over findings first, then each finding."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(
            parent, name="modelDialog", title=tr("ui.model.title"), hint=tr("ui.model.hint")
        )
        self._rows: list[Row] = []
        self._basis = note(tr("ui.versions.none"), self)
        self._basis.setObjectName("modelBasis")
        self.body.addWidget(self._basis)
        self._table = quiet_table(
            len(_COLUMNS), self, name="modelTable", title=tr("ui.model.title")
        )
        for at, name in enumerate(_COLUMNS):
            item = QTableWidgetItem(tr(f"ui.model.column.{name}"))
            item.setTextAlignment(_alignment(name))
            item.setToolTip(tr(f"ui.model.column.{name}.tip"))
            self._table.setHorizontalHeaderItem(at, item)
        self.body.addWidget(Well(self._table, self), 1)
        self._groups = GroupMeasures(self)
        self.body.addWidget(self._groups)
        self._pairs = note("", self)
        self._pairs.setObjectName("modelPairs")
        self.body.addWidget(self._pairs)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close)
        self.resize(280 * UNIT, 140 * UNIT)

    def show_versions(self, versions: Sequence[Version]) -> None:
        """Show the one that serves, if any does."""
        serving = next((v for v in versions if v.role is Role.CHAMPION), None)
        if serving is None:
            return
        metrics = serving.metrics
        basis = metrics.get("basis", "cross_validation")
        self._basis.setText(
            tr(f"ui.model.basis.{basis}", version=serving.id, count=metrics.get("cases", 0))
        )
        self._groups.show_rows(metrics.get("exclusive") or ())
        self._pairs.setText(_pairs(metrics.get("pairs") or {}))
        self._rows = _rows(metrics)
        self._fill()

    def _fill(self) -> None:
        self._table.setRowCount(len(self._rows))
        for at, row in enumerate(self._rows):
            cells = _cells(row)
            for column, name in enumerate(_COLUMNS):
                item = QTableWidgetItem(cells[name])
                item.setTextAlignment(_alignment(name))
                item.setFont(theme.font(bold=row[1] == "fused" and name == "auroc", tabular=True))
                item.setForeground(_colour(row, name))
                self._table.setItem(at, column, item)
            self._table.setRowHeight(at, 7 * UNIT)

    def changeEvent(self, event: QEvent) -> None:
        """Cells carry colours: give them those of the theme that is on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and getattr(self, "_rows", None):
            self._fill()


def _rows(metrics: Mapping[str, Any]) -> list[Row]:
    """Finding (named with its first opinion only), opinion and measures. A version from before
    there were intervals has its means."""
    means = {  # a mean has no labels of its own
        name: {k: v for k, v in measures.items() if k != "n"}
        for name, measures in (metrics.get("macro") or {}).items()
    }
    if not means:
        auroc = metrics.get("auroc") or {}
        means = {
            name: {m: (metrics.get(m) or {}).get(name) for m in ("auroc", "ap", "f1", "ece")}
            for name in auroc
        }
    groups = {tr("ui.model.mean"): means, **(metrics.get("per_finding") or {})}
    return [
        (finding if at == 0 else "", opinion, measures)
        for finding, opinions in groups.items()
        for at, (opinion, measures) in enumerate(opinions.items())
    ]


def _cells(row: Row) -> dict[str, str]:
    finding, opinion, measures = row
    intervals = measures.get("intervals") or {}
    difference = (measures.get("difference") or {}).get("auroc")
    labels = measures.get("positives"), measures.get("n")
    return {
        "finding": finding,
        "opinion": modality(opinion),
        "labels": "" if None in labels else f"{labels[0]:,} / {labels[1]:,}",
        "interval": _between(intervals.get("auroc")),
        "fused_less": _ahead(difference),
        **{
            name: share(measures.get(name))
            for name in ("auroc", "ap", "f1", "brier", "ece", "ece_perfect")
        },
    }


def _between(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"{share(bounds[0])} – {share(bounds[1])}"


def _ahead(difference: Sequence[float] | None) -> str:
    """How far the fused opinion is ahead, with the interval of the difference."""
    if difference is None:
        return ""
    value, low, high = (f"{v:+.3f}".replace("0.", ".", 1).replace("-", "−") for v in difference)
    return f"{value} ({low} – {high})"


def _pairs(found: Mapping[str, Any]) -> str:
    if not found.get("pairs"):
        return tr("ui.model.pairs.none")
    return tr(
        "ui.model.pairs", count=found["pairs"], auroc=share(found["wrong_pair_auroc"]),
        prior=percent(found["prior"]),
    )


def _alignment(column: str) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column in _WORDS else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(row: Row, column: str) -> QColor:
    """An opinion has its colour; a fused opinion that is proved worse is red; the rest is quiet."""
    colours = theme.current()
    difference = (row[2].get("difference") or {}).get("auroc")
    if column == "fused_less" and difference is not None and difference[2] < 0:
        return colours.bad
    if column in ("opinion", "auroc"):
        return colours.modality(row[1])
    return colours.text if column == "finding" else colours.muted
