"""Points apart from each other: k-means, its seeding, and the greedy cover. Numpy, in blocks, as
generators, so that a million points stay within memory and every step can be cancelled; a library's
would hold its own copies and could not be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rows = NDArray[np.intp]

_BLOCK = 8192
_ROUNDS = 12


def squares(points: Array) -> Array:
    """(n,) squared lengths."""
    return np.einsum("nd,nd->n", points, points)


def scattered(
    lengths: Array, product: Callable[[int], Array], count: int, rng: np.random.Generator
) -> Generator[None, None, Rows]:
    """The seeding of k-means++ (Arthur & Vassilvitskii 2007) on points of which only (n,) squared
    ``lengths`` and the inner ``product`` of all with one are known: the longest first, then each
    with a probability in proportion to its squared distance from those chosen. Points with a
    length of NaN are none; points that lie on others come last, in order."""
    left = np.where(np.isnan(lengths), 0, lengths).astype(np.float32)
    free = ~np.isnan(lengths)
    found: list[int] = []
    apart = np.where(free, np.float32(np.inf), 0)
    for _ in range(min(count, int(free.sum()))):
        if not found:
            row = int(left.argmax())
        else:
            sums = np.cumsum(apart, dtype=np.float64)
            if sums[-1] > 0:
                row = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
            else:
                row = int(free.argmax())
        found.append(row)
        free[row] = False
        distance = product(row) * np.float32(-2)
        distance += left
        distance += left[row]
        np.maximum(distance, 0, out=distance)
        np.minimum(apart, distance, out=apart)
        apart[row] = 0
        yield
    return np.array(found, np.intp)


def farthest(
    points: Array, apart: Array, count: int
) -> Generator[None, None, tuple[Rows, Array]]:
    """The greedy cover (k-center greedy, Gonzalez 1985): again and again the point that is farthest
    from all chosen ones. ``apart`` (n,) are the squared distances from those chosen before (-inf:
    no candidate) and is changed. Returns the rows and how far away each was."""
    lengths = squares(points)
    found: list[int] = []
    far: list[float] = []
    for _ in range(min(count, int((apart > -np.inf).sum()))):
        row = int(apart.argmax())
        found.append(row)
        far.append(float(np.sqrt(apart[row])))
        apart[row] = -np.inf
        distance = points @ (points[row] * np.float32(-2))
        distance += lengths
        distance += lengths[row]
        np.maximum(distance, 0, out=distance)
        np.minimum(apart, distance, out=apart)
        yield
    return np.array(found, np.intp), np.array(far, np.float32)


def nearest(points: Array, centres: Array) -> Generator[None, None, tuple[Rows, Array]]:
    """(n,) which centre is nearest to each point, and the squared distance."""
    which = np.zeros(len(points), np.intp)
    apart = np.full(len(points), np.inf, np.float32)
    own = squares(centres)
    for begin in range(0, len(points) if len(centres) else 0, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        distance = points[part] @ (centres.T * np.float32(-2))
        distance += own
        which[part] = distance.argmin(axis=1)
        apart[part] = distance[np.arange(len(distance)), which[part]] + squares(points[part])
        yield
    return which, np.maximum(apart, 0)


def clustered(
    points: Array, count: int, rng: np.random.Generator
) -> Generator[None, None, tuple[Rows, Array]]:
    """k-means (Lloyd 1982) from the seeding of k-means++: (n,) labels and (count, d) centres. A
    cluster that nothing is nearest to keeps its centre and no member."""
    centred = points - points.mean(axis=0)
    seeds = yield from scattered(
        squares(centred), lambda row: centred @ centred[row], count, rng
    )
    centres = centred[seeds]
    labels = np.full(len(points), -1, np.intp)
    for _ in range(_ROUNDS):
        moved, _ = yield from nearest(centred, centres)
        if (moved == labels).all():
            break
        labels = moved
        sizes = np.bincount(labels, minlength=len(centres))
        order = np.argsort(labels, kind="stable")
        filled = np.flatnonzero(sizes)
        begins = np.concatenate([[0], np.cumsum(sizes[filled])[:-1]])
        sums = np.add.reduceat(centred[order], begins, axis=0)
        centres[filled] = sums / sizes[filled, None].astype(np.float32)
        yield
    return labels, centres + points.mean(axis=0)
