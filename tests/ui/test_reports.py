"""The system report of the Help menu and the report of a crash: to look at, copy and save."""

import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit, QProgressBar, QPushButton

from mmreview import crashes, logs
from mmreview.domain.errors import WriteFailed
from mmreview.domain.progress import Progress
from mmreview.tasks.task import Lane
from mmreview.ui.dialogs.report import CrashDialog, SystemReportDialog
from mmreview.ui.help_acts import CrashNotice


def slow_diagnosis():
    yield Progress("doctor.checking", 1, 4)
    yield Progress("doctor.checking", 3, 4)
    return "mmreview 0.1.0\nNothing is missing."


@pytest.fixture
def asked(make_window):
    """A window whose Help menu was asked for the report; it is made when the test says so."""
    window = make_window(held=True)
    window.diagnose = slow_diagnosis
    window.acts.actions["system_report"].trigger()
    dialog = window.findChild(SystemReportDialog)
    assert dialog.isVisible()
    return window, dialog


def button(dialog, name):
    return dialog.findChild(QPushButton, name)


def test_a_report_is_made_while_the_window_stays_usable(asked, tmp_path):
    window, dialog = asked
    text, bar = dialog.findChild(QPlainTextEdit), dialog.findChild(QProgressBar)
    assert text.toPlainText() == ""
    assert not button(dialog, "copyButton").isEnabled()
    assert bar.isVisible()
    window.runner.run_all()
    assert text.toPlainText().startswith("mmreview 0.1.0")
    assert not bar.isVisible()
    assert dialog._said.text() == "Nothing is missing."
    assert not button(dialog, "cancelReportButton").isVisible()
    QTest.mouseClick(button(dialog, "copyButton"), Qt.MouseButton.LeftButton)
    assert "Nothing is missing." in QGuiApplication.clipboard().text()
    out = tmp_path / "system.txt"
    dialog.save(str(out))
    assert out.read_text("utf-8").endswith("Nothing is missing.\n")
    dialog.save(str(tmp_path / "nowhere" / "system.txt"))
    assert "Choose another folder" in dialog._said.text()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_making_a_report_is_cancelled_by_button_and_by_closing(asked):
    window, dialog = asked
    [task] = window.runner.tasks
    QTest.mouseClick(button(dialog, "cancelReportButton"), Qt.MouseButton.LeftButton)
    window.runner.run_all()
    assert task.is_cancelled
    assert "Cancelled" in dialog._said.text()
    dialog.reject()
    window.acts.actions["system_report"].trigger()
    [task] = window.runner.tasks
    again = next(d for d in window.findChildren(SystemReportDialog) if d.isVisible())
    QTest.keyClick(again, Qt.Key.Key_Escape)
    assert task.is_cancelled


def test_what_goes_wrong_is_said(make_window):
    window = make_window()

    def broken():
        raise ValueError("Patient Miller")

    window.diagnose = broken
    window.acts.actions["system_report"].trigger()
    dialog = window.findChild(SystemReportDialog)
    assert "ValueError" in dialog._said.text()
    assert "Miller" not in dialog._said.text()
    dialog.reject()


# --- crashes --------------------------------------------------------------------------------------


@pytest.fixture
def crash_log(tmp_path, capsys):
    folder = tmp_path / "logs"
    logs.start(folder)
    yield folder
    logs.stop()


def test_a_crash_in_a_slot_shows_its_report(make_window, crash_log, qtbot, monkeypatch):
    window = make_window()
    notice = CrashNotice(window)
    logs.when_crashed(notice.tell)
    error = ValueError("Mrs Miller has an effusion")
    sys.excepthook(ValueError, error, None)
    qtbot.waitUntil(lambda: window.findChild(CrashDialog) is not None)
    dialog = window.findChild(CrashDialog)
    text = dialog.findChild(QPlainTextEdit).toPlainText()
    assert "Error: ValueError" in text
    assert "Miller" not in text
    assert str(crash_log) in dialog._said.text()
    opened = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) is None and False
    )
    QTest.mouseClick(button(dialog, "openFolderButton"), Qt.MouseButton.LeftButton)
    assert opened == [str(crash_log)]
    assert str(crash_log) in dialog._said.text()
    logs.report(KeyError("another"))  # one at a time
    qtbot.wait(20)
    assert len(window.findChildren(CrashDialog)) == 1
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert len(list(crash_log.glob("crash-*.txt"))) == 2


def test_a_task_that_breaks_is_a_crash_and_one_that_refuses_is_not(make_window, crash_log):
    window = make_window()
    told = []

    def refuse():
        raise WriteFailed(detail="full")

    def break_off():
        raise ZeroDivisionError("Mrs Miller")

    window.runner.submit(Lane.BULK, refuse, on_failed=told.append)
    assert crashes.newest(crash_log) is None
    window.runner.submit(Lane.BULK, break_off, on_failed=told.append)
    assert len(told) == 2
    assert "ZeroDivisionError" in crashes.newest(crash_log).read_text("utf-8")


def test_the_crash_of_the_last_time_is_told(make_window, tmp_path):
    window = make_window()
    report = crashes.write("Fatal Python error: Aborted", folder=tmp_path)
    CrashNotice(window).show_left(report)
    dialog = window.findChild(CrashDialog)
    assert "Aborted" in dialog.findChild(QPlainTextEdit).toPlainText()
    dialog.reject()
