"""The shares of the queue: how many of the offered cases come from which stream."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from mmreview.domain.errors import MmreviewError
from mmreview.domain.streams import QueueRules, Quotas, Stream
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.count_box import CountBox
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.theme import UNIT

_STREAMS = tuple(stream for stream in Stream if stream is not Stream.POLICY)


class QueueSharesDialog(Dialog):
    """Asks for the policy, the share of each stream, and how far apart two readings of a case
    are."""

    rulesWanted = Signal(object)  # QueueRules

    def __init__(
        self, parent: QWidget | None, *, rules: QueueRules, policies: Sequence[str],
        writable: bool = True,
    ) -> None:
        super().__init__(
            parent, name="queueSharesDialog", title=tr("ui.queue.title"), hint=tr("ui.queue.hint")
        )
        self.setMinimumWidth(152 * UNIT)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(4 * UNIT)
        self._grid.setVerticalSpacing(2 * UNIT)
        self._grid.setColumnStretch(1, 1)
        self._shares: dict[Stream, CountBox] = {}
        for stream in _STREAMS:
            box = self._count(f"share.{stream}", tr(f"stream.{stream}"), 0, 100, " %")
            box.setValue(round(getattr(rules.quotas, stream)))
            self._shares[stream] = box
            self._row(tr(f"stream.{stream}"), tr(f"ui.queue.about.{stream}"), box)
        self._rest = QLabel(self)
        self._rest.setObjectName("share.policy")
        self._rest.setFont(theme.font(tabular=True))
        self._rest.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._rest.setContentsMargins(0, 0, 2 * UNIT, 0)
        self._row(tr("stream.policy"), tr("ui.queue.about.policy"), self._rest)
        self._policy = ChoiceField(self)
        self._policy.setObjectName("queuePolicy")
        self._policy.setAccessibleName(tr("ui.queue.policy"))
        for name in policies:
            self._policy.addItem(_policy_words(name), name)
        self._policy.setCurrentIndex(max(0, self._policy.findData(rules.policy)))
        self._row(tr("ui.queue.policy"), "", self._policy, span=True)
        self._apart = self._count(
            "queueApart", tr("ui.queue.apart"), 1, 100_000, tr("ui.queue.cases_suffix")
        )
        self._apart.setValue(rules.apart)
        self._row(tr("ui.queue.apart"), tr("ui.queue.about.apart"), self._apart)
        self.body.addLayout(self._grid)
        self._problem = note("", self)
        self._problem.setObjectName("queueProblem")
        self._problem.setProperty("muted", False)
        self.body.addWidget(self._problem)
        self._default = self.button("defaultSharesButton", tr("ui.queue.default"))
        self._default.clicked.connect(lambda: self._show(QueueRules()))
        cancel = self.button("cancelButton", tr("ui.dialog.cancel"))
        cancel.clicked.connect(self.reject)
        self._use = self.button("useSharesButton", tr("ui.queue.use"), primary=True)
        self._use.clicked.connect(self._on_use_clicked)
        self.add_buttons(cancel, self._use, aside=(self._default,))
        self._writable = writable
        for box in (*self._shares.values(), self._apart):
            box.setEnabled(writable)
            box.valueChanged.connect(self._on_changed)
        self._policy.setEnabled(writable)
        self._default.setEnabled(writable)
        self._on_changed()

    def _count(self, name: str, title: str, least: int, most: int, suffix: str) -> CountBox:
        box = CountBox(self)
        box.setObjectName(name)
        box.setAccessibleName(title)
        box.setRange(least, most)
        box.setSuffix(suffix)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setFont(theme.font(tabular=True))
        box.setMinimumWidth(28 * UNIT)
        return box

    def _row(self, title: str, about: str, field: QWidget, *, span: bool = False) -> None:
        at = self._grid.rowCount()
        label = QLabel(title, self)
        label.setBuddy(field)
        self._grid.addWidget(label, at, 0)
        if span:
            self._grid.addWidget(field, at, 1, 1, 2)
            return
        words = QLabel(about, self)
        words.setFont(theme.font(theme.SMALL))
        words.setProperty("muted", True)
        self._grid.addWidget(words, at, 1)
        self._grid.addWidget(field, at, 2)

    def _show(self, rules: QueueRules) -> None:
        for stream, box in self._shares.items():
            box.setValue(round(getattr(rules.quotas, stream)))
        self._apart.setValue(rules.apart)
        self._policy.setCurrentIndex(max(0, self._policy.findData(rules.policy)))

    def _rules(self) -> QueueRules:
        return QueueRules(
            policy=str(self._policy.currentData()),
            quotas=Quotas(**{str(s): float(box.value()) for s, box in self._shares.items()}),
            apart=self._apart.value(),
        )

    def _on_changed(self) -> None:
        total = sum(box.value() for box in self._shares.values())
        self._rest.setText(f"{max(0, 100 - total)} %")
        problem = "" if self._writable else tr("ui.queue.read_only")
        try:
            self._rules()
        except MmreviewError as error:
            problem = tr(error.code, **error.params)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._use.setEnabled(not problem)

    def _on_use_clicked(self) -> None:
        self.rulesWanted.emit(self._rules())
        self.accept()


def _policy_words(name: str) -> str:
    """What a policy does, behind its name; the name alone where there are no words for it."""
    words = tr(f"policy.{name}")
    return name if words == f"policy.{name}" else f"{name} · {words}"
