"""Where the report may belong to another patient's image: the compatibility head's probability
(``ml.pairing``: kernel ridge regression of *matched*, after Hotelling 1936).
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.predictions import WRONG_PAIR_MARK
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import best, choices
from mmreview.ml.acquisition.pool import Block, Pool


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The likeliest wrong pairs, none below what a person is asked about; nobody where the
    version has learned from too few pairs."""
    if pool.predictor.pairs.head is None:
        return []
    [chances] = yield from pool.scan(wrong)
    chances[chances < WRONG_PAIR_MARK] = np.nan
    rows = best(chances, pool.request.top)
    return choices(pool.keys, rows, chances, [("queue.wrong_pair", {})] * len(rows))


def wrong(block: Block) -> NDArray[np.float32]:
    """The lens that sees the probability of a wrong pair; NaN where a case is no pair."""
    return block.scores.wrong_pair.astype(np.float32)
