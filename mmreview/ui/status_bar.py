"""The window's last line: whether everything is saved, the device, the version, what runs behind.

The saved mark tells the truth: it says ``Saved`` only for what is durable, and a failure stays
there in words, with the way to try again, until it is mended.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QWidget

from mmreview.domain.progress import Progress, TrainingStep
from mmreview.tasks.task import Task
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.text_line import Chip, TextButton, TextLine, ThinProgress
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import clock, percent


class SavedIndicator(QWidget):
    """A dot and a sentence: green and full when saved, hollow while saving, red when it failed.
    The words say it too, never the colour alone."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("savedIndicator")
        self._font = theme.font(theme.SMALL, tabular=True)
        self._metrics = QFontMetricsF(self._font)
        self._text = ""
        self._role = "muted"
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.show_text(tr("ui.status.nothing"), "muted")

    def text(self) -> str:
        """What it says."""
        return self._text

    def show_text(self, text: str, role: str) -> None:
        """Say something: ``good`` is saved, ``muted`` on its way, ``bad`` failed."""
        if (text, role) == (self._text, self._role):
            return
        before = self.sizeHint()
        self._text, self._role = text, role
        self.setAccessibleName(text)
        self.setToolTip(text)
        if self.sizeHint() != before:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Dot and sentence; never narrower than ``Saved 12:04:31``, so that what stands beside it
        keeps its place through every save."""
        usual = tr("ui.status.saved_at", time="00:00:00")
        widest = max(self._metrics.horizontalAdvance(text) for text in (usual, self._text))
        width = 4 * UNIT + math.ceil(widest) + 1
        return QSize(width, math.ceil(self._metrics.height()))

    def minimumSizeHint(self) -> QSize:
        """The dot at least; the sentence is elided."""
        return QSize(4 * UNIT, self.sizeHint().height())

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw dot and sentence."""
        colours = theme.current()
        colour = getattr(colours, self._role)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colour)
        saving = self._role == "muted"
        painter.setBrush(Qt.BrushStyle.NoBrush if saving else colour)
        painter.drawEllipse(QRectF(1, self.height() / 2 - 3.5, 7, 7))
        box = QRectF(self.rect()).adjusted(3.5 * UNIT, 0, 0, 0)
        painter.setFont(self._font)
        text = self._metrics.elidedText(self._text, Qt.TextElideMode.ElideRight, box.width() + 1)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, flags, text)
        painter.end()


