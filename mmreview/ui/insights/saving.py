"""Does the queue save work? Its model against the control arm's, or what is still missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from mmreview.domain.insights import ARMS, LEAST_AUDIT, LEAST_READ, Comparison, Readiness
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import note
from mmreview.ui.dialogs.versions import share
from mmreview.ui.insights.plot import Point, Series, SeriesPlot
from mmreview.ui.model.numbers import between, difference
from mmreview.ui.text_line import TextLine, ThinProgress
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import compared
from mmreview.ui.wording import fraction, moment

#: What has to be read first, and how much of it.
_NEEDED = {"control": LEAST_READ, "queue": LEAST_READ, "audit": LEAST_AUDIT}


class SavingPage(QWidget):
    """The verdict in a sentence, the two curves and the button that measures them."""

    measureWanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._found: Mapping[str, Any] = {}
        self._possible = self._ready = False
        self._verdict = TextLine(bold=True, parent=self)
        self._verdict.setObjectName("savingVerdict")
        self._said = note("", self)
        self._said.setObjectName("savingSaid")
        self._needs = _Needs(self)
        self._plot = SeriesPlot(
            self, name="savingPlot", axis=tr("ui.insights.saving.axis"),
            write_y=lambda value: fraction(value, 2),
        )
        self._measure = QPushButton(tr("ui.insights.measure"), self)
        self._measure.setObjectName("measureControlArmButton")
        self._measure.setAccessibleName(self._measure.text())
        self._measure.setToolTip(tr("ui.insights.measure.tip"))
        self._measure.setAutoDefault(False)
        self._measure.clicked.connect(self.measureWanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._verdict)
        layout.addWidget(self._said)
        layout.addWidget(self._needs)
        layout.addWidget(self._measure, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._plot, 1)
        layout.addStretch()

    def show_comparison(self, comparison: Comparison | None, readiness: Readiness) -> None:
        """Show what was measured; without it, what could be, or what is missing first."""
        self._found = comparison.found if comparison is not None else {}
        self._ready = readiness.ready
        self._needs.show_readiness(readiness)
        self._needs.setVisible(comparison is None and not readiness.ready)
        self._plot.setVisible(comparison is not None)
        if comparison is None:
            self._verdict.set_text(tr("ui.insights.saving.nothing"))
            code = "ready" if readiness.ready else "missing"
            self._said.setText(tr(f"ui.insights.saving.{code}"))
        else:
            found = comparison.found
            self._verdict.set_text(compared(found))
            self._said.setText(
                tr("ui.insights.saving.measured", at=moment(comparison.at),
                   version=comparison.version, audit=found["audit"]["cases"],
                   findings=len(found["audit"]["findings"]), cases=found["points"][-1]["cases"],
                   difference=difference(_whole(found["points"][-1])) or "—")
                + (" " + tr("ui.insights.saving.due") if comparison.due else "")
            )
            self._show_curves(found["points"])
        self._show_possible()

    def set_possible(self, possible: bool) -> None:
        """Whether anything can be measured now."""
        self._possible = possible
        self._show_possible()

    def _show_possible(self) -> None:
        self._measure.setEnabled(self._possible and self._ready)
        self._measure.setVisible(self._ready)

    def _show_curves(self, points: Sequence[Mapping[str, Any]]) -> None:
        series = [
            Series(
                f"{tr(f'ui.insights.arm.{arm}')}  {share(points[-1][arm][0])}",
                [_point(point, arm) for point in points],
                role="text" if arm == "queue" else "muted",
                dashed=arm != "queue",
                band=True,
            )
            for arm in ARMS[::-1]  # the queue on top
        ]
        last = points[-1]
        said = tr("ui.insights.saving.plot", cases=last["cases"], queue=share(last["queue"][0]),
                  control=share(last["control"][0]), difference=difference(_whole(last)) or "—")
        self._plot.show_series(series, said=said, least=0.5)

    def written(self) -> list[list[str]]:
        """Every point of both arms and their difference, for a file."""
        head = ["arm", "cases", "labels", "auroc", "low", "high"]
        rows = [
            [arm, str(point["cases"]), str(point["labels"].get(arm, "")),
             *("" if value is None else f"{value:.4f}" for value in point[arm])]
            for point in self._found.get("points", ())
            for arm in (*ARMS, "difference")
        ]
        return [head, *rows]


class _Needs(QWidget):
    """A line for each kind of case that has to be read first: how many of how many."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("savingNeeds")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, UNIT, 0, UNIT)
        layout.setSpacing(2 * UNIT)
        self._rows: dict[str, tuple[TextLine, ThinProgress, TextLine]] = {}
        for what in _NEEDED:
            name = TextLine(parent=self)
            name.set_text(tr(f"ui.insights.need.{what}"))
            name.setFixedWidth(56 * UNIT)
            bar = ThinProgress(self)
            bar.setObjectName(f"needed.{what}")
            bar.setFixedWidth(60 * UNIT)
            count = TextLine(role="muted", parent=self)
            count.setObjectName(f"neededCount.{what}")
            row = QHBoxLayout()
            row.setSpacing(3 * UNIT)
            row.addWidget(name)
            row.addWidget(bar)
            row.addWidget(count)
            row.addStretch(1)
            layout.addLayout(row)
            self._rows[what] = name, bar, count

    def show_readiness(self, readiness: Readiness) -> None:
        """Show how far each has come."""
        for what, (name, bar, count) in self._rows.items():
            have, needed = readiness.have[what], _NEEDED[what]
            bar.setValue(round(1000 * min(1.0, have / needed)))
            said = tr("ui.insights.need.count", have=f"{have:,}", needed=needed)
            bar.setAccessibleName(f"{name.text()}: {said}")
            count.set_text(said, role="good" if have >= needed else "muted")


def _point(point: Mapping[str, Any], arm: str) -> Point:
    value, low, high = point[arm]
    interval = f" ({between((low, high))})" if low is not None else ""
    tip = tr("ui.insights.saving.tip", arm=tr(f"ui.insights.arm.{arm}"), cases=point["cases"],
             labels=point["labels"][arm], auroc=share(value) + interval,
             difference=difference(_whole(point)) or "—")
    return Point(point["cases"], value, low, high, tip=tip)


def _whole(point: Mapping[str, Any]) -> Sequence[float] | None:
    """A difference with its interval, None where it has none."""
    found: Sequence[float] = point["difference"]
    return None if None in found else found
