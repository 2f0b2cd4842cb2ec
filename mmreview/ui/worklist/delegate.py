"""Paints one row of the worklist: status mark, title, reason, value; all rows equally high.

Status is told by shape as well as by colour: an empty circle is unread, a half one started, a
green dot read. The current row has a bright left edge.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from mmreview.domain.cases import ReadStatus, WorklistRow, WorklistSort
from mmreview.ui import theme
from mmreview.ui.theme import UNIT, Theme
from mmreview.ui.worklist import wording
from mmreview.ui.worklist.model import ROW_ROLE

#: Where the text begins; the mark stands centred before it.
TEXT_LEFT = 8 * UNIT
_PAD = 2 * UNIT
_EDGE = 2
_MARK = 8.0
_Index = QModelIndex | QPersistentModelIndex


@lru_cache(maxsize=8)
def _metrics(family: str, size: float, tabular: bool) -> QFontMetrics:
    return QFontMetrics(theme.font(size, tabular=tabular))


def _body() -> QFontMetrics:
    return _metrics(theme.family(), theme.BODY, False)


def _small() -> QFontMetrics:
    return _metrics(theme.family(), theme.SMALL, False)


def row_height() -> int:
    """The height of every row: two lines and their air, on the grid."""
    wanted = _body().height() + _small().height() + 3 * UNIT
    return -(-wanted // UNIT) * UNIT


class WorklistDelegate(QStyledItemDelegate):
    """Draws rows with the theme that is on. At the right is what the list is sorted ``by``."""

    by = WorklistSort.PRIORITY

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """As wide as the list, as high as every row."""
        return QSize(0, row_height())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw the row, or a placeholder while its page is on its way."""
        colours = theme.current()
        area: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        self._paint_ground(painter, option, colours, selected=selected)
        row = index.data(ROW_ROLE)
        if row is None:
            _paint_placeholder(painter, area, colours)
            return
        top = area.top() + (area.height() - _body().height() - _small().height()) // 2 - 1
        first = QRect(area.left(), top, area.width(), _body().height())
        second = QRect(
            area.left() + TEXT_LEFT, first.bottom() + 2, area.width() - TEXT_LEFT - _PAD - UNIT,
            _small().height(),
        )
        middle = QPointF(area.left() + TEXT_LEFT / 2, first.center().y() + 0.5)
        _paint_status(painter, middle, row.status, colours)
        value = wording.value(row, by=self.by)
        right = _paint_value(painter, first, row, value, colours)
        done = row.status is ReadStatus.READ
        painter.setFont(theme.font(theme.BODY))
        painter.setPen(colours.muted if done and not selected else colours.text)
        _paint_text(
            painter, QRect(area.left() + TEXT_LEFT, first.top(), right - area.left() - TEXT_LEFT
                           - UNIT, first.height()), wording.title(row), _body(),
        )
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(colours.muted)
        _paint_text(painter, second, wording.second_line(row), _small())

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, colours: Theme, *, selected: bool
    ) -> None:
        area: QRect = option.rect
        if selected:
            painter.fillRect(area, colours.selection)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, colours.raised)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), colours.line)
        if not selected:
            return
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        edge = colours.focus if focused else colours.text
        painter.fillRect(QRect(area.left(), area.top(), _EDGE, area.height()), edge)
        if focused:
            painter.setPen(QPen(colours.focus, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0, 0, -1, -1))


def _paint_text(painter: QPainter, box: QRect, text: str, metrics: QFontMetrics) -> None:
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    flags |= int(Qt.TextFlag.TextSingleLine)
    fitting = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, flags, fitting)


def _paint_value(
    painter: QPainter, line: QRect, row: WorklistRow, text: str, colours: Theme
) -> int:
    """Draw the value at the right of the first line; returns where it begins."""
    conflict = wording.is_conflict(row) and row.status is not ReadStatus.READ
    metrics = _metrics(theme.family(), theme.BODY, True)
    right = line.right() - _PAD - UNIT + 1
    left = right - metrics.horizontalAdvance(text)
    painter.setFont(theme.font(theme.BODY, tabular=True))
    painter.setPen(colours.conflict if conflict else colours.muted)
    painter.drawText(
        QRect(left, line.top(), right - left + 1, line.height()),
        int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter),
        text,
    )
    if not conflict:
        return left
    side = metrics.ascent() * 0.86
    box = QRectF(left - side, line.center().y() - side / 2 + 0.5, side * 0.86, side)
    theme.draw_bolt(painter, box, colours.conflict)
    return int(box.left())


def _paint_status(
    painter: QPainter, middle: QPointF, status: ReadStatus, colours: Theme
) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    circle = QRectF(middle.x() - _MARK / 2, middle.y() - _MARK / 2, _MARK, _MARK)
    colour: QColor = colours.good if status is ReadStatus.READ else colours.muted
    painter.setPen(QPen(colour, 1.3))
    painter.setBrush(colour if status is ReadStatus.READ else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(circle)
    if status is ReadStatus.STARTED:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawPie(circle, 90 * 16, 180 * 16)
    painter.restore()


def _paint_placeholder(painter: QPainter, area: QRect, colours: Theme) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colours.track)
    left = area.left() + TEXT_LEFT
    height = area.height()
    painter.drawRoundedRect(QRectF(left, area.top() + height * 0.26, 96, 8), 4, 4)
    painter.drawRoundedRect(QRectF(left, area.top() + height * 0.60, 144, 6), 3, 3)
    painter.restore()
