"""The middle of the review page: image and report side by side, either of which can have it all."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from mmreview.ui.image_panel import ImagePanel
from mmreview.ui.report_panel import ReportPanel


class ReadingArea(QWidget):
    """``image`` and ``report`` in a splitter. Escape gives a maximised panel's neighbour back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("readingArea")
        self.image = ImagePanel(self)
        self.report = ReportPanel(self)
        self._panels: dict[str, ImagePanel | ReportPanel] = {
            "image": self.image,
            "report": self.report,
        }
        self._maximised = ""
        self._before = QByteArray()
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        for position, (name, panel) in enumerate(self._panels.items()):
            self._splitter.addWidget(panel)
            self._splitter.setStretchFactor(position, 3 if name == "image" else 2)
            panel.header.maximiseToggled.connect(lambda name=name: self.toggle_maximised(name))
        self._splitter.setSizes([600, 400])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._splitter)

    @property
    def maximised(self) -> str:
        """The panel that has the whole area (``image`` or ``report``), or empty."""
        return self._maximised

    def toggle_maximised(self, panel: str) -> None:
        """Give ``image`` or ``report`` the whole area; when it has it already, share again."""
        if self._maximised == panel:
            self.restore()
            return
        if not self._maximised:
            self._before = self._splitter.saveState()
        self._maximised = panel
        self._show_panels()
        self._panels[panel].setFocus(Qt.FocusReason.OtherFocusReason)

    def restore(self) -> None:
        """Show image and report side by side again, as wide as they were."""
        if self._maximised:
            self._maximised = ""
            self._show_panels()
            self._splitter.restoreState(self._before)

    def _show_panels(self) -> None:
        for name, panel in self._panels.items():
            panel.setVisible(self._maximised in ("", name))
            panel.header.set_maximised(self._maximised == name)

    def set_orientation(self, orientation: Qt.Orientation) -> None:
        """Side by side, or one above the other in a narrow window."""
        self._splitter.setOrientation(orientation)

    def save_state(self) -> str:
        """How the area is shared, in base 64; a maximised panel is not remembered as such."""
        state = self._before if self._maximised else self._splitter.saveState()
        return bytes(state.toBase64().data()).decode("ascii")

    def restore_state(self, state: str) -> bool:
        """Share the area as ``save_state`` said; False, and no change, when it says nothing
        usable."""
        self.restore()
        if not self._splitter.restoreState(QByteArray.fromBase64(state.encode())):
            return False
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        return True

    def event(self, event: QEvent) -> bool:
        """While a panel is maximised, Escape is ours before it is the window's."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
            and self._maximised
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape: share again."""
        if event.key() == Qt.Key.Key_Escape and self._maximised:
            self.restore()
        else:
            super().keyPressEvent(event)
