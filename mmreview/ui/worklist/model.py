"""The worklist's model: every key in order, but only a few pages of rows.

A list of 100,000 cases is one array of integers; what a row shows is fetched page by page when
the view asks for it (``pageWanted``; ``feed`` brings it) and the least recently used pages are let
go. A row that is not there yet is painted as a placeholder.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from mmreview.domain.cases import ReadStatus, WorklistRow
from mmreview.ui.worklist import wording

#: Rows fetched at a time, and how many pages are kept (2,048 rows, about 2 MB).
PAGE = 64
KEPT_PAGES = 32

#: The roles of an index beside the text: the ``WorklistRow`` (or None) and the case key.
ROW_ROLE = int(Qt.ItemDataRole.UserRole)
KEY_ROLE = ROW_ROLE + 1

_Index = QModelIndex | QPersistentModelIndex
Page = Sequence[WorklistRow | None]


class WorklistModel(QAbstractListModel):
    """Keys in order, pages of rows, and which of the cases are still unread."""

    pageWanted = Signal(int)  # a page that somebody asked for is not there

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keys: array[int] = array("q")
        self._pages: OrderedDict[int, list[WorklistRow | None]] = OrderedDict()
        self._unread: bytearray | None = None
        self._version = 0  # the one that serves

    # --- Qt's side --------------------------------------------------------------------------------

    def rowCount(self, parent: _Index | None = None) -> int:
        """How many cases the list holds."""
        return 0 if parent is not None and parent.isValid() else len(self._keys)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """The row, its key, or its words."""
        if not index.isValid() or not 0 <= index.row() < len(self._keys):
            return None
        if role == KEY_ROLE:
            return self._keys[index.row()]
        if role == ROW_ROLE:
            return self.row(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            row = self.row(index.row())
            return wording.title(row) if row is not None else ""
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            row = self.row(index.row())
            return wording.spoken(row) if row is not None else None
        return None

    # --- what is in it ----------------------------------------------------------------------------

    @property
    def keys(self) -> array[int]:
        """Every key in order. Not to be changed."""
        return self._keys

    def set_version(self, version: int) -> None:
        """Rows that another version has scored say so instead of its numbers and reasons."""
        if version == self._version:
            return
        self._version = version
        for page, rows in list(self._pages.items()):
            self.put_pages({page: rows})

    def _fresh(self, row: WorklistRow | None) -> WorklistRow | None:
        if row is None or not row.scored_by or not self._version:
            return row
        if row.scored_by == self._version or (row.conflict is None and row.priority is None):
            return row
        return replace(row, conflict=None, priority=None, reason="queue.stale", reason_params={})

    def set_keys(self, keys: array[int], pages: Mapping[int, Page]) -> None:
        """Hold another list of cases, of which these pages are already known."""
        self.beginResetModel()
        self._keys = keys
        self._pages.clear()
        for page, rows in pages.items():
            self._pages[page] = [self._fresh(row) for row in rows]
        self._unread = None
        self.endResetModel()

    def set_unread(self, flags: bytearray) -> None:
        """Say of each case, in order, whether nobody has read it (1) or somebody has (0)."""
        if len(flags) != len(self._keys):
            return
        self._unread = flags
        for page, rows in self._pages.items():
            for offset, row in enumerate(rows):
                if row is not None:  # a row that is shown is newer than the flags
                    self._note_status(page * PAGE + offset, row)

    def put_pages(self, pages: Mapping[int, Page]) -> None:
        """Rows have come for these pages."""
        for page, rows in pages.items():
            self._pages[page] = [self._fresh(row) for row in rows]
            self._pages.move_to_end(page)
            first = page * PAGE
            last = min(first + PAGE, len(self._keys)) - 1
            if first <= last:
                self.dataChanged.emit(self.index(first), self.index(last))
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)

    def put_rows(self, rows: Iterable[WorklistRow]) -> None:
        """These cases have changed; each stays at its place."""
        for row in rows:
            at = self.row_of(row.key)
            if at is None:
                continue
            self._note_status(at, row)
            page = self._pages.get(at // PAGE)
            if page is not None and at % PAGE < len(page):
                page[at % PAGE] = self._fresh(row)
                self.dataChanged.emit(self.index(at), self.index(at))

    def page_keys(self, page: int) -> list[int]:
        """The keys of one page."""
        return self._keys[page * PAGE : (page + 1) * PAGE].tolist()

    def row(self, at: int) -> WorklistRow | None:
        """What row ``at`` shows; asks for its page and returns None if that is not there."""
        page = self._pages.get(at // PAGE)
        if page is None:
            self.pageWanted.emit(at // PAGE)
            return None
        self._pages.move_to_end(at // PAGE)
        return page[at % PAGE] if at % PAGE < len(page) else None

    def row_of(self, key: int, *, hint: int = -1) -> int | None:
        """Where ``key`` stands (looked for at ``hint`` first), None if it is not in the list."""
        if 0 <= hint < len(self._keys) and self._keys[hint] == key:
            return hint
        try:
            return self._keys.index(key)
        except ValueError:
            return None

    # --- walking ----------------------------------------------------------------------------------

    def next_row(self, after: int, *, unread: bool) -> int | None:
        """The next row after ``after`` (-1 for the first). Looking for unread cases goes on from
        the top when the end is reached; ``after`` itself is never the answer."""
        if not unread:
            return after + 1 if after + 1 < len(self._keys) else None
        for start, end in ((after + 1, len(self._keys)), (0, max(after, 0))):
            found = self._first_unread(start, end)
            if found is not None:
                return found
        return None

    def _first_unread(self, start: int, end: int) -> int | None:
        if self._unread is not None:
            found = self._unread.find(1, start, end)
            return found if found >= 0 else None
        for at in range(start, end):  # the flags are on their way: what is not known may be unread
            page = self._pages.get(at // PAGE)
            row = page[at % PAGE] if page is not None and at % PAGE < len(page) else None
            if row is None or _is_due(row):
                return at
        return None

    def _note_status(self, at: int, row: WorklistRow) -> None:
        if self._unread is not None:
            self._unread[at] = _is_due(row)


def _is_due(row: WorklistRow) -> bool:
    """Whether a walk to the next case may stop here."""
    return row.status is not ReadStatus.READ and not row.leased_by
