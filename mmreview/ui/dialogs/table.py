"""The quiet table that dialogs show: headings over a line, cells in their own colours."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QWidget,
)

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

#: The role under which a row's first cell says that it serves.
SERVES = int(Qt.ItemDataRole.UserRole)
_PAD = 3 * UNIT


def quiet_table(columns: int, parent: QWidget, *, name: str, title: str) -> QTableWidget:
    """An empty table to read and select rows of. Cells need a font, a colour and an alignment."""
    table = QTableWidget(0, columns, parent)
    table.setObjectName(name)
    table.setAccessibleName(title)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.setItemDelegate(CellDelegate(table))
    header = Header(table)
    header.setObjectName(f"{name}Header")
    header.setAccessibleName(title)
    table.setHorizontalHeader(header)
    return table


class Header(QHeaderView):
    """Quiet headings over a line."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setHighlightSections(False)
        self.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setStretchLastSection(True)
        self.setFixedHeight(8 * UNIT)

    def sectionSizeFromContents(self, logicalIndex: int) -> QSize:
        """The words and their air."""
        words = str(self.model().headerData(logicalIndex, self.orientation()))
        width = QFontMetrics(theme.font(theme.SMALL)).horizontalAdvance(words)
        return QSize(width + 2 * _PAD, 8 * UNIT)

    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        """Draw one heading."""
        colours = theme.current()
        painter.fillRect(rect, colours.surface)
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), colours.line)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(colours.muted)
        words = str(self.model().headerData(logicalIndex, self.orientation()))
        box = rect.adjusted(_PAD, 0, -_PAD, 0)
        side = self.model().headerData(
            logicalIndex, self.orientation(), int(Qt.ItemDataRole.TextAlignmentRole)
        )
        painter.drawText(box, int(side), words)


class CellDelegate(QStyledItemDelegate):
    """A cell with air; what serves (``SERVES``) has the
    bright edge that a current case has."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """The words and their air."""
        font: QFont = index.data(Qt.ItemDataRole.FontRole)
        width = QFontMetrics(font).horizontalAdvance(str(index.data()))
        return QSize(width + 2 * _PAD + UNIT, 8 * UNIT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw one cell in its own colour, selected or not."""
        colours = theme.current()
        area: QRect = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, colours.selection)
        if index.data(SERVES):
            painter.fillRect(QRect(area.left(), area.top(), 2, area.height()), colours.text)
        font: QFont = index.data(Qt.ItemDataRole.FontRole)
        painter.setFont(font)
        painter.setPen(index.data(Qt.ItemDataRole.ForegroundRole).color())
        box = area.adjusted(_PAD, 0, -_PAD, 0)
        words = QFontMetrics(font).elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(box, int(index.data(Qt.ItemDataRole.TextAlignmentRole)), words)
