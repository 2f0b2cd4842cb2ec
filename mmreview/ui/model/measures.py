"""How good each opinion is: every measure, for the mean of the findings and for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.dialogs.group_measures import GroupMeasures
from mmreview.ui.dialogs.versions import share
from mmreview.ui.model.numbers import between, difference
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import lost_on
from mmreview.ui.wording import modality, opinions, percent

_MEASURES = (
    "ap", "f1", "brier", "ece", "ece_perfect", "ece_adaptive", "ece_adaptive_perfect", "log_loss",
    "precision", "recall", "specificity_at_90", "accuracy",
)
_COLUMNS = (
    "finding", "opinion", "labels", "auroc", "interval", "fused_less", *_MEASURES, "old_labels"
)
Row = tuple[str, str, Mapping[str, Any]]


class MeasuresPage(QWidget):
    """The table, and how well swapped reports are told from true ones."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._metrics: Mapping[str, Any] = {}
        self._finding = ""
        columns = [
            Column(name, f"ui.model.column.{name}", words=name in ("finding", "opinion"))
            for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="modelTable", title=tr("ui.model.measures"))
        self._groups = GroupMeasures(self)
        self._pairs = note("", self)
        self._pairs.setObjectName("modelPairs")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(Well(self.sheet.table, self), 1)
        layout.addWidget(self._groups)
        layout.addWidget(self._pairs)

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Show a version's metrics."""
        self._metrics = metrics
        without = not metrics.get("old_labels")  # a first version has none
        self.sheet.table.setColumnHidden(_COLUMNS.index("old_labels"), without)
        self._groups.show_rows(metrics.get("exclusive") or ())
        self._pairs.setText(_pairs(metrics.get("pairs") or {}))
        self._fill()

    def show_finding(self, finding: str) -> None:
        """Show one finding only; all and their mean for an empty one."""
        self._finding = finding
        self._fill()

    def written(self) -> list[list[str]]:
        """The table for a file: each row with its finding, to be sorted by it."""
        rows = self.sheet.written()
        for above, row in pairwise(rows):
            row[0] = row[0] or above[0]
        return rows

    def _fill(self) -> None:
        self.sheet.show_rows([_cells(row) for row in _rows(self._metrics, self._finding)])


def _rows(metrics: Mapping[str, Any], only: str) -> list[Row]:
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
    together = metrics.get("micro") or {}
    groups = {
        tr("ui.model.mean"): means,
        **(metrics.get("per_finding") or {}),
        **({tr("ui.model.together"): together} if together else {}),
    }
    # What the round did to the labels that the version before it knew, beside the fused opinion.
    for finding, row in (metrics.get("old_labels") or {}).items():
        found = groups.get(finding) or {}
        if "fused" in found:
            groups[finding] = {**found, "fused": {**found["fused"], "old_labels": row}}
    if only:
        groups = {name: found for name, found in groups.items() if name == only}
    return [
        (finding if at == 0 else "", opinion, found[opinion])
        for finding, found in groups.items()
        for at, opinion in enumerate(opinions(found))
    ]


def _cells(row: Row) -> list[Cell]:
    """An opinion has its colour; a fused opinion that is proved worse, than another or than the
    version before on what that knew, is red; the rest is quiet."""
    finding, opinion, measures = row
    old = (measures.get("old_labels") or {}).get("difference")
    lost = old is not None and lost_on(old)
    ahead = (measures.get("difference") or {}).get("auroc")
    labels = measures.get("positives"), measures.get("n")
    worse = ahead is not None and ahead[2] < 0
    return [
        Cell(finding, "plain"),
        Cell(modality(opinion), opinion),
        Cell("" if None in labels else f"{labels[0]:,} / {labels[1]:,}"),
        Cell(share(measures.get("auroc")), opinion, bold=opinion == "fused"),
        Cell(between((measures.get("intervals") or {}).get("auroc"))),
        Cell(difference(ahead), "bad" if worse else "muted"),
        *(Cell(share(measures.get(name))) for name in _MEASURES),
        Cell(difference(old), "bad" if lost else "muted"),
    ]


def _pairs(found: Mapping[str, Any]) -> str:
    if not found.get("pairs"):
        return tr("ui.model.pairs.none")
    return tr(
        "ui.model.pairs", count=found["pairs"], auroc=share(found["wrong_pair_auroc"]),
        prior=percent(found["prior"]),
    )
