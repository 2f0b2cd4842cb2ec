"""What stands above the findings: how far the case is read, whose opinions these are, and what must
be seen at a glance (a what-if, a report that may belong to another patient)."""

from __future__ import annotations

import math
from collections import Counter

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from mmreview.domain.findings import READER_STATES, State
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.measures import MARGIN, measures
from mmreview.ui.text_line import draw_chip
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

_ELLIPSIS = Qt.TextElideMode.ElideRight
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Header(QWidget):
    """How far the case is read, the version whose opinions these are, or why there are none.

    A short sentence stands where the version does, so that nothing jumps while opinions are on
    their way; one that does not fit gets lines of its own.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("findingsHeader")
        self._read = tr("ui.findings.title")
        self._counts = ""
        self._hint = tr("ui.findings.hint")
        self._opinion = ""
        self._calm = True
        self._what_if = False
        self._wrong_pair: float | None = None
        self.setFixedHeight(self._height())

    def set_counts(self, held: Counter[State], total: int) -> None:
        """Show how many findings have a state, and which."""
        read = total - held[State.UNSET]
        self._read = tr("ui.findings.read", read=read, total=total)
        self._counts = "   ".join(
            f"{held[state]} {tr(f'ui.findings.count.{state}')}"
            for state in READER_STATES
            if held[state]
        )
        self._describe()

    def set_reading(self, enabled: bool) -> None:
        """Say how to begin, or that nothing can be set here."""
        self._hint = tr("ui.findings.hint") if enabled else tr("ui.findings.read_only")
        self._describe()

    def set_opinion(self, text: str, *, what_if: bool, calm: bool) -> None:
        """Show the version, or a calm sentence in its place."""
        self._opinion, self._what_if, self._calm = text, what_if, calm
        self._fit()
        self._describe()

    def set_wrong_pair(self, probability: float | None) -> None:
        """Ask whether the report belongs to the image; None asks nothing."""
        self._wrong_pair = probability
        self._describe()

    def _describe(self) -> None:
        mark = tr("ui.what_if") if self._what_if else ""
        doubt = ""
        if self._wrong_pair is not None:
            doubt = tr("ui.findings.wrong_pair.spoken", percent=percent(self._wrong_pair))
        self.setToolTip(doubt)
        parts = (self._read, self._counts or self._hint, self._opinion, mark, doubt)
        self.setAccessibleName(". ".join(part for part in parts if part))
        self.update()

    @property
    def _is_long(self) -> bool:
        room = self.width() - 2 * MARGIN - measures().number_metrics.horizontalAdvance(self._read)
        return self._calm and (
            measures().small_metrics.horizontalAdvance(self._opinion) > room - 4 * UNIT
        )

    def _height(self) -> int:
        sizes = measures()
        height = 2 * 2 * UNIT + 2 * sizes.line + 2
        if self._opinion and self._is_long:
            height += math.ceil(self._wrapped().height()) + 2 * UNIT
        return height

    def _wrapped(self) -> QRectF:
        room = QRectF(0, 0, self.width() - 2 * MARGIN, 1000)
        return measures().small_metrics.boundingRect(
            room, Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft, self._opinion
        )

    def _fit(self) -> None:
        height = self._height()
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, _: QResizeEvent) -> None:
        """A narrower panel may need another line."""
        self._fit()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the two lines and, where it is long, the sentence below."""
        colours, sizes = theme.current(), measures()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.surface)
        inner = self.width() - 2 * MARGIN
        first = QRectF(MARGIN, 2 * UNIT, inner, sizes.line)
        second = first.translated(0, sizes.line + 2)
        painter.setFont(sizes.number_font)
        painter.setPen(colours.muted)
        painter.drawText(first, _LEFT, self._read)
        room = inner - self._paint_chips(painter, second)
        counts = sizes.number_metrics.elidedText(self._counts or self._hint, _ELLIPSIS, room)
        painter.setFont(sizes.number_font)
        painter.setPen(colours.muted)
        painter.drawText(second, _LEFT, counts)
        if self._is_long:
            below = QRectF(MARGIN, second.bottom() + UNIT, inner, self.height())
            painter.drawText(
                below, Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft, self._opinion
            )
        else:
            painter.setPen(colours.muted if self._calm else colours.text)
            painter.drawText(first, _RIGHT, self._opinion)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colours.line)
        painter.end()

    def _paint_chips(self, painter: QPainter, line: QRectF) -> float:
        """What must be seen at a glance, at the right of ``line``; returns the width it takes."""
        colours, sizes = theme.current(), measures()
        chips = [(tr("ui.what_if"), colours.text)] if self._what_if else []
        if self._wrong_pair is not None:
            doubt = tr("ui.findings.wrong_pair", percent=percent(self._wrong_pair))
            chips.append((doubt, colours.conflict))
        right = line.right()
        for text, colour in chips:
            width = sizes.small_metrics.horizontalAdvance(text) + 3 * UNIT
            draw_chip(painter, QRectF(right - width, line.top() - 1, width, sizes.line + 2), text,
                      colour)
            right -= width + UNIT
        return line.right() - right
