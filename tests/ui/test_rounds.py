"""Rounds in the window: when they start by themselves, a version that waits, one cut off by a kill.
"""

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from mmreview.domain.findings import State
from mmreview.domain.ports import TrainingResult
from mmreview.domain.reads import Correction
from mmreview.domain.versions import Outcome
from mmreview.tasks.task import Lane
from mmreview.translation import tr
from mmreview.ui.idle import IdleWatch
from tests.fakes import FakeOpener, FakeTrainer, make_project


class AskingTrainer(FakeTrainer):
    """Leaves the decision to a reader where the version has a parent."""

    def train(self, request):
        result = yield from super().train(request)
        outcome = Outcome.WAITING if request.parent is not None else None
        gate = replace(result.gate, outcome=outcome, reason="gate.first")
        return TrainingResult(result.sha256, result.fusion, result.metrics, gate)


def child(window, name):
    [found] = window.page.learning.findChildren(QWidget, name)
    return found


def click(window, name):
    QTest.mouseClick(child(window, name), Qt.MouseButton.LeftButton)


def said(window, name="learningHeadline"):
    return child(window, name).accessibleName()


def roles(window):
    return {v.id: str(v.role) for v in window.session.desk.learning.versions()}


def signed(window):
    event = list(window.session.desk.events.events())[-1]
    return event.kind, event.actor


@pytest.fixture
def asking(window, opener):
    opener.trainer.__class__ = AskingTrainer
    click(window, "trainButton")
    return window


def test_a_version_that_waits_is_shown_and_does_not_serve(asking):
    assert roles(asking) == {1: "champion", 2: "challenger"}
    assert said(asking).startswith(tr("ui.learning.waits", version=2))
    assert asking.session.desk.predicting.serving().version == 1
    headline = child(asking, "learningHeadline")
    asking.resize(1280, 720)
    asking.page.learning.set_idle(True, 5)
    QApplication.processEvents()
    assert headline.sizeHint().width() <= headline.width(), "nothing of it is cut off"
    for name in ("promoteButton", "refuseButton"):
        assert child(asking, name).isVisible()
        assert child(asking, name).accessibleName()


def test_promoting_it_serves_it_and_signs(asking):
    click(asking, "promoteButton")
    assert signed(asking) == ("version_promoted", "Ada")
    assert roles(asking) == {1: "retired", 2: "champion"}
    assert asking.page._view.prediction.version == 2
    assert said(asking).startswith(tr("ui.learning.serves", version=2))
    assert not child(asking, "promoteButton").isVisible()


def test_refusing_it_signs_and_the_serving_one_goes_on(asking):
    child(asking, "refuseButton").setFocus()
    QTest.keyClick(child(asking, "refuseButton"), Qt.Key.Key_Space)
    assert signed(asking) == ("version_refused", "Ada")
    assert roles(asking) == {1: "champion", 2: "refused"}
    assert said(asking).startswith(tr("ui.learning.serves", version=1))
    assert not child(asking, "refuseButton").isVisible()
    assert QApplication.focusWidget() is child(asking, "trainButton")


def test_it_still_waits_when_the_project_is_opened_again(asking):
    folder = asking.session.desk.info.folder
    asking.close_project()
    asking.open_project(folder)
    assert said(asking).startswith(tr("ui.learning.waits", version=2))
    assert child(asking, "promoteButton").isVisible()


def test_while_a_round_runs_nothing_is_decided(asking):
    asking.runner.held = True
    click(asking, "trainButton")
    assert not child(asking, "promoteButton").isVisible()
    click(asking, "cancelButton")
    asking.runner.held = False
    asking.runner.run_all()
    assert child(asking, "promoteButton").isVisible()


def test_a_reader_of_a_locked_project_decides_nothing(asking, make_window):
    other = make_window()
    other.open_project(asking.session.desk.info.folder, read_only=True)
    assert said(other).startswith(tr("ui.learning.waits", version=2))
    assert not child(other, "promoteButton").isEnabled()
    assert not child(other, "refuseButton").isEnabled()


def test_corrections_made_while_a_round_runs_start_the_next_one_once(make_window, project):
    window = make_window(held=True, automatic=True, automatic_after=2)
    window.open_project(project)
    window.runner.run_all()
    window.session.prepare()
    window.runner.run_all()
    training = window.session.training
    started = []
    training.started.connect(lambda _: started.append(1))
    training.note_correction()
    training.note_correction()
    assert len(started) == 1
    for _ in range(5):  # more than enough for another round, while this one runs
        training.note_correction()
    assert len(started) == 1
    window.runner.run_all()
    assert len(started) == 2
    assert len(roles(window)) == 3


