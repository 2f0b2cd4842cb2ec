"""Tests of real widgets offscreen: a themed application, no timer left, no surprise dialog."""

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox
from shiboken6 import isValid

from mmreview.tasks.inline import InlineRunner
from mmreview.ui import theme


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
