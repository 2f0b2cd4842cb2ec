"""Near-duplicates: cases whose pictures or reports are all but the same (``domain.likeness``).

Two contents are compared by the cosine of their standardised features (an encoder's last layer or
embedding; the numbers that all cases share say nothing, so each is centred and scaled over a sample
first). Random projections to ``_SKETCH`` dimensions find the few that are worth comparing exactly
(Johnson-Lindenstrauss; Charikar 2002), so that asking again about another case reads next to
nothing.

The bounds were set on the public COVID-19 radiographs (577 images, 486 notes; rows of one patient,
paper or near-duplicate picture are grouped there): of the picture pairs at .90 or more all 9 are in
one group, and all are the same picture in other crops or encodings; the next ones (.83 to .85) are
the same patient on another day. Of the notes at .97 or more all 167 pairs are.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.domain.likeness import Alike, Alikeness
from mmreview.domain.progress import Progress
from mmreview.ml.samples import CachedFeatures

Array = NDArray[np.float32]

#: From these likenesses on two contents are all but the same.
NEAR = {IMAGE: 0.90, TEXT: 0.97}
#: With fewer encoded cases nothing can be said of what all share: only the same content counts.
LEAST_CASES = 20
_SKETCH = 32
#: How far a projection may miss; at a likeness of .9 its error is about .03.
_SLACK = 0.15
_BLOCK = 2048
_SAMPLED = 4096
_SEED = 20_160_519


@dataclass(frozen=True)
class _Sketch:
    """The projections (n, ``_SKETCH``) of a pool's features, each of length 1 (0 where there are
    none), and how they are standardised. ``mark`` says of which contents they are."""

    mark: int
    rows: NDArray[np.float16]
    mean: Array
    scale: Array
    projection: Array

    def unit(self, features: Array) -> Array:
        """Standardised rows of length 1."""
        rows = (features - self.mean) / self.scale
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def projected(self, unit: Array) -> Array:
        """Their projections, of length 1."""
        rows = unit @ self.projection
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class FeatureLikeness:
    """``domain.likeness.Likeness`` over the feature cache. Keeps the last pool's projections: 64
    bytes a case and modality."""

    def __init__(self, features: CachedFeatures) -> None:
        self._features = features
        self._sketches: dict[str, _Sketch] = {}
        self._lock = threading.Lock()

    def alike(
        self,
        mine: Mapping[str, tuple[str, ...]],
        *,
        keys: Sequence[int],
        hashes: Mapping[str, Sequence[tuple[str, ...]]],
    ) -> Generator[Progress, None, list[Alike]]:
        """Those of ``keys`` that are alike (see ``domain.likeness``)."""
        found: dict[str, dict[int, float]] = {}
        for modality in (IMAGE, TEXT):
            if mine.get(modality):
                found[modality] = yield from self._near(modality, mine[modality], hashes[modality])
        alike = [
            each
            for at in sorted(set().union(*found.values()))
            if (each := _judged(at, keys[at], mine, hashes, found)) is not None
        ]
        return sorted(alike, key=lambda each: (each.kind is not Alikeness.WHOLE, -_sum(each)))

    def _near(
        self, modality: str, mine: tuple[str, ...], hashes: Sequence[tuple[str, ...]]
    ) -> Generator[Progress, None, dict[int, float]]:
        """Places in ``hashes`` that are near in this modality, with the likeness."""
        same = {at: 1.0 for at, theirs in enumerate(hashes) if theirs == mine}
        own, known = self._compared(modality, [mine])
        if not known[0]:
            return same
        sketch = yield from self._sketch(modality, hashes)
        if sketch is None:
            return same
        unit = sketch.unit(own)
        likely = sketch.rows.astype(np.float32) @ sketch.projected(unit)[0]
        places = np.flatnonzero(likely >= NEAR[modality] - _SLACK)
        if not len(places):
            return same
        features, known = self._compared(modality, [hashes[at] for at in places.tolist()])
        exact = np.where(known, sketch.unit(features) @ unit[0], 0.0)
        near = {
            int(at): min(float(value), 1.0)
            for at, value in zip(places, exact, strict=True)
            if value >= NEAR[modality]
        }
        return {**near, **same}

    def _compared(
        self, modality: str, hashes: Sequence[tuple[str, ...]]
    ) -> tuple[Array, NDArray[np.bool_]]:
        """What is compared of these contents: the first piece of their features."""
        features, known = self._features.matrix(modality, hashes)
        pieces = self._features.pieces(modality)
        features = features[:, : pieces[0][1]] if pieces else features
        return features, known & np.isfinite(features).all(axis=1)

    def _sketch(
        self, modality: str, hashes: Sequence[tuple[str, ...]]
    ) -> Generator[Progress, None, _Sketch | None]:
        """The projections of the pool, made anew if it changed; None with too few cases."""
        mark = hash(tuple(hashes))
        with self._lock:
            kept = self._sketches.get(modality)
        if kept is not None and kept.mark == mark:
            return kept
        step = max(len(hashes) // _SAMPLED, 1)
        sample, known = self._compared(modality, hashes[::step])
        sample = sample[known]
        if len(sample) < LEAST_CASES:
            return None
        yield Progress("progress.alike", 0, len(hashes))
        drawn = np.random.default_rng(_SEED).standard_normal((sample.shape[1], _SKETCH))
        sketch = _Sketch(
            mark, np.zeros((len(hashes), _SKETCH), np.float16), sample.mean(axis=0),
            sample.std(axis=0) + 1e-6, drawn.astype(np.float32),
        )
        whole = True
        for start in range(0, len(hashes), _BLOCK):
            features, known = self._compared(modality, hashes[start : start + _BLOCK])
            sketch.rows[start : start + len(known)][known] = sketch.projected(
                sketch.unit(features[known])
            )
            whole &= bool(known.all() or not any(hashes[start : start + _BLOCK]))
            yield Progress("progress.alike", min(start + _BLOCK, len(hashes)), len(hashes))
        if whole:  # otherwise what is encoded meanwhile would be missed
            with self._lock:
                self._sketches[modality] = sketch
        return sketch


def _judged(
    at: int, key: int, mine: Mapping[str, tuple[str, ...]],
    hashes: Mapping[str, Sequence[tuple[str, ...]]], found: Mapping[str, Mapping[int, float]],
) -> Alike | None:
    """Whether the case at a place is alike, and in what: the same picture makes cases alike, the
    same words only where neither has a picture."""
    has = {m: bool(mine.get(m)) and bool(hashes[m][at]) for m in (IMAGE, TEXT)}
    pictured = bool(mine.get(IMAGE)) or bool(hashes[IMAGE][at])
    near = {m: found.get(m, {}).get(at) for m in (IMAGE, TEXT)}
    worded = bool(mine.get(TEXT)) or bool(hashes[TEXT][at])
    same_words = near[TEXT] is not None or not worded
    if pictured and near[IMAGE] is None:
        return None
    if not pictured and near[TEXT] is None:
        return None
    kind = Alikeness.WHOLE if same_words else Alikeness.IMAGE
    return Alike(
        key, kind, near[IMAGE] if has[IMAGE] else None,
        (near[TEXT] or 0.0) if has[TEXT] else None,
    )


def _sum(alike: Alike) -> float:
    return (alike.image or 0.0) + (alike.text or 0.0)
