"""The audit set and the gate's criteria: how large the set is and should be, drawing more of it or
a new one, and what a new version has to show before it serves.

The dialog shows a status and tells what a person wishes; ``audit_acts`` asks and does.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from mmreview.domain.audit_sets import AuditStatus
from mmreview.domain.gates import MOST_ATTEMPTS, WORN, GateRules
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.count_box import CountBox
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.text_line import CheckLine, TextLine, ThinProgress
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, percent

_FACTS = ("cases", "read", "labels", "precision", "attempts", "eligible")
_PRECISIONS = (0.03, 0.05, 0.08, 0.10)
_DELTAS = (0.01, 0.02, 0.05, 0.10)


class AuditSetDialog(Dialog):
    """``drawWanted`` carries how many cases, and whether they are a new set in place of the one
    there is; ``precisionChosen`` what to propose for; ``ruleChanged`` a rule's name and value."""

    drawWanted = Signal(int, bool)
    precisionChosen = Signal(float)
    ruleChanged = Signal(str, object)

    def __init__(self, parent: QWidget | None, *, writable: bool = True) -> None:
        super().__init__(
            parent, name="auditSetDialog", title=tr("ui.audit.title"), hint=tr("ui.audit.hint")
        )
        self._status: AuditStatus | None = None
        self._writable = writable
        self._showing = False  # what is shown is no wish of a person's
        columns = QHBoxLayout()
        columns.setSpacing(8 * UNIT)
        columns.addLayout(self._make_set(), 1)
        columns.addLayout(self._make_rules(), 1)
        self.body.addLayout(columns, 1)
        self._make_buttons()
        self.resize(232 * UNIT, 116 * UNIT)
        self._show_possible()

    # --- what it is made of -----------------------------------------------------------------------

    def _make_set(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2 * UNIT)
        column.addWidget(_heading(tr("ui.audit.set"), self))
        grid = QGridLayout()
        grid.setHorizontalSpacing(4 * UNIT)
        grid.setVerticalSpacing(UNIT + 2)
        grid.setColumnStretch(1, 1)
        self._facts: dict[str, TextLine] = {}
        for row, name in enumerate(_FACTS):
            title = note(tr(f"ui.audit.{name}"), self)
            title.setWordWrap(False)
            value = TextLine(parent=self)
            value.setObjectName(f"audit.{name}")
            grid.addWidget(title, row, 0)
            grid.addWidget(value, row, 1)
            self._facts[name] = value
        column.addLayout(grid)
        self._left = ThinProgress(self)
        self._left.setObjectName("auditBudget")
        self._left.setAccessibleName(tr("ui.audit.budget"))
        column.addSpacing(UNIT)
        column.addWidget(self._left)
        self._state = QLabel(self)
        self._state.setObjectName("auditState")
        self._state.setWordWrap(True)
        self._state.setFont(theme.font(theme.SMALL))
        column.addWidget(self._state)
        column.addStretch(1)
        column.addLayout(self._make_proposal())
        return column

    def _make_proposal(self) -> QVBoxLayout:
        lines = QVBoxLayout()
        lines.setSpacing(2 * UNIT)
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        self._precision = ChoiceField(self)
        self._precision.setObjectName("auditPrecision")
        self._precision.setAccessibleName(tr("ui.audit.wished_precision"))
        for value in _PRECISIONS:
            self._precision.addItem(tr("ui.audit.plus_minus", value=fraction(value)), value)
        self._precision.setMinimumWidth(24 * UNIT)
        self._precision.setCurrentIndex(_PRECISIONS.index(0.05))
        self._precision.currentIndexChanged.connect(
            lambda _: self.precisionChosen.emit(self._precision.currentData())
        )
        self._count = CountBox()
        self._count.setObjectName("auditCount")
        self._count.setAccessibleName(tr("ui.audit.count"))
        self._count.setRange(1, 999_999)
        self._count.setSuffix(tr("ui.audit.count_suffix"))
        self._count.setMinimumHeight(self._precision.sizeHint().height())
        self._count.lineEdit().setTextMargins(UNIT, 0, 0, 0)
        self._draw = self.button("drawButton", tr("ui.audit.draw"))
        self._draw.setToolTip(tr("ui.audit.draw.tip"))
        self._draw.clicked.connect(lambda: self.drawWanted.emit(self._count.value(), False))
        wished = note(tr("ui.audit.wished_precision"), self)
        wished.setWordWrap(False)
        row.addWidget(wished)
        row.addWidget(self._precision)
        row.addStretch(1)
        row.addWidget(self._count)
        row.addWidget(self._draw)
        self._proposal = note("", self)
        self._proposal.setObjectName("auditProposal")
        lines.addWidget(self._proposal)
        lines.addLayout(row)
        return lines

    def _make_rules(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2 * UNIT)
        column.addWidget(_heading(tr("ui.audit.rules"), self))
        column.addWidget(note(tr("ui.audit.rules.hint"), self))
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        self._delta = ChoiceField(self)
        self._delta.setObjectName("gateDelta")
        self._delta.setAccessibleName(tr("ui.audit.delta"))
        self._delta.setMinimumWidth(20 * UNIT)
        for value in _DELTAS:
            self._delta.addItem(fraction(value), value)
        self._delta.currentIndexChanged.connect(
            lambda _: self._wish("delta", self._delta.currentData())
        )
        delta = note(tr("ui.audit.delta"), self)
        row.addWidget(delta, 1)
        row.addWidget(self._delta)
        column.addLayout(row)
        self._superior = self._check("superior", column)
        self._weak = self._check("weak_imports", column)
        self._act = self._check("act", column)
        self._reader = QLineEdit(self)
        self._reader.setObjectName("gateReader")
        self._reader.setAccessibleName(tr("ui.audit.reader"))
        self._reader.setPlaceholderText(tr("ui.audit.reader"))
        self._reader.editingFinished.connect(
            lambda: self._wish("reader", self._reader.text().strip())
        )
        column.addWidget(self._reader)
        column.addWidget(note(tr("ui.audit.always"), self))
        column.addStretch(1)
        return column

    def _check(self, name: str, column: QVBoxLayout) -> QCheckBox:
        made = CheckLine(tr(f"ui.audit.{name}"))
        made.setObjectName(f"gate.{name}")
        made.setAccessibleName(made.text())
        made.toggled.connect(lambda on: self._wish(name, on))
        column.addWidget(made)
        return made

    def _make_buttons(self) -> None:
        self._refresh = self.button("refreshButton", tr("ui.audit.refresh"))
        self._refresh.setToolTip(tr("ui.audit.refresh.tip"))
        self._refresh.clicked.connect(self._on_refresh_clicked)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close, aside=(self._refresh,))

    # --- what it shows ----------------------------------------------------------------------------

    def show_status(self, status: AuditStatus, rules: GateRules) -> None:
        """Show the set and the rules as they are."""
        self._status = status
        for name, text in _facts(status).items():
            self._facts[name].set_text(text)
        self._left.setValue(round(1000 * min(1.0, max(0.0, status.share_left))))
        self._left.setToolTip(tr("ui.audit.left", percent=percent(min(1.0, status.share_left))))
        self._say_state(status)
        wanted = max(status.proposal.cases - status.cases, 0)
        self._proposal.setText(_proposed(status))
        self._count.setMaximum(max(status.eligible, 1))
        self._count.setValue(max(min(wanted, status.eligible), 1))
        self._show_rules(rules)
        self._show_possible()

    def _say_state(self, status: AuditStatus) -> None:
        colours = theme.current()
        if status.too_few:
            params = {"judging": status.judging, "cases": status.cases}
            text, colour = tr(status.too_few, **params), colours.conflict
        elif status.worn:
            text, colour = tr("audit.worn"), colours.conflict
        else:
            left = percent(min(1.0, status.share_left))
            due = {"count": MOST_ATTEMPTS, "least": percent(WORN)}
            text, colour = tr("ui.audit.judges", percent=left, **due), colours.muted
        self._state.setText(text)
        palette = self._state.palette()
        palette.setColor(self._state.foregroundRole(), colour)
        self._state.setPalette(palette)

    def _show_rules(self, rules: GateRules) -> None:
        self._showing = True
        if self._delta.findData(rules.delta) < 0:
            self._delta.addItem(fraction(rules.delta, 3), rules.delta)
        self._delta.setCurrentIndex(self._delta.findData(rules.delta))
        for check, on in (
            (self._superior, rules.superior), (self._weak, rules.weak_imports),
            (self._act, rules.act),
        ):
            check.setChecked(on)
        self._reader.setText(rules.reader)
        self._reader.setVisible(rules.act)
        self._showing = False

    def _show_possible(self) -> None:
        there = self._writable and self._status is not None
        drawable = there and self._status is not None and self._status.eligible > 0
        for widget in (self._draw, self._count):
            widget.setEnabled(drawable)
        has_set = self._status is not None and self._status.cases > 0
        self._refresh.setEnabled(drawable and has_set)
        for widget in (self._delta, self._superior, self._weak, self._act, self._reader):
            widget.setEnabled(there)

    # --- what a person wishes ---------------------------------------------------------------------

    def _wish(self, name: str, value: object) -> None:
        if self._showing:
            return
        if name == "act":
            self._reader.setVisible(bool(value))
        self.ruleChanged.emit(name, value)

    def _on_refresh_clicked(self) -> None:
        """A new set cannot be taken back: ask first."""
        status = self._status
        if status is None:
            return
        count = min(status.proposal.cases, status.eligible)
        box = QMessageBox(
            QMessageBox.Icon.Question, tr("ui.audit.refresh"),
            tr("ui.audit.refresh.ask", count=count, retired=status.cases), parent=self,
        )
        yes = box.addButton(tr("ui.audit.refresh.yes"), QMessageBox.ButtonRole.AcceptRole)
        cancel: QPushButton | None = box.addButton(QMessageBox.StandardButton.Cancel)
        if cancel is not None:
            box.setDefaultButton(cancel)
        yes.clicked.connect(lambda: self.drawWanted.emit(count, True))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()


def _heading(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setFont(theme.font(bold=True))
    return label


def _facts(status: AuditStatus) -> dict[str, str]:
    return {
        "cases": tr("ui.audit.cases.value", count=status.cases, patients=status.patients),
        "read": f"{status.read:,}",
        "labels": tr(
            "ui.audit.labels.value", people=status.by_people, imported=status.imported,
            judging=status.judging,
        ),
        "precision": (
            tr("ui.audit.unknown") if status.precision is None
            else tr("ui.audit.precision.value", value=fraction(status.precision))
        ),
        "attempts": tr("ui.audit.attempts.value", count=status.attempts),
        "eligible": tr("ui.audit.eligible.value", count=status.eligible),
    }


def _proposed(status: AuditStatus) -> str:
    proposal = status.proposal
    text = tr(
        "ui.audit.proposed", count=proposal.cases, auroc=proposal.auroc,
        log_loss=proposal.log_loss, delta=fraction(proposal.delta),
        precision=fraction(proposal.precision),
    )
    return text if proposal.measured else f"{text} {tr('cli.audit.assumed')}"
