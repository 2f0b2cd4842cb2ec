"""The images of a case side by side, small; a click or an arrow key brings one into the view.

It lies over the lower edge of the image view, which leaves that room free, so that showing or
hiding it moves nothing else. An image that has not arrived yet stands there as its number.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_CELL = 12 * UNIT
_GAP = 2 * UNIT
_EDGE = 3 * UNIT

#: The strip's height.
HEIGHT = _CELL + 2 * _GAP


class Filmstrip(QWidget):
    """``positionChosen`` carries the position (from 0) of an image that a person chose."""

    positionChosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("filmstrip")
        self.setAccessibleName(tr("ui.reading.filmstrip_name"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(HEIGHT)
        self._captions: tuple[str, ...] = ()
        self._thumbnails: dict[int, QImage] = {}
        self._position = 0
        self._offset = 0.0

    def show_images(self, captions: Sequence[str]) -> None:
        """Take the images of another case, without pictures yet; the first is the current one."""
        self._captions = tuple(captions)
        self._thumbnails.clear()
        self._offset = 0.0
        self.set_position(0)

    def set_thumbnail(self, position: int, image: QImage) -> None:
        """Show this small picture at ``position``."""
        self._thumbnails[position] = image
        self.update()

    def has_thumbnail(self, position: int) -> bool:
        """True when the picture at ``position`` has arrived."""
        return position in self._thumbnails

    def set_position(self, position: int) -> None:
        """Mark the image that the view shows, and bring it into sight."""
        self._position = position
        self._show_cell(position)
        described = self._captions[position] if position < len(self._captions) else ""
        self.setAccessibleDescription(described)
        self.update()

    def position(self) -> int:
        """The marked image."""
        return self._position

    def cell(self, position: int) -> QRectF:
        """Where the image at ``position`` is drawn."""
        left = _EDGE + position * (_CELL + _GAP) - self._offset
        return QRectF(left, _GAP, _CELL, _CELL)

    def sizeHint(self) -> QSize:
        """As wide as all cells."""
        return QSize(round(self._length), HEIGHT)

    @property
    def _length(self) -> float:
        return 2 * _EDGE + len(self._captions) * (_CELL + _GAP) - _GAP

    def _show_cell(self, position: int) -> None:
        left = position * (_CELL + _GAP)
        right = left + _CELL + 2 * _EDGE
        self._scroll(min(max(self._offset, right - self.width()), left))

    def _scroll(self, offset: float) -> None:
        self._offset = min(max(offset, 0.0), max(self._length - self.width(), 0.0))
        self.update()

    def _position_at(self, point: QPointF) -> int | None:
        position = int((point.x() + self._offset - _EDGE) // (_CELL + _GAP))
        there = 0 <= position < len(self._captions) and self.cell(position).contains(point)
        return position if there else None

    def resizeEvent(self, _: object) -> None:
        """The current image stays in sight."""
        self._show_cell(self._position)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose what is under the cursor; beside the pictures the press is the image's."""
        position = self._position_at(event.position())
        if position is None or event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
        else:
            self.positionChosen.emit(position)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll when not all images have room; else the wheel is the image's."""
        if self._length <= self.width():
            event.ignore()
            return
        self._scroll(self._offset - event.angleDelta().y() / 120 * (_CELL + _GAP))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right, first and last."""
        last = len(self._captions) - 1
        wanted = {
            Qt.Key.Key_Left: max(self._position - 1, 0),
            Qt.Key.Key_Right: min(self._position + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }.get(Qt.Key(event.key()))
        if wanted is None:
            super().keyPressEvent(event)
        elif wanted != self._position:
            self.positionChosen.emit(wanted)

    def event(self, event: QEvent) -> bool:
        """Name the image under the cursor."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            position = self._position_at(QPointF(event.pos()))
            if position is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self._captions[position], self)
            return True
        return super().event(event)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Each picture whole within its cell, the current one framed."""
        colours = theme.current()
        dark = theme.DARK  # the image's ground is black in every theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for position in range(len(self._captions)):
            cell = self.cell(position)
            if cell.right() < 0 or cell.left() > self.width():
                continue
            painter.fillRect(cell, dark.canvas)
            image = self._thumbnails.get(position)
            if image is None or image.isNull():
                painter.setFont(theme.font(theme.SMALL, tabular=True))
                painter.setPen(dark.muted)
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, str(position + 1))
            else:
                painter.drawImage(_within(image, cell), image)
            current = position == self._position
            focused = current and self.hasFocus()
            edge = colours.focus if focused else dark.image if current else dark.line
            painter.setPen(QPen(edge, 2.0 if current else 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(cell, 2, 2)
            if focused:
                painter.drawRoundedRect(cell.adjusted(-3, -3, 3, 3), 4, 4)


def _within(image: QImage, cell: QRectF) -> QRectF:
    """The largest rectangle of the image's shape in the middle of ``cell``."""
    inner = cell.adjusted(1, 1, -1, -1)
    factor = min(inner.width() / image.width(), inner.height() / image.height())
    width, height = image.width() * factor, image.height() * factor
    middle = inner.center()
    return QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
