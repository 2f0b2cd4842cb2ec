"""The strip above the image and above the report: its modality's colour, what it is, and the
button that gives it the whole reading area (or double click on the strip)."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT

HEIGHT = 7 * UNIT


class PanelHeader(QWidget):
    """``panel`` is ``image`` or ``report``; ``key`` is named in the button's tooltip."""

    maximiseToggled = Signal()

    def __init__(self, panel: str, *, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panel = panel
        self._key = key
        self._title = tr(f"ui.reading.{panel}")
        self._caption = ""
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = MaximiseButton(self)
        self.button.setObjectName(f"{panel}MaximiseButton")
        self.button.clicked.connect(self.maximiseToggled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, UNIT, 0)
        row.addStretch(1)
        row.addWidget(self.button)
        self.set_maximised(False)

    def set_caption(self, caption: str) -> None:
        """Show a few words after the title."""
        if caption != self._caption:
            self._caption = caption
            self.update()

    def caption(self) -> str:
        """The words after the title."""
        return self._caption

    def set_maximised(self, maximised: bool) -> None:
        """Show whether this panel has the reading area to itself."""
        self.button.is_restoring = maximised
        code = "ui.reading.restore" if maximised else f"ui.reading.maximise_{self._panel}"
        name = tr(code)
        self.button.setAccessibleName(name)
        self.button.setToolTip(f"{name} ({'Esc' if maximised else self._key})")
        self.button.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Maximise or restore."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximiseToggled.emit()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Title, caption and the line below."""
        colours = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.surface)
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), colours.line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.modality("image" if self._panel == "image" else "text"))
        middle = (self.height() - 1) / 2
        painter.drawRoundedRect(QRectF(3 * UNIT, middle - 5, 3, 10), 1.5, 1.5)
        font = theme.font(theme.SMALL, bold=True)
        metrics = QFontMetricsF(font)
        left = 3 * UNIT + 2 * UNIT + 1
        room = self.button.x() - UNIT - left
        title = metrics.elidedText(self._title, Qt.TextElideMode.ElideRight, room)
        painter.setFont(font)
        painter.setPen(colours.text)
        start = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(left, 0, room, self.height() - 1), start, title)
        taken = metrics.horizontalAdvance(title) + 2 * UNIT
        if self._caption and room - taken > 6 * UNIT:
            font = theme.font(theme.SMALL, tabular=True)
            painter.setFont(font)
            painter.setPen(colours.muted)
            caption = QFontMetricsF(font).elidedText(
                self._caption, Qt.TextElideMode.ElideRight, room - taken
            )
            box = QRectF(left + taken, 0, room - taken, self.height() - 1)
            painter.drawText(box, start, caption)


class MaximiseButton(QAbstractButton):
    """Two corners that point outwards, or inwards while the panel is maximised."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.is_restoring = False
        self.setFixedSize(self.sizeHint())
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def sizeHint(self) -> QSize:
        """A square of the grid."""
        return QSize(6 * UNIT, 6 * UNIT)

    def paintEvent(self, _: QPaintEvent) -> None:
        """The corners; a focus ring when it has the focus."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.underMouse() or self.isDown():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.selection if self.isDown() else colours.raised)
            painter.drawRoundedRect(box, UNIT, UNIT)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, UNIT, UNIT)
        self._draw_corners(painter, colours.text if self.underMouse() else colours.muted)

    def _draw_corners(self, painter: QPainter, colour: QColor) -> None:
        middle = QRectF(self.rect()).center()
        painter.setPen(QPen(colour, 1.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        near, far = 1.2, 4.8
        for sign in (1, -1):
            inner, outer = (near, far) if not self.is_restoring else (far, near)
            tip = (middle.x() + sign * outer, middle.y() - sign * outer)
            tail = (middle.x() + sign * inner, middle.y() - sign * inner)
            arm = 3.0 if not self.is_restoring else -3.0
            painter.drawLine(QLineF(*tip, *tail))
            painter.drawLine(QLineF(*tip, tip[0] - sign * arm, tip[1]))
            painter.drawLine(QLineF(*tip, tip[0], tip[1] + sign * arm))
