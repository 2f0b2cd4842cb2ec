"""The system report in the Help menu: made in the background, to copy and to save."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit, QProgressBar, QPushButton

from mmreview.domain.progress import Progress
from mmreview.ui.dialogs.report import SystemReportDialog


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
