"""Drawn at random: the arm that every other policy has to beat.

A seeded hash of each key is its lot, so that the order of the cases that are left stays the same
while others are read.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import best, choices
from mmreview.ml.acquisition.pool import Pool


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """Equally likely cases, whatever is known of them."""
    yield Progress("progress.acquire", 0, len(pool))
    lots = drawn(pool.keys, seed=pool.request.seed)
    rows = best(lots, pool.request.top)
    return choices(pool.keys, rows, lots, [("queue.random", {})] * len(rows))


def drawn(keys: NDArray[np.int64], *, seed: int) -> NDArray[np.float64]:
    """(n,) lots from 0 to 1 of these keys (the mixing of SplitMix64, Steele et al. 2014)."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    mixed = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + state
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) / float(1 << 53)
