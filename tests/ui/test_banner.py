"""The banner above the page: what it says, its action, how it goes away."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from mmreview.ui import banner as banner_module
from mmreview.ui.banner import Banner


def button(dialog, name) -> QPushButton:
    return dialog.findChild(QPushButton, name)


def press(dialog, name):
    QTest.mouseClick(button(dialog, name), Qt.MouseButton.LeftButton)


def visible_texts(widget):
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


@pytest.fixture
def banner(qtbot):
    banner = Banner()
    banner.resize(600, 40)
    yield banner
    banner.close()


def test_a_banner_is_there_only_while_it_has_something_to_say(banner):
    assert not banner.isVisible()
    banner.show_message("The disk is full.", severity="lost")
    assert banner.isVisible()
    assert visible_texts(banner) == ["The disk is full."]
    assert not button(banner, "bannerAction").isVisible()
    banner.findChild(QWidget, "bannerDismiss").click()
    assert not banner.isVisible()


def test_the_action_of_a_banner_is_done_once(banner):
    done = []
    banner.show_message(
        "Not saved.", severity="lost", action="Try again", on_action=lambda: done.append(1)
    )
    press(banner, "bannerAction")
    assert done == [1]
    assert not banner.isVisible()
    banner.show_message("Something else.", severity="warning")
    assert not button(banner, "bannerAction").isVisible()


def test_an_action_may_say_something_new(banner):
    banner.show_message(
        "Not saved.", severity="lost", action="Try again",
        on_action=lambda: banner.show_message("Still not.", severity="lost"),
    )
    press(banner, "bannerAction")
    assert visible_texts(banner) == ["Still not."]


def test_only_information_goes_away_by_itself(qtbot, monkeypatch):
    monkeypatch.setattr(banner_module, "INFO_STAYS", 10)
    banner = Banner()
    banner.show_message("Nothing to take back.", severity="info")
    qtbot.waitUntil(lambda: not banner.isVisible())
    banner.show_message("Nothing to take back.", severity="info")
    banner.show_message("The disk is full.", severity="lost")
    qtbot.wait(40)
    assert banner.isVisible()
    banner.close()


def test_red_is_for_what_was_lost_only(banner, dark):
    grounds = {}
    for severity in ("info", "warning", "lost"):
        banner.show_message("Words.", severity=severity)
        grounds[severity] = banner.grab().toImage().pixelColor(1, 10)
    assert grounds == {"info": dark.muted, "warning": dark.conflict, "lost": dark.bad}
