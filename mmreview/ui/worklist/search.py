"""The search field: tells what was typed once the typing pauses; shows its key while empty."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QIcon,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QLineEdit, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT

#: A pause of this many milliseconds ends a word.
PAUSE = 120

_OWN_KEYS = (
    Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Down, Qt.Key.Key_Up
)
_KEYPAD = Qt.KeyboardModifier.KeypadModifier


class SearchField(QLineEdit):
    """Text that is searched for in id, caption and report."""

    searchChanged = Signal(str)
    left = Signal()  # Escape in an empty field, or Down: the list is wanted
    entered = Signal()  # Enter: what is found first is wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("worklistSearch")
        self.setAccessibleName(tr("ui.worklist.search"))
        self.setPlaceholderText(tr("ui.worklist.search"))
        self.setToolTip(tr("ui.worklist.search.tip"))
        self._told = ""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE)
        self._pause.timeout.connect(self._tell)
        self.textChanged.connect(self._on_text_changed)
        self._clear = self.addAction(QIcon(), QLineEdit.ActionPosition.TrailingPosition)
        self._clear.setToolTip(tr("ui.worklist.search.clear"))
        self._clear.triggered.connect(self.clear_now)
        self._clear.setVisible(False)

    @property
    def searched(self) -> str:
        """The text that was last told."""
        return self._told

    def reset(self) -> None:
        """Empty the field without telling anybody."""
        self.clear()
        self._pause.stop()
        self._told = ""

    def clear_now(self) -> None:
        """Empty the field and tell at once."""
        self.clear()
        self._tell()

    def _on_text_changed(self, text: str) -> None:
        if self._clear.isVisible() != bool(text):
            self._clear.setIcon(_cross())
            self._clear.setVisible(bool(text))
        self._pause.start()

    def _tell(self) -> None:
        self._pause.stop()
        text = self.text().strip()
        if text != self._told:
            self._told = text
            self.searchChanged.emit(text)

    def event(self, event: QEvent) -> bool:
        """Keep the keys that mean something here from the page's shortcuts."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in _OWN_KEYS
            and not event.modifiers() & ~_KEYPAD
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape clears, then leaves; Down leaves; Enter searches at once."""
        key = event.key()
        if key == Qt.Key.Key_Escape and self.text():
            self.clear_now()
        elif key in (Qt.Key.Key_Escape, Qt.Key.Key_Down):
            self._tell()
            self.left.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._tell()
            self.entered.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Hide the key while it is in use."""
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The field, and its key at the right while it is empty."""
        super().paintEvent(event)
        if self.text() or self.hasFocus():
            return
        painter = QPainter(self)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.current().faint)
        key = tr("ui.worklist.search.key")
        room = self.width() - 4 * UNIT
        words = self.fontMetrics().horizontalAdvance(self.placeholderText())
        if words + painter.fontMetrics().horizontalAdvance(key) + 3 * UNIT > room:
            return
        box = QRect(2 * UNIT, 0, room, self.height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), key)


def _cross() -> QIcon:
    """A small cross, drawn at twice its size."""
    pixmap = QPixmap(32, 32)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(theme.current().muted, 1.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawLine(5, 5, 11, 11)
    painter.drawLine(11, 5, 5, 11)
    painter.end()
    return QIcon(pixmap)
