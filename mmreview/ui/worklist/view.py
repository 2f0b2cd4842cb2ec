"""The list itself: a list view whose geometry is arithmetic, because all rows are equally high.

Qt's own list view asks the model about every row whenever it lays out: over 100 ms for 100,000
rows that are in Python. Here nothing is laid out; where a row lies is its number times the height,
so that opening, sorting and jumping do not depend on how long the list is.

Arrow keys, paging and Home/End move between cases while the list has the focus, even where the
page uses those keys; letters and digits pass through to the page, so there is no type-ahead.
"""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QCursor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from mmreview.ui.worklist.delegate import WorklistDelegate, row_height

_MOVES = frozenset(
    (
        Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home,
        Qt.Key.Key_End,
    )
)
_ENTER = frozenset((Qt.Key.Key_Return, Qt.Key.Key_Enter))
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
_Index = QModelIndex | QPersistentModelIndex
_Action = QAbstractItemView.CursorAction
_State = QStyle.StateFlag


class WorklistView(QListView):
    """A list whose current row is the open case."""

    rowChosen = Signal(int)  # a person moved to this row, or pressed Enter on it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._quiet = False
        self._height = row_height()
        self.setObjectName("worklist")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setItemDelegate(WorklistDelegate(self))

    # --- the place --------------------------------------------------------------------------------

    def top(self) -> tuple[int, int]:
        """The first row in sight (-1 for none) and how many pixels of it are scrolled out."""
        row, offset = divmod(self.verticalOffset(), self._height)
        return (row, offset) if row < self._count() else (-1, 0)

    def row_top(self, row: int) -> int:
        """How many pixels below the viewport's upper edge a row begins."""
        return row * self._height - self.verticalOffset()

    def in_sight(self, row: int) -> bool:
        """Whether a row is wholly in the viewport."""
        return 0 <= self.row_top(row) <= self.viewport().height() - self._height

    def show_top(self, row: int, offset: int = 0) -> None:
        """Scroll so that ``row`` is the first in sight."""
        self.executeDelayedItemsLayout()
        self.verticalScrollBar().setValue(max(row, 0) * self._height + offset)

    def set_current(self, row: int | None, *, scroll: bool) -> None:
        """Make ``row`` the current one without telling anybody (None: no row is)."""
        self._quiet = True
        try:
            if row is None:
                self.clearSelection()
                self.selectionModel().clearCurrentIndex()
                return
            index = self.model().index(row, 0)
            self.setAutoScroll(False)
            self.setCurrentIndex(index)
            self.setAutoScroll(True)
            if scroll:
                self.scrollTo(index)
        finally:
            self._quiet = False

    def _count(self) -> int:
        model = self.model()
        return 0 if model is None else model.rowCount()

    # --- geometry ---------------------------------------------------------------------------------

    def doItemsLayout(self) -> None:
        """There is nothing to lay out; only the scroll bar's range may have changed."""
        QAbstractItemView.doItemsLayout(self)

    def updateGeometries(self) -> None:
        """Fit the scroll bar to the number of rows."""
        bar, seen = self.verticalScrollBar(), self.viewport().height()
        bar.setRange(0, max(0, self._count() * self._height - seen))
        bar.setPageStep(seen)
        bar.setSingleStep(self._height)

    def verticalOffset(self) -> int:
        """How many pixels are scrolled out at the top."""
        return self.verticalScrollBar().value()

    def horizontalOffset(self) -> int:
        """The list never scrolls sideways."""
        return 0

    def visualRect(self, index: _Index) -> QRect:
        """Where a row lies in the viewport."""
        if not index.isValid():
            return QRect()
        top = index.row() * self._height - self.verticalOffset()
        return QRect(0, top, self.viewport().width(), self._height)

    def indexAt(self, point: QPoint) -> QModelIndex:
        """The row under a point of the viewport."""
        row = (point.y() + self.verticalOffset()) // self._height
        return self.model().index(row, 0) if 0 <= row < self._count() else QModelIndex()

    def scrollTo(
        self,
        index: _Index,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        """Bring a row into sight: no further than needed, or to the middle if it is far away."""
        if not index.isValid():
            return
        self.executeDelayedItemsLayout()
        bar, seen = self.verticalScrollBar(), self.viewport().height()
        top = index.row() * self._height
        above, below = top - bar.value(), top + self._height - bar.value() - seen
        if hint is QAbstractItemView.ScrollHint.PositionAtTop:
            bar.setValue(top)
        elif above < -seen or below > seen or hint is QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(top - (seen - self._height) // 2)
        elif above < 0:
            bar.setValue(top)
        elif below > 0:
            bar.setValue(bar.value() + below)

    def moveCursor(
        self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        """The row that a moving key leads to."""
        count = self._count()
        if not count:
            return QModelIndex()
        if not self.currentIndex().isValid():
            return self.model().index(max(self.top()[0], 0), 0)
        page = max(1, self.viewport().height() // self._height - 1)
        row = self.currentIndex().row()
        row = {
            _Action.MoveUp: row - 1,
            _Action.MoveDown: row + 1,
            _Action.MovePageUp: row - page,
            _Action.MovePageDown: row + page,
            _Action.MoveHome: 0,
            _Action.MoveEnd: count - 1,
        }.get(action, row)
        return self.model().index(min(max(row, 0), count - 1), 0)

    def setSelection(
        self, rect: QRect, command: QItemSelectionModel.SelectionFlag
    ) -> None:
        """Select the row that was pressed; a press beside all rows changes nothing."""
        index = self.indexAt(rect.topLeft())
        if index.isValid():
            self.selectionModel().select(index, command)

    # --- painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows that the event touches, and no other."""
        painter = QPainter(self.viewport())
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        option.state &= ~(_State.State_HasFocus | _State.State_MouseOver)
        base = option.state
        offset, current = self.verticalOffset(), self.currentIndex().row()
        hovered = -1
        if self.viewport().underMouse():
            hovered = self.indexAt(self.viewport().mapFromGlobal(QCursor.pos())).row()
        first = max(0, (event.rect().top() + offset) // self._height)
        last = min((event.rect().bottom() + offset) // self._height, self._count() - 1)
        for row in range(first, last + 1):
            index = self.model().index(row, 0)
            option.rect = self.visualRect(index)
            option.state = base
            if self.selectionModel().isSelected(index):
                option.state |= _State.State_Selected
            if row == hovered:
                option.state |= _State.State_MouseOver
            if row == current and self.hasFocus():
                option.state |= _State.State_HasFocus
            self.itemDelegate().paint(painter, option, index)

    def changeEvent(self, event: QEvent) -> None:
        """Another font or style may mean another height."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._height = row_height()
            self.scheduleDelayedItemsLayout()

    # --- keys and mouse ---------------------------------------------------------------------------

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        """Tell which row a person moved to."""
        super().currentChanged(current, previous)
        if current.isValid() and not self._quiet:
            self.rowChosen.emit(current.row())

    def event(self, event: QEvent) -> bool:
        """Keep the moving keys while the list has the focus."""
        match event:
            case QKeyEvent() if event.type() == QEvent.Type.ShortcutOverride and _moves(event):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, choose, or leave the key to the page."""
        if _moves(event):
            super().keyPressEvent(event)
        elif event.key() in _ENTER and self.currentIndex().isValid():
            self.rowChosen.emit(self.currentIndex().row())
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Hovering only: dragging over the list must not open one case after another."""
        if event.buttons() == Qt.MouseButton.NoButton:
            super().mouseMoveEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """No type-ahead: letters belong to the page."""

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Take the focus without moving to the first row, as Qt would."""
        had_one = self.currentIndex().isValid()
        self._quiet = True
        super().focusInEvent(event)
        self._quiet = False
        if not had_one:
            self.set_current(None, scroll=False)


def _moves(event: QKeyEvent) -> bool:
    return event.key() in _MOVES and event.modifiers() in _PLAIN
