"""Cases that are nearly the same as another: what is known of the likeness, and the seam to find
them.

``ml.likeness`` compares cached features, ``services.propagating`` offers one case's findings to
those that are alike.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mmreview.domain.progress import Progress


class Alikeness(StrEnum):
    """In what two cases are the same."""

    WHOLE = "whole"  # in everything they have
    IMAGE = "image"  # the same picture, but their reports differ or one has none


@dataclass(frozen=True, slots=True)
class Alike:
    """A case that is like the one asked about. ``image`` and ``text`` are likenesses from 0 to 1,
    None where either case lacks that modality."""

    key: int
    kind: Alikeness
    image: float | None
    text: float | None


class Likeness(Protocol):
    """Finds cases that are nearly the same, by what the encoders said of them."""

    def alike(
        self,
        mine: Mapping[str, tuple[str, ...]],
        *,
        keys: Sequence[int],
        hashes: Mapping[str, Sequence[tuple[str, ...]]],
    ) -> Generator[Progress, None, list[Alike]]:
        """Those of ``keys`` that are alike to the case with the contents ``mine``, the most alike
        first. ``hashes[m][i]`` are the content hashes of the i-th key for modality ``m`` (see
        ``cases.CaseContents``). Cases that are not encoded yet are alike only where their contents
        are the same."""
        ...
