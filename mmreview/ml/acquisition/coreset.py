"""Cover the pool: the cases farthest from everything that is labelled or chosen.

Source: Sener & Savarese 2018, *Active Learning for Convolutional Neural Networks: A Core-Set
Approach* (arXiv 1708.00489), algorithm 1 (k-center greedy). Distances are those of ``geometry``;
no opinion is asked for, so it works without a version. Where more cases are labelled than
``CENTRES``, a draw of them stands for all: a cover needs them only roughly, and each costs a pass.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import choices
from mmreview.ml.acquisition.clusters import farthest, nearest, squares
from mmreview.ml.acquisition.geometry import Geometry, surveyed
from mmreview.ml.acquisition.pool import Pool, known
from mmreview.ml.relay import relay
from mmreview.ml.samples import rows_of

Array = NDArray[np.float32]

#: So many labelled cases are looked at, at most.
CENTRES = 1000


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The greedy cover of the pool."""
    geometry = yield from surveyed(pool)
    points, there = yield from pool.scan(geometry.places, known, opinions=False)
    centres = yield from labelled_places(pool, geometry)

    def tell(_: None) -> Progress:
        return Progress("progress.acquire", len(pool), len(pool))

    _, apart = yield from relay(nearest(points, centres), tell)
    if not len(centres):  # the case in the middle is the first, further away than any can be
        lengths = squares(points)
        apart = 5 * lengths.max(initial=0) - lengths
    apart[~there] = -np.inf
    top = pool.request.top
    rows, far = yield from relay(farthest(points, apart, top), tell)
    scores = np.full(len(pool), np.nan, np.float32)
    scores[rows] = far
    return choices(pool.keys, rows, scores, [("queue.unlike", {})] * len(rows))


def labelled_places(
    pool: Pool, geometry: Geometry
) -> Generator[Progress, None, Array]:
    """(labelled, axes) where the labelled cases of the train partition lie."""
    rows = rows_of(pool.request.table, Partition.TRAIN)
    if len(rows) > CENTRES:
        rng = np.random.default_rng(pool.request.seed)
        rows = np.sort(rng.choice(rows, CENTRES, replace=False))
    points, there = yield from pool.scan_labelled(rows, geometry.places, known)
    return points[there]
