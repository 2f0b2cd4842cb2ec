"""How far a round has come, in a dialog: what it does, elapsed and remaining time, and cancel."""

from __future__ import annotations

import time

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from mmreview.domain.progress import TrainingStep
from mmreview.translation import tr
from mmreview.ui.dialogs.dialog import note
from mmreview.ui.text_line import TextLine, ThinProgress
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent


class RunStrip(QWidget):
    """Hidden until a round begins; what it ended in stays until the next one."""

    cancelWanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("runStrip")
        self._said = TextLine(parent=self)
        self._said.setObjectName("runStep")
        self._ended = note("", self)
        self._ended.setObjectName("runSaid")
        self._bar = ThinProgress(self)
        self._bar.setObjectName("runProgress")
        self._bar.setAccessibleName(tr("ui.model.run.progress"))
        self._cancel = QPushButton(tr("ui.learning.cancel"), self)
        self._cancel.setObjectName("cancelRunButton")
        self._cancel.setAccessibleName(tr("ui.learning.cancel"))
        self._cancel.setToolTip(tr("ui.learning.cancel_tip"))
        self._cancel.setAutoDefault(False)
        self._cancel.clicked.connect(self.cancelWanted)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(3 * UNIT)
        layout.setVerticalSpacing(UNIT)
        layout.addWidget(self._said, 0, 0)
        layout.addWidget(self._ended, 0, 0)
        layout.addWidget(self._bar, 1, 0)
        layout.addWidget(self._cancel, 0, 1, 2, 1)
        layout.setColumnStretch(0, 1)
        self.hide()

    def show_step(self, step: TrainingStep | None, began: float) -> None:
        """A round that began at ``began`` (monotonic seconds) is at ``step``, or waits."""
        self.show()
        self._show_running(True)
        if step is None:
            self._bar.setValue(0)
            self._said.set_text(tr("ui.model.run.waiting"), role="muted")
            return
        share = min(1.0, step.fraction)
        elapsed = max(0.0, time.monotonic() - began)
        title = tr(step.phase, **step.params)
        parts = [title, percent(share), tr("ui.model.run.elapsed", time=_duration(elapsed))]
        if elapsed >= 1.0 and 0.02 <= share < 1.0:
            left = elapsed * (1.0 - share) / share
            parts.append(tr("ui.model.run.left", time=_duration(left)))
        self._said.set_text(" · ".join(parts), role="muted", emphasis=len(title))
        self._bar.setValue(round(1000 * share))

    def show_end(self, said: str, *, bad: bool = False) -> None:
        """A round is over."""
        self.show()
        self._show_running(False)
        self._ended.setText(said)
        self._ended.setAccessibleName(said)
        self._ended.setProperty("bad", bad)
        self._ended.style().polish(self._ended)

    def _show_running(self, running: bool) -> None:
        for widget in (self._said, self._bar, self._cancel):
            widget.setVisible(running)
        self._ended.setVisible(not running)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return tr("ui.model.run.seconds", count=max(1, round(seconds)))
    return tr("ui.model.run.minutes", count=round(seconds / 60))
