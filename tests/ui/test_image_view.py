"""The image view: what its gestures and verbs do to the pixels on the screen."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from mmreview.imaging.windowing import apply_window, picture
from mmreview.ui.image_pyramid import Window
from mmreview.ui.image_view import ImageView, prepare


def pixels_of(widget):
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width(), 2::-1].copy()


def noise(height, width, *, top=256, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, top, (height, width), dtype=dtype)


@pytest.fixture
def view(qtbot):
    made = ImageView()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    qtbot.waitExposed(made)
    made.toggle_overlay()  # bare pixels, unless a test is about the words
    return made


def wheel(view, at, notches):
    event = QWheelEvent(
        QPointF(at), QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def drag(view, button, start, step):
    QTest.mousePress(view, button, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(view, start + step / 2)
    QTest.mouseMove(view, start + step)
    seen = view.corners()
    QTest.mouseRelease(view, button, Qt.KeyboardModifier.NoModifier, start + step)
    return seen


def shown_part(view, image):
    """Where the view's top left corner lies in the image, for a view at 1:1."""
    corner = view.image_point(QPointF(0, 0))
    x, y = round(corner.x()), round(corner.y())
    return image[y : y + view.height(), x : x + view.width()]


def test_a_picture_is_shown_whole_and_in_the_middle(view):
    view.show_picture(prepare(picture(np.full((200, 100), 200, np.uint8))))
    seen = pixels_of(view)
    bright = seen[..., 0] > 100
    columns = np.flatnonzero(bright.any(axis=0))
    assert bright[2:-2].any(axis=1).all()
    assert columns.size == pytest.approx(150, abs=2)
    assert columns[0] == pytest.approx(125, abs=1)
    assert view.scale == pytest.approx(1.5)


def test_the_whole_image_stays_whole_when_the_view_is_resized(view, qapp):
    view.show_picture(prepare(picture(noise(1000, 1000))))
    view.resize(200, 500)
    qapp.processEvents()
    assert view.is_fitted
    assert view.scale == pytest.approx(0.2)


def test_room_kept_at_the_bottom_is_not_covered_by_the_whole_image(view):
    view.show_picture(prepare(picture(np.full((300, 300), 200, np.uint8))))
    view.set_bottom_margin(100)
    assert pixels_of(view)[201:].max() == 0


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "colour"])
def test_at_actual_size_every_screen_pixel_is_one_image_pixel(view, kind):
    image = {
        "8 bit": noise(901, 1003),
        "16 bit": noise(901, 1003, top=4096, dtype=np.uint16),
        "colour": np.stack([noise(901, 1003, seed=s) for s in range(3)], axis=-1),
    }[kind]
    given = picture(image)
    view.show_picture(prepare(given))
    view.actual_size()
    expected = shown_part(view, apply_window(image, given.low, given.high))
    seen = pixels_of(view)
    if expected.ndim == 2:
        expected = expected[..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(seen, expected)
    view.actual_size()
    assert view.is_fitted


def test_shrinking_averages_instead_of_skipping_pixels(view):
    """Single white lines on black must neither vanish nor flicker: the mean brightness stays."""
    stripes = np.zeros((2400, 2400), np.uint8)
    stripes[:, ::8] = 255
    view.show_picture(prepare(picture(stripes)))
    seen = pixels_of(view)[10:-10, 60:-60, 0].astype(float)
    assert seen.mean() == pytest.approx(255 / 8, rel=0.03)
    assert seen.std() < 3


def test_every_level_of_the_pyramid_stands_at_the_same_place(view):
    """A bright quarter of an image of odd size ends where it should at any zoom."""
    image = np.zeros((1501, 1999), np.uint8)
    image[:750, :1000] = 255
    view.show_picture(prepare(picture(image)))
    edge = QPointF(1000, 750)
    for _ in range(6):
        seen = pixels_of(view)[..., 0]
        inside = view.image_point(QPointF(150, 110))
        assert (seen[110, 150] > 128) == (inside.x() < 1000 and inside.y() < 750)
        at = (edge - view.image_point(QPointF(0, 0))) * view.scale
        x, y = round(at.x()), round(at.y())
        if 2 < x < 398 and 2 < y < 298:
            assert seen[y - 3, x - 3] > 200
            assert seen[y + 2, x + 2] < 60
        view.zoom_in()


@pytest.mark.parametrize("notches", [5, 12])
def test_the_wheel_zooms_to_the_cursor(view, notches):
    view.show_picture(prepare(picture(noise(900, 1200))))
    at = QPoint(301, 87)
    before = view.image_point(QPointF(at))
    wheel(view, at, notches)
    after = view.image_point(QPointF(at))
    assert view.scale == pytest.approx(1 / 3 * 1.2**notches)
    assert (after - before).manhattanLength() < 0.01
    wheel(view, at, -notches)
    assert view.is_fitted


def test_left_drag_moves_the_image_with_the_cursor_and_stops_at_its_edge(view):
    view.show_picture(prepare(picture(noise(900, 1200))))
    view.actual_size()
    grabbed = view.image_point(QPointF(200, 150))
    drag(view, Qt.MouseButton.LeftButton, QPoint(200, 150), QPoint(-60, 40))
    assert (view.image_point(QPointF(140, 190)) - grabbed).manhattanLength() < 0.01
    drag(view, Qt.MouseButton.LeftButton, QPoint(10, 10), QPoint(3000, 3000))
    assert view.image_point(QPointF(0, 0)).manhattanLength() < 0.01


def test_shift_and_arrows_move_and_page_keys_ask_for_other_images(view, qtbot):
    view.show_picture(prepare(picture(noise(900, 1200))))
    view.actual_size()
    before = view.image_point(QPointF(0, 0))
    QTest.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.image_point(QPointF(0, 0)).x() == pytest.approx(before.x() + 40)
    with qtbot.waitSignal(view.nextImageAsked):
        QTest.keyClick(view, Qt.Key.Key_PageDown)
    with qtbot.waitSignal(view.previousImageAsked):
        QTest.keyClick(view, Qt.Key.Key_PageUp)


def test_right_drag_changes_the_window_and_shows_its_numbers(view):
    view.show_picture(prepare(picture(np.full((300, 400), 100, np.uint8))))
    assert pixels_of(view)[150, 200, 0] == 100
    seen = drag(view, Qt.MouseButton.RightButton, QPoint(200, 200), QPoint(-150, 0))
    assert view.grey_window.width == pytest.approx(127.5)
    assert view.grey_window.level == pytest.approx(127.5)
    assert seen.is_lively
    assert seen.top_right[1] == "W 128 · L 128"
    assert not view.corners().is_lively
    assert view.corners().bottom_right == ("Window changed",)
    now = view.grey_window
    expected = apply_window(np.array([[100]], np.uint8), now.low, now.high)[0, 0]
    assert pixels_of(view)[150, 200, 0] == expected
    drag(view, Qt.MouseButton.RightButton, QPoint(200, 200), QPoint(0, -100))
    assert pixels_of(view)[150, 200, 0] > expected  # up is brighter


def test_the_window_never_collapses(view):
    view.show_picture(prepare(picture(noise(300, 400))))
    drag(view, Qt.MouseButton.RightButton, QPoint(390, 200), QPoint(-5000, 0))
    assert view.grey_window.width >= 1
    assert pixels_of(view).size


def test_invert_and_double_click_resets_everything(view):
    view.show_picture(prepare(picture(np.full((300, 400), 40, np.uint8))))
    view.invert()
    assert pixels_of(view)[150, 200, 0] == 215
    assert "Inverted" in view.corners().bottom_right
    view.zoom_in()
    view.set_window(width=50, level=10)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(9, 9))
    assert view.is_fitted
    assert view.grey_window == Window(0, 255)
    assert pixels_of(view)[150, 200, 0] == 40


