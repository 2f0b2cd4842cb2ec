"""The line of a finding whose label is suspect: what speaks against it, and a button to say that it
is right. It stands in the selected row; a closed row has a few words beside its name (``mark``)."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QWidget

from mmreview.domain.findings import State
from mmreview.domain.labels import Suspect
from mmreview.domain.reads import FindingState
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.measures import measures
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_CORNER = 3


class SecondLook(QWidget):
    """One finding's second look; ``suspect`` is None while nothing is suspected."""

    confirmed = Signal()

    def __init__(self, finding: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._suspect: Suspect | None = None
        self.setObjectName(f"secondLook.{finding}")
        self._right = _Right(finding, self)
        self._right.clicked.connect(self.confirmed)
        self.hide()

    def set_suspect(self, suspect: Suspect | None) -> None:
        """Say what is suspected, or nothing."""
        if suspect != self._suspect:
            self._suspect = suspect
            self.setAccessibleName(self.sentence())
            self.setToolTip(self._said("ui.findings.second_look.tip"))
            self.update()

    def doubts(self, held: FindingState) -> bool:
        """Whether it is about the state that holds: not once a reader has set it since."""
        return self._suspect is not None and self._suspect.held == held

    def set_enabled(self, enabled: bool) -> None:
        """Let the label be called right, or not (a read-only project)."""
        self._right.setVisible(enabled)

    @staticmethod
    def mark() -> str:
        """What a closed row says."""
        return tr("ui.findings.second_look")

    def sentence(self) -> str:
        """What is suspected, in words."""
        return self._said("ui.findings.second_look.says")

    def _said(self, code: str) -> str:
        suspect = self._suspect
        if suspect is None:
            return ""
        state = suspect.held.state  # bars speak of presence, so does this
        chance = suspect.confidence if state is State.PRESENT else 1 - suspect.confidence
        return tr(code, state=tr(f"ui.findings.state.{state}").lower(), percent=percent(chance))

    def height_needed(self) -> int:
        """How high the line is."""
        return measures().line + 2 * UNIT

    def resizeEvent(self, _: QResizeEvent) -> None:
        """Keep the button at the right."""
        self._right.move(
            self.width() - self._right.width(), (self.height() - self._right.height()) // 2
        )

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the sentence."""
        sizes = measures()
        painter = QPainter(self)
        painter.setFont(sizes.small)
        painter.setPen(theme.current().text)
        shown = not self._right.isHidden()
        room = self._right.x() - 2 * UNIT if shown else self.width()
        text = sizes.small_metrics.elidedText(
            self.sentence(), Qt.TextElideMode.ElideRight, room
        )
        painter.drawText(QRectF(0, 0, room, self.height()), _LEFT, text)
        painter.end()


class _Right(QAbstractButton):
    """ "It is right"."""

    def __init__(self, finding: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"secondLookRight.{finding}")
        self.setText(tr("ui.findings.second_look.right"))
        self.setAccessibleName(f"{finding}: {self.text()}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        sizes = measures()
        width = round(sizes.small_metrics.horizontalAdvance(self.text())) + 4 * UNIT
        self.setFixedSize(width, sizes.line + UNIT)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the words in a quiet border."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.focus if self.hasFocus() else colours.line)
        painter.setBrush(colours.line if self.isDown() else colours.raised)
        painter.drawRoundedRect(
            QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _CORNER, _CORNER
        )
        painter.setFont(measures().small)
        painter.setPen(colours.text)
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()
