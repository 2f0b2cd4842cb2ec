"""When a round of training starts by itself: after so many corrections, or when nobody reads.

A row of the learning panel. It only shows and tells; ``training`` keeps the promise.
"""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.count_box import CountBox
from mmreview.ui.text_line import CheckLine
from mmreview.ui.theme import UNIT


class TriggerRow(QWidget):
    """Two switches, each with its number."""

    automaticChanged = Signal(bool, int)  # on, corrections
    idleChanged = Signal(bool, int)  # on, minutes

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._read_only = False
        self._automatic = _switch("automaticTraining", "ui.learning.automatic")
        self._after = _number("automaticAfter", "ui.learning.after", "corrections")
        self._after.setRange(1, 9999)
        self._after.setValue(25)
        self._idle = _switch("idleTraining", "ui.learning.idle")
        self._minutes = _number("idleMinutes", "ui.learning.idle_minutes", "minutes")
        self._minutes.setRange(1, 240)
        self._minutes.setValue(5)
        self._minutes.setEnabled(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * UNIT)
        for switch, number, told in (
            (self._automatic, self._after, self._tell_automatic),
            (self._idle, self._minutes, self._tell_idle),
        ):
            row.addWidget(switch)
            row.addWidget(number)
            switch.toggled.connect(told)
            number.valueChanged.connect(told)
        row.insertSpacing(2, 2 * UNIT)
        row.addStretch()
        self._enable()

    @property
    def after(self) -> int | None:
        """How many corrections start a round; None where they do not."""
        return self._after.value() if self._automatic.isChecked() else None

    def set_automatic(self, on: bool, after: int) -> None:
        """Show whether and after how many corrections a round starts."""
        _show(self._automatic, self._after, on, after)
        self._enable()

    def set_idle(self, on: bool, minutes: int) -> None:
        """Show whether and after how many minutes without a key a round starts."""
        _show(self._idle, self._minutes, on, minutes)
        self._enable()

    def set_read_only(self, read_only: bool) -> None:
        """Nothing starts in a project that another process writes."""
        self._read_only = read_only
        for switch in (self._automatic, self._idle):
            switch.setEnabled(not read_only)
        self._enable()

    def _enable(self) -> None:
        self._after.setEnabled(self._automatic.isChecked() and not self._read_only)
        self._minutes.setEnabled(self._idle.isChecked() and not self._read_only)
        self._minutes.setVisible(self._idle.isChecked())  # most never need it: keep the row short

    def _tell_automatic(self) -> None:
        self._enable()
        self.automaticChanged.emit(self._automatic.isChecked(), self._after.value())

    def _tell_idle(self) -> None:
        self._enable()
        self.idleChanged.emit(self._idle.isChecked(), self._minutes.value())


def _switch(name: str, words: str) -> CheckLine:
    switch = CheckLine(tr(words))
    switch.setObjectName(name)
    switch.setAccessibleName(tr(words))
    return switch


def _number(name: str, words: str, unit: str) -> CountBox:
    box = CountBox()
    box.setObjectName(name)
    box.setAccessibleName(tr(words))
    box.setToolTip(tr(words))
    box.setKeyboardTracking(False)
    box.setSuffix(tr(f"ui.learning.{unit}_suffix"))
    box.setFont(theme.font(theme.SMALL, tabular=True))
    box.lineEdit().setTextMargins(UNIT, 0, 0, 0)
    return box


def _show(switch: CheckLine, number: CountBox, on: bool, value: int) -> None:
    for widget in (switch, number):
        widget.blockSignals(True)
    switch.setChecked(on)
    number.setValue(value)
    for widget in (switch, number):
        widget.blockSignals(False)
