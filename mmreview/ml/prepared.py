"""What a fit needs of the features alone: their standardised copy, and the design of each block.

``heads`` solves on it. Preparing costs more than a warm solve does, and a correction changes no
feature: a ``Shelf`` keeps what the last round prepared, and gives it to the next one if that asks
for the very same numbers (it knows them by what they were made from, or by a few products of each
row, not by a copy). What is made is a function of the features, so a fit from the shelf is the same
to the bit as one without.

Ten corrections of the covid pairs (553 cases, two cores shared with others): heads and fold twins
went from .17 to .06 s, the whole fit from .46 to .12 s, macro AUROC within .001 of a fit from
scratch (tests/benchmarks/training.py --only update). A label on a case that taught nothing before
changes the rows, and all is prepared anew.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.ml import device as devices
from mmreview.ml.encoders.card import Weighing
from mmreview.ml.solver import Design, Trace
from mmreview.ml.standards import MarkedStandard, Standard
from mmreview.ml.unread import Unread

Array = NDArray[np.float32]

#: A shelf holds no more numbers than this (128 MB, about 13,000 reports), or than this share of the
#: machine's memory holds (in 24 GB, 100,000 reports): where more are prepared, memory counts for
#: more than the third of a warm round that it saves.
_KEPT, _SHARE = 32_000_000, 1 / 24
#: Products of a row that it is known by: two rows that differ share all of them by no chance.
_MARKS = 4


@dataclass(frozen=True)
class Part:
    """A part of the features: where it is, and how it is weighed."""

    place: slice
    weighing: Weighing


@dataclass(frozen=True)
class Layout:
    """How features are prepared: their parts in order, whether they are marked values
    (``standards``), the seed of the designs."""

    parts: tuple[Part, ...]
    marked: bool
    seed: int

    @property
    def places(self) -> list[slice]:
        """Where each block is: a part with those joined to it."""
        starts = [part.place.start for part in self.parts if not part.weighing.joined]
        ends = [*starts[1:], self.parts[-1].place.stop]
        return [slice(start, end) for start, end in zip(starts, ends, strict=True)]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(blocks,) each one's share in the head; their sum is 1."""
        own = [part.weighing.share for part in self.parts if not part.weighing.joined]
        shares = np.array(own, np.float64)
        return shares / shares.sum()

    def damped(self, standard: Standard) -> Standard:
        """``standard`` with each part's damping."""
        scale = standard.scale.astype(np.float64)
        for part in self.parts:
            own = scale[part.place]
            live = own > 0
            if part.weighing.damping and live.any():
                damped = own[live] ** -part.weighing.damping
                own[live] *= damped / np.sqrt(np.mean(damped**2))
        return replace(standard, scale=scale.astype(np.float32))


@dataclass(frozen=True)
class Prepared:
    """Features ready to solve on: each of ``blocks`` is (rows, width) standardised, ``designs``
    are theirs."""

    standard: Standard
    blocks: tuple[Array, ...]
    designs: tuple[Design, ...]

    @classmethod
    def of(
        cls, features: Array, rows: NDArray[np.intp], layout: Layout
    ) -> Generator[Trace, None, Prepared]:
        """Standardise ``rows`` of the features and find the designs of their blocks."""
        kind = MarkedStandard if layout.marked else Standard
        moments: Standard = yield from kind.of(features, rows)
        standard = layout.damped(moments)
        copies = yield from standard.apply(features, rows)
        blocks = tuple(copies[:, place] for place in layout.places)
        designs = []
        for block in blocks:
            designs.append(Design.of(block, seed=layout.seed))
            yield Trace(0)
        return cls(standard, blocks, tuple(designs))


@dataclass(frozen=True)
class Contents:
    """What a modality's features are known by without being looked at (``unread``), and which
    cases have some."""

    digest: bytes
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class _Kept:
    contents: Contents | None
    marks: Array
    rows: NDArray[np.intp]
    layout: Layout
    prepared: Prepared

    def serves(self, rows: NDArray[np.intp], layout: Layout) -> bool:
        """Whether the same of some features is asked for."""
        return self.layout == layout and np.array_equal(self.rows, rows)


def _marks(features: Array) -> Array:
    """(n, marks) numbers that rows are known by."""
    probe = np.random.default_rng(0).standard_normal((features.shape[1], _MARKS), np.float32)
    return features @ probe


class Shelf:
    """Keeps what was prepared last of one modality. One round at a time uses it."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def recalls(self, digest: bytes) -> NDArray[np.bool_] | None:
        """Which cases have features with this digest, if what was made of them is here."""
        contents = None if self._kept is None else self._kept.contents
        return contents.present if contents is not None and contents.digest == digest else None

    def prepare(
        self, features: Array | Unread, rows: NDArray[np.intp], layout: Layout, *,
        contents: Contents | None = None,
    ) -> Generator[Trace, None, Prepared]:
        """What is kept, or ``Prepared.of`` the same. ``contents`` tell what the features are."""
        kept = self._kept
        if kept is not None and kept.serves(rows, layout):
            if contents is not None and self.recalls(contents.digest) is not None:
                return kept.prepared
            if np.array_equal(kept.marks, _marks(np.asarray(features))):
                self._kept = replace(kept, contents=contents or kept.contents)
                return kept.prepared
        values = np.asarray(features)
        self._kept = kept = None  # never two in memory
        prepared = yield from Prepared.of(values, rows, layout)
        if values.size <= max(_KEPT, _SHARE * devices.main_memory() / values.itemsize):
            self._kept = _Kept(contents, _marks(values), rows, layout, prepared)
        return prepared
