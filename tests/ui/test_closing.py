"""A window that closes, opens and waits: nothing is lost, nothing is left behind."""

import threading

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from mmreview.domain.errors import WriteFailed
from mmreview.settings import Settings
from mmreview.tasks.runner import Runner
from mmreview.tasks.task import Lane
from mmreview.ui.main_window import MainWindow
from tests.fakes import make_project


def press(window, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.page.findings, key, modifier)


def events(window):
    return [event.kind for event in window.session.desk.events.events()]


def child(window, name):
    found = window.findChild(QWidget, name)
    assert found is not None, name
    return found



# --- closing and opening --------------------------------------------------------------------------


def test_a_project_closed_in_the_middle_of_a_round_leaves_nothing_of_it_behind(
    make_window, project, tmp_path
):
    window = make_window(held=True)
    window.open_project(project)
    window.runner.run_all()
    window.session.prepare()
    window.runner.run_all()
    press(window, Qt.Key.Key_1)
    window.runner.run_all()
    child(window, "trainButton").click()
    assert child(window, "cancelButton").isVisible()
    QTest.mouseClick(child(window, "lambdaSlider"), Qt.MouseButton.LeftButton, pos=QPoint(5, 8))
    window.page.banner.show_message("of this project", severity="warning")
    window.runner.held = False
    window.close_project()
    window.runner.run_all()
    QTest.qWait(50)
    assert window.session is None
    window.create_project(tmp_path / "empty.mmreview", "test")
    QTest.qWait(50)
    assert window.session is not None
    assert child(window, "trainButton").isVisible()
    assert not child(window, "cancelButton").isVisible()
    assert "1" not in child(window, "correctionsSince").accessibleName().split("·")[0]
    assert not window.page.weight.isEnabled()
    assert not window.page.weight.is_what_if
    assert not window.page.banner.isVisible()
    header = child(window, "findingsHeader")
    assert "ersion 1" not in header.accessibleName()
    assert window.page.case_id == ""
    press(window, Qt.Key.Key_1)
    press(window, Qt.Key.Key_Return)
    press(window, Qt.Key.Key_U)
    assert "correction" not in events(window)


def test_a_project_opened_again_reacts_once(window, project):
    window.close_project()
    window.open_project(project)
    window.close_project()
    window.open_project(project)
    before = len(window.session.desk.learning.versions())
    press(window, Qt.Key.Key_1)
    assert events(window).count("correction") == 1
    child(window, "trainButton").click()
    assert len(window.session.desk.learning.versions()) == before + 1
    child(window, "versionsButton").click()
    dialogs = [w for w in QApplication.topLevelWidgets() if w.objectName() == "versionsDialog"]
    assert len([d for d in dialogs if d.isVisible()]) == 1
    for dialog in dialogs:
        dialog.close()


def test_closing_while_the_demo_is_made_gives_the_welcome_page_back(make_window, tmp_path):
    window = make_window(held=True)
    window.open_demo(tmp_path / "d.mmreview", cases=6, seed=0)
    window.runner.run_all(Lane.INTERACTIVE)
    window.welcome.set_busy("Preparing features", 1, 6)  # as the first step says
    window.runner.held = False
    window.close_project()
    window.runner.run_all()
    QTest.qWait(50)
    assert window.stack.currentWidget() is window.welcome
    assert child(window, "demoButton").isEnabled()


def test_a_second_wish_to_open_waits_for_the_first(make_window, project, opener, tmp_path):
    other = make_project(tmp_path / "other.mmreview", labels=True)
    window = make_window(held=True)
    opened = []
    real = opener.open
    opener.open = lambda path, **how: opened.append(path) or real(path, **how)
    window.open_project(project)
    window.open_project(other)
    window.runner.run_all()
    assert opened == [project]
    assert window.session.desk.info.folder == project
    window.open_project(other)
    QTest.qWait(50)
    window.runner.run_all()
    assert window.session.desk.info.folder == other


def test_a_window_closed_while_a_project_opens_lets_go_of_it(qtbot, project, opener):
    desks = []
    real = opener.open

    def slow(path, **how):
        QTest.qSleep(150)
        desks.append(real(path, **how))
        return desks[-1]

    opener.open = slow
    window = MainWindow(
        runner=Runner(), settings=Settings(reader="Ada"), opener=opener, remember=False
    )
    window.show()
    window.open_project(project)
    window.close()
    qtbot.waitUntil(lambda: window.is_closed)
    assert window.session is None
    again = real(project)  # nobody writes it any more
    again.close()
    window.deleteLater()


