"""Small painted pieces that the strips of the window share: a line of text that is elided rather
than cut, a chip, a button that looks like text, a slim progress bar, a check box. They ask the
theme while they paint, so a change of theme is one ``update``.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QProgressBar,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_ELLIPSIS = Qt.TextElideMode.ElideRight


class TextLine(QWidget):
    """One line of text in a role's colour; elided when there is no room, then whole in the
    tooltip. The accessible name is always the whole text.

    With ``emphasis`` the first so many characters stand in the text colour and bold, the rest in
    the role's.
    """

    def __init__(
        self,
        *,
        size: float = theme.BODY,
        role: str = "text",
        bold: bool = False,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._font = theme.font(size, bold=bold, tabular=True)
        self._bold = theme.font(size, bold=True, tabular=True)
        self._role = role
        self._align = align
        self._text = ""
        self._emphasis = 0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def text(self) -> str:
        """The whole text."""
        return self._text

    def set_text(self, text: str, *, role: str | None = None, emphasis: int = 0) -> None:
        """Show ``text``; nothing happens when it is there already."""
        role = role or self._role
        if (text, role, emphasis) == (self._text, self._role, self._emphasis):
            return
        self._text, self._role, self._emphasis = text, role, emphasis
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """All of the text, one line high."""
        head, rest = self._text[: self._emphasis], self._text[self._emphasis :]
        bold, plain = QFontMetricsF(self._bold), QFontMetricsF(self._font)
        width = bold.horizontalAdvance(head) + plain.horizontalAdvance(rest)
        return QSize(math.ceil(width) + 1, math.ceil(plain.height()))

    def minimumSizeHint(self) -> QSize:
        """It may be elided to nothing."""
        return QSize(0, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Show the whole text on hover when it is elided."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            text = self.toolTip() or (self._text if self.sizeHint().width() > self.width() else "")
            if text:
                QToolTip.showText(event.globalPos(), text, self)
                return True
        return super().event(event)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the line."""
        if not self._text:
            return
        colours = theme.current()
        painter = QPainter(self)
        box = QRectF(self.rect())
        flags = self._align | Qt.AlignmentFlag.AlignVCenter
        head = self._text[: self._emphasis]
        if head:
            metrics = QFontMetricsF(self._bold)
            painter.setFont(self._bold)
            painter.setPen(colours.text)
            painter.drawText(box, flags, metrics.elidedText(head, _ELLIPSIS, box.width()))
            box.setLeft(box.left() + metrics.horizontalAdvance(head))
        if box.width() > 0:
            metrics = QFontMetricsF(self._font)
            enabled = self.isEnabled()
            painter.setFont(self._font)
            painter.setPen(getattr(colours, self._role) if enabled else colours.faint)
            rest = metrics.elidedText(self._text[self._emphasis :], _ELLIPSIS, box.width())
            painter.drawText(box, flags, rest)
        painter.end()


