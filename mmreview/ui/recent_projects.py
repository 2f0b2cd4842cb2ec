"""The projects that were open last, as the welcome page lists them.

Those that are not there any more are greyed and say so; they can still be pressed (a drive may
have come back), and whoever opens them says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT

_ROW = 12 * UNIT
_SHOWN = 5  # projects in sight; the rest scrolls
_PATH = int(Qt.ItemDataRole.UserRole)
_THERE = _PATH + 1
_Index = QModelIndex | QPersistentModelIndex


class RecentList(QListWidget):
    """Projects, newest first. A click or Enter opens one, Delete takes it off the list."""

    chosen = Signal(str)
    removed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._menu: QMenu | None = None
        self.setObjectName("recentProjects")
        self.setAccessibleName(tr("ui.welcome.recent"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setMouseTracking(True)
        self.setItemDelegate(_RecentDelegate(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_wanted)
        self.itemClicked.connect(self._on_item_chosen)

    def show_projects(self, paths: Sequence[str]) -> None:
        """Show these."""
        self.clear()
        for path in paths:
            folder = Path(path)
            item = QListWidgetItem(folder.stem)
            there = (folder / "project.sqlite").is_file()
            item.setData(_PATH, path)
            item.setData(_THERE, there)
            item.setToolTip(path if there else tr("ui.welcome.missing.tip", path=path))
            self.addItem(item)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """As high as its rows, up to a few."""
        return QSize(100 * UNIT, _ROW * max(1, min(_SHOWN, self.count())))

    def minimumSizeHint(self) -> QSize:
        """Two rows; where there is little room the rest scrolls."""
        return QSize(40 * UNIT, _ROW * max(1, min(2, self.count())))

    def _on_item_chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(_PATH))

    def _on_menu_wanted(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is None:
            return
        path = item.data(_PATH)
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = QMenu(self)
        self._menu.setObjectName("recentMenu")
        self._menu.addAction(tr("ui.welcome.open_this"), lambda: self.chosen.emit(path))
        self._menu.addAction(tr("ui.welcome.remove"), lambda: self.removed.emit(path))
        self._menu.popup(self.viewport().mapToGlobal(at))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, Delete removes."""
        item = self.currentItem()
        if item is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_item_chosen(item)
        elif item is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(item.data(_PATH))
        else:
            super().keyPressEvent(event)


class _RecentDelegate(QStyledItemDelegate):
    """A project's name, its folder below, and whether it is still there."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """All rows equally high."""
        return QSize(0, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw one project."""
        colours = theme.current()
        area: QRect = option.rect
        there = bool(index.data(_THERE))
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        enabled = bool(option.state & QStyle.StateFlag.State_Enabled)
        if focused or option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, colours.selection)
        if focused:
            painter.fillRect(QRect(area.left(), area.top(), 2, area.height()), colours.focus)
        bold, small = QFontMetrics(theme.font(bold=True)), QFontMetrics(theme.font(theme.SMALL))
        left, right = area.left() + 4 * UNIT, area.right() - 4 * UNIT
        top = area.top() + (area.height() - bold.height() - small.height() - 1) // 2
        painter.setFont(theme.font(theme.SMALL))
        if not there:
            gone = tr("ui.welcome.missing")
            wide = small.horizontalAdvance(gone)
            painter.setPen(colours.muted)
            painter.drawText(
                QRect(right - wide, area.top(), wide + 1, area.height()),
                int(Qt.AlignmentFlag.AlignVCenter), gone,
            )
            right -= wide + 4 * UNIT
        folder = str(Path(index.data(_PATH)).parent)
        painter.setPen(colours.muted if there and enabled else colours.faint)
        painter.drawText(
            QRect(left, top + bold.height() + 1, right - left, small.height()), 0,
            small.elidedText(folder, Qt.TextElideMode.ElideMiddle, right - left),
        )
        painter.setFont(theme.font(bold=True))
        painter.setPen(colours.text if there and enabled else colours.faint)
        name = index.data()
        painter.drawText(
            QRect(left, top, right - left, bold.height()), 0,
            bold.elidedText(name, Qt.TextElideMode.ElideRight, right - left),
        )
