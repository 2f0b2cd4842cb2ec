"""Outside formats, one module each. ``open_source`` finds the one that reads a source.

A new format joins with one line in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmreview.domain.errors import MmreviewError, SourceUnreadable
from mmreview.domain.ports import SourceReader
from mmreview.formats.columns import Columns
from mmreview.formats.jsonl import JsonLines
from mmreview.formats.tabular import Table


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be read: its name, the suffixes it is known by, and its reader."""

    name: str
    suffixes: tuple[str, ...]
    reader: Callable[..., SourceReader]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.suffixes)})"


FORMATS: tuple[Format, ...] = (
    Format("jsonl", (".jsonl", ".ndjson"), JsonLines),
    Format("csv", (".csv", ".tsv"), Table),
)


def open_source(
    source: Path, *, format: str = "auto", columns: Columns | None = None,
    labels_complete: bool = False,
) -> SourceReader:
    """The reader of a manifest, or of the one manifest that lies in a folder.

    ``format`` is ``auto`` or one of ``FORMATS``; ``labels_complete`` says of rows that do not say
    so themselves that the findings they do not name are absent.

    Raises:
        MmreviewError: ``error.format_not_found``.
        SourceUnreadable: it is not there, empty, of no known format, or cannot be used as a whole.
    """
    if format != "auto" and format not in {known.name for known in FORMATS}:
        raise MmreviewError(
            "error.format_not_found",
            format=format,
            known=", ".join(["auto", *(known.name for known in FORMATS)]),
        )
    wanted = [known for known in FORMATS if format in ("auto", known.name)]
    source = source.expanduser()
    if source.is_dir():
        source = _only_manifest(source, wanted)
    elif not source.exists():
        raise SourceUnreadable("error.source_missing", path=str(source))
    elif not source.is_file():
        raise SourceUnreadable("error.source_not_a_file", path=str(source))
    if source.stat().st_size == 0:
        raise SourceUnreadable("error.source_empty", path=str(source))
    chosen = wanted if format != "auto" else [k for k in wanted if _is_of(source, k)]
    if not chosen:
        raise SourceUnreadable(
            "error.source_unknown", path=str(source), known=", ".join(map(str, FORMATS))
        )
    return chosen[0].reader(source, columns=columns or Columns(), labels_complete=labels_complete)


def _is_of(path: Path, known: Format) -> bool:
    return path.suffix.casefold() in known.suffixes


def _only_manifest(folder: Path, wanted: list[Format]) -> Path:
    try:
        found = sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and any(_is_of(path, known) for known in wanted)
        )
    except OSError as error:
        raise SourceUnreadable(path=str(folder), detail=error.strerror or str(error)) from error
    if len(found) != 1:
        raise SourceUnreadable(
            "error.source_ambiguous" if found else "error.source_without_manifest",
            path=str(folder),
            found=", ".join(path.name for path in found),
            known=", ".join(map(str, wanted)),
        )
    return found[0]