def test_a_round_that_a_kill_cut_off_is_told_once_and_made_again(make_window, project):
    opener = FakeOpener()
    desk = opener.open(project)
    list(desk.learning.train(actor="ana"))
    for number in (4, 5):
        key = desk.cases.find(f"case-000{number}").key
        desk.reviewing.correct(Correction(key, "Edema", State.PRESENT, "ana"))
    cut = desk.learning.train(actor="ana")
    for _ in range(4):
        next(cut)
    desk.close()  # as a kill would, the round says nothing of its end
    window = make_window(automatic=True, automatic_after=25)
    window.open_project(project)
    assert said(window) == tr("ui.learning.interrupted")
    assert tr("round.interrupted") in child(window, "learningDetail").text()
    window.close_project()
    window.open_project(project)
    assert said(window) != tr("ui.learning.interrupted")
    cut.close()


def test_an_automatic_round_that_was_cut_off_starts_again_by_itself(make_window, project):
    opener = FakeOpener()
    desk = opener.open(project)
    list(desk.learning.train(actor="ana"))
    key = desk.cases.find("case-0004").key
    desk.reviewing.correct(Correction(key, "Edema", State.PRESENT, "ana"))
    cut = desk.learning.train(actor="ana")
    next(cut), next(cut)
    desk.close()
    window = make_window(automatic=True, automatic_after=1)
    window.open_project(project)
    assert roles(window) == {1: "retired", 2: "champion"}
    cut.close()


# --- idle ---------------------------------------------------------------------------------------


def test_idling_is_told_once_and_put_off_by_input(qtbot):
    host = QObject()
    watch = IdleWatch(host)
    told = []
    watch.idled.connect(lambda: told.append(1))
    watch.watch(0.3 / 60)
    qtbot.wait(100)
    for _ in range(5):
        QApplication.sendEvent(
            host, QKeyEvent(QEvent.Type.KeyPress, 0x41, Qt.KeyboardModifier.NoModifier)
        )
        qtbot.wait(100)
        assert not told
    qtbot.waitUntil(lambda: told == [1], timeout=5000)
    qtbot.wait(400)
    assert told == [1]
    watch.watch(0)


def test_a_round_starts_when_idle_if_there_is_something_to_learn(make_window, project):
    window = make_window()
    window.open_project(project)
    window.session.prepare()
    training = window.session.training
    training._idle.idled.emit()
    assert len(roles(window)) == 1  # nothing was corrected
    key = window.session.desk.cases.find("case-0004").key
    window.session.desk.reviewing.correct(Correction(key, "Edema", State.PRESENT, "Ada"))
    training.note_correction()
    training._idle.idled.emit()
    assert len(roles(window)) == 2
    training._idle.idled.emit()
    assert len(roles(window)) == 2


def test_the_idle_switch_is_off_until_wished_and_is_kept(window):
    switch, minutes = child(window, "idleTraining"), child(window, "idleMinutes")
    assert not switch.isChecked()
    assert not minutes.isVisible()
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert minutes.isVisible()
    minutes.setValue(7)
    assert (window.settings.idle, window.settings.idle_minutes) == (True, 7)
    assert window.session.training._idle._timer.interval() == 7 * 60_000
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert not window.session.training._idle._timer.isActive()
    assert not window.runner.tasks or window.runner.tasks[0].lane is not Lane.LEARNING


# --- fresh predictions --------------------------------------------------------------------------


def shown(window):
    model = window.page.worklist._model
    return [model.row(at) for at in range(model.rowCount())]


def test_numbers_of_the_version_before_are_not_shown_as_those_of_the_new_one(held):
    window = held
    assert {row.scored_by for row in shown(window)} == {1}
    assert any(row.priority is not None for row in shown(window))
    click(window, "trainButton")
    while window.session.desk.predicting.serving().version == 1:
        assert window.runner.run_next() is not None
    # The new version serves, the worklist is not scored by it yet.
    window.runner.run_all(Lane.INTERACTIVE)
    assert window.page._view.prediction.version == 2  # the open case first
    assert all(row.priority is None and row.conflict is None for row in shown(window))
    offered = [row for row in shown(window) if row.partition == "train"]
    assert {row.reason for row in offered} == {"queue.stale"}
    assert tr("queue.stale") in window.page.worklist._model.index(1).data(
        Qt.ItemDataRole.AccessibleTextRole
    )
    window.runner.run_all()
    assert {row.scored_by for row in shown(window)} == {2}
    assert any(row.priority is not None for row in shown(window))


def test_opening_another_project_marks_nothing_of_it_as_stale(window, tmp_path, opener):
    click(window, "trainButton")
    assert window.session.desk.predicting.serving().version == 2
    other = make_project(tmp_path / "other.mmreview", labels=True)
    desk = opener.open(other)
    list(desk.learning.train(actor="ana"))
    list(desk.predicting.score_all())
    desk.close()
    window.open_project(other)
    assert {row.scored_by for row in shown(window)} == {1}
    assert any(row.priority is not None for row in shown(window))
