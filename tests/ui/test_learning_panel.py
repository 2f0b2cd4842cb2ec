"""The learning strip: what serves, a round as it runs, and what it ended in."""

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QProgressBar, QSpinBox, QWidget

from mmreview.domain.errors import Message
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui.learning_panel import LearningPanel


def version(number, *, auroc=0.871, role=Role.CHAMPION, **gate):
    gate = {"reason": "", "params": {}, "basis": "audit", "cases": 40, **gate}
    return Version(
        number, "", role, number - 1, "", "", "pooling", 25, 99, {"auroc": {"fused": auroc}}, gate
    )


@pytest.fixture
def panel(qtbot):
    made = LearningPanel()
    qtbot.addWidget(made)
    made.resize(1280, 84)
    made.show()
    yield made
    made.close()


def said(panel, name) -> str:
    return panel.findChild(QWidget, name).accessibleName()


def button(panel, name) -> QAbstractButton:
    return panel.findChild(QAbstractButton, name)


def test_it_says_what_serves_and_what_it_has_not_seen(panel):
    assert said(panel, "servingVersion") == "No version yet"
    panel.set_automatic(True, 25)
    panel.show_model(version(7), 23)
    assert said(panel, "servingVersion") == "Version 7 serving · AUROC .871"
    assert said(panel, "correctionsSince") == "23 corrections since · trains after every 25"
    panel.set_automatic(False, 25)
    panel.show_model(version(7), 1)
    assert said(panel, "correctionsSince") == "1 correction since"


def test_train_and_cancel_stand_in_each_others_place(panel, qtbot):
    wanted = []
    panel.trainWanted.connect(lambda: wanted.append("train"))
    panel.cancelWanted.connect(lambda: wanted.append("cancel"))
    panel.versionsWanted.connect(lambda: wanted.append("versions"))
    assert not button(panel, "cancelButton").isVisible()
    qtbot.mouseClick(button(panel, "trainButton"), Qt.MouseButton.LeftButton)
    panel.show_started()
    assert not button(panel, "trainButton").isVisible()
    qtbot.mouseClick(button(panel, "cancelButton"), Qt.MouseButton.LeftButton)
    panel.show_cancelled()
    qtbot.mouseClick(button(panel, "versionsButton"), Qt.MouseButton.LeftButton)
    assert wanted == ["train", "cancel", "versions"]
    assert button(panel, "trainButton").isVisible()
    assert said(panel, "learningHeadline") == tr("ui.learning.cancelled")


def test_steps_move_the_bar_and_draw_the_curves(panel, qtbot):
    panel.show_started()
    panel.show_step(TrainingStep("training.phase.snapshot", 0.0))
    curves = panel.findChild(QWidget, "learningCurves")
    assert not curves.isVisible()
    for step in range(1, 2001):
        panel.show_step(
            TrainingStep("training.phase.saving", step / 4000, step, 1 / step, 1 / step + 0.1)
        )
    progress = panel.findChild(QProgressBar, "learningProgress")
    qtbot.waitUntil(lambda: progress.value() == 500)
    assert "50 %" in said(panel, "learningHeadline")
    assert curves.isVisible()
    plot = panel.findChild(QWidget, "learningPlot")
    assert plot is not None and plot.isVisible()
    x, y = plot.getPlotItem().listDataItems()[1].getData()
    assert x[-1] > 1900 and y[0] == pytest.approx(1.1)
    panel.show_finished(version(8), version(7))
    assert not progress.isVisible()


def test_a_version_that_serves_says_before_and_after(panel):
    panel.show_finished(version(8, auroc=0.871, auroc_difference=0.005), version(7, auroc=0.8))
    assert said(panel, "learningHeadline") == (
        "Version 8 serves: AUROC .866 → .871 on 40 audit cases"
    )
    panel.show_finished(version(9, auroc=0.9, basis="cross_validation"), version(8, auroc=0.871))
    assert said(panel, "learningHeadline") == (
        "Version 9 serves: AUROC .871 → .900 in cross-validation over 40 cases"
    )
    panel.show_finished(version(1, auroc=0.75, cases=0), None)
    assert said(panel, "learningHeadline") == "Version 1 serves: AUROC .750"


def test_a_refused_version_says_why(panel, dark):
    refused = version(8, role=Role.REFUSED, reason="error.weight_invalid", params={"value": "x"})
    panel.show_finished(refused, version(7))
    assert said(panel, "learningHeadline") == "Version 8 refused on 40 audit cases"
    assert said(panel, "learningDetail") == tr("error.weight_invalid", value="x")
    panel.show_model(version(7), 0)
    assert "refused" in said(panel, "learningHeadline"), "it stays until there is news"