class StatusBar(QWidget):
    """The strip at the bottom of the window."""

    retryWanted = Signal()
    cancelWanted = Signal(object)  # Task

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusBar")
        self.setAccessibleName(tr("ui.status.title"))
        self._tasks: list[Task] = []
        self._saved = SavedIndicator(self)
        self._retry = TextButton(tr("ui.status.retry"))
        self._retry.setObjectName("retryButton")
        self._retry.setAccessibleName(tr("ui.status.retry"))
        self._retry.setToolTip(tr("ui.status.retry_tip"))
        self._retry.clicked.connect(lambda: self.retryWanted.emit())
        self._retry.hide()
        self._read_only = self._line("readOnlyStatus", role="conflict")
        self._device = self._line("deviceStatus")
        self._version = self._line("versionStatus")
        self._task = self._line("taskStatus", role="text")
        self._share = ThinProgress(self)
        self._share.setObjectName("taskProgress")
        self._share.setFixedWidth(20 * UNIT)
        self._cancel = TextButton(shape="close", role="muted")
        self._cancel.setObjectName("taskCancelButton")
        self._cancel.clicked.connect(self._on_cancel_clicked)
        self._many = TextButton()
        self._many.setObjectName("tasksButton")
        self._many.clicked.connect(self._on_many_clicked)
        self._synthetic = Chip(tr("ui.status.synthetic"), role="text", parent=self)
        self._synthetic.setObjectName("syntheticBadge")
        self._synthetic.setToolTip(tr("ui.status.synthetic_tip"))
        self._purpose = self._line("purposeStatus")
        self._purpose.set_text(tr("ui.status.purpose"))
        self._lay_out()
        self._show_tasks()
        self.show_version(None)
        self.set_synthetic(False)
        self.set_read_only("")

    def _line(self, name: str, *, role: str = "muted") -> TextLine:
        line = TextLine(size=theme.SMALL, role=role, parent=self)
        line.setObjectName(name)
        return line

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2, 3 * UNIT, 2)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._saved)
        layout.addWidget(self._retry)
        layout.addWidget(self._read_only)
        for widget in (self._device, self._version):
            layout.addSpacing(2 * UNIT)
            layout.addWidget(widget)
        layout.addSpacing(2 * UNIT)
        for widget in (self._many, self._task, self._share, self._cancel):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self._synthetic)
        layout.addSpacing(UNIT)
        layout.addWidget(self._purpose)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """One quiet line, whatever stands in it."""
        return QSize(super().sizeHint().width(), max(6 * UNIT, self._retry.sizeHint().height() + 4))

    def minimumSizeHint(self) -> QSize:
        """Texts are elided before the window grows."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())

    # --- saved? -----------------------------------------------------------------------------------

    def show_saved(self, at: str) -> None:
        """All is durable, since ``at`` (UTC, ISO 8601; empty where nothing was to be saved)."""
        text = tr("ui.status.saved_at", time=clock(at)) if at else tr("ui.status.saved")
        self._saved.show_text(text, "good")
        self._retry.hide()

    def show_saving(self, count: int) -> None:
        """So many acts are on their way."""
        text = tr("ui.status.saving")
        if count > 1:
            text = tr("ui.status.saving_many", count=count)
        self._saved.show_text(text, "muted")
        self._retry.hide()

    def show_failed(self, text: str, count: int) -> None:
        """So many acts are not durable, because of ``text``; they are kept."""
        sentence = tr("ui.status.failed", problem=text)
        if count > 1:
            sentence = tr("ui.status.failed_many", count=count, problem=text)
        self._saved.show_text(sentence, "bad")
        self._retry.show()

    def set_read_only(self, text: str) -> None:
        """Say that nothing is saved here and why; empty for a project that can be written."""
        self._read_only.set_text(text)
        self._read_only.setVisible(bool(text))
        self._saved.setVisible(not text)
        if text:
            self._retry.hide()

    def clear(self) -> None:
        """No project is open: nothing to save, no version."""
        self._saved.show_text(tr("ui.status.nothing"), "muted")
        self._retry.hide()
        self.set_read_only("")
        self.set_synthetic(False)
        self.show_version(None)

    # --- what it runs on --------------------------------------------------------------------------

    def show_device(self, text: str) -> None:
        """Say what the model runs on."""
        self._device.set_text(text)

    def show_version(self, version: int | None) -> None:
        """Say which version serves."""
        if version is None:
            self._version.set_text(tr("ui.status.no_version"))
        else:
            self._version.set_text(tr("ui.status.version", version=version))

    def set_synthetic(self, synthetic: bool) -> None:
        """Mark a project whose cases no patient is behind."""
        self._synthetic.setVisible(synthetic)

    # --- what runs behind -------------------------------------------------------------------------

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is shown as running, oldest first."""
        return tuple(self._tasks)

    def show_task(self, task: Task) -> None:
        """Show a task that runs, or how far it has come."""
        known = task in self._tasks
        if not known:
            self._tasks.append(task)
        if known and len(self._tasks) == 1:
            self._show_step(task)
        else:
            self._show_tasks()

    def end_task(self, task: Task) -> None:
        """A task is over."""
        if task in self._tasks:
            self._tasks.remove(task)
            self._show_tasks()

    def _show_tasks(self) -> None:
        one, many = len(self._tasks) == 1, len(self._tasks) > 1
        for widget in (self._task, self._share, self._cancel):
            widget.setVisible(one)
        self._many.setVisible(many)
        if one:
            self._show_step(self._tasks[0])
        elif many:
            text = tr("ui.status.tasks", count=len(self._tasks))
            if text != self._many.text():
                self._many.setText(text)
                self._many.setAccessibleName(text)
                self._many.updateGeometry()
            self._many.setToolTip("\n".join(_progress_text(task) for task in self._tasks))

    def _show_step(self, task: Task) -> None:
        words = tr("ui.status.cancel", task=tr(task.name))
        self._task.set_text(_progress_text(task))
        share = _progress_share(task)
        self._share.setVisible(share is not None)
        if share is not None:
            self._share.setValue(round(1000 * share))
        if self._cancel.toolTip() != words:
            self._cancel.setToolTip(words)
            self._cancel.setAccessibleName(words)
            self._share.setAccessibleName(tr(task.name))

    def _on_cancel_clicked(self) -> None:
        if self._tasks:
            self.cancelWanted.emit(self._tasks[0])

    def _on_many_clicked(self) -> None:
        self.task_menu().popup(self._many.mapToGlobal(self._many.rect().topLeft()))

    def task_menu(self) -> QMenu:
        """One entry a task, which cancels it; the menu goes when it is closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for task in self._tasks:
            action = menu.addAction(tr("ui.status.cancel", task=_progress_text(task)))
            action.triggered.connect(lambda _=False, task=task: self.cancelWanted.emit(task))
        return menu

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground and the line above."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().background)
        painter.fillRect(0, 0, self.width(), 1, theme.current().line)
        painter.end()


def _progress_share(task: Task) -> float | None:
    """How much is done, 0 to 1; None while that is unknown."""
    step = task.step
    if isinstance(step, Progress) and step.total > 0:
        return min(1.0, step.done / step.total)
    if isinstance(step, TrainingStep):
        return min(1.0, step.fraction)
    return None


def _progress_text(task: Task) -> str:
    """The task's name and how far it has come."""
    name, step = tr(task.name), task.step
    if isinstance(step, Progress) and step.total > 0:
        return tr("ui.status.task_of", task=name, done=step.done, total=step.total)
    if isinstance(step, TrainingStep):
        return tr("ui.status.task_share", task=name, share=percent(step.fraction))
    return name