class Chip(QWidget):
    """A word in a rounded outline: a mark, not a button."""

    def __init__(
        self, text: str = "", *, role: str = "muted", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._font = theme.font(theme.SMALL)
        self._role = role
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_text(text)

    def text(self) -> str:
        """The word."""
        return self._text

    def set_text(self, text: str) -> None:
        """Change the word."""
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The word and its margin."""
        metrics = QFontMetricsF(self._font)
        width = math.ceil(metrics.horizontalAdvance(self._text)) + 4 * UNIT
        return QSize(width, math.ceil(metrics.height()) + UNIT)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw outline and word."""
        colours = theme.current()
        painter = QPainter(self)
        draw_chip(painter, QRectF(self.rect()), self._text, getattr(colours, self._role))
        painter.end()


def draw_chip(painter: QPainter, box: QRectF, text: str, colour: QColor) -> None:
    """A rounded outline around a small word."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.current().line, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    outline = box.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(outline, outline.height() / 2, outline.height() / 2)
    painter.setFont(theme.font(theme.SMALL))
    painter.setPen(colour)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class TextButton(QAbstractButton):
    """A quiet button: text, underlined under the pointer. ``shape`` ``close`` draws a cross,
    ``up`` and ``down`` a chevron, instead of the text."""

    def __init__(self, text: str = "", *, shape: str = "", role: str = "text") -> None:
        super().__init__()
        self._font = theme.font(theme.SMALL)
        self._shape = shape
        self._role = role
        self.setText(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_shape(self, shape: str) -> None:
        """Draw another shape."""
        self._shape = shape
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the text or the shape, and the focus ring."""
        metrics = QFontMetricsF(self._font)
        height = math.ceil(metrics.height()) + UNIT
        if self._shape:
            return QSize(height, height)
        return QSize(math.ceil(metrics.horizontalAdvance(self.text())) + 2 * UNIT, height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return presses it, as it does a push button."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw text or shape, and the focus ring."""
        colours = theme.current()
        colour = getattr(colours, self._role) if self.isEnabled() else colours.faint
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        if self.underMouse() and self.isEnabled():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.selection)
            painter.drawRoundedRect(box, 3, 3)
        if self._shape:
            self._draw_shape(painter, box.center(), QPen(colour, 1.5))
        else:
            font = theme.font(theme.SMALL)
            font.setUnderline(True)
            painter.setFont(font)
            painter.setPen(colour)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text())
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)
        painter.end()

    def _draw_shape(self, painter: QPainter, centre: QPointF, pen: QPen) -> None:
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        x, y, r = centre.x(), centre.y(), 3.0
        if self._shape == "close":
            painter.drawLine(QPointF(x - r, y - r), QPointF(x + r, y + r))
            painter.drawLine(QPointF(x - r, y + r), QPointF(x + r, y - r))
            return
        tip = -r / 2 if self._shape == "up" else r / 2
        painter.drawPolyline(
            [QPointF(x - r - 1, y - tip), QPointF(x, y + tip), QPointF(x + r + 1, y - tip)]
        )


class ThinProgress(QProgressBar):
    """A slim bar in the foreground's colour, 0 to 1000; a range of 0 to 0 is an empty track."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(0, 1000)
        self.setTextVisible(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As thin as a bar can be read."""
        return QSize(30 * UNIT, UNIT + 1)

    def minimumSizeHint(self) -> QSize:
        """Any width."""
        return QSize(2 * UNIT, UNIT + 1)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw track and value."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.track)
        box = QRectF(self.rect())
        painter.drawRoundedRect(box, 2, 2)
        if self.maximum() > 0 and self.value() > 0:
            box.setWidth(max(2.0, box.width() * self.value() / self.maximum()))
            painter.setBrush(colours.text)
            painter.drawRoundedRect(box, 2, 2)
        painter.end()


class CheckLine(QCheckBox):
    """A check box in the theme's colours: an empty box is as visible as a checked one."""

    def __init__(self, text: str, *, size: float = theme.SMALL) -> None:
        super().__init__(text)
        self._font = theme.font(size)
        self._side = 3 * UNIT + 1

    def sizeHint(self) -> QSize:
        """Box and text."""
        metrics = QFontMetricsF(self._font)
        width = self._side + 2 * UNIT + math.ceil(metrics.horizontalAdvance(self.text())) + UNIT
        return QSize(width, max(5 * UNIT, math.ceil(metrics.height()) + UNIT))

    def minimumSizeHint(self) -> QSize:
        """All of it."""
        return self.sizeHint()

    def hitButton(self, point: QPoint) -> bool:
        """Box and text both take a click."""
        return self.rect().contains(point)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw box, tick, text and focus ring."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0.5, (self.height() - self._side) / 2 + 0.5, self._side - 1, self._side - 1)
        on, enabled = self.isChecked(), self.isEnabled()
        edge = colours.focus if self.hasFocus() else colours.muted if enabled else colours.faint
        fill = colours.text if enabled else colours.faint
        painter.setPen(QPen(edge, 1.5 if self.hasFocus() else 1))
        painter.setBrush(fill if on else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 2.5, 2.5)
        if on:
            painter.setPen(QPen(colours.on_fill, 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            shape = ((0.22, 0.52), (0.43, 0.73), (0.78, 0.28))
            painter.drawPolyline(
                [QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in shape]
            )
        painter.setFont(self._font)
        painter.setPen(colours.muted if enabled else colours.faint)
        text = QRectF(self.rect()).adjusted(self._side + 1.5 * UNIT, 0, 0, 0)
        painter.drawText(
            text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.text()
        )
        painter.end()
