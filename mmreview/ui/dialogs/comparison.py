"""What the gate measured of one version: against whom, on how many cases, for which findings, with
intervals, and what it would take to tell more. Opened from the versions dialog.

In every row the plot's right side is better and its left side worse, whatever the measure, so that
one look says it; the dashed line is what the project's rules allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QLabel,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mmreview.domain.gates import MOST_ATTEMPTS, WORN
from mmreview.domain.versions import Version
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well, note
from mmreview.ui.dialogs.table import CellDelegate, quiet_table
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import verdict
from mmreview.ui.wording import fraction, percent

_RIVALS = ("rival", "cases", "log_loss", "interval", "plot")
_FINDINGS = ("finding", "positives", "before", "after", "auroc", "interval", "plot")
_WORDS = frozenset(("rival", "finding", "interval"))
#: The role under which a row's last cell keeps its interval.
SPAN = int(Qt.ItemDataRole.UserRole) + 1
_ROW = 8 * UNIT


class ComparisonDialog(Dialog):
    """The gate's page on one version."""

    def __init__(self, parent: QWidget | None, version: Version) -> None:
        super().__init__(
            parent, name="comparisonDialog",
            title=tr("ui.comparison.title", version=version.id), hint=_judged_on(version.gate),
        )
        report = version.gate.get("report") or {}
        said = QLabel(verdict(version), self)
        said.setObjectName("comparisonVerdict")
        said.setWordWrap(True)
        said.setTextFormat(Qt.TextFormat.PlainText)
        self.body.addWidget(said)
        self.rivals = _table("comparisonRivals", _RIVALS, self)
        fill(self.rivals, rival_rows(report), _RIVALS)
        self.rivals.setFixedHeight(_ROW * (1 + self.rivals.rowCount()) + 2)
        self.body.addWidget(Well(self.rivals, self))
        self.findings = _table("comparisonFindings", _FINDINGS, self)
        fill(self.findings, finding_rows(report), _FINDINGS)
        if self.findings.rowCount():
            self.body.addWidget(Well(self.findings, self), 1)
        else:
            self.body.addWidget(note(tr("ui.comparison.no_findings"), self), 1)
        self._add_rest(report)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close)
        self.resize(248 * UNIT, 168 * UNIT)

    def _add_rest(self, report: Mapping[str, Any]) -> None:
        lines = QVBoxLayout()
        lines.setSpacing(UNIT)
        for text in rest(report):
            lines.addWidget(note(text, self))
        self.body.addLayout(lines)


def _judged_on(gate: Mapping[str, Any]) -> str:
    """On which cases it was judged, in a sentence."""
    report = gate.get("report") or {}
    count = int(gate.get("cases") or 0)
    if gate.get("basis") != "audit":
        return tr("ui.comparison.on_cross_validation", count=count)
    return tr("ui.comparison.on_audit", count=count, read=int(report.get("read") or 0))


def rest(report: Mapping[str, Any]) -> list[str]:
    """What else the gate looked at, what it would take to tell more, and what is left to ask."""
    said = []
    calibration = report.get("calibration")
    if calibration:
        said.append(
            tr(
                "ui.comparison.calibration", before=fraction(calibration["before"], 3),
                after=fraction(calibration["after"], 3),
            )
        )
    if report.get("latency_ms"):
        said.append(
            tr(
                "ui.comparison.burden", latency=f"{report['latency_ms']:.2f}",
                size=f"{report['size_mb']:.1f}",
            )
        )
    if report.get("needed"):
        said.append(tr("ui.comparison.needed", count=report["needed"]))
    for version in report.get("left_out") or ():
        said.append(tr("ui.comparison.left_out", version=version))
    budget = report.get("budget")
    if budget:
        left = min(1.0, budget["wealth"] / budget["first"])
        said.append(
            tr("ui.comparison.budget", count=budget["attempts"], percent=percent(left))
        )
        when = {"count": MOST_ATTEMPTS, "percent": percent(WORN)}
        said.append(tr("ui.comparison.worn" if budget["worn"] else "ui.comparison.due", **when))
    return said


# --- the tables ----------------------------------------------------------------------------------


