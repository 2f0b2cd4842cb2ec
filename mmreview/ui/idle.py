"""Noticing that nobody is at the workstation: no key and no mouse in this program for a while.

The application's events are looked at only while somebody wants to know.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

_INPUT = frozenset(
    (
        QEvent.Type.KeyPress,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseMove,
        QEvent.Type.Wheel,
        QEvent.Type.TouchBegin,
        QEvent.Type.TabletPress,
    )
)


class IdleWatch(QObject):
    """Tells once when nothing has come for ``minutes``, and again after the next input."""

    idled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watching = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.idled)

    def watch(self, minutes: float) -> None:
        """Watch from now on; 0 stops watching."""
        wanted = minutes > 0
        application = QCoreApplication.instance()
        if application is not None and wanted is not self._watching:
            if wanted:
                application.installEventFilter(self)
            else:
                application.removeEventFilter(self)
            self._watching = wanted
        self._timer.setInterval(round(60_000 * minutes))
        if wanted:
            self._timer.start()
        else:
            self._timer.stop()

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Input begins the wait anew; nothing is ever taken from anybody."""
        if event.type() in _INPUT:
            self._timer.start()
        return False
