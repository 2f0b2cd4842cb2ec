"""A slim strip at the top of a page: one sentence, how grave it is, perhaps one thing to do.

``info`` goes away by itself; ``warning`` and ``lost`` stay until they are dismissed or replaced.
Red is for what was lost or refused only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.text_line import TextButton
from mmreview.ui.theme import UNIT

Severity = Literal["info", "warning", "lost"]

#: How long a mere information stays, in milliseconds.
INFO_STAYS = 8000
_EDGE = 3


class Banner(QWidget):
    """Hidden until there is something to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setAccessibleName(tr("ui.banner.name"))
        self._severity: Severity = "info"
        self._on_action: Callable[[], None] | None = None
        self._text = QLabel(self)
        self._text.setObjectName("bannerText")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._action = QPushButton(self)
        self._action.setObjectName("bannerAction")
        self._action.clicked.connect(self._on_action_clicked)
        self._dismiss = TextButton(shape="close", role="muted")
        self._dismiss.setObjectName("bannerDismiss")
        self._dismiss.setAccessibleName(tr("ui.banner.dismiss"))
        self._dismiss.setToolTip(tr("ui.banner.dismiss"))
        self._dismiss.clicked.connect(self.dismiss)
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(INFO_STAYS)
        self._leave.timeout.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10 * UNIT, UNIT + 2, 2 * UNIT, UNIT + 2)
        layout.setSpacing(3 * UNIT)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._action)
        layout.addWidget(self._dismiss)
        self.hide()

    @property
    def severity(self) -> Severity:
        """How grave the sentence is that is shown (or was shown last)."""
        return self._severity

    def show_message(
        self,
        text: str,
        *,
        severity: Severity,
        action: str = "",
        on_action: Callable[[], None] | None = None,
    ) -> None:
        """Say this in place of what was said before. ``on_action`` is called once, when the
        button is pressed; the strip is gone by then."""
        self._severity = severity
        self._text.setText(text)
        self._action.setText(action)
        self._action.setAccessibleName(action)
        self._action.setVisible(bool(action) and on_action is not None)
        self._on_action = on_action
        self._colour()
        self.show()
        self.update()
        if severity == "info":
            self._leave.start()
        else:
            self._leave.stop()
        QAccessible.updateAccessibility(QAccessibleEvent(self._text, QAccessible.Event.Alert))

    def dismiss(self) -> None:
        """Take it away."""
        self._leave.stop()
        self._on_action = None
        self.hide()

    def _on_action_clicked(self) -> None:
        act = self._on_action
        self.dismiss()
        if act is not None:
            act()

    def _colours(self) -> tuple[QColor, QColor, QColor]:
        """Ground, words, mark."""
        colours = theme.current()
        if self._severity == "warning":
            return colours.conflict_surface, colours.conflict, colours.conflict
        if self._severity == "lost":
            return _mixed(colours.bad, colours.surface, 0.16), colours.text, colours.bad
        return colours.raised, colours.text, colours.muted

    def _colour(self) -> None:
        palette = QPalette(self._text.palette())
        palette.setColor(QPalette.ColorRole.WindowText, self._colours()[1])
        self._text.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._colour()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ground, the edge that says how grave it is, and a mark beside the words."""
        ground, _, mark = self._colours()
        painter = QPainter(self)
        painter.fillRect(self.rect(), ground)
        painter.fillRect(QRect(0, 0, _EDGE, self.height()), mark)
        painter.fillRect(QRect(0, self.height() - 1, self.width(), 1), theme.current().line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = 14.0
        box = QRectF(5 * UNIT - side / 2 + 2, (self.height() - side) / 2, side, side)
        painter.setPen(QPen(mark, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box)
        painter.setFont(theme.font(theme.SMALL, bold=True))
        sign = "i" if self._severity == "info" else "!"
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), sign)


def _mixed(over: QColor, under: QColor, share: float) -> QColor:
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * (1 - share),
        over.greenF() * share + under.greenF() * (1 - share),
        over.blueF() * share + under.blueF() * (1 - share),
    )
