"""Tests of real widgets offscreen: a themed application, no timer left, no surprise dialog."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox
from shiboken6 import isValid

from mmreview.settings import Settings
from mmreview.tasks.inline import InlineRunner
from mmreview.ui import theme
from mmreview.ui.main_window import MainWindow
from tests.fakes import FakeOpener, make_project


@pytest.fixture(autouse=True)
def dark(qapp):
    theme.apply(qapp, "dark")
    return theme.current()


@pytest.fixture
def runner():
    made = InlineRunner()
    yield made
    made.shutdown()


@pytest.fixture(autouse=True)
def no_unexpected_dialog(monkeypatch):
    """A modal dialog would hang a test: opening one fails it. Tests that expect one patch it."""

    def refuse(self, *_):
        pytest.fail(f"a dialog opened: {self.windowTitle() or type(self).__name__}")

    monkeypatch.setattr(QDialog, "exec", refuse)
    for name in ("information", "warning", "critical", "question"):
        monkeypatch.setattr(QMessageBox, name, lambda *a, **k: pytest.fail(f"a box opened: {a}"))


@pytest.fixture(autouse=True)
def no_timer_or_window_is_left(qapp, dark):
    """Whatever a test leaves alive must not tick, and no window may stay on the screen."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    tops = [widget for widget in QApplication.topLevelWidgets() if isValid(widget)]
    shown = [widget for widget in tops if widget.isVisible()]
    names = [widget.objectName() or type(widget).__name__ for widget in shown]
    for widget in shown:
        widget.close()
        widget.deleteLater()
    ticking = [
        timer
        for widget in tops
        if isValid(widget)
        for timer in widget.findChildren(QTimer)
        if timer.isActive() and not timer.isSingleShot()
    ]
    for timer in ticking:
        timer.stop()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not ticking, f"timers left ticking: {ticking}"
    assert not names, f"windows left open: {names}"


@pytest.fixture
def opener():
    return FakeOpener()


@pytest.fixture
def make_window(qtbot, opener):
    made = []

    def make(*, held=False, **settings):
        runner = InlineRunner(held=held)
        wished = replace(Settings(reader="Ada", automatic=False), **settings)
        window = MainWindow(runner=runner, settings=wished, opener=opener, remember=False)
        window.resize(1280, 720)
        window.show()
        window.activateWindow()
        assert QTest.qWaitForWindowActive(window)
        made.append(window)
        return window

    yield make
    for window in made:
        window.runner.held = False
        window.runner.run_all()
        if window.session is not None and not window.session.saving.is_settled:
            window.session.saving.discard()
        window.close()
        qtbot.waitUntil(lambda w=window: w.is_closed)
        window.deleteLater()


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "p.mmreview", labels=True)


@pytest.fixture
def window(make_window, project, opener):
    made = make_window()
    made.open_project(project)
    made.session.prepare()
    assert made.page.case_id
    return made


@pytest.fixture
def held(make_window, project):
    """A window on its first case; what is wanted from now on comes when the test says so."""
    window = make_window(held=True)
    window.open_project(project)
    window.runner.run_all()
    window.session.prepare()
    window.runner.run_all()
    window.page._loading.forget_all()
    return window


@pytest.fixture
def opened(qtbot):
    """Opens a dialog as the window does, and closes it at the end."""
    dialogs = []

    def open_it(dialog):
        dialogs.append(dialog)
        dialog.open()
        return dialog

    yield open_it
    for dialog in dialogs:
        dialog.close()
        dialog.deleteLater()
