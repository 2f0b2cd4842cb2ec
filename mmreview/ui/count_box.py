"""A number field that keeps the keys it needs from the page's shortcuts.

Enter and Escape end the typing and give the keys back to the page; without that, Enter would commit
the read of the open case and the arrows would move between findings.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSpinBox

_ENDS = frozenset((Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape))
_OWN = _ENDS | {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown}
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class CountBox(QSpinBox):
    """A whole number; what is typed counts once the typing has ended."""

    def event(self, event: QEvent) -> bool:
        """Keep the keys that mean something here."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in _OWN
            and event.modifiers() in _PLAIN
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the number, Escape leaves it as it was; both let go of the keys."""
        if event.key() not in _ENDS:
            super().keyPressEvent(event)
            return
        if event.key() == Qt.Key.Key_Escape:
            self.lineEdit().setText(f"{self.prefix()}{self.textFromValue(self.value())}{self.suffix()}")
        else:
            self.interpretText()
        self.clearFocus()