def rival_rows(report: Mapping[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """(cells, span) of each rival. Log-loss is better when lower: the plot turns it round."""
    delta = float((report.get("rules") or {}).get("delta", 0.05))
    rows = []
    for found in report.get("rivals") or ():
        low, high = found["lower"], found["upper"]
        cells = [
            tr(f"ui.comparison.{found['role']}", version=found["version"]),
            f"{found['cases']:,}", _signed(found["difference"]), _between(low, high), "",
        ]
        span = {
            "middle": -found["difference"],
            "low": None if high is None else -high,
            "high": None if low is None else -low,
            "allowed": -delta,
            "bad": high is not None and high > delta,
        }
        rows.append((cells, span))
    return rows


def finding_rows(report: Mapping[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """(cells, span) of each finding, those that moved most first."""
    allowed = float((report.get("rules") or {}).get("delta_auroc", 0.05))
    found = sorted(report.get("findings") or (), key=lambda row: row["difference"])
    rows = []
    for row in found:
        cells = [
            row["finding"], f"{row['positives']:,} / {row['cases']:,}",
            fraction(row["auroc_before"], 3), fraction(row["auroc"], 3),
            _signed(row["difference"]), _between(row["lower"], row["upper"]), "",
        ]
        if not row["enough"]:
            cells[5] = tr("ui.comparison.too_few_labels")
        span = {
            "middle": row["difference"], "low": row["lower"], "high": row["upper"],
            "allowed": -allowed, "bad": row["held"], "faint": not row["enough"],
        }
        rows.append((cells, span))
    return rows


def _table(name: str, columns: Sequence[str], parent: QWidget) -> QTableWidget:
    table = quiet_table(len(columns), parent, name=name, title=tr(f"ui.comparison.{name}"))
    table.setItemDelegate(SpanDelegate(table))
    table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
    for at, column in enumerate(columns):
        item = QTableWidgetItem(tr(f"ui.comparison.column.{column}"))
        item.setTextAlignment(_alignment(column))
        table.setHorizontalHeaderItem(at, item)
    return table


def fill(
    table: QTableWidget, rows: Sequence[tuple[list[str], dict[str, Any]]], columns: Sequence[str]
) -> None:
    """Put the rows into the table; all plots have one scale."""
    spans = [span for _, span in rows if not span.get("faint")] or [span for _, span in rows]
    reach = max(
        (abs(v) for span in spans for v in (span["low"], span["high"], span["allowed"]) if v),
        default=0.1,
    )
    table.setRowCount(len(rows))
    for at, (cells, span) in enumerate(rows):
        table.setRowHeight(at, _ROW)
        for place, (column, text) in enumerate(zip(columns, cells, strict=True)):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_alignment(column))
            item.setFont(theme.font(tabular=True))
            item.setForeground(_colour(column, span))
            if column == "plot":
                item.setData(SPAN, {**span, "reach": reach * 1.1})
                item.setToolTip(tr("ui.comparison.plot.tip"))
            table.setItem(at, place, item)


def _colour(column: str, span: Mapping[str, Any]) -> QColor:
    colours = theme.current()
    if span["bad"] and column in ("log_loss", "auroc", "interval"):
        return colours.bad
    first = column in ("rival", "finding", "log_loss", "auroc")
    return colours.text if first and not span.get("faint") else colours.muted


def _alignment(column: str) -> Qt.AlignmentFlag:
    if column == "plot":
        return Qt.AlignmentFlag.AlignCenter
    side = Qt.AlignmentFlag.AlignLeft if column in _WORDS else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


class SpanDelegate(CellDelegate):
    """Draws the interval of a row's last cell about its zero."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Zero line, what is allowed, the interval, the point."""
        span = index.data(SPAN)
        if span is None:
            super().paint(painter, option, index)
            return
        colours = theme.current()
        box = QRectF(option.rect).adjusted(3 * UNIT, UNIT, -3 * UNIT, -UNIT)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

        def at(value: float) -> float:
            share = max(-1.0, min(1.0, value / span["reach"]))
            return box.center().x() + share * box.width() / 2

        painter.setPen(QPen(colours.faint, 1))
        painter.drawLine(QPointF(at(0), box.top()), QPointF(at(0), box.bottom()))
        painter.setPen(QPen(colours.faint, 1, Qt.PenStyle.DashLine))
        allowed = at(span["allowed"])
        painter.drawLine(QPointF(allowed, box.top()), QPointF(allowed, box.bottom()))
        colour = _span_colour(span)
        middle = box.center().y()
        if span["low"] is not None and span["high"] is not None:
            painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(at(span["low"]), middle), QPointF(at(span["high"]), middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(at(span["middle"]), middle), 3.5, 3.5)
        painter.restore()


def _span_colour(span: Mapping[str, Any]) -> QColor:
    """Surely better is good, what is held against it is bad, the rest is quiet."""
    colours = theme.current()
    if span["bad"]:
        return colours.bad
    if span.get("faint"):
        return colours.faint
    surely = span["low"] is not None and span["low"] > 0
    return colours.good if surely else colours.muted


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000"


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return tr("ui.comparison.unknown")
    return tr("ui.comparison.between", low=_signed(low), high=_signed(high))
