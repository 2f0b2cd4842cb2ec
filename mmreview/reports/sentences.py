"""Splits the text of a report into sentences, as spans of the original.

Medical prose has decimals ("1.5 cm"), abbreviations ("Dr.", "vs.", "approx."), numbered lists and
lines broken anywhere. A sentence ends at a full stop, question or exclamation mark that is none of
these, at a blank line and before a line that begins a list entry. The marks are found with one
pass of a regular expression, so that a long report costs linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]``, without blanks at either end."""

    start: int
    end: int


#: Words that keep their full stop inside a sentence (lower case, without it).
_ABBREVIATIONS = frozenset((
    "dr", "mr", "mrs", "ms", "prof", "st", "vs", "approx", "ca", "cf", "e.g", "i.e", "eg",
    "ie", "fig", "figs", "no", "nos", "resp", "incl", "excl", "dept", "hosp", "pt", "pts",
    "hx", "dx", "rx", "tx", "yo", "y.o", "lat", "bilat", "ant", "post", "sup", "inf", "max",
    "min", "temp", "wt", "ht", "a.m", "p.m", "q.d", "b.i.d", "t.i.d", "u.s", "al", "et", "vol",
    "ref", "refs", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct",
    "nov", "dec",
))

#: These end a sentence too, unless a number or lower case follows.
_UNLESS_LOWER = frozenset((
    "no", "st", "al", "post", "min", "max", "sup", "inf", "lat", "mar", "dec", "yo", "pt",
    "pts",
))

#: A possible end: marks with closing quotes or brackets, before a blank, the end, or a capital
#: stuck to a word ("clear.No effusion"); or a break between paragraphs or list entries.
_ENDS = re.compile(
    r"""(?P<stop>[.!?]+["')\]]*)(?=\s|\Z|[A-Z][a-z])
      | (?P<gap>\n[^\S\n]*(?:\n\s*)+)
      | (?P<entry>\n(?=[^\S\n]*(?:[-•*–]|\(?\d{1,2}[.)])[^\S\n]))""",
    re.VERBOSE,
)

_LAST_WORD = re.compile(r"[\w.]+\Z")
_NUMBER_OF_LIST = re.compile(r"(?:\A|\n)\s*\(?\d{1,2}\Z")


def split_sentences(text: str) -> tuple[Span, ...]:
    """The sentences of ``text`` in order. What is between them is white space only."""
    spans: list[Span] = []
    begin = 0
    for match in _ENDS.finditer(text):
        if match["stop"] and not _is_end(text, begin, match):
            continue
        end = match.end() if match["stop"] else match.start()
        begin = _add(spans, text, begin, end)
    _add(spans, text, begin, len(text))
    return tuple(spans)


def _add(spans: list[Span], text: str, begin: int, end: int) -> int:
    """Append ``text[begin:end]`` without its outer blanks, if anything is left; returns ``end``."""
    piece = text[begin:end]
    stripped = piece.strip()
    if stripped:
        start = begin + piece.index(stripped)
        spans.append(Span(start, start + len(stripped)))
    return end


def _is_end(text: str, begin: int, match: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that began at ``begin``."""
    if match["stop"] != ".":
        return True
    before = text[max(begin, match.start() - 24) : match.start()]
    following = text[match.end() : match.end() + 12].lstrip()
    if _NUMBER_OF_LIST.search(text[max(0, match.start() - 6) : match.start()]):
        return False
    word = _LAST_WORD.search(before)
    if word is None:
        return True
    last = word.group().lower()
    if len(last) == 1 and last.isalpha() and word.group().isupper():
        return not following[:1].isupper() or (len(before.split()) > 3 and "\n" in following)
    if last not in _ABBREVIATIONS:
        return True
    if last in _UNLESS_LOWER:
        return not (following[:1].islower() or following[:1].isdigit())
    return not following
