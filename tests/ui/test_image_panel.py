"""The image panel: nothing stale, no flicker, a calm word where there is no picture."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from mmreview.domain.cases import ImageRef
from mmreview.domain.errors import Message
from mmreview.imaging.windowing import picture
from mmreview.ui.image_panel import ImagePanel
from mmreview.ui.image_view import prepare
from mmreview.ui.placeholder import Placeholder, Sign


def refs(count, *, view="PA"):
    return [
        ImageRef(sha256=str(i), path=f"images/{i}.png", width=90 + i, height=80, view=view)
        for i in range(count)
    ]


def grey(value, *, dtype=np.uint8):
    return prepare(picture(np.full((80, 90), value, dtype)))


@pytest.fixture
def panel(qtbot):
    made = ImagePanel()
    qtbot.addWidget(made)
    made.resize(500, 400)
    made.show()
    qtbot.waitExposed(made)
    return made


def middle(panel):
    return panel.view.grab().toImage().pixelColor(panel.view.rect().center()).red()


class PaintCounter(QObject):
    """Remembers the brightness in the middle at every paint of a view."""

    def __init__(self, panel):
        super().__init__()
        self.seen = []
        panel.view.installEventFilter(self)

    def eventFilter(self, _, event):
        if event.type() == QEvent.Type.Paint:
            self.seen.append(True)
        return False


def test_a_prefetched_picture_is_in_the_one_paint_of_its_case(panel, qapp, qtbot):
    panel.show_case("a", refs(1))
    panel.set_picture(0, grey(200))
    qtbot.waitUntil(lambda: middle(panel) == 200)
    qapp.processEvents()
    counter = PaintCounter(panel)
    panel.show_case("b", refs(1))
    panel.set_picture(0, grey(90))
    qtbot.waitUntil(lambda: bool(counter.seen))
    qtbot.wait(200)  # also longer than the wait for the word that a picture is loading
    assert len(counter.seen) == 1
    assert middle(panel) == 90
    assert panel.is_settled


def test_the_image_before_never_stands_under_the_new_name(panel, qtbot):
    panel.show_case("a", refs(1))
    panel.set_picture(0, grey(200))
    panel.show_case("b", refs(1), details="2026-03-14")
    assert middle(panel) == 0
    assert panel.view.placeholder is None
    assert not panel.is_settled
    assert panel.view.corners().top_left == ("b · 2026-03-14", "PA · 90 × 80")
    qtbot.waitUntil(lambda: panel.view.placeholder is not None)
    assert panel.view.placeholder.title == "Loading the image…"
    assert panel.view.corners().top_left[0] == "b · 2026-03-14"
    panel.set_picture(0, grey(70))
    assert panel.view.placeholder is None
    assert middle(panel) == 70


def test_a_case_without_image_says_what_that_means(panel):
    panel.show_case("a", ())
    assert panel.is_settled
    assert panel.view.placeholder.title == "This case has no image"
    assert "what else the case has" in panel.view.accessibleDescription()
    assert panel.strip.isHidden()
    panel.clear()
    assert panel.view.placeholder is None


def test_an_unreadable_image_says_why_and_the_next_case_is_fine(panel):
    panel.show_case("a", refs(1))
    panel.set_picture(0, Message("ui.reading.position", {"position": 3, "count": 4}))
    assert panel.is_settled
    assert panel.view.placeholder.title == "This image cannot be shown"
    assert panel.view.placeholder.sentence == "3 of 4"
    panel.zoom_in()
    panel.invert()
    panel.reset()
    panel.show_case("b", refs(1))
    panel.set_picture(0, picture(np.full((80, 90), 60, np.uint8)))  # prepared here
    assert middle(panel) == 60


def test_the_filmstrip_brings_other_images(panel, qtbot):
    panel.show_case("a", refs(3))
    panel.set_picture(0, grey(100))
    panel.set_picture(2, grey(180))
    assert panel.strip.isVisible()
    assert panel.strip.has_thumbnail(2)
    assert not panel.strip.has_thumbnail(1)
    assert panel.header.caption() == "1 of 3"
    wanted, moved = [], []
    panel.pictureWanted.connect(wanted.append)
    panel.positionChanged.connect(moved.append)
    cell = panel.strip.cell(2).center().toPoint()
    QTest.mouseClick(panel.strip, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, cell)
    assert middle(panel) == 180
    assert (wanted, moved) == ([], [2])
    QTest.keyClick(panel.strip, Qt.Key.Key_Left)
    assert middle(panel) == 0
    assert (wanted, moved) == ([1], [2, 1])
    assert panel.view.corners().top_left[1] == "PA · 91 × 80"
    panel.set_picture(1, grey(140))
    assert middle(panel) == 140
    QTest.keyClick(panel.view, Qt.Key.Key_PageDown)
    panel.show_next_image()  # there is no fourth
    assert panel.position == 2
    assert panel.header.caption() == "3 of 3"


def test_the_filmstrip_covers_nothing_of_the_whole_image(panel):
    panel.show_case("a", refs(2))
    panel.set_picture(0, grey(255))
    panel.toggle_overlay()
    bottom = panel.view.image_point(QPointF(0, panel.strip.y())).y()
    assert bottom >= 80
    panel.show_case("b", refs(1))
    assert not panel.strip.isVisible()


def test_a_long_filmstrip_scrolls_to_the_current_image(panel):
    panel.show_case("a", refs(30))
    panel.show_image(29)
    assert panel.strip.rect().contains(panel.strip.cell(29).toRect())
    panel.show_image(0)
    assert panel.strip.rect().contains(panel.strip.cell(0).toRect())


def test_the_filmstrip_names_what_is_under_the_cursor(panel):
    panel.show_case("a", refs(2, view="lateral"))
    at = panel.strip.cell(1).center().toPoint()
    event = QHelpEvent(QEvent.Type.ToolTip, at, panel.strip.mapToGlobal(at))
    QApplication.sendEvent(panel.strip, event)
    assert QToolTip.text() == "2 of 2 · lateral · 91 × 80"
    QToolTip.hideText()


def test_a_late_picture_of_a_position_that_is_not_there_is_dropped(panel):
    panel.show_case("a", refs(1))
    panel.set_picture(4, grey(10))
    assert not panel.is_settled


def test_names_for_tests_and_assistive_technology(panel):
    panel.show_case("a", refs(1))
    panel.set_picture(0, grey(9, dtype=np.uint16))
    assert panel.view.objectName() == "imageView"
    assert panel.view.accessibleName() == "Image of the open case"
    assert "a" in panel.view.accessibleDescription()
    assert "16 bit" in panel.view.accessibleDescription()
    assert panel.strip.objectName() == "filmstrip"
    button = panel.header.button
    assert button.objectName() == "imageMaximiseButton"
    assert "Ctrl+1" in button.toolTip()
    assert panel.childAt(QPoint(button.geometry().center())) is button


def test_a_path_too_long_for_a_line_is_shown_to_its_end(dark):
    def drawn(sentence):
        image = QImage(400, 300, QImage.Format.Format_RGB32)
        image.fill(0)
        painter = QPainter(image)
        Placeholder(Sign.UNREADABLE, "No", sentence).paint(painter, QRectF(0, 0, 400, 300), dark)
        painter.end()
        return image

    path = "/a/" + "0123456789abcdef" * 8
    assert drawn(f"The image {path}X is not there.") != drawn(f"The image {path}I is not there.")
