"""The bottom strip: which version serves, what it has not seen yet, and the round that learns it.

It is told of steps far more often than an eye can follow: it notes them all and draws at most 25
times a second. What a round ended in stays until the next one begins or another version serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from mmreview.domain.errors import Message
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.insight_line import InsightLine
from mmreview.ui.learning_curves import LearningCurves
from mmreview.ui.text_block import TextBlock
from mmreview.ui.text_line import TextButton, TextLine, ThinProgress
from mmreview.ui.theme import UNIT
from mmreview.ui.trigger_row import TriggerRow
from mmreview.ui.verdict import auroc, auroc_change, measured_on, verdict
from mmreview.ui.wording import fraction, percent

_DRAW_MS = 40
_SEARCH = "training.phase.searching"


class LearningPanel(QWidget):
    """The serving version, the running round and its outcome, and when the next one starts."""

    trainWanted = Signal()
    cancelWanted = Signal()
    versionsWanted = Signal()
    decisionWanted = Signal(int, bool)  # the version that waits, whether it may serve
    automaticChanged = Signal(bool, int)
    idleChanged = Signal(bool, int)
    collapsedChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("learningPanel")
        self.setAccessibleName(tr("ui.learning.title"))
        self._version: Version | None = None
        self._waiting: Version | None = None
        self._since = 0
        self._training = False
        self._read_only = False
        self._collapsed = False
        self._told_serving: int | None = None
        self._told_refused: int | None = None
        self._told = False
        self._step: TrainingStep | None = None
        self._searching = False
        self._began = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DRAW_MS)
        self._timer.timeout.connect(self._draw_step)
        self._make_widgets()
        self._lay_out()
        self._show_training(False)
        self.show_model(None, 0)

    def _make_widgets(self) -> None:
        self._serving = TextLine(role="muted", parent=self)
        self._serving.setObjectName("servingVersion")
        self._unseen = TextLine(size=theme.SMALL, role="muted", parent=self)
        self._unseen.setObjectName("correctionsSince")
        self._triggers = TriggerRow(self)
        self._triggers.automaticChanged.connect(self._on_automatic_changed)
        self._triggers.idleChanged.connect(self.idleChanged)
        self._headline = TextLine(parent=self)
        self._headline.setObjectName("learningHeadline")
        self._progress = ThinProgress(self)
        self._progress.setObjectName("learningProgress")
        self._progress.setAccessibleName(tr("ui.learning.progress"))
        self._detail = TextBlock(self)
        self._detail.setObjectName("learningDetail")
        self._curves = LearningCurves(self)
        self._curves.hide()
        self.insight = InsightLine(self)
        self._promote = self._button("promote", lambda: self._decide(True))
        self._refuse = self._button("refuse", lambda: self._decide(False))
        self._train = self._button("train", self.trainWanted.emit)
        self._cancel = self._button("cancel", self.cancelWanted.emit)
        self._versions = self._button("versions", self.versionsWanted.emit)
        widest = max(b.sizeHint().width() for b in (self._train, self._cancel))
        for button in (self._train, self._cancel):  # they stand in each other's place
            button.setMinimumWidth(widest)
        self._fold = TextButton(shape="down", role="muted")
        self._fold.setObjectName("learningCollapseButton")
        self._fold.clicked.connect(self._on_fold_clicked)

    def _button(self, name: str, on_clicked: Callable[[], Any]) -> QPushButton:
        button = QPushButton(tr(f"ui.learning.{name}"))
        button.setObjectName(f"{name}Button")
        button.setAccessibleName(button.text())
        button.setToolTip(tr(f"ui.learning.{name}_tip"))
        button.clicked.connect(lambda: on_clicked())
        return button

    def _lay_out(self) -> None:
        self._left, self._middle = QWidget(self), QWidget(self)
        left = _column(self._left, self._serving, self._unseen)
        left.addWidget(self._triggers)
        left.addStretch()
        middle = _column(self._middle, self._headline)
        middle.setSpacing(UNIT)
        middle.addWidget(self._progress)
        middle.addWidget(self._detail)
        middle.addStretch()
        layout = QHBoxLayout(self)
        layout.setSpacing(6 * UNIT)
        self._left.setMinimumWidth(60 * UNIT)
        layout.addWidget(self._left)
        layout.addWidget(self._middle, 1)
        layout.addWidget(self._curves)
        layout.addWidget(self.insight)
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * UNIT)
        for widget in (
            self._promote, self._refuse, self._train, self._cancel, self._versions, self._fold
        ):
            buttons.addWidget(widget)
        layout.addLayout(buttons)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.set_collapsed(False)

    # --- the serving version ----------------------------------------------------------------------

    def show_model(
        self, version: Version | None, corrections_since: int, labels_needed: int = 0
    ) -> None:
        """Show which version serves, None for none yet, and how much it has not seen.
        ``labels_needed`` is what a first version still lacks."""
        self._version, self._since = version, corrections_since
        self._show_serving()
        serves = version.id if version is not None else None
        stale = self._told_serving is not None and self._told_serving != serves
        stale = stale or (serves is not None and self._told_refused == serves)  # by hand
        if not self._training and (stale or not self._told):
            if version is None:
                code = "ui.learning.unassisted" if labels_needed else "ui.learning.ready"
                self._tell(tr(code, count=labels_needed), role="muted")
            else:
                self._tell_verdict(version, None)
            self._told = False

    def show_waiting(self, version: Version | None) -> None:
        """Show that a version waits for a reader's decision, and take it; None for none."""
        decided = self._waiting is not None and version is None
        self._waiting = version
        self._show_decision()
        self._draw_curves()
        if self._training:
            return
        if version is not None:
            self._tell_verdict(version, None)
        elif decided and self._version is not None and self._told_serving is None:
            self._tell_verdict(self._version, None)

    def _show_decision(self) -> None:
        """A round may bring a newer version: what waits is decided before or after it."""
        focused = self._promote.hasFocus() or self._refuse.hasFocus()
        for button in (self._promote, self._refuse):
            button.setVisible(self._waiting is not None and not self._training)
        if focused and self._promote.isHidden():
            (self._cancel if self._training else self._train).setFocus()

    def _decide(self, accept: bool) -> None:
        if self._waiting is not None:
            self.decisionWanted.emit(self._waiting.id, accept)

    def _show_serving(self) -> None:
        version = self._version
        if version is None:
            head, rest = tr("ui.learning.no_version"), ""
        else:
            head = tr("ui.learning.serving", version=version.id)
            measured = auroc(version)
            rest = f" · AUROC {fraction(measured, 3)}" if measured is not None else ""
        code = "ui.learning.since" if version is not None else "ui.learning.so_far"
        since = tr(code, count=self._since)
        if self._triggers.after is not None:
            since += " · " + tr("ui.learning.next", count=self._triggers.after)
        self._unseen.set_text(since)
        if self._collapsed:
            rest += f" · {since}"
        self._serving.set_text(head + rest, emphasis=len(head))

    def clear(self) -> None:
        """No project is open, or another one: nothing runs and nothing has ended yet."""
        self._curves.clear()
        self._end()
        self.insight.clear()
        self.show_waiting(None)
        self._told, self._told_serving, self._told_refused = False, None, None
        self.show_model(None, 0)

    def set_automatic(self, on: bool, after: int) -> None:
        """Show after how many corrections a round starts by itself."""
        self._triggers.set_automatic(on, after)
        self._show_serving()

    def set_idle(self, on: bool, minutes: int) -> None:
        """Show whether a round starts when nobody has read for so many minutes."""
        self._triggers.set_idle(on, minutes)

    def set_read_only(self, read_only: bool) -> None:
        """Nothing can be trained or decided in a project that another process writes."""
        self._read_only = read_only
        self._triggers.set_read_only(read_only)
        for button in (self._train, self._promote, self._refuse):
            button.setEnabled(not read_only)

    # --- the round --------------------------------------------------------------------------------

    def show_started(self, searching: bool = False) -> None:
        """A round waits for its turn or runs: it can be cancelled from now on. One that is
        ``searching`` looks for the best model before it trains."""
        if not self._training:
            self._begin()
            self._searching = searching
            self._tell(self._round_title(), role="text")

    def show_step(self, step: TrainingStep) -> None:
        """Note how far the round has come; drawn soon."""
        first = self._step is None
        if not self._training:
            self._begin()
        if self._step is not None and self._step.phase == _SEARCH != step.phase:
            self._searching = False  # it was found, and is trained
        self._step = step
        self._curves.add(step.iteration, loss=step.loss, held_out=step.held_out_loss)
        if first:
            self._draw_step()
        elif not self._timer.isActive():
            self._timer.start()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._step = None
        self._searching = False
        self._curves.clear()
        self._progress.setValue(0)
        self._show_training(True)

    def _draw_step(self) -> None:
        step = self._step
        if step is None or not self._training:
            return
        title = self._round_title()
        parts = [title, percent(min(1.0, step.fraction)), self._time_left(step.fraction)]
        self._tell(" · ".join(part for part in parts if part), role="text", emphasis=len(title))
        phase = "ui.learning.searching" if step.phase == _SEARCH else step.phase
        self._show_detail(tr(phase, **step.params))
        self._progress.setValue(round(1000 * min(1.0, step.fraction)))
        self._draw_curves()

    def _round_title(self) -> str:
        if self._searching:
            return tr(_SEARCH)
        number = self._step.params.get("version") if self._step is not None else None
        if number is None:
            return tr("ui.learning.training")
        return tr("ui.learning.training_version", version=number)

    def _draw_curves(self) -> None:
        drawn = self._training and not self._curves.is_empty
        room = not self._collapsed and (drawn or self._waiting is None)  # a decision needs it
        self._curves.setVisible(room and drawn)
        self.insight.setVisible(room and not drawn)
        if not self._curves.isHidden():
            self._curves.draw()

    def _time_left(self, done: float) -> str:
        elapsed = time.monotonic() - self._began
        if elapsed < 1.0 or not 0.05 <= done < 1.0:
            return ""
        seconds = max(1, round(elapsed * (1.0 - done) / done))
        if seconds < 90:
            return tr("ui.learning.seconds_left", seconds=seconds)
        return tr("ui.learning.minutes_left", minutes=round(seconds / 60))

    def show_finished(self, version: Version, parent: Version | None) -> None:
        """Say what the round ended in: the new version serves, or why it was refused."""
        self._end()
        self._tell_verdict(version, parent)

    def show_failed(self, problem: Message) -> None:
        """Say why the round could not end; too few labels is a fact and not a failure."""
        self._end()
        calm = problem.code == "error.too_few_labels"
        title = tr("ui.learning.too_few") if calm else tr("ui.learning.failed")
        self._tell(title, role="text" if calm else "bad")
        self._show_detail(tr(problem.code, **problem.params))
        self._told_serving = self._told_refused = None

    def show_cancelled(self) -> None:
        """The round was cancelled and nothing of it remains."""
        self._end()
        self._tell(tr("ui.learning.cancelled"), role="muted")
        self._told_serving = self._told_refused = None

    def show_interrupted(self) -> None:
        """The program ended in the middle of the last round."""
        if not self._training and self._waiting is None:
            self._tell(tr("ui.learning.interrupted"), role="text")
            self._show_detail(tr("round.interrupted"))
            self._told_serving = self._told_refused = None

    def _end(self) -> None:
        self._timer.stop()
        self._step = None
        self._show_training(False)
        self._draw_curves()

    def _show_training(self, training: bool) -> None:
        self._training = training
        focused = self._train.hasFocus() or self._cancel.hasFocus()
        self._train.setVisible(not training)
        self._cancel.setVisible(training)
        if focused:
            (self._cancel if training else self._train).setFocus()
        self._show_decision()
        self._progress.setVisible(training and not self._collapsed)

    def _tell_verdict(self, version: Version, parent: Version | None) -> None:
        gate = version.gate
        said = [verdict(version)] if gate.get("reason") else []
        said += [tr(each["code"], **each["params"]) for each in version.metrics.get("remarks", ())]
        sentence = "\n".join(said)
        if version.role is Role.CHALLENGER:
            title = tr("ui.learning.waits", version=version.id)
            numbers = auroc_change(version, parent)  # on what is said below: two buttons are wide
            text = f"{title}: {numbers}" if numbers else title
            self._tell(text, role="text", emphasis=len(title))
            self._show_detail(sentence)
            self._told_serving = self._told_refused = None
        elif version.role is Role.REFUSED:
            title = tr("ui.learning.refused", version=version.id)
            self._tell(f"{title} {measured_on(gate)}".strip(), role="bad")
            self._show_detail(sentence)
            self._told_serving, self._told_refused = None, version.id
        else:
            title = tr("ui.learning.serves", version=version.id)
            basis = "" if said else measured_on(gate)  # the sentence says it
            numbers = " ".join(p for p in (auroc_change(version, parent), basis) if p)
            text = f"{title}: {numbers}" if numbers else title
            self._tell(text, role="text", emphasis=len(title))
            self._show_detail(sentence)
            self._told_serving, self._told_refused = version.id, None

    def _tell(self, text: str, *, role: str, emphasis: int = 0) -> None:
        self._headline.set_text(text, role=role, emphasis=emphasis)
        self._show_detail("")
        self._told = True

    def _show_detail(self, text: str) -> None:
        self._detail.set_text(text)
        self._detail.setVisible(bool(text) and not self._collapsed)

    # --- folding ----------------------------------------------------------------------------------

    @property
    def is_collapsed(self) -> bool:
        """True while only one line is shown."""
        return self._collapsed

    def set_collapsed(self, collapsed: bool) -> None:
        """Fold to one line, or unfold."""
        changed = collapsed != self._collapsed
        self._collapsed = collapsed
        for widget in (self._unseen, self._triggers, self._versions):
            widget.setVisible(not collapsed)
        self._progress.setVisible(self._training and not collapsed)
        margin = 2 if collapsed else 2 * UNIT
        self.layout().setContentsMargins(3 * UNIT, margin, 2 * UNIT, margin)
        self._fold.set_shape("up" if collapsed else "down")
        words = tr("ui.learning.unfold") if collapsed else tr("ui.learning.fold")
        self._fold.setToolTip(words)
        self._fold.setAccessibleName(words)
        self._show_serving()
        self._draw_curves()
        self._show_detail(self._detail.text())
        if changed:
            self.collapsedChanged.emit(collapsed)

    def _on_fold_clicked(self) -> None:
        self.set_collapsed(not self._collapsed)

    def _on_automatic_changed(self, on: bool, after: int) -> None:
        self._show_serving()
        self.automaticChanged.emit(on, after)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground and the line above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().surface)
        painter.fillRect(0, 0, self.width(), 1, theme.current().line)
        painter.end()


def _column(host: QWidget, *widgets: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(host)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addStretch()
    for widget in widgets:
        layout.addWidget(widget)
    return layout
