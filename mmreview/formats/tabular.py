"""Tables: comma-, semicolon- or tab-separated text with a header line.

A cell is what its field wants: images and labels may be parted by ``;`` or ``|`` (labels also by
``,``) or be JSON; a column that stands for one finding may hold a state (``present``, 1, 0, -1).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from mmreview.domain.errors import SourceUnreadable
from mmreview.domain.findings import State
from mmreview.domain.ports import SourceRow
from mmreview.formats.columns import Columns
from mmreview.formats.lines import is_utf8, opened_text
from mmreview.formats.rows import MAX_TEXT, refused, row_of

_DELIMITERS = (",", ";", "\t")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_NUMBERS = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1}


class Table:
    """Reads a ``.csv`` or ``.tsv`` file (``domain.ports.SourceReader``)."""

    def __init__(self, source: Path, *, columns: Columns, labels_complete: bool) -> None:
        self.source = source
        self.root = source.parent
        self._columns = columns
        self._labels_complete = labels_complete
        with opened_text(source) as file:
            self._delimiter = _delimiter(file.readline(MAX_TEXT))
        with opened_text(source) as file:
            header = next(self._records(file), (1, []))[1]
        if isinstance(header, str):
            raise SourceUnreadable(path=str(source), detail=header)
        self._header = self._checked(header)

    def _checked(self, header: list[str]) -> list[str]:
        """The names of the columns. Raises SourceUnreadable where they cannot be used."""
        names = [name.strip() for name in header]
        known = [name for name in names if name]
        repeated = sorted({name for name in known if known.count(name) > 1})
        if repeated:
            raise SourceUnreadable(
                "error.source_column_repeated", path=str(self.source), column=repeated[0]
            )
        missing = [name for name in self._columns.named if name not in known]
        if not missing and not set(self._columns.fields["id"]) & set(known):
            missing = list(self._columns.fields["id"])
        if missing:
            raise SourceUnreadable(
                "error.source_column_missing",
                path=str(self.source),
                column=missing[0],
                known=", ".join(known),
            )
        return names

    def count(self) -> int:
        """How many rows there are below the header."""
        with opened_text(self.source) as file:
            return max(0, sum(1 for _ in self._records(file)) - 1)

    def rows(self) -> Iterator[SourceRow]:
        """Every row in order; an unreadable one carries its problem."""
        with opened_text(self.source) as file:
            records = self._records(file)
            next(records, None)
            for line, cells in records:
                if isinstance(cells, str):
                    yield refused(line, "import.not_a_table_row", detail=cells)
                else:
                    yield self._row(line, cells)

    def _records(self, file: TextIO) -> Iterator[tuple[int, Any]]:
        """Each record's first line and its cells, or what the reader said of it."""
        csv.field_size_limit(MAX_TEXT)
        # Strict, so that a quote that is never closed is named instead of swallowing what follows.
        lines = iter(lambda: file.readline(MAX_TEXT), "")
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, str(error)
                continue
            if any(cells):
                yield line, cells

    def _row(self, line: int, cells: list[str]) -> SourceRow:
        if len(cells) != len(self._header):
            return refused(
                line, "import.cells_differ", found=len(cells), expected=len(self._header)
            )
        if not all(is_utf8(cell) for cell in cells):
            return refused(line, "import.not_utf8")
        values = {
            name: cell
            for name, cell in zip(self._header, cells, strict=True)
            if name and cell.strip()
        }
        return row_of(
            values,
            self._columns,
            line=line,
            labels_complete=self._labels_complete,
            read=_value,
        )


def _delimiter(header: str) -> str:
    """The separator that parts the header most often."""
    return max(_DELIMITERS, key=header.count)


def _value(field: str, cell: str) -> Any:
    """A cell that is not blank as the value its field wants."""
    word = cell.strip()
    if field == "labels_complete":
        if word.casefold() not in (*_TRUE, *_FALSE):
            raise ValueError(word)
        return word.casefold() in _TRUE
    if field == "labels":
        if word in _NUMBERS:
            return _NUMBERS[word]
        if word.casefold() in set(State):
            return State(word.casefold())
        return _list(word, ";|,")
    return _list(word, ";|") if field in ("images", "view") else cell


def _list(word: str, separators: str) -> Any:
    """A JSON value, or the parts between the first of the separators that is there."""
    if word[0] in "[{":
        return json.loads(word)
    for separator in separators:
        if separator in word:
            return [part.strip() for part in word.split(separator) if part.strip()]
    return [word]
