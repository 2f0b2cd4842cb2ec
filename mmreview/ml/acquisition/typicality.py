"""The cold start: the most typical case of each part of the pool that nobody has looked at.

Source: Hacohen, Dekel & Weinshall 2022, *Active Learning on a Budget: Opposite Strategies Suit High
and Low Budgets* (TypiClust, arXiv 2202.02794): k-means into as many clusters as there are labelled
and wished cases (at most ``MOST_CLUSTERS``), then the largest clusters without a labelled case, and
of each the case with the smallest mean distance to its ``NEIGHBOURS`` nearest in the cluster. No
version is needed. A pool of more than ``SAMPLE`` cases is represented by a draw of them: what is
typical of a draw is typical of the whole.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import choices
from mmreview.ml.acquisition.clusters import Rows, clustered, nearest, squares
from mmreview.ml.acquisition.coreset import labelled_places
from mmreview.ml.acquisition.geometry import surveyed
from mmreview.ml.acquisition.pool import Pool, drawn_runs, known
from mmreview.ml.relay import relay

Array = NDArray[np.float32]

SAMPLE = 20_000
MOST_CLUSTERS = 500
NEIGHBOURS = 20
#: Of a larger cluster so many are compared.
_MEMBERS = 1000


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """Typical cases, that of the largest uncovered cluster first."""
    rng = np.random.default_rng(pool.request.seed)
    drawn = drawn_runs(len(pool), SAMPLE, rng)
    geometry = yield from surveyed(pool)
    points, there = yield from pool.scan(geometry.places, known, opinions=False, rows=drawn)
    points, drawn = points[there], drawn[there]
    labelled = yield from labelled_places(pool, geometry)
    rows, densities, sizes = yield from relay(
        typical(points, labelled, pool.request.top, rng),
        lambda _: Progress("progress.acquire", len(pool), len(pool)),
    )
    scores = np.full(len(pool), np.nan, np.float32)
    scores[drawn[rows]] = densities
    share = len(pool) / max(len(there), 1)
    reasons = [("queue.typical", {"count": round(size * share)}) for size in sizes.tolist()]
    return choices(pool.keys, drawn[rows], scores, reasons)


def typical(
    points: Array, labelled: Array, count: int, rng: np.random.Generator
) -> Generator[None, None, tuple[Rows, Array, Rows]]:
    """The rows of ``count`` typical points, how typical each is (the inverse of its mean distance
    to its neighbours) and of how many: clusters without a ``labelled`` point first, the largest
    first. With fewer clusters than are wished they are gone through again."""
    count = min(count, len(points))
    clusters = min(len(points), MOST_CLUSTERS, len(labelled) + count)
    if not clusters:
        return np.zeros(0, np.intp), np.zeros(0, np.float32), np.zeros(0, np.intp)
    labels, centres = yield from clustered(points, clusters, rng)
    covered, _ = yield from nearest(labelled, centres)
    sizes = np.bincount(labels, minlength=clusters)
    looked = np.bincount(covered, minlength=clusters)
    ranked: dict[int, tuple[Rows, Array]] = {}
    found: list[tuple[int, float, int]] = []
    taken = np.zeros(clusters, np.intp)
    while len(found) < count:
        open_ = taken < sizes
        cluster = int(np.lexsort((-sizes, looked + taken, ~open_))[0])
        if cluster not in ranked:
            ranked[cluster] = _by_density(points, np.flatnonzero(labels == cluster), rng)
            yield
        members, densities = ranked[cluster]
        place = taken[cluster]
        found.append((int(members[place]), float(densities[place]), int(sizes[cluster])))
        taken[cluster] += 1
    rows, densities, of = (np.array(column) for column in zip(*found, strict=True))
    return rows, densities.astype(np.float32), of


def _by_density(
    points: Array, members: Rows, rng: np.random.Generator
) -> tuple[Rows, Array]:
    """The members of one cluster, the most typical first; in a large one, those compared before
    the others."""
    rest = members[:0]
    if len(members) > _MEMBERS:
        members = rng.permutation(members)
        members, rest = np.sort(members[:_MEMBERS]), np.sort(members[_MEMBERS:])
    own = points[members] - points[members].mean(axis=0)
    apart = squares(own)[:, None] + squares(own) - 2 * own @ own.T
    apart = np.sqrt(np.maximum(apart, 0))
    near = min(NEIGHBOURS, len(members) - 1)
    if near > 0:
        np.fill_diagonal(apart, 0)
        apart = np.partition(apart, near, axis=1)[:, : near + 1].sum(axis=1) / near
        densities = (1 / np.maximum(apart, 1e-6)).astype(np.float32)
    else:
        densities = np.zeros(len(members), np.float32)
    order = np.argsort(-densities, kind="stable")
    return np.concatenate([members[order], rest]), np.concatenate(
        [densities[order], np.zeros(len(rest), np.float32)]
    )