def test_a_refused_version_that_a_person_lets_serve_is_not_said_to_be_refused(panel):
    gate = {
        "reason": "gate.worse.audit", "accepted": False,
        "params": {"count": 40, "difference": "+0.1", "lower": "+0.0", "upper": "+0.2"},
    }
    panel.show_finished(version(8, role=Role.REFUSED, **gate), version(7))
    panel.show_model(version(8, **gate), 0)
    assert said(panel, "learningHeadline").startswith("Version 8 serves")
    assert "by a person's decision" in said(panel, "learningDetail")


def test_a_search_is_called_a_search_until_what_it_found_is_trained(panel, qtbot):
    panel.show_started(True)
    assert said(panel, "learningHeadline") == "Looking for the best model"
    panel.show_step(TrainingStep("training.phase.reading", 0.05))
    panel.show_step(TrainingStep("training.phase.searching", 0.2))
    qtbot.waitUntil(lambda: "20 %" in said(panel, "learningHeadline"))
    assert said(panel, "learningHeadline").startswith("Looking for the best model")
    assert said(panel, "learningDetail") == tr("ui.learning.searching")
    panel.show_step(TrainingStep("training.phase.measuring", 0.95))
    qtbot.waitUntil(lambda: said(panel, "learningHeadline").startswith("Training"))
    panel.show_finished(version(8), version(7))
    panel.show_started()
    assert said(panel, "learningHeadline") == "Training"


def test_after_a_rollback_no_other_version_is_said_to_serve(panel):
    panel.show_finished(version(8), version(7))
    panel.show_model(version(8), 0)
    panel.show_model(version(7, auroc=0.86), 3)
    assert said(panel, "learningHeadline").startswith("Version 7 serves")


def test_too_few_labels_says_how_many_more(panel, dark):
    panel.show_started()
    panel.show_failed(Message("error.too_few_labels", {"needed": 4, "count": 4}))
    assert said(panel, "learningHeadline") == "Not enough labels yet"
    assert said(panel, "learningDetail") == tr("error.too_few_labels", needed=4, count=4)
    panel.show_failed(Message("error.write_failed", {"detail": "disk full"}))
    assert said(panel, "learningHeadline") == "The round failed"


def test_when_it_trains_by_itself_is_chosen_here(panel, qtbot):
    changed = []
    panel.automaticChanged.connect(lambda *what: changed.append(what))
    panel.set_automatic(False, 25)
    assert changed == [], "being told is not a wish"
    after = panel.findChild(QSpinBox, "automaticAfter")
    assert not after.isEnabled()
    qtbot.mouseClick(panel.findChild(QCheckBox, "automaticTraining"), Qt.MouseButton.LeftButton)
    qtbot.keyClick(after, Qt.Key.Key_Up)
    assert changed == [(True, 25), (True, 26)]


def test_it_folds_to_one_line(panel, qtbot):
    folded = []
    panel.collapsedChanged.connect(folded.append)
    panel.show_model(version(7), 23)
    assert 60 <= panel.sizeHint().height() <= 96
    qtbot.mouseClick(button(panel, "learningCollapseButton"), Qt.MouseButton.LeftButton)
    assert folded == [True] and panel.is_collapsed
    qtbot.waitUntil(lambda: panel.sizeHint().height() <= 32)
    assert said(panel, "servingVersion") == "Version 7 serving · AUROC .871 · 23 corrections since"
    panel.show_step(TrainingStep("training.phase.saving", 0.5, 1, 0.4, 0.5))
    assert panel.sizeHint().height() <= 32
    assert "50 %" in said(panel, "learningHeadline")
    panel.set_collapsed(False)
    assert panel.findChild(QWidget, "learningCurves").isVisible()


def test_a_read_only_project_is_not_trained(panel):
    panel.set_read_only(True)
    assert not button(panel, "trainButton").isEnabled()
    assert not panel.findChild(QCheckBox, "automaticTraining").isEnabled()
    panel.set_read_only(False)
    assert button(panel, "trainButton").isEnabled()


def test_the_plotting_library_waits_for_the_first_curve():
    code = (
        "import sys, mmreview.ui.learning_panel, mmreview.ui.findings.panel, mmreview.ui.status_bar"
        "\nprint(sorted({'pyqtgraph', 'numpy', 'torch'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
