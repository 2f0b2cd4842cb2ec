"""Every attempt at the gate over the readers' work: how good, how well calibrated, let in."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from mmreview.domain.insights import Attempt
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.insights.plot import Point, Series, SeriesPlot
from mmreview.ui.model.numbers import between, difference, signed
from mmreview.ui.model.sheet import Cell, Column, Sheet
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, moment

_COLUMNS = ("version", "outcome", "reads", "corrections", "audit", "auroc", "interval", "ece",
            "perfect", "difference", "at")


class VersionsPage(QWidget):
    """AUROC and calibration on audit cases, and a table of the attempts, the newest first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._attempts: Sequence[Attempt] = ()
        self._said = note(tr("ui.insights.versions.none"), self)
        self._said.setObjectName("attemptsSaid")
        axis = tr("ui.insights.versions.axis")
        self._auroc = SeriesPlot(self, name="versionsPlot", axis=axis,
                                 write_y=lambda value: fraction(value, 2))
        self._ece = SeriesPlot(self, name="calibrationPlot", axis=axis,
                               write_y=lambda value: fraction(value, 2))
        columns = [
            Column(name, f"ui.insights.column.{name}", words=name in ("version", "outcome"))
            for name in _COLUMNS
        ]
        self.sheet = Sheet(columns, self, name="attemptsTable", title=tr("ui.insights.versions"))
        self._plots = QWidget(self)
        grid = QGridLayout(self._plots)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6 * UNIT)
        grid.setVerticalSpacing(UNIT)
        for at, (name, plot) in enumerate((("auroc", self._auroc), ("ece", self._ece))):
            title = QLabel(tr(f"ui.insights.versions.{name}"), self._plots)
            title.setFont(theme.font(bold=True))
            grid.addWidget(title, 0, at)
            grid.addWidget(plot, 1, at)
            grid.setColumnStretch(at, 1)
        grid.setRowStretch(1, 1)
        self.sheet.widen(1)
        self._table = Well(self.sheet.table, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(self._said)
        layout.addWidget(self._plots, 3)
        layout.addWidget(self._table, 2)
        layout.addStretch()

    def show_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Show these, oldest first as they come."""
        self._attempts = attempts
        measured = [attempt for attempt in attempts if attempt.auroc is not None]
        self._plots.setVisible(bool(measured))
        self._table.setVisible(bool(attempts))
        code = "none" if not attempts else "said" if measured else "unmeasured"
        audit = max((attempt.audit_cases for attempt in measured), default=0)
        self._said.setText(tr(f"ui.insights.versions.{code}", count=audit))
        self._show_auroc(measured)
        self._show_ece([attempt for attempt in measured if attempt.ece is not None])
        self.sheet.show_rows([_cells(attempt) for attempt in reversed(attempts)])

    def _show_auroc(self, attempts: Sequence[Attempt]) -> None:
        points = [Point(a.reads, *(a.auroc or (0.0, None, None)), mark=_mark(a), tip=_tip(a))
                  for a in attempts]
        led = [p for p, a in zip(points, attempts, strict=True) if a.served]
        out = [p for p, a in zip(points, attempts, strict=True) if not a.served]
        series = [Series("", led), Series("", out, role="muted", joined=False)]
        last = led[-1].y if led else None
        self._auroc.show_series(
            series, said=tr("ui.insights.versions.plot", value=share(last)), least=0.5
        )

    def _show_ece(self, attempts: Sequence[Attempt]) -> None:
        perfect = [
            Point(a.reads, sum(a.ece_perfect) / 2, *a.ece_perfect, mark="")
            for a in attempts if a.ece_perfect is not None
        ]
        points = [Point(a.reads, a.ece or 0.0, mark=_mark(a), tip=_tip(a)) for a in attempts]
        led = [p for p, a in zip(points, attempts, strict=True) if a.served]
        out = [p for p, a in zip(points, attempts, strict=True) if not a.served]
        series = [
            Series(tr("ui.insights.versions.perfect"), perfect, role="faint", dashed=True,
                   band=True),
            Series("", led), Series("", out, role="muted", joined=False),
        ]
        last = led[-1].y if led else None
        self._ece.show_series(
            series, said=tr("ui.insights.versions.ece_plot", value=share(last)), least=0.0
        )

    def written(self) -> list[list[str]]:
        """The table, for a file."""
        return self.sheet.written()


def _mark(attempt: Attempt) -> str:
    return "dot" if attempt.served else "ring"


def _outcome(attempt: Attempt) -> str:
    by_hand = attempt.served and attempt.outcome != "accepted"
    return tr(f"ui.insights.outcome.{'by_hand' if by_hand else attempt.outcome}")


def _tip(attempt: Attempt) -> str:
    value, low, high = attempt.auroc or (None, None, None)
    interval = "" if low is None or high is None else f" ({between((low, high))})"
    return tr("ui.insights.versions.tip", version=attempt.version, outcome=_outcome(attempt),
              auroc=share(value) + interval, ece=share(attempt.ece), reads=attempt.reads,
              audit=attempt.audit_cases)


def _difference(attempt: Attempt) -> str:
    if attempt.difference is None or attempt.bounds is None:
        return signed(attempt.difference, 4)
    return difference((attempt.difference, *attempt.bounds))


def _cells(attempt: Attempt) -> list[Cell]:
    value, low, high = attempt.auroc or (None, None, None)
    refused = attempt.outcome == "refused" and not attempt.served
    return [
        Cell(f"v{attempt.version}", "muted" if refused else "plain"),
        Cell(_outcome(attempt), "bad" if refused else "muted"),
        Cell(f"{attempt.reads:,}"),
        Cell(f"{attempt.corrections:,}"),
        Cell(f"{attempt.audit_cases:,}"),
        Cell(share(value), "muted" if refused else "plain"),
        Cell("" if low is None or high is None else between((low, high))),
        Cell(share(attempt.ece)),
        Cell(between(attempt.ece_perfect)),
        Cell(_difference(attempt)),
        Cell(moment(attempt.at)),
    ]
