"""Planning the labelling: what is simulated, how far that is, and the label-saving curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from mmreview.domain.errors import Message
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.domain.simulations import RANDOM, Simulation, SimulationOptions
from mmreview.translation import tr
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.model.run_strip import RunStrip
from mmreview.ui.model.saving_plot import SavingPlot
from mmreview.ui.theme import UNIT

#: Name, least, most, and what is proposed.
_NUMBERS = (
    ("seeds", 1, 26, 5), ("noise", 0, 50, 5), ("batch", 1, 500, 20), ("budget", 10, 100_000, 400),
)
_DEFAULT = "hybrid"


class PlanningDialog(Dialog):
    """Asks what to simulate and shows what came out. Closing it cancels what runs."""

    simulationWanted = Signal(object)  # SimulationOptions
    cancelWanted = Signal()

    def __init__(
        self, parent: QWidget | None, *, policies: Sequence[str], project: str, synthetic: bool
    ) -> None:
        super().__init__(
            parent, name="planningDialog", title=tr("ui.planning.title"),
            hint=tr("ui.planning.hint"),
        )
        self._project, self._synthetic = project, synthetic
        self._running = False
        self._make_fields([name for name in policies if name != RANDOM])
        self._empty = note(tr("ui.planning.empty"), self)
        self._plot = SavingPlot(self)
        self._plot.hide()
        self.body.addWidget(self._empty)
        self.body.addWidget(self._plot, 1)
        self.body.addStretch()
        self._strip = RunStrip(self)
        self._strip.cancelWanted.connect(self.cancelWanted)
        self.body.addWidget(self._strip)
        self._start = self.button("simulateButton", tr("ui.planning.start"), primary=True)
        self._start.clicked.connect(self._on_start_clicked)
        self._save = self.button("savePictureButton", tr("ui.planning.save"))
        self._save.clicked.connect(self._on_save_clicked)
        self._save.setEnabled(False)
        close = self.button("closeButton", tr("ui.dialog.close"))
        close.clicked.connect(self.accept)
        self.add_buttons(close, self._start, aside=(self._save,))
        self.finished.connect(self.cancelWanted)
        self.resize(264 * UNIT, 168 * UNIT)

    def _make_fields(self, policies: Sequence[str]) -> None:
        self._policy = ChoiceField(self)
        self._policy.setObjectName("planningPolicy")
        for name in policies:
            self._policy.addItem(name, name)
        self._policy.setCurrentIndex(max(0, self._policy.findData(_DEFAULT)))
        self._policy.setMinimumWidth(36 * UNIT)
        self._numbers: dict[str, QSpinBox] = {}
        row = QHBoxLayout()
        row.setSpacing(4 * UNIT)
        row.addLayout(_labelled("policy", self._policy, self))
        for name, least, most, proposed in _NUMBERS:
            box = QSpinBox(self)
            box.setObjectName(f"planning.{name}")
            box.setRange(least, most)
            box.setValue(proposed)
            box.setStyleSheet("QSpinBox { min-height: 21px; }")  # as high as a choice
            box.setMinimumWidth(24 * UNIT)
            box.lineEdit().setTextMargins(UNIT, 0, UNIT, 0)
            self._numbers[name] = box
            row.addLayout(_labelled(name, box, self))
        self._numbers["noise"].setSuffix(" %")
        row.addStretch(1)
        self.body.addLayout(row)

    @property
    def options(self) -> SimulationOptions:
        """What is chosen."""
        chosen = {name: box.value() for name, box in self._numbers.items()}
        return SimulationOptions(
            (str(self._policy.currentData()),), seeds=chosen["seeds"],
            noise=chosen["noise"] / 100, batch=chosen["batch"], budget=chosen["budget"],
        )

    # --- what runs --------------------------------------------------------------------------------

    def show_step(self, step: Progress | None, began: float) -> None:
        """It began at ``began`` (monotonic seconds) and is at ``step``, or waits for its turn."""
        self._show_running(True)
        share = step.done / step.total if step is not None and step.total else 0.0
        self._strip.show_step(None if step is None else TrainingStep(step.stage, share), began)

    def show_found(self, found: Simulation) -> None:
        """Draw what came out."""
        self._show_running(False)
        self._strip.hide()
        self._empty.hide()
        self._plot.show_simulation(found, project=self._project, synthetic=self._synthetic)
        self._plot.show()
        self._save.setEnabled(True)

    def show_failed(self, problem: Message) -> None:
        """Say why there is nothing."""
        self._show_running(False)
        self._strip.show_end(tr(problem.code, **problem.params), bad=True)

    def show_cancelled(self) -> None:
        """It was stopped."""
        self._show_running(False)
        self._strip.show_end(tr("ui.planning.cancelled"))

    def _show_running(self, running: bool) -> None:
        self._running = running
        for widget in (self._start, self._policy, *self._numbers.values()):
            widget.setEnabled(not running)
        self._empty.setHidden(running or not self._plot.isHidden())

    def _on_start_clicked(self) -> None:
        if not self._running:
            self.simulationWanted.emit(self.options)

    def _on_save_clicked(self) -> None:
        name = f"{self._project}-label-saving.png"
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("ui.planning.save"), str(Path.home() / name), "PNG (*.png)"
        )
        if chosen and not self._plot.picture().save(chosen, "PNG"):
            self._strip.show_end(tr("ui.planning.not_saved", path=chosen), bad=True)


def _labelled(name: str, field: QWidget, parent: QWidget) -> QVBoxLayout:
    """A field under its name."""
    label = QLabel(tr(f"ui.planning.{name}"), parent)
    label.setProperty("muted", True)
    label.setBuddy(field)
    field.setAccessibleName(label.text())
    field.setToolTip(tr(f"ui.planning.{name}.tip"))
    column = QVBoxLayout()
    column.setSpacing(UNIT)
    column.addWidget(label)
    column.addWidget(field)
    return column
