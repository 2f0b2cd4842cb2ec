"""A report as a Qt document: quiet headings over running text, and where each of its characters
came from.

Reports arrive hard-wrapped, indented and padded. Here a single line break inside a paragraph
becomes a blank, so that the text fills the measure it is read in; paragraphs and list lines stay.
``Places`` remembers for every run of characters where it stood in the report, so that a span of
the original text (a search hit, a sentence of evidence) finds its place on the screen.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)

from mmreview.ui import theme
from mmreview.ui.theme import UNIT

#: Lines of text stand so many times the text's size apart.
_LINE_HEIGHT = 1.5

_PARAGRAPHS = re.compile(r"[^\S\n]*\n(?:[^\S\n]*\n)+|\n(?=[^\S\n]*(?:[-•*–]|\d{1,2}[.)])\s)")
_LIST_LINE = re.compile(r"\s*(?:[-•*–]|\d{1,2}[.)])\s")
_WORDS = re.compile(r"\S+")


class Section(Protocol):
    """What ``reports.sections`` finds: a title (empty for text before the first), where its head
    begins, and the span of what stands under it."""

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def head(self) -> int: ...  # noqa: D102
    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102


@dataclass(slots=True)
class Places:
    """Runs of characters that stand together in the report and in the document.

    Positions in the document count UTF-16 units, as Qt does; those in the report count characters.
    """

    text: str
    _starts: list[int] = field(default_factory=list)
    _runs: list[tuple[int, int]] = field(default_factory=list)  # length, document position

    def add(self, start: int, end: int, position: int) -> None:
        """``text[start:end]`` stands at ``position`` in the document. In order of ``start``."""
        self._starts.append(start)
        self._runs.append((end - start, position))

    def found(self, start: int, end: int) -> tuple[int, int] | None:
        """Where ``text[start:end]`` stands in the document, or None if nothing of it is shown."""
        first = last = None
        index = max(bisect_right(self._starts, start) - 1, 0)
        for begin, (length, position) in zip(
            self._starts[index:], self._runs[index:], strict=True
        ):
            if begin >= end:
                break
            low, high = max(start, begin), min(end, begin + length)
            if low < high:
                first = position + units(self.text[begin:low]) if first is None else first
                last = position + units(self.text[begin:high])
        return None if first is None or last is None else (first, last)


def units(text: str) -> int:
    """The length of ``text`` as Qt counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def build(
    text: str, sections: Sequence[Section], *, size: int, margins: tuple[float, float]
) -> tuple[QTextDocument, Places]:
    """The report as a document with body text of ``size`` points between left and right
    ``margins``. Nothing in ``text`` is read as markup."""
    document = QTextDocument()
    document.setUndoRedoEnabled(False)
    document.setDefaultFont(theme.font(size))
    document.setDocumentMargin(0)
    set_margins(document, margins)
    places = Places(text)
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    heading, paragraph = _heading_formats(), _paragraph_formats(size)
    is_first = True
    for section in sections:
        if section.title.strip():
            _begin(cursor, heading, top=0 if is_first else 4 * UNIT, is_first=is_first)
            _insert(cursor, places, *_title_span(text, section))
            is_first = False
        for number, (start, end) in enumerate(_paragraphs(text, section.start, section.end)):
            _begin(cursor, paragraph, top=_gap(text, start) if number else 0, is_first=is_first)
            _insert(cursor, places, start, end)
            is_first = False
    cursor.endEditBlock()
    return document, places


def set_margins(document: QTextDocument, margins: tuple[float, float]) -> None:
    """Give the text its left and right margins, and air above and below."""
    frame = document.rootFrame()
    form = frame.frameFormat()
    form.setLeftMargin(margins[0])
    form.setRightMargin(margins[1])
    form.setTopMargin(4 * UNIT)
    form.setBottomMargin(8 * UNIT)
    frame.setFrameFormat(form)


def _title_span(text: str, section: Section) -> tuple[int, int]:
    """Where a section's title stands in the report, without its colon."""
    words = r"\s+".join(re.escape(word) for word in section.title.split())
    found = re.compile(words).search(text, section.head, section.start)
    return found.span() if found else (section.head, section.start)


_Formats = tuple[QTextBlockFormat, QTextCharFormat]


def _heading_formats() -> _Formats:
    block, char = QTextBlockFormat(), QTextCharFormat()
    block.setBottomMargin(1.5 * UNIT)
    block.setHeadingLevel(2)
    font = theme.font(theme.SMALL, bold=True)
    font.setCapitalization(QFont.Capitalization.AllUppercase)
    font.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 106)
    char.setFont(font)
    char.setForeground(theme.current().muted)
    return block, char


def _paragraph_formats(size: int) -> _Formats:
    block, char = QTextBlockFormat(), QTextCharFormat()
    font = theme.font(size)
    metrics = QFontMetricsF(font)
    natural = metrics.height()
    em = metrics.fontDpi() * size / 72
    block.setLineHeight(
        100 * _LINE_HEIGHT * em / natural,
        QTextBlockFormat.LineHeightTypes.ProportionalHeight.value,
    )
    char.setFont(font)
    char.setForeground(theme.current().text)
    return block, char


def _begin(cursor: QTextCursor, formats: _Formats, *, top: float, is_first: bool) -> None:
    block, char = QTextBlockFormat(formats[0]), formats[1]
    block.setTopMargin(top)
    if is_first:
        cursor.setBlockFormat(block)
        cursor.setCharFormat(char)
        cursor.setBlockCharFormat(char)
    else:
        cursor.insertBlock(block, char)


def _gap(text: str, start: int) -> int:
    """The air above a paragraph that is not its section's first; lines of a list stand closer."""
    return UNIT // 2 if _LIST_LINE.match(text, start) else 2 * UNIT


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of the paragraphs and list lines within a section; none for a blank one."""
    begin = start
    for gap in _PARAGRAPHS.finditer(text, start, end):
        if text[begin : gap.start()].strip():
            yield begin, gap.start()
        begin = gap.end()
    if text[begin:end].strip():
        yield begin, end


def _insert(cursor: QTextCursor, places: Places, start: int, end: int) -> None:
    """Insert the words of a span with one blank between them, remembering where each stands."""
    words = list(_WORDS.finditer(places.text, start, end))
    position = cursor.position()
    begin = words[0].start()
    pieces: list[str] = []
    for word, following in zip(words, [*words[1:], None], strict=True):
        if following is not None and places.text[word.end() : following.start()] == " ":
            continue
        piece = places.text[begin : word.end()]
        places.add(begin, word.end(), position)
        pieces.append(piece)
        position += units(piece) + 1
        begin = following.start() if following is not None else begin
    cursor.insertText(" ".join(pieces))


def measure(size: int) -> float:
    """The widest that a line of text of ``size`` points may be: about 70 characters."""
    return QFontMetricsF(theme.font(size)).horizontalAdvance("n") * 64


def mark_format() -> QTextCharFormat:
    """How a marked span looks: amber ground and an amber line of dashes under it."""
    colours = theme.current()
    form = QTextCharFormat()
    form.setBackground(colours.conflict_surface)
    form.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DashUnderline)
    form.setUnderlineColor(colours.report)
    return form
