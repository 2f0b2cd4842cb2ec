"""What stands above the findings of an exclusive group: that one of them holds, and which question
they answer. A quiet bracket leads from here down to the last of them (``draw_bracket``)."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.domain.predictions import Prediction
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.measures import MARGIN, measures
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

#: Where the bracket stands, left of everything that a row shows.
_AT = 6
_FOOT = 4


class GroupHeading(QWidget):
    """One line: "one of", the group's name and, where none has to hold, how likely that is."""

    def __init__(self, group: ExclusiveGroup, parent: QWidget) -> None:
        super().__init__(parent)
        self.group = group
        self._rest = ""
        self.setObjectName(f"group.{group.name}")
        self._describe()

    def height_needed(self) -> int:
        """How high the line is."""
        return measures().line + 2 * UNIT

    def set_opinion(self, prediction: Prediction | None) -> None:
        """Show how likely it is that none of them holds, where that is possible."""
        known = [
            f.fused
            for f in (prediction.findings if prediction is not None else ())
            if f.finding in self.group.findings and f.fused is not None
        ]
        self._rest = ""
        if known and self.group.kind is Exclusivity.AT_MOST_ONE:
            chance = min(1.0, max(0.0, 1.0 - math.fsum(known)))
            self._rest = tr("ui.findings.none_of_them", percent=percent(chance))
        self._describe()

    def _describe(self) -> None:
        self._kind = tr(f"ui.findings.{self.group.kind}")
        parts = (f"{self._kind}: {self.group.name}", ", ".join(self.group.findings), self._rest)
        self.setAccessibleName(". ".join(part for part in parts if part))
        self.setToolTip(tr(f"ui.findings.{self.group.kind}.tip", group=self.group.name))
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the line and the beginning of the bracket."""
        colours, sizes = theme.current(), measures()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.surface)
        box = QRectF(MARGIN, UNIT, self.width() - 2 * MARGIN, sizes.line)
        painter.setPen(colours.muted)
        painter.setFont(sizes.number_font)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, right, self._rest)
        room = box.width() - sizes.number_metrics.horizontalAdvance(self._rest) - 2 * UNIT
        painter.setFont(sizes.small)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        text = f"{self._kind} · {self.group.name}"
        elided = sizes.small_metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(box, left, elided)
        middle = int(box.center().y())
        painter.fillRect(_AT, middle, 1, self.height() - middle, colours.faint)
        painter.fillRect(_AT, middle, _FOOT, 1, colours.faint)
        painter.end()


def draw_bracket(painter: QPainter, height: int, *, last: bool) -> None:
    """The bracket beside a row of the group, with a foot at the ``last`` one."""
    colours = theme.current()
    end = height - 2 * UNIT if last else height
    painter.fillRect(_AT, 0, 1, end, colours.faint)
    if last:
        painter.fillRect(_AT, end - 1, _FOOT, 1, colours.faint)
