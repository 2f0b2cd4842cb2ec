"""The left column: search, filters, order, the list of cases and how many there are.

The panel holds keys and a few pages of rows; everything else is asked of the case store on the
display lane (``feed``). A case stays where it is while its row changes: only ``refresh`` and the
reader's own search, filter or order move cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmreview.domain.cases import WorklistCounts, WorklistFilter, WorklistSort
from mmreview.domain.errors import Message
from mmreview.domain.findings import FindingSchema
from mmreview.domain.ports import CaseStore
from mmreview.tasks.runner import RunnerBase
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.worklist.chips import Chip
from mmreview.ui.worklist.empty import EmptyState
from mmreview.ui.worklist.feed import Answer, WorklistFeed
from mmreview.ui.worklist.filters import FilterBar
from mmreview.ui.worklist.model import WorklistModel
from mmreview.ui.worklist.search import SearchField
from mmreview.ui.worklist.view import WorklistView

#: The column's width unless a person drags it, and the least it can be, in pixels.
WIDTH, LEAST_WIDTH = 60 * UNIT, 50 * UNIT


class WorklistPanel(QWidget):
    """The worklist of the open project."""

    caseChosen = Signal(int)  # a reader chose the case with this key
    searchChanged = Signal(str)  # the list is now searched for this text
    sharesWanted = Signal()  # a reader wants to see how the queue is shared out
    importWanted = Signal()  # the project is empty and a reader wants to fill it
    listChanged = Signal()  # another list of cases is shown (after a query)

    def __init__(self, runner: RunnerBase, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("worklistPanel")
        self.setMinimumWidth(LEAST_WIDTH)
        self._cases: CaseStore | None = None
        self._sort = WorklistSort.QUEUE
        self._current: int | None = None  # the open case's key, also when a filter hides it
        self._place = -1  # the row it has, or had
        self._from_top = False  # the queue was made anew: the next case is its first
        self._passed: set[int] = set()  # cases that this reader went on from without reading them
        self._choose_first = False  # Enter in the search field: open what is found first
        self._model = WorklistModel(self)
        self._feed = WorklistFeed(runner, self._model.page_keys, self)
        self._search = SearchField(self)
        self._filters = FilterBar(self)
        self._shown = QLabel(self)
        self._sort_button = Chip("", self, framed=False)
        self._sort_menu: QMenu | None = None
        self._view = WorklistView(self)
        self._view.setModel(self._model)
        self._view.setAccessibleName(tr("ui.worklist.list"))
        self._empty = EmptyState(self)
        self._helps: Callable[[], None] = self.refresh  # what the empty list's button does
        self._stack = QStackedWidget(self)
        self._footer = QLabel(self)
        self._arrange()
        self._connect()

    def set_version(self, version: int) -> None:
        """Which version serves (0: none): numbers of another one are not shown."""
        self._model.set_version(version)

    def sizeHint(self) -> QSize:
        """The width of the sketch."""
        return QSize(WIDTH, 150 * UNIT)

    def _arrange(self) -> None:
        for label, name in ((self._shown, "worklistShown"), (self._footer, "worklistFooter")):
            label.setObjectName(name)
            label.setFont(theme.font(theme.SMALL, tabular=True))
            label.setProperty("muted", True)
        self._sort_button.setObjectName("worklistSort")
        self._sort_button.setToolTip(tr("ui.worklist.sort.tip"))
        self._show_sort()
        order = QHBoxLayout()
        order.setContentsMargins(3 * UNIT, UNIT, 2 * UNIT, UNIT)
        order.addWidget(self._shown, 1)
        order.addWidget(self._filters.more_button)
        order.addWidget(self._sort_button)
        top = QVBoxLayout()
        top.setContentsMargins(2 * UNIT, 2 * UNIT, 2 * UNIT, 0)
        top.setSpacing(2 * UNIT)
        top.addWidget(self._search)
        top.addWidget(self._filters)
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._empty)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        bottom.addWidget(self._footer, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addLayout(order)
        layout.addWidget(self._rule())
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._rule())
        layout.addLayout(bottom)

    def _rule(self) -> QFrame:
        rule = QFrame(self)
        rule.setFixedHeight(1)
        rule.setProperty("rule", True)
        return rule

    def _connect(self) -> None:
        self._model.pageWanted.connect(self._feed.want_page)
        self._feed.answered.connect(self._on_answered)
        self._feed.unreadFound.connect(self._model.set_unread)
        self._feed.pagesLoaded.connect(self._model.put_pages)
        self._feed.rowsLoaded.connect(self._model.put_rows)
        self._feed.counted.connect(self._on_counted)
        self._feed.failed.connect(self._on_failed)
        self._search.searchChanged.connect(self._on_searched)
        self._search.left.connect(self._on_search_left)
        self._search.entered.connect(self._on_search_entered)
        self._filters.filterChanged.connect(self._on_filter_changed)
        self._sort_button.clicked.connect(self._on_sort_clicked)
        self._view.rowChosen.connect(self._on_row_chosen)
        self._empty.pressed.connect(self._on_empty_pressed)

    # --- what a page asks of it -------------------------------------------------------------------

    def set_cases(self, cases: CaseStore | None, schema: FindingSchema | None) -> None:
        """Show this project's cases from now on (None: no project is open)."""
        self._cases = cases
        self._sort = WorklistSort.QUEUE
        self._current, self._place = None, -1
        self._from_top = False
        self._passed.clear()
        self._search.reset()
        self._filters.set_schema(schema)
        self._filters.set_counts(None)
        self._show_sort()
        self._feed.set_cases(cases)
        self._model.set_keys(self._model.keys[:0], {})
        self._shown.clear()
        self._footer.clear()
        self._stack.setCurrentWidget(self._view)
        if cases is not None:
            self._query(keep_place=False, count=True)

    def focus_search(self) -> None:
        """Put the cursor into the search field (Ctrl+F)."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._search.selectAll()

    def focus_list(self) -> None:
        """Put the focus on the list, so that arrows move between cases."""
        self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def refresh(self) -> None:
        """Ask again, keeping the open case and the place in the list."""
        if self._cases is not None:
            self._query(keep_place=True, count=True)

    def update_rows(self, keys: Sequence[int]) -> None:
        """These cases have changed; their rows are fetched anew and stay where they are."""
        self._feed.fetch_rows(keys)

    def select_case(self, key: int) -> None:
        """Mark the open case and bring it into sight, without telling anybody."""
        self._current = key
        self._from_top = False
        row = self._model.row_of(key, hint=self._place)
        if row is not None:
            self._place = row
        self._view.set_current(row, scroll=True)

    @property
    def has_keys(self) -> bool:
        """True while the list holds any case."""
        return bool(self._model.keys)

    def filter_state(self) -> tuple[WorklistFilter, WorklistSort]:
        """What the list is filtered by and sorted by."""
        return self._filters.where(self._search.searched), self._sort

    def clear_filters(self) -> None:
        """Show every case again."""
        was = self.filter_state()[0]
        self._search.reset()
        self._filters.set_schema(self._cases.schema if self._cases is not None else None)
        if was != WorklistFilter():
            self._query(keep_place=False)
        if was.text:
            self.searchChanged.emit("")

    def set_sort(self, sort: WorklistSort) -> None:
        """Order the list by this."""
        if sort is not self._sort:
            self._sort = sort
            self._show_sort()
            self._query(keep_place=False)

    # --- walking ----------------------------------------------------------------------------------

    def show_queue(self) -> None:
        """The queue was made anew: ask again, and go on from its first case."""
        self._from_top = True
        self.refresh()

    def pass_over(self, key: int) -> None:
        """A reader went on from this case without reading it: it is not the first one again."""
        self._passed.add(key)

    def next_key(self, after: int | None, *, unread: bool) -> int | None:
        """The case after ``after`` (None: the first). Unread ones are looked for from the top
        again when the end is reached, and what another reader has on lease is left out. None if
        there is none."""
        row = self._first_due(after) if unread else None
        if row is None:
            row = self._model.next_row(self._row_before_next(after), unread=unread)
        return None if row is None else self._model.keys[row]

    def _first_due(self, after: int | None) -> int | None:
        """The first row of a queue that was made since ``after`` was opened."""
        if not self._from_top or self._sort is not WorklistSort.QUEUE:
            return None
        row = self._model.next_row(-1, unread=True)
        while row is not None:
            key = self._model.keys[row]
            if key != after and key not in self._passed:
                return row
            following = self._model.next_row(row, unread=True)
            row = following if following is not None and following > row else None
        return None

    def previous_key(self, key: int) -> int | None:
        """The case before ``key``, None at the top."""
        row = self._model.row_of(key, hint=self._place)
        if row is None:  # it has left the list: what stood before it
            row = min(self._place, len(self._model.keys)) if key == self._current else 0
        return self._model.keys[row - 1] if row > 0 else None

    def neighbours(self, key: int, ahead: int = 2) -> list[int]:
        """The cases worth having ready: the next ``ahead`` unread ones, then the very next."""
        first = self._first_due(key)
        row = self._row_before_next(key) if first is None else first - 1
        rows: list[int] = []
        for _ in range(ahead):
            found = self._model.next_row(rows[-1] if rows else row, unread=True)
            if found is None or found in rows or found == row:
                break
            rows.append(found)
        after = self._model.next_row(row, unread=False)
        if after is not None and after not in rows:
            rows.append(after)
        return [self._model.keys[at] for at in rows if self._model.keys[at] != key]

    def _row_before_next(self, key: int | None) -> int:
        if key is None:
            return -1
        row = self._model.row_of(key, hint=self._place)
        if row is not None:
            return row
        return self._place - 1 if key == self._current else -1

    # --- asking and showing -----------------------------------------------------------------------

    def _query(self, *, keep_place: bool, count: bool = False) -> None:
        where, sort = self.filter_state()
        around = None
        if keep_place:
            around, _ = self._anchor()
        self._feed.query(where, sort, around=around, keep_place=keep_place, count=count)

    def _anchor(self) -> tuple[int | None, int]:
        """The case that stays where it is while the list changes around it, and how many pixels
        below the upper edge it lies: the open case while it is in sight, else the topmost."""
        row = self._model.row_of(self._current) if self._current is not None else None
        if row is not None and self._view.in_sight(row):
            return self._current, self._view.row_top(row)
        top, offset = self._view.top()
        return (self._model.keys[top], -offset) if top >= 0 else (self._current, 0)

    def _on_answered(self, answer: Answer) -> None:
        anchor, at = self._anchor()
        top, _ = self._view.top()
        self._model.set_keys(answer.keys, answer.pages)
        row = self._model.row_of(self._current) if self._current is not None else None
        if row is not None:
            self._place = row
        elif not answer.keep_place:
            self._place = 0
        self._view.set_current(row, scroll=False)
        self._show_state()
        if not answer.keep_place:
            self._view.show_top(0)
        elif top >= 0 and anchor is not None:
            kept = self._model.row_of(anchor)
            self._view.show_top(top if kept is None else kept, 0 if kept is None else -at)
        elif row is not None:
            self._view.set_current(row, scroll=True)
        self.listChanged.emit()
        if self._choose_first:
            self._choose_first = False
            self._choose(0)

    def _show_state(self) -> None:
        held = len(self._model.keys)
        filtered = self.filter_state()[0] != WorklistFilter()
        self._shown.setText(tr("ui.worklist.shown", cases=f"{held:,}", count=held))
        if held:
            self._stack.setCurrentWidget(self._view)
            return
        part = "nothing_passes" if filtered else "no_cases"
        self._helps = self.clear_filters if filtered else self.importWanted.emit
        self._empty.show_words(
            tr(f"ui.worklist.{part}"),
            tr(f"ui.worklist.{part}.help"),
            tr(f"ui.worklist.{part}.action"),
        )
        self._stack.setCurrentWidget(self._empty)

    def _on_counted(self, counts: WorklistCounts) -> None:
        self._filters.set_counts(counts)
        self._footer.setText(
            tr(
                "ui.worklist.footer",
                cases=f"{counts.total:,}", read=f"{counts.read:,}", count=counts.total,
            )
        )

    def _on_failed(self, message: Message) -> None:
        if self.has_keys:
            self._footer.setText(tr(message.code, **message.params))
            return
        self._helps = self.refresh
        self._empty.show_words(
            tr("ui.worklist.failed"), tr(message.code, **message.params), tr("ui.worklist.retry")
        )
        self._stack.setCurrentWidget(self._empty)

    # --- what a reader does -----------------------------------------------------------------------

    def _on_row_chosen(self, row: int) -> None:
        self._place = row
        self._current = self._model.keys[row]
        self.caseChosen.emit(self._current)

    def _choose(self, row: int) -> None:
        if row < len(self._model.keys):
            self._view.set_current(row, scroll=True)
            self.focus_list()
            self._on_row_chosen(row)

    def _on_searched(self, text: str) -> None:
        self._query(keep_place=False)
        self.searchChanged.emit(text)

    def _on_search_left(self) -> None:
        self.focus_list()

    def _on_search_entered(self) -> None:
        if self._feed.is_asking:
            self._choose_first = True
        else:
            self._choose(0)

    def _on_filter_changed(self) -> None:
        self._query(keep_place=False)

    def _on_empty_pressed(self) -> None:
        self._helps()

    def _show_sort(self) -> None:
        self._view.itemDelegate().by = self._sort
        words = tr(f"ui.worklist.sort.{self._sort}")
        self._sort_button.set_words(f"{words} ▾")
        self._sort_button.setAccessibleName(tr("ui.worklist.sort.name", order=words))

    def _on_sort_clicked(self) -> None:
        if self._sort_menu is not None:
            self._sort_menu.deleteLater()
        self._sort_menu = QMenu(self)
        self._sort_menu.setObjectName("sortMenu")
        for sort in WorklistSort:
            action = self._sort_menu.addAction(tr(f"ui.worklist.sort.{sort}"))
            action.setCheckable(True)
            action.setChecked(sort is self._sort)
            action.triggered.connect(partial(self._on_sort_picked, sort))
        self._sort_menu.addSeparator()
        self._sort_menu.addAction(tr("ui.action.queue_shares"), self.sharesWanted.emit)
        corner = QPoint(
            self._sort_button.width() - self._sort_menu.sizeHint().width(),
            self._sort_button.height(),
        )
        self._sort_menu.popup(self._sort_button.mapToGlobal(corner))

    def _on_sort_picked(self, sort: WorklistSort) -> None:
        self.set_sort(sort)


