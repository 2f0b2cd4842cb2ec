"""The image of the open case: zoom, pan, window and level, and the words in its corners.

``ImagePanel`` tells it what to show: a prepared picture, a placeholder, or nothing yet. Every paint
draws the visible part from the pyramid level that is just finer than the screen (see
``image_pyramid``), so that no gesture needs a thread; only the part drawn last is kept. At a scale
of 1 each image pixel is exactly one screen pixel. Menu actions and the window's shortcuts call the
public verbs.

Mouse: the wheel zooms to the cursor, left drag moves, right drag changes the window (to the right
wider, up brighter), double click resets. Keys of its own: Shift with an arrow moves, Page up and
Page down change the image; the rest are shortcuts of the window.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.image_overlay import Corners, described
from mmreview.ui.image_pyramid import PreparedPicture, Window, prepare
from mmreview.ui.image_viewport import Viewport
from mmreview.ui.placeholder import Placeholder, Sign
from mmreview.ui.theme import UNIT

__all__ = ["ImageView", "PreparedPicture", "prepare"]

#: One notch of the wheel, and one press of a zoom key.
_NOTCH = 1.2
_ZOOM_KEY = 1.4142
#: From this scale on single pixels are drawn as squares, so that they can be told apart.
_SQUARES_FROM = 8.0
#: The share of the view that Shift with an arrow moves by.
_PAN = 0.1
#: A right drag over so many device-independent pixels changes the window by the default's width.
_DRAG = 300.0

#: How the focus comes when the keyboard brings it.
_BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)

_ARROWS = {
    Qt.Key.Key_Left: (1, 0),
    Qt.Key.Key_Right: (-1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


class ImageView(QWidget):
    """Shows one picture. ``viewChanged`` comes after every change of scale, place or window."""

    viewChanged = Signal()
    nextImageAsked = Signal()
    previousImageAsked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("imageView")
        self.setAccessibleName(tr("ui.reading.image_name"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(40 * UNIT, 30 * UNIT)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # right drag is ours
        self._picture: PreparedPicture | None = None
        self._placeholder: Placeholder | None = None
        self._window = Window(0, 255)
        self._viewport = Viewport()
        self._bottom = 0
        self._captions: tuple[str, ...] = ()
        self._overlay = True
        self._kept: tuple[object, QImage] | None = None
        self._drag_from: QPointF | None = None
        self._drag_button = Qt.MouseButton.NoButton
        self._ring = False

    # --- what is shown ----------------------------------------------------------------------------

    def show_picture(self, picture: PreparedPicture) -> None:
        """Show a picture whole and in its default window."""
        self._picture = picture
        self._kept = None
        self._placeholder = None
        self._window = picture.window
        self._viewport.place((picture.width, picture.height))
        self._changed()

    def show_placeholder(self, placeholder: Placeholder | None) -> None:
        """Show words instead of a picture, or with None an empty view (a picture is coming)."""
        self._picture = None
        self._kept = None
        self._placeholder = placeholder
        self._viewport.place((0, 0))
        self.setAccessibleDescription(placeholder.text if placeholder is not None else "")
        self._changed()

    def set_captions(self, lines: tuple[str, ...]) -> None:
        """The lines of the left top corner."""
        self._captions = lines
        self.setAccessibleDescription(". ".join(lines))
        self.update()

    def set_bottom_margin(self, pixels: int) -> None:
        """Keep so much room free below an image that is shown whole."""
        if pixels != self._bottom:
            self._bottom = pixels
            self._resize_viewport()

    @property
    def picture(self) -> PreparedPicture | None:
        """The picture on the screen."""
        return self._picture

    @property
    def placeholder(self) -> Placeholder | None:
        """The words on the screen instead of a picture."""
        return self._placeholder

    @property
    def grey_window(self) -> Window:
        """The grey values that are shown."""
        return self._window

    @property
    def scale(self) -> float:
        """Screen pixels for one image pixel."""
        return self._viewport.scale

    @property
    def is_fitted(self) -> bool:
        """True while the image follows the size of the view."""
        return self._viewport.fitted

    @property
    def shows_overlay(self) -> bool:
        """True while the corners have their words."""
        return self._overlay

    def image_point(self, at: QPointF) -> QPointF:
        """The image's point under a point of this widget."""
        ratio = self.devicePixelRatioF()
        left, top = self._viewport.origin
        scale = self._viewport.scale
        return QPointF((at.x() * ratio - left) / scale, (at.y() * ratio - top) / scale)

    def corners(self) -> Corners:
        """The words in the corners, as they are now."""
        if self._picture is None:
            return Corners(top_left=self._captions)
        return described(
            self._picture.window,
            self._window,
            percent=self.scale * 100,
            captions=self._captions,
            is_lively=self._drag_button == Qt.MouseButton.RightButton,
        )

    # --- verbs ------------------------------------------------------------------------------------

    def zoom_in(self) -> None:
        """Closer by one step, around the middle."""
        self._zoom(self._viewport.scale * _ZOOM_KEY)

    def zoom_out(self) -> None:
        """Farther by one step."""
        self._zoom(self._viewport.scale / _ZOOM_KEY)

    def fit(self) -> None:
        """The whole image, as large as it can be."""
        self._viewport.fit()
        self._changed()

    def actual_size(self) -> None:
        """One image pixel on one screen pixel; when it is so already, the whole image again."""
        if math.isclose(self._viewport.scale, 1.0) and not self._viewport.fitted:
            self.fit()
        else:
            self._zoom(1.0)

    def invert(self) -> None:
        """Exchange black and white."""
        self._set_window(self._window.flipped())

    def set_window(self, *, width: float, level: float) -> None:
        """Show the grey values ``width`` wide around ``level``, in the picture's own units."""
        self._set_window(self._window.moved(width=width, level=level))

    def reset(self) -> None:
        """Whole image, default window, not inverted."""
        if self._picture is not None:
            self._window = self._picture.window
        self.fit()

    def toggle_overlay(self) -> None:
        """Hide the words in the corners, or show them again."""
        self._overlay = not self._overlay
        self.update()

    @property
    def _is_waiting(self) -> bool:
        return self._picture is None and (
            self._placeholder is None or self._placeholder.sign is Sign.NONE
        )

    def _zoom(self, scale: float, at: QPointF | None = None) -> None:
        if self._picture is None:
            return
        ratio = self.devicePixelRatioF()
        self._viewport.zoom(
            scale, at=(at.x() * ratio, at.y() * ratio) if at is not None else None
        )
        self._changed()

    def _set_window(self, window: Window) -> None:
        if self._picture is not None and window != self._window:
            self._window = window
            self._changed()

    def _changed(self) -> None:
        self._set_cursor()
        self.update()
        self.viewChanged.emit()

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._drag_button == Qt.MouseButton.RightButton:
            shape = Qt.CursorShape.SizeAllCursor
        elif self._picture is not None and self._viewport.is_movable:
            dragged = self._drag_button == Qt.MouseButton.LeftButton
            shape = Qt.CursorShape.ClosedHandCursor if dragged else Qt.CursorShape.OpenHandCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    # --- events -----------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what is in the middle there, or the whole image whole."""
        super().resizeEvent(event)
        self._resize_viewport()

    def event(self, event: QEvent) -> bool:
        """A move to a screen of another scale resizes the view in its pixels."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._resize_viewport()
        return super().event(event)

    def _resize_viewport(self) -> None:
        ratio = self.devicePixelRatioF()
        size = (round(self.width() * ratio), round(self.height() * ratio))
        self._viewport.resize(size, bottom=self._bottom * ratio)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the cursor."""
        notches = event.angleDelta().y() / 120
        if notches:
            self._zoom(self._viewport.scale * _NOTCH**notches, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag begins: left moves, right changes the window."""
        if self._drag_button == Qt.MouseButton.NoButton and self._picture is not None:
            self._drag_button = event.button()
            self._drag_from = event.position()
            self._set_cursor()
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The drag goes on."""
        if self._drag_from is None or self._picture is None:
            return
        step = event.position() - self._drag_from
        self._drag_from = event.position()
        if self._drag_button == Qt.MouseButton.LeftButton:
            ratio = self.devicePixelRatioF()
            self._viewport.move(step.x() * ratio, step.y() * ratio)
            self._changed()
        elif self._drag_button == Qt.MouseButton.RightButton:
            unit = self._picture.window.width / _DRAG
            self.set_window(
                width=max(self._window.width + step.x() * unit, self._picture.window.width / 256),
                level=self._window.level + step.y() * unit,
            )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The drag ends."""
        if event.button() == self._drag_button:
            self._drag_from = None
            self._drag_button = Qt.MouseButton.NoButton
            self._set_cursor()
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to how the picture came."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, or change the image; any other key is for the window."""
        key = Qt.Key(event.key())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and key in _ARROWS:
            right, down = _ARROWS[key]
            width, height = self._viewport.view
            self._viewport.move(right * width * _PAN, down * height * _PAN)
            self._changed()
        elif key == Qt.Key.Key_PageDown:
            self.nextImageAsked.emit()
        elif key == Qt.Key.Key_PageUp:
            self.previousImageAsked.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for those who come by keyboard: nothing lies on the image after a click."""
        self._ring = event.reason() in _BY_KEYBOARD
        self.update()

    def focusOutEvent(self, _: QFocusEvent) -> None:
        """The ring goes."""
        self._ring = False
        self.update()

    # --- painting ---------------------------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """The picture or the placeholder, the corners, the ring."""
        colours = theme.current()
        painter = QPainter(self)
        area = QRectF(self.rect())
        if self._picture is not None:
            painter.fillRect(area, colours.canvas)
            self._paint_picture(painter, self._picture)
        elif self._placeholder is not None and not self._is_waiting:
            painter.fillRect(area, colours.surface)
            self._placeholder.paint(painter, area.adjusted(0, 0, 0, -self._bottom), colours)
        else:
            painter.fillRect(area, colours.canvas)
            if self._placeholder is not None:
                self._placeholder.paint(painter, area, theme.DARK)
        if self._overlay and (self._picture is not None or self._is_waiting):
            self.corners().paint(painter, area.adjusted(0, 0, 0, -self._bottom))
        if self._ring and self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.focus, 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))

    def _paint_picture(self, painter: QPainter, picture: PreparedPicture) -> None:
        """Draw what is in sight, from whole device pixels on."""
        scale = self._viewport.scale
        level = picture.level_for(scale)
        step = float(2**level)
        height, width = picture.arrays[level].shape[:2]
        visible = QRect(*self._viewport.visible(step, (width, height)))
        if visible.isEmpty():
            return
        seen = self._rendered(picture, level, visible)
        left, top = self._viewport.origin
        ratio = self.devicePixelRatioF()
        device = painter.deviceTransform()
        corner = device.map(QPointF(left / ratio, top / ratio))
        painter.save()
        painter.setWorldTransform(
            QTransform.fromTranslate(
                (round(corner.x()) - device.dx()) / ratio, (round(corner.y()) - device.dy()) / ratio
            )
        )
        painter.scale(scale / ratio, scale / ratio)
        painter.setClipRect(QRectF(0, 0, picture.width, picture.height))
        painter.scale(step, step)
        smooth = not math.isclose(scale * step, 1.0) and scale < _SQUARES_FROM
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(QPoint(visible.x(), visible.y()), seen)
        painter.restore()

    def _rendered(self, picture: PreparedPicture, level: int, part: QRect) -> QImage:
        """The visible part under the window; the one of the last paint again if nothing moved."""
        key = (level, part, self._window)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, picture.rendered(level, part, self._window))
        return self._kept[1]