def test_a_wide_image_of_sixteen_bits_is_shown_in_its_robust_window(view):
    image = np.full((300, 400), 1000, np.uint16)
    image[:, 200:] = 3000
    given = picture(image)
    view.show_picture(prepare(given))
    seen = pixels_of(view)
    assert seen[150, 100, 0] == 0
    assert seen[150, 300, 0] == 255
    view.set_window(width=4000, level=2000)
    assert pixels_of(view)[150, 300, 0] == apply_window(image, 0, 4000)[0, 300]


def test_the_words_in_the_corners_are_legible_on_white_and_can_be_hidden(view):
    view.show_picture(prepare(picture(np.full((300, 400), 255, np.uint8))))
    view.set_captions(("0412 · 2026-03-14", "PA · 400 × 300"))
    assert pixels_of(view).min() == 255
    view.toggle_overlay()
    assert view.shows_overlay
    corner = pixels_of(view)[8:24, 8:120, 0]
    assert corner.min() < 90  # a dark halo
    assert corner.max() > 200  # around light words
    assert view.corners().top_right[0] == "Zoom 100 %"


def test_what_was_drawn_for_one_picture_is_never_drawn_for_another(view):
    for value in (10, 250, 60):
        view.show_picture(prepare(picture(np.full((300, 400), value, np.uint8))))
        assert pixels_of(view)[150, 200, 0] == value


def test_zoom_stops_at_the_whole_image_and_at_single_pixels(view):
    view.show_picture(prepare(picture(noise(3000, 4000))))
    for _ in range(30):
        view.zoom_out()
    assert view.scale == pytest.approx(0.1)
    for _ in range(60):
        view.zoom_in()
    assert view.scale == 32
    seen = pixels_of(view)[100:132, 100:132, 0]
    assert len(np.unique(seen)) <= 4  # squares, not a gradient


@pytest.mark.parametrize("factor", ["1.5", "2"])
def test_one_to_one_is_exact_on_a_scaled_screen(factor):
    """In a process of its own: Qt takes the screen's scale once."""
    code = """
    import numpy as np
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
    from mmreview.imaging.windowing import picture
    from mmreview.ui import theme
    from mmreview.ui.image_view import ImageView, prepare
    application = QApplication([])
    theme.apply(application, "dark")
    window = QWidget()
    view = ImageView()
    column = QVBoxLayout(window)
    column.setContentsMargins(11, 13, 0, 0)
    column.addWidget(view)
    window.resize(311, 253)
    window.show()
    application.processEvents()
    image = np.random.default_rng(0).integers(0, 256, (1200, 1300), dtype=np.uint8)
    view.toggle_overlay()
    view.show_picture(prepare(picture(image)))
    view.actual_size()
    shot = window.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(shot.constBits(), np.uint8).reshape(shot.height(), -1)
    ratio = window.devicePixelRatioF()
    x, y = round(11 * ratio) + 20, round(13 * ratio) + 20
    seen = rows[y:y + 100, x:x + 100]
    found = [
        (i, j)
        for i in range(1100) for j in range(1200)
        if image[i, j] == seen[0, 0] and (image[i, j:j + 100] == seen[0]).all()
        and (image[i:i + 100, j:j + 100] == seen).all()
    ]
    assert len(found) == 1, found
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "QT_SCALE_FACTOR": factor, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
