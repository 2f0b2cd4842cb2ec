"""The Model page in a real window: a search runs in the learning lane, one at a time, and leaves
nothing behind when the window closes."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QTableWidget, QWidget

from mmreview.domain.errors import MmreviewError
from mmreview.services.learning import AUTO
from mmreview.tasks.task import Lane


@pytest.fixture
def asked(opener):
    """The fusion of each round that was asked for."""
    fusions, real = [], opener.trainer.train

    def train(request):
        fusions.append(request.fusion)
        return real(request)

    opener.trainer.train = train
    return fusions


def open_page(window):
    window.acts.actions["search_model"].trigger()
    [dialog] = [d for d in window.findChildren(QWidget, "modelDialog") if d.isVisible()]
    return dialog


def press(dialog, name):
    QTest.mouseClick(dialog.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_a_search_makes_a_version_that_passes_the_gate(window, asked):
    before = len(window.session.desk.learning.versions())
    dialog = open_page(window)
    press(dialog, "searchButton")
    assert asked == [AUTO]
    assert len(window.session.desk.learning.versions()) == before + 1
    said = dialog.findChild(QWidget, "runSaid").accessibleName()
    assert said.startswith("Version 2 serves.")
    table = dialog.findChild(QTableWidget, "fusionsTable")
    assert [table.item(row, 0).text() for row in range(table.rowCount())] == [
        "automatic", "mixture", "soft", "pooling · serves",
    ]
    dialog.close()


def test_two_rounds_at_once_are_impossible_and_closing_the_page_lets_it_go_on(window, asked):
    window.runner.held = True
    dialog = open_page(window)
    window.runner.run_all()
    press(dialog, "searchButton")
    assert not dialog.findChild(QPushButton, "searchButton").isEnabled()
    window.session.training.train()
    window.session.training.train_with("soft")
    waiting = [task for task in window.runner.tasks if task.lane is Lane.LEARNING]
    assert len(waiting) == 1
    dialog.close()
    again = open_page(window)
    assert not again.findChild(QPushButton, "searchButton").isEnabled()
    press(again, "cancelRunButton")
    window.runner.run_all()
    assert asked == []
    assert again.findChild(QPushButton, "searchButton").isEnabled()
    assert "Cancelled" in again.findChild(QWidget, "runSaid").accessibleName()
    again.close()


def test_closing_the_window_drops_a_search(window, asked, qtbot):
    window.runner.held = True
    dialog = open_page(window)
    press(dialog, "searchButton")
    before = len(window.session.desk.learning.versions())
    folder = window.session.desk.info.folder
    dialog.close()
    window.close()
    window.runner.held = False
    window.runner.run_all()
    qtbot.waitUntil(lambda: window.is_closed)
    assert asked == []
    assert len(list((folder / "versions").iterdir())) == before


def test_the_learning_curve_is_measured_when_asked_and_kept(window):
    dialog = open_page(window)
    dialog.show_page("curve")
    plot = dialog.findChild(QWidget, "curvePlot")
    assert not plot.isVisible()
    press(dialog, "measureCurveButton")
    assert plot.isVisible()
    assert plot.accessibleName() == "AUROC by number of labels; with all of them: Fused .800"
    assert dialog.grab().toImage().width() > 0
    dialog.close()
    again = open_page(window)
    again.show_page("curve")
    assert again.findChild(QWidget, "curvePlot").isVisible()
    again.close()


def test_what_a_fusion_reads_and_nobody_has_encoded_is_encoded_first(window, opener, monkeypatch):
    """A window cannot send its reader to the command line, which the open project would refuse."""
    features, real = opener.features, opener.trainer.train
    prepared = []

    def prepare(fusion):
        prepared.append(fusion)
        features.encoded = set()

    def train(request):
        if features.encoded is None or len(features.encoded) < 6:
            raise MmreviewError("error.parts_missing", fusion=request.fusion, count=6)
        return (yield from real(request))

    monkeypatch.setattr(opener.trainer, "prepare", prepare, raising=False)
    monkeypatch.setattr(opener.trainer, "train", train)
    steps = []
    window.session.training.stepped.connect(steps.append)
    window.session.training.train_with("soft")
    assert prepared == ["soft"] and len(features.encoded) == 6
    phases = [step.phase for step in steps]
    assert phases.index("training.phase.encoding") < phases.index("training.phase.fitting")
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(window.session.desk.learning.versions()) == 2


def test_keys_go_from_the_sections_to_their_page(window):
    dialog = open_page(window)
    dialog.show_page("measures")
    dialog.findChild(QWidget, "modelSections").setFocus()
    names = []
    for _ in range(2):
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
        names.append(dialog.focusWidget().objectName())
    dialog.close()
    assert names == ["modelFinding", "modelTable"]
