"""A commit that takes half a second, and a disk that is full: the real runner, store and window."""

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from mmreview.domain.findings import State
from mmreview.settings import Settings
from mmreview.store.engine import open_store
from mmreview.tasks.runner import Runner
from mmreview.ui import theme
from mmreview.ui.main_window import MainWindow
from tests.fakes import FakeOpener, make_project

SLOW = 0.5


class WatchedOpener(FakeOpener):
    """Keeps the store that the window opened, so that a test can slow its disk down."""

    store = None

    def _furnish(self, store):
        self.store = store
        return super()._furnish(store)


@pytest.fixture
def opened(qtbot, qapp, tmp_path):
    theme.apply(qapp, "dark")
    opener = WatchedOpener()
    window = MainWindow(
        runner=Runner(), settings=Settings(reader="Ada", automatic=False), opener=opener,
        remember=False,
    )
    window.resize(1280, 720)
    window.show()
    window.open_project(make_project(tmp_path / "p.mmreview"))
    qtbot.waitUntil(lambda: window.is_settled and window.page.case_id != "", timeout=20_000)
    yield window, opener.store
    opener.store.database.before_commit = None
    window.session.saving.retry()
    qtbot.waitUntil(lambda: window.session.saving.is_settled, timeout=20_000)
    window.close()
    qtbot.waitUntil(lambda: window.is_closed, timeout=20_000)
    window.deleteLater()


def indicator(window):
    widget = window.findChild(QWidget, "savedIndicator")
    return widget.accessibleName() + " " + widget.toolTip()


def durable(window):
    desk = window.session.desk
    return desk.cases.states(desk.cases.find(window.page.case_id).key)


def test_a_slow_commit_holds_nobody_up_and_is_not_called_saved_before_it_is(opened, qtbot):
    window, store = opened
    store.database.before_commit = lambda: time.sleep(SLOW)
    window.page.findings.select("Edema")
    begun = time.perf_counter()
    QTest.keyClick(window.page.findings, Qt.Key.Key_1)
    assert time.perf_counter() - begun < SLOW / 2
    assert window.findChild(QWidget, "finding.Edema.present").isChecked()
    assert "Saving" in indicator(window)
    QTest.keyClick(window.page.findings, Qt.Key.Key_2)
    assert window.session.saving.unsaved == 2
    qtbot.waitUntil(lambda: window.session.saving.is_settled, timeout=10_000)
    assert time.perf_counter() - begun >= 2 * SLOW
    assert "Saved" in indicator(window)
    held = durable(window)
    assert (held["Edema"].state, held["Cardiomegaly"].state) == (State.PRESENT, State.ABSENT)


def test_closing_waits_for_a_slow_commit(opened, qtbot):
    window, store = opened
    store.database.before_commit = lambda: time.sleep(SLOW)
    folder = window.session.desk.info.folder
    window.page.findings.select("Fracture")
    QTest.keyClick(window.page.findings, Qt.Key.Key_1)
    window.close_project()
    qtbot.waitUntil(lambda: window.session is None, timeout=10_000)
    again = open_store(folder, read_only=True)
    try:
        key = again.cases.find("case-0001").key
        found = [again.cases.states(k) for k in (key, key + 1, key + 2, key + 3, key + 4, key + 5)]
        assert any("Fracture" in states for states in found)
    finally:
        again.close()
    window.open_project(folder)
    qtbot.waitUntil(lambda: window.session is not None and window.is_settled, timeout=20_000)


def test_a_full_database_is_said_keeps_the_state_and_is_mended_by_retry(opened, qtbot):
    window, store = opened

    def full():
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")

    store.database.before_commit = full
    window.page.findings.select("Edema")
    QTest.keyClick(window.page.findings, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: window.session.saving.problem is not None, timeout=10_000)
    assert "full" in indicator(window)
    assert window.findChild(QWidget, "finding.Edema.absent").isChecked()
    assert "Edema" not in durable(window)
    store.database.before_commit = None
    QTest.mouseClick(window.findChild(QWidget, "retryButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.saving.is_settled, timeout=10_000)
    assert durable(window)["Edema"].state is State.ABSENT
