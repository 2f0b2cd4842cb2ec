"""Text that has less room than lines: elided, never cut, and whole for who asks."""

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from mmreview.ui.text_block import TextBlock

LONG = "A first sentence that stands alone.\n" + "words that go on and on " * 20


@pytest.fixture
def block(qtbot):
    block = TextBlock()
    qtbot.addWidget(block)
    block.show()
    yield block
    QToolTip.hideText()


def hover(block):
    event = QHelpEvent(QEvent.Type.ToolTip, QPoint(2, 2), block.mapToGlobal(QPoint(2, 2)))
    QApplication.sendEvent(block, event)


def test_what_has_room_is_all_there(block):
    block.set_text("One line.\nAnother.")
    block.resize(400, 200)
    assert block.shown() == ["One line.", "Another."]
    hover(block)
    assert not QToolTip.isVisible()


def test_the_last_line_that_has_room_ends_in_an_ellipsis(block):
    block.set_text(LONG)
    block.resize(300, 3 * block.fontMetrics().height() + 2)
    shown = block.shown()
    assert len(shown) == 3
    assert shown[0] == "A first sentence that stands alone."
    assert shown[-1].endswith("…")
    assert all(block.fontMetrics().horizontalAdvance(line) <= 300 for line in shown)
    assert block.accessibleName() == LONG
    hover(block)
    assert QToolTip.text() == LONG


def test_lines_are_painted_within_the_widget(block):
    block.set_text(LONG)
    block.resize(300, 2 * block.fontMetrics().height())
    picture = block.grab().toImage()
    ground = picture.pixelColor(0, 0)
    inked = [
        y
        for y in range(picture.height())
        if any(picture.pixelColor(x, y) != ground for x in range(picture.width()))
    ]
    middle = picture.height() // 2
    assert min(inked) < middle < max(inked)  # both lines
    assert block.minimumSizeHint().height() == block.fontMetrics().height()
