"""From one record of an outside format to a ``SourceRow``: types, states and names are checked.

The readers (JSON lines, tables) bring their records here as plain Python values. What is wrong with
a record becomes the row's ``problem``; the readers go on with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmreview.domain.errors import Message, MmreviewError
from mmreview.domain.findings import State
from mmreview.domain.ports import SourceRow
from mmreview.formats.columns import Columns

#: Longer lines and cells are refused unread (in characters): no report is a book.
MAX_TEXT = 8 * 1024 * 1024

#: States as CheXpert writes them.
_NUMBERS = {1: State.PRESENT, 0: State.ABSENT, -1: State.UNCERTAIN}


class RowRefused(MmreviewError):
    """A record cannot be a case; ``code`` says why."""

    code = "import.row_unreadable"


def refused(line: int, code: str, **params: Any) -> SourceRow:
    """The row that stands for a record nobody can read."""
    return SourceRow(line=line, problem=Message(code, {"line": line, **params}))


def _as_it_is(field: str, value: Any) -> Any:
    return value


def row_of(
    values: Mapping[str, Any], columns: Columns, *, line: int, labels_complete: bool,
    read: Callable[[str, Any], Any] = _as_it_is,
) -> SourceRow:
    """One record as a row; ``labels_complete`` holds where the record does not say. ``read`` turns
    what stands in a column into what a field wants, or raises ValueError."""
    try:
        if not all(_is_sound(text) for text in _texts(values)):
            raise RowRefused("import.text_unsound")
        return _row(_Record(values, columns, read), line=line, labels_complete=labels_complete)
    except RowRefused as error:
        return refused(line, error.code, **error.params)


class _Record:
    """A record's values by field."""

    def __init__(
        self, values: Mapping[str, Any], columns: Columns, read: Callable[[str, Any], Any]
    ) -> None:
        self._values = values
        self._columns = columns
        self._read = read

    def of(self, field: str) -> list[tuple[str, Any]]:
        """The columns of a field that hold something, with what they hold."""
        found: list[tuple[str, Any]] = []
        for name in self._columns.fields[field]:
            value = self._values.get(name)
            if value is not None:
                try:
                    found.append((name, self._read(field, value)))
                except (ValueError, RecursionError):
                    raise RowRefused(
                        "import.cell_invalid", column=name, cell=str(value)[:80]
                    ) from None
        return found

    def text(self, field: str) -> str:
        """A field that is a word or a number, as text; empty if it is not there."""
        for name, value in self.of(field):
            if isinstance(value, str):
                return value.strip()
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RowRefused("import.not_text", field=name)
            return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
        return ""

    def words(self, field: str) -> list[str]:
        """A field that is a text or a list of texts; blanks are left out."""
        found: list[str] = []
        for name, value in self.of(field):
            for word in value if isinstance(value, list) else [value]:
                if not isinstance(word, str):
                    raise RowRefused("import.not_texts", field=name)
                if word.strip():
                    found.append(word.strip())
        return found

    def rest(self) -> dict[str, Any]:
        """What no field is read from."""
        used = self._columns.used
        return {name: value for name, value in self._values.items() if name not in used}


def _row(record: _Record, *, line: int, labels_complete: bool) -> SourceRow:
    case_id = record.text("id")
    if not case_id:
        raise RowRefused("import.no_id")
    if any(ord(character) < 32 or ord(character) == 127 for character in case_id):
        raise RowRefused("import.text_unsound")
    images = tuple(dict.fromkeys(record.words("images")))
    return SourceRow(
        line=line,
        id=case_id,
        images=images,
        report=_report(record),
        labels=_labels(record),
        labels_complete=_complete(record, labels_complete),
        patient_id=record.text("patient_id"),
        split_group=record.text("split_group"),
        accession=record.text("accession"),
        study_date=record.text("study_date"),
        views=_views(record.words("view"), images),
        metadata=record.rest(),
    )


def _report(record: _Record) -> str | None:
    parts: list[str] = []
    for name, value in record.of("report"):
        if not isinstance(value, str):
            raise RowRefused("import.not_text", field=name)
        if value.strip():
            parts.append(value)
    return "\n\n".join(parts) or None


def _views(views: Sequence[str], images: Sequence[str]) -> tuple[str, ...]:
    """One view for each image; a single one stands for all."""
    if len(views) == 1:
        return tuple(views) * len(images)
    if views and len(views) != len(images):
        raise RowRefused("import.views_differ", views=len(views), images=len(images))
    return tuple(views)


def _complete(record: _Record, otherwise: bool) -> bool:
    for name, value in record.of("labels_complete"):
        if not isinstance(value, bool):
            raise RowRefused("import.not_boolean", field=name)
        return value
    return otherwise


def _labels(record: _Record) -> dict[str, State] | None:
    """Finding names as written with their states; None if the record says nothing of labels.

    A column holds a list of the findings that are present, or their states by name, or (where a
    column stands for one finding) a state of its own.
    """
    found: dict[str, State] = {}
    columns = record.of("labels")
    for column, value in columns:
        if isinstance(value, Mapping):
            found.update({str(name): state_of(str(name), state) for name, state in value.items()})
        elif isinstance(value, list):
            for name in value:
                if not isinstance(name, str):
                    raise RowRefused("import.not_texts", field=column)
                found[name.strip()] = State.PRESENT
        elif isinstance(value, str) and not isinstance(value, State):
            if value.strip():
                found[value.strip()] = State.PRESENT
        else:
            found[column] = state_of(column, value)
    return found if columns else None


def state_of(finding: str, value: Any) -> State:
    """A state as a word, as true or false, or as CheXpert's 1, 0, -1; null is unset.

    Raises:
        RowRefused: it is none of these.
    """
    if value is None:
        return State.UNSET
    if isinstance(value, str):
        word = value.strip().casefold().replace(" ", "_").replace("-", "_")
        if word in set(State):
            return State(word)
    elif isinstance(value, int | float) and value in _NUMBERS:
        return _NUMBERS[int(value)]
    raise RowRefused(
        "import.state_unknown",
        finding=finding,
        state=str(value)[:80],
        known=", ".join([*State, "true", "false", "1", "0", "-1"]),
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in a record, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _is_sound(text: str) -> bool:
    """False for half a surrogate pair (no such character) and NUL: neither can be stored."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
