"""Text out of files of unknown origin, in bounded memory: encodings, long lines, failing disks.

Bytes that are not UTF-8 come through as surrogates, so that the row that holds them can be named
and the next one read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mmreview.domain.errors import SourceUnreadable

_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """A text file as UTF-8 with or without a byte order mark.

    Raises:
        SourceUnreadable: the file cannot be opened or read, or is marked as another encoding.
    """
    try:
        with path.open("rb") as start:
            head = start.read(4)
        for mark, name in _OTHER_MARKS.items():
            if head.startswith(mark):
                raise SourceUnreadable("error.source_encoding", path=str(path), encoding=name)
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file
    except OSError as error:
        raise SourceUnreadable(path=str(path), detail=error.strerror or str(error)) from error


def is_utf8(text: str) -> bool:
    """False where bytes stood that are not UTF-8."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)
