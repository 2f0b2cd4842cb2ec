"""Planning in a real window: a simulation in the learning lane, its picture, and cancel."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton, QSpinBox, QWidget

from mmreview.tasks.task import Lane, TaskState
from tests.ui.test_saving_plot import simulation


@pytest.fixture
def wishes(window, monkeypatch):
    """What was asked of the service, which answers at once."""
    asked = []

    def run(self, options, *, keep=None):
        from mmreview.domain.progress import Progress

        asked.append(options)
        yield Progress("progress.simulate", 1, 2)
        return simulation()

    monkeypatch.setattr(type(window.session.desk.simulating), "run", run)
    return asked


def open_dialog(window):
    window.acts.actions["plan_labelling"].trigger()
    [dialog] = [d for d in window.findChildren(QWidget, "planningDialog") if d.isVisible()]
    return dialog


def press(dialog, name):
    QTest.mouseClick(dialog.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_what_is_chosen_is_simulated_and_drawn(window, wishes, tmp_path, monkeypatch):
    dialog = open_dialog(window)
    assert not dialog.findChild(QPushButton, "savePictureButton").isEnabled()
    dialog.findChild(QSpinBox, "planning.noise").setValue(10)
    press(dialog, "simulateButton")
    [options] = wishes
    assert options.policies == ("hybrid",)
    assert options.noise == pytest.approx(0.1)
    plot = dialog.findChild(QWidget, "savingPlot")
    assert plot.isVisible()
    assert "hybrid" in plot.accessibleName()
    out = tmp_path / "picture.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    press(dialog, "savePictureButton")
    assert QImage(str(out)).width() == 2080
    dialog.close()


def test_closing_cancels_what_runs(window, wishes):
    window.runner.held = True
    dialog = open_dialog(window)
    press(dialog, "simulateButton")
    assert not dialog.findChild(QPushButton, "simulateButton").isEnabled()
    [task] = [t for t in window.runner.tasks if t.lane is Lane.LEARNING]
    dialog.close()
    window.runner.run_all()
    assert task.state is TaskState.CANCELLED
    assert not wishes


def test_why_nothing_was_simulated_is_said(window):
    dialog = open_dialog(window)
    press(dialog, "simulateButton")  # nothing is labelled in this project
    said = dialog.findChild(QWidget, "runSaid")
    assert "too few to replay" in said.text()
    assert dialog.findChild(QPushButton, "simulateButton").isEnabled()
    dialog.close()
