"""JSON lines, the project's own manifest: one object a line (see the manual for its fields)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from mmreview.domain.errors import SourceUnreadable
from mmreview.domain.ports import SourceRow
from mmreview.formats.columns import Columns
from mmreview.formats.lines import is_utf8, opened_text
from mmreview.formats.rows import MAX_TEXT, refused, row_of

_BLOCK = 1 << 20


class JsonLines:
    """Reads a ``.jsonl`` file (``domain.ports.SourceReader``). Blank lines are skipped."""

    def __init__(self, source: Path, *, columns: Columns, labels_complete: bool) -> None:
        self.source = source
        self.root = source.parent
        self._columns = columns
        self._labels_complete = labels_complete

    def count(self) -> int:
        """How many lines there are."""
        lines, last = 0, b"\n"
        try:
            with self.source.open("rb") as file:
                while block := file.read(_BLOCK):
                    lines, last = lines + block.count(b"\n"), block[-1:]
        except OSError as error:
            raise SourceUnreadable(
                path=str(self.source), detail=error.strerror or str(error)
            ) from error
        return lines + (last != b"\n")

    def rows(self) -> Iterator[SourceRow]:
        """Every row in order; an unreadable one carries its problem."""
        for line, text in self._lines():
            if text is None:
                yield refused(line, "import.line_too_long", limit=MAX_TEXT >> 20)
            elif text.strip():
                yield self._row(line, text)

    def _lines(self) -> Iterator[tuple[int, str | None]]:
        """Numbered lines; None for one that is too long to be held."""
        number = 0
        with opened_text(self.source) as file:
            while text := file.readline(MAX_TEXT):
                number += 1
                too_long = len(text) == MAX_TEXT and not text.endswith("\n")
                if too_long:
                    while (more := file.readline(MAX_TEXT)) and not more.endswith("\n"):
                        pass
                yield number, None if too_long else text

    def _row(self, line: int, text: str) -> SourceRow:
        if not is_utf8(text):
            return refused(line, "import.not_utf8")
        try:
            values: Any = json.loads(
                text, parse_constant=_refuse_constant, parse_float=_finite
            )
        except RecursionError:
            return refused(line, "import.not_json", detail="nested too deeply")
        except ValueError as error:
            return refused(line, "import.not_json", detail=str(error)[:200])
        if not isinstance(values, dict):
            return refused(line, "import.not_an_object")
        return row_of(values, self._columns, line=line, labels_complete=self._labels_complete)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(number: str) -> float:
    """A number with a fraction or exponent; one beyond all floats would be exported as no JSON."""
    found = float(number)
    if math.isinf(found):
        raise ValueError(f"{number[:40]} is too large a number")
    return found
