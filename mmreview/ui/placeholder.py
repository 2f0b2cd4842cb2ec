"""What stands where an image or a report would be: a drawn sign, what is so, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPolygonF

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_SIGN = 12 * UNIT
_MEASURE = 80 * UNIT


class Sign(Enum):
    """The drawings there are. With ``NONE`` the title is said quietly: it will pass."""

    NO_IMAGE = "no image"
    UNREADABLE = "unreadable"
    NO_REPORT = "no report"
    NONE = "none"


#: Words that no line has room for (a path, a hash): they may break every few characters.
_LONG = re.compile(r"\S{24,}")


def _with_breaks(word: re.Match[str]) -> str:
    return "\u200b".join(re.findall(r".{1,8}", word.group()))


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A sign over a title over a sentence; the sentence may be empty."""

    sign: Sign
    title: str
    sentence: str = ""

    @property
    def text(self) -> str:
        """What it says, for assistive technology."""
        return f"{self.title}. {self.sentence}".strip() if self.sentence else self.title

    def paint(self, painter: QPainter, area: QRectF, colours: theme.Theme) -> None:
        """Draw it in the middle of ``area``."""
        width = min(area.width() - 8 * UNIT, _MEASURE)
        if width < 16 * UNIT:
            return
        wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignHCenter
        is_quiet = self.sign is Sign.NONE
        title_font = theme.font(theme.BODY, bold=not is_quiet)
        body_font = theme.font(theme.BODY)
        unlimited = QRectF(0, 0, width, 10_000)
        title = QFontMetricsF(title_font).boundingRect(unlimited, wrap, self.title)
        sentence = _LONG.sub(_with_breaks, self.sentence)
        body = QFontMetricsF(body_font).boundingRect(unlimited, wrap, sentence)
        sign = 0 if is_quiet else _SIGN + 3 * UNIT
        gap = UNIT if self.sentence else 0
        top = area.y() + (area.height() - sign - title.height() - gap - body.height()) / 2
        left = area.x() + (area.width() - width) / 2
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if sign:
            box = QRectF(area.x() + (area.width() - _SIGN) / 2, top, _SIGN, _SIGN)
            solid, round_cap = Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap
            painter.setPen(QPen(colours.faint, 1.5, solid, round_cap))
            _draw(painter, self.sign, box)
        painter.setFont(title_font)
        painter.setPen(colours.muted if is_quiet else colours.text)
        painter.drawText(QRectF(left, top + sign, width, title.height() + 1), wrap, self.title)
        painter.setFont(body_font)
        painter.setPen(colours.muted)
        below = QRectF(left, top + sign + title.height() + gap, width, body.height() + 1)
        painter.drawText(below, wrap, sentence)
        painter.restore()


def _draw(painter: QPainter, sign: Sign, box: QRectF) -> None:
    if sign is Sign.NO_REPORT:
        _draw_page(painter, box)
        return
    frame = box.adjusted(2, 6, -2, -6)
    painter.drawRoundedRect(frame, UNIT, UNIT)
    if sign is Sign.UNREADABLE:
        middle = frame.center()
        painter.drawLine(QLineF(middle.x(), frame.top() + 9, middle.x(), middle.y() + 3))
        painter.drawPoint(QPointF(middle.x(), middle.y() + 8))
        return
    hills = ((0.08, 0.86), (0.34, 0.48), (0.54, 0.74), (0.68, 0.58), (0.92, 0.86))
    painter.drawPolyline(
        QPolygonF(
            [QPointF(frame.x() + x * frame.width(), frame.y() + y * frame.height())
             for x, y in hills]
        )
    )
    sun = QPointF(frame.x() + 0.68 * frame.width(), frame.y() + 0.28 * frame.height())
    painter.drawEllipse(sun, 3.0, 3.0)
    painter.drawLine(QLineF(box.left(), box.bottom() - 2, box.right(), box.top() + 2))


def _draw_page(painter: QPainter, box: QRectF) -> None:
    page = box.adjusted(7, 2, -7, -2)
    fold = 10.0
    outline = QPolygonF(
        [
            page.topLeft(),
            QPointF(page.right() - fold, page.top()),
            QPointF(page.right(), page.top() + fold),
            page.bottomRight(),
            page.bottomLeft(),
        ]
    )
    painter.drawPolygon(outline)
    corner = QPointF(page.right() - fold, page.top() + fold)
    painter.drawPolyline(
        QPolygonF([QPointF(corner.x(), page.top()), corner, QPointF(page.right(), corner.y())])
    )
    dashed = QPen(painter.pen())
    dashed.setDashPattern([2, 3])
    painter.setPen(dashed)
    for row, length in enumerate((0.7, 0.7, 0.45)):
        y = page.top() + 19 + row * 8
        painter.drawLine(
            QLineF(page.left() + 7, y, page.left() + 7 + length * (page.width() - 8), y)
        )
