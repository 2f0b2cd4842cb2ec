"""Small pill buttons with a count, and what breaks a row of them into lines."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_GAP = UNIT  # between a chip's words and its count, and between chips
_PAD = 2 * UNIT + 2


class Chip(QAbstractButton):
    """A pill: words, and a count that is quieter. ``framed`` False draws words only."""

    def __init__(
        self, text: str, parent: QWidget | None = None, *, checkable: bool = False,
        framed: bool = True,
    ) -> None:
        super().__init__(parent)
        self._count = ""
        self._framed = framed
        self.setText(text)
        self.setCheckable(checkable)
        self.setAccessibleName(text)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_words(self, text: str) -> None:
        """Show other words."""
        self.setText(text)
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    @property
    def count(self) -> str:
        """The count as it is shown."""
        return self._count

    def set_count(self, count: int | None) -> None:
        """Show how many cases it stands for (None: not known)."""
        text = "" if count is None else f"{count:,}"
        if text != self._count:
            self._count = text
            self.setAccessibleDescription(text)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """The words, the count and their air."""
        width = self._words().horizontalAdvance(self.text())
        if self._count:
            width += _GAP + self._words().horizontalAdvance(self._count)
        pad = _PAD if self._framed else UNIT
        return QSize(width + 2 * pad, self._words().height() + 2 * UNIT)

    def minimumSizeHint(self) -> QSize:
        """As small as its words."""
        return self.sizeHint()

    def _words(self) -> QFontMetrics:
        return QFontMetrics(theme.font(theme.SMALL, tabular=True))

    def event(self, event: QEvent) -> bool:
        """Repaint when the mouse comes and goes."""
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the pill."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        radius = box.height() / 2
        on, hover = self.isChecked(), self.underMouse()
        if self._framed:
            edge = colours.image if on else colours.faint if hover else colours.line
            painter.setPen(QPen(edge, 1))
            painter.setBrush(colours.selection if on else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), radius - 1, radius - 1)
        words, count = self.text(), self._count
        painter.setFont(theme.font(theme.SMALL, tabular=True))
        painter.setPen(colours.text if on or hover else colours.muted)
        left = _PAD if self._framed else UNIT
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRect(left, 0, self.width() - left, self.height()), flags, words)
        if count:
            left += self._words().horizontalAdvance(words) + _GAP
            painter.setPen(colours.text if on else colours.muted)
            painter.drawText(QRect(left, 0, self.width() - left, self.height()), flags, count)


class ChipFlow(QWidget):
    """Puts its chips beside one another and begins a new line where the width ends.

    A widget rather than a ``QLayout`` subclass: those hand items between Python and Qt, and the
    two disagree about who deletes them.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[Chip] = []
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def add(self, chip: Chip) -> None:
        """Take one more chip at the end."""
        chip.setParent(self)
        self._shown.append(chip)
        self.updateGeometry()

    def heightForWidth(self, width: int) -> int:
        """The height of its lines at this width."""
        return self._arrange(width, move=False)

    def sizeHint(self) -> QSize:
        """As wide as the widest chip at least, as high as that makes it."""
        width = max(self.width(), self.minimumSizeHint().width())
        return QSize(width, self._arrange(width, move=False))

    def minimumSizeHint(self) -> QSize:
        """The widest chip."""
        sizes = [chip.sizeHint() for chip in self._shown if not chip.isHidden()]
        return QSize(
            max((size.width() for size in sizes), default=0),
            max((size.height() for size in sizes), default=0),
        )

    def event(self, event: QEvent) -> bool:
        """Arrange again when a chip came, went or changed its size, also while this was hidden."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self.updateGeometry()
            self._arrange(self.width(), move=True)
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the chips."""
        super().resizeEvent(event)
        self._arrange(self.width(), move=True)

    def _arrange(self, width: int, *, move: bool) -> int:
        x = y = line = 0
        for chip in self._shown:
            if chip.isHidden():
                continue
            size = chip.sizeHint()
            if x and x + size.width() > width:
                x, y, line = 0, y + line + _GAP, 0
            if move:
                chip.setGeometry(QRect(QPoint(x, y), size))
            x += size.width() + _GAP
            line = max(line, size.height())
        return y + line