@pytest.fixture
def full_disk(window, monkeypatch):
    """An open project that cannot be written, with one correction unsaved; boxes are caught."""
    asked = []
    monkeypatch.setattr(QMessageBox, "open", lambda self, *a: asked.append(self))
    store = window.session.desk.reviewing._events
    real = store.append

    def append(event):
        raise WriteFailed(detail="disk full")

    store.append = append
    press(window, Qt.Key.Key_2)
    yield asked, lambda: setattr(store, "append", real)
    store.append = real


def test_the_close_button_of_the_question_means_stay(window, full_disk):
    asked, mend = full_disk
    for times in (1, 2):
        window.close()
        assert len(asked) == times  # the window can be closed again later
        asked[-1].reject()
    mend()
    child(window, "retryButton").click()
    QTest.qWait(50)
    assert not window.is_closed
    assert window.session is not None
    assert events(window).count("correction") == 1


def test_staying_after_a_retry_that_failed_does_not_close_the_project_later(window, full_disk):
    asked, mend = full_disk
    window.close_project()
    accept = QMessageBox.ButtonRole.AcceptRole
    next(b for b in asked[-1].buttons() if asked[-1].buttonRole(b) is accept).click()
    asked[-1].reject()
    mend()
    child(window, "retryButton").click()
    QTest.qWait(50)
    assert window.session is not None
    assert window.session.saving.is_settled


def test_closing_waits_for_a_save_that_is_on_its_way_and_asks_if_it_fails(held, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "open", lambda self, *a: asked.append(self))
    store = held.session.desk.reviewing._events
    real = store.append

    def append(event):
        raise WriteFailed(detail="disk full")

    store.append = append
    press(held, Qt.Key.Key_2)
    held.close_project()
    assert not asked
    held.runner.run_all()
    assert len(asked) == 1
    asked[-1].reject()
    store.append = real
    child(held, "retryButton").click()
    held.runner.run_all()
    QTest.qWait(50)
    assert held.session is not None


# --- the focus ------------------------------------------------------------------------------------


def test_the_keys_go_back_to_the_findings_when_a_button_has_done_its_work(window, full_disk):
    _, mend = full_disk
    mend()
    retry = child(window, "retryButton")
    retry.setFocus()
    retry.click()
    assert not retry.isVisible()
    assert window.page.findings.hasFocus()
    window.page.banner.show_message("something", severity="info")
    dismiss = child(window.page, "bannerDismiss")
    dismiss.setFocus()
    QTest.keyClick(dismiss, Qt.Key.Key_Space)
    assert not window.page.banner.isVisible()
    assert window.page.findings.hasFocus()


# --- work that has no step to stop at -------------------------------------------------------------


@pytest.fixture
def slow(qtbot, project, opener):
    """A window with real lanes whose model is loaded for as long as ``hold`` is set."""
    hold = threading.Event()
    begun = threading.Event()

    def warm_up():
        begun.set()
        hold.wait(10)

    window = MainWindow(
        runner=Runner(), settings=Settings(reader="Ada", automatic=False), opener=opener,
        remember=False,
    )
    window.show()
    window.open_project(project)
    qtbot.waitUntil(lambda: window.session is not None and window.is_settled)
    window.session.desk.predicting.warm_up = warm_up
    window.session.preparing.warm_up()
    assert begun.wait(5)
    yield window, hold
    hold.set()
    window.close()
    qtbot.waitUntil(lambda: window.is_closed)
    window.deleteLater()


def test_a_project_that_cannot_close_at_once_says_so_and_takes_no_more(qtbot, slow):
    window, hold = slow
    window.close_project()
    assert window.stack.currentWidget() is window.welcome
    assert not child(window, "openProjectButton").isEnabled()
    assert not window.acts.actions["state_present"].isEnabled()
    hold.set()
    qtbot.waitUntil(lambda: window.session is None)
    assert child(window, "openProjectButton").isEnabled()


def test_the_window_goes_at_once_and_the_program_ends_after_its_work(qtbot, slow, project, opener):
    window, hold = slow
    window.close()
    assert not window.isVisible()
    assert not window.is_closed
    hold.set()
    qtbot.waitUntil(lambda: window.is_closed)
    opener.open(project).close()  # nobody writes it any more
