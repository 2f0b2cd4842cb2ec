"""The reading area: either side can have it all, and how it was shared comes back."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from mmreview.ui.reading_area import ReadingArea


@pytest.fixture
def window(qtbot):
    made = QWidget()
    QVBoxLayout(made).addWidget(ReadingArea(made))
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def area(window):
    return window.findChild(ReadingArea)


def widths(area):
    return area.image.width(), area.report.width()


@pytest.mark.parametrize("name", ["image", "report"])
def test_the_button_gives_a_panel_everything_and_takes_it_back(area, qapp, name):
    before = widths(area)
    panel = getattr(area, name)
    QTest.mouseClick(panel.header.button, Qt.MouseButton.LeftButton)
    qapp.processEvents()
    assert area.maximised == name
    assert panel.width() == area.width()
    assert (area.image.isVisible(), area.report.isVisible()) == (name == "image", name == "report")
    assert "Esc" in panel.header.button.toolTip()
    QTest.mouseClick(panel.header.button, Qt.MouseButton.LeftButton)
    qapp.processEvents()
    assert area.maximised == ""
    assert widths(area) == before


def test_double_click_on_the_header_does_the_same(area):
    header = area.report.header
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseDClick(header, left, none, QPoint(60, 10))
    assert area.maximised == "report"
    area.toggle_maximised("image")
    assert area.maximised == "image"
    assert not area.report.isVisible()
    QTest.mouseDClick(area.image.header, left, none, QPoint(60, 10))
    assert area.maximised == ""


@pytest.mark.parametrize("name", ["image", "report"])
def test_escape_restores_before_the_window_takes_it(window, area, qtbot, name):
    taken = []
    QShortcut(QKeySequence("Escape"), window, activated=lambda: taken.append(True))
    area.toggle_maximised(name)
    view = getattr(area, name).view
    qtbot.waitUntil(view.hasFocus)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert area.maximised == ""
    assert taken == []
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert taken == [True]


def test_how_it_was_shared_comes_back(area, qtbot, qapp):
    area.findChild(QSplitter).setSizes([300, 700])
    qapp.processEvents()
    shared = widths(area)
    area.toggle_maximised("image")
    state = area.save_state()
    assert state.isascii()
    other = ReadingArea()
    qtbot.addWidget(other)
    other.resize(area.size())
    other.show()
    qtbot.waitExposed(other)
    assert widths(other) != shared
    assert other.restore_state(state)
    qapp.processEvents()
    assert widths(other) == pytest.approx(shared, abs=1)


@pytest.mark.parametrize("state", ["", "bm9uc2Vuc2U=", "***", "é"])
def test_a_damaged_state_changes_nothing(area, state):
    before = widths(area)
    assert not area.restore_state(state)
    assert widths(area) == before
    assert area.image.isVisible()


def test_one_above_the_other(area, qapp):
    area.set_orientation(Qt.Orientation.Vertical)
    qapp.processEvents()
    assert area.image.width() == area.report.width() == area.width()
