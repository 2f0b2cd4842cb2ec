"""Splits a report into its sections, as they come: structured, dictated, pasted or without heads.

Three kinds of head are known: a line that begins with a usual head ("Findings:", "impression:",
"TECHNIQUE" alone on its line), a line that begins with capitals and a colon ("CHEST AP:"), and a
usual head with a colon after the end of a sentence in running text. Where a dictation has no
colons, usual heads at the beginning of at least two lines count. The spans of the sections follow
each other and cover the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """One section: ``text[head:start]`` is its head as written, with colon and blanks (empty for
    text before the first head), ``text[start:end]`` its body. ``title`` is the head's words."""

    title: str
    head: int
    start: int
    end: int

    def body(self, text: str) -> str:
        """The body, of the text that was split."""
        return text[self.start : self.end]


_SCOPE = (
    r"(?:(?:chest|thora(?:x|cic)|ct|cxr|x-?ray|radiograph(?:ic|y)?|imaging|us|ultrasound|pa|ap)"
    r"[ -]+)"
)
_HEADS = rf"""
    (?:clinical[ ]+)?(?:indications?|history|information|data|details|statement|question|context)
  | (?:past[ ]+|present[ ]+|relevant[ ]+)?(?:medical|surgical|present|patient)[ ]+history
  | history[ ]+of[ ]+present(?:ing)?[ ]+(?:illness|complaint)
  | reason[ ]+for[ ]+(?:the[ ]+)?(?:exam(?:ination)?|study|visit|referral)
  | {_SCOPE}{{0,2}}(?:exam(?:ination)?|study|procedure|technique|comparisons?)
  | {_SCOPE}{{0,2}}(?:findings?|impressions?)
  | type[ ]+of[ ]+exam(?:ination)? | views? | priors?
  | (?:physical|laboratory|lab)[ ]+(?:examination|exam|findings|results|tests)
  | (?:final[ ]+|preliminary[ ]+)?(?:report|diagnosis|diagnoses|impression|read(?:ing)?)
  | wet[ ]+read | conclusions? | opinion | summary | assessment | interpretation | discussion
  | recommendations? | notifications? | addendum | follow[ -]?up | treatment | outcome
  | findings[ ]+and[ ]+impression | impression[ ]+and[ ]+recommendations?
  | complications? | limitations? | contrast | dose
"""

#: A usual head and a colon, at the beginning of a line or after the end of a sentence.
_USUAL = re.compile(
    rf"(?:^[^\S\n]*|(?<=[.!?;)])[ \t]+)(?P<title>{_HEADS})[ \t]*:[ \t]*\n?",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)

#: A usual head alone on its line.
_ALONE = re.compile(
    rf"^[^\S\n]*(?P<title>{_HEADS})[^\S\n]*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE | re.VERBOSE
)

#: One to six words in capitals and a colon at the beginning of a line.
_CAPITALS = re.compile(
    r"^[^\S\n]*(?P<title>[A-Z][A-Z0-9]*(?:[ /&,()'-]{1,2}[A-Z0-9]+){0,5}\)?)[ \t]*:[ \t]*\n?",
    re.MULTILINE,
)

#: A head without a colon at the beginning of a line, followed by what is no verb of a sentence.
_DICTATED = re.compile(
    r"^[^\S\n]*(?P<title>indications?|history|technique|comparison|findings|impression|conclusion)"
    r"[ \t]+(?!(?:is|are|was|were|has|have|had|of|in|on|at|as|for|from|to|with|and|or|that|this|"
    r"may|might|can|could|should|will|would|also|suggests?|suggestive|suggesting|consistent|"
    r"compatible|remains?|includes?|including|concerning|worrisome|above|below|described|discussed|"
    r"reported|which|likely|most|represent|not)\b)(?=\w)",
    re.IGNORECASE | re.MULTILINE,
)

#: The shortest head in capitals that is one: "AP" and "R" are marks, not heads.
_SHORTEST = 4


def split_sections(text: str) -> tuple[Section, ...]:
    """The sections of a report, in order; their spans cover ``text`` without gap or overlap.

    Text before the first head, or a report without heads, is a section with an empty title. An
    empty text has no sections.
    """
    if not text:
        return ()
    sections: list[Section] = []
    title, head, start = "", 0, 0
    for name, begin, end in _heads(text):
        if title or text[head:begin]:
            sections.append(Section(title, head, start, begin))
        title, head, start = name, begin, end
    sections.append(Section(title, head, start, len(text)))
    return tuple(sections)


def _heads(text: str) -> Iterator[tuple[str, int, int]]:
    """Title, beginning and end of every head, in order, none overlapping."""
    found = [*_USUAL.finditer(text), *_ALONE.finditer(text)]
    found += [m for m in _CAPITALS.finditer(text) if len(m["title"]) >= _SHORTEST]
    dictated = list(_DICTATED.finditer(text))
    if len(dictated) + len(found) > 1:
        found += dictated
    last = -1
    for match in sorted(found, key=lambda m: (m.start(), -m.end())):
        if match.start() >= last:
            yield " ".join(match["title"].split()), match.start(), match.end()
            last = match.end()
