"""All keys, in groups, as the actions themselves name them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog
from mmreview.ui.theme import UNIT

#: One group: its name and, for each action, its keys (several parted by `` / ``) and its words.
Group = tuple[str, Sequence[tuple[str, str]]]


class KeysDialog(Dialog):
    """Every key of the window."""

    def __init__(self, parent: QWidget | None, groups: Sequence[Group]) -> None:
        super().__init__(
            parent, name="keysDialog", title=tr("ui.keys.title"), hint=tr("ui.keys.hint")
        )
        self.body.addSpacing(UNIT)
        content = QWidget(self)
        columns = QHBoxLayout(content)
        columns.setContentsMargins(0, 0, 2 * UNIT, 0)
        columns.setSpacing(10 * UNIT)
        for part in _columns([group for group in groups if group[1]]):
            columns.addLayout(self._column(part, content), 1)
        area = QScrollArea(self)
        area.setObjectName("keysList")
        area.setAccessibleName(tr("ui.keys.title"))
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        self.body.addWidget(area, 1)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close)
        wanted = content.sizeHint()
        width = max(160 * UNIT, wanted.width() + 16 * UNIT)
        self.resize(width, min(170 * UNIT, wanted.height() + 40 * UNIT))

    def _column(self, groups: Sequence[Group], parent: QWidget) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2 * UNIT)
        for name, rows in groups:
            heading = QLabel(name.upper(), parent)
            heading.setFont(theme.font(theme.SMALL, bold=True))
            heading.setProperty("muted", True)
            column.addWidget(heading)
            grid = QGridLayout()
            grid.setHorizontalSpacing(4 * UNIT)
            grid.setVerticalSpacing(UNIT)
            grid.setColumnStretch(0, 1)
            for at, (keys, words) in enumerate(rows):
                label = QLabel(words, parent)
                label.setTextFormat(Qt.TextFormat.PlainText)
                grid.addWidget(label, at, 0)
                caps = KeyCaps(keys, parent)
                caps.setAccessibleName(keys)
                grid.addWidget(caps, at, 1, alignment=Qt.AlignmentFlag.AlignRight)
            column.addLayout(grid)
            column.addSpacing(3 * UNIT)
        column.addStretch(1)
        return column


class KeyCaps(QWidget):
    """Keys drawn as caps, alternatives beside one another."""

    def __init__(self, keys: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caps = tuple(key for key in keys.split(" / ") if key)

    def _widths(self) -> list[int]:
        metrics = QFontMetrics(theme.font(theme.SMALL))
        least = metrics.height() + UNIT
        return [max(least, metrics.horizontalAdvance(cap) + 3 * UNIT) for cap in self._caps]

    def sizeHint(self) -> QSize:
        """All caps and the gaps between them."""
        widths = self._widths()
        high = QFontMetrics(theme.font(theme.SMALL)).height() + UNIT + 2
        return QSize(sum(widths) + UNIT * max(0, len(widths) - 1), high)

    def minimumSizeHint(self) -> QSize:
        """Caps are never cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the caps."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.SMALL))
        left = 0
        for cap, width in zip(self._caps, self._widths(), strict=True):
            box = QRectF(left + 0.5, 0.5, width - 1, self.height() - 1)
            painter.setPen(QPen(colours.line, 1))
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(box, UNIT, UNIT)
            painter.setPen(colours.text)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), cap)
            left += width + UNIT


def _columns(groups: Sequence[Group]) -> tuple[Sequence[Group], Sequence[Group]]:
    """The groups in two columns of about the same height, in reading order."""
    heights = [len(rows) + 2 for _, rows in groups]
    half, so_far = sum(heights) / 2, 0
    for at, height in enumerate(heights):
        if so_far + height / 2 > half:
            return groups[:at], groups[at:]
        so_far += height
    return groups, ()
