"""Where image and report contradict each other: the largest Jensen-Shannon divergence of their own
opinions (Lin 1991), in bits; see ``domain.predictions``. Disagreeing views as a reason to ask:
Muslea, Minton & Knoblock 2006, *Active Learning with Multiple Views* (co-testing).
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import about, best, choices
from mmreview.ml.acquisition.pool import Block, Pool


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The cases with the largest conflict; those with one opinion only have none."""
    findings = pool.predictor.findings
    bits, at = yield from pool.scan(largest, conflicting)
    rows = best(bits, pool.request.top)
    return choices(pool.keys, rows, bits, about("queue.conflict", findings, at[rows]))


def largest(block: Block) -> NDArray[np.float32]:
    """The lens that sees a case's largest conflict."""
    return block.scores.conflict.astype(np.float32)


def conflicting(block: Block) -> NDArray[np.int32]:
    """The lens that sees of which finding it is."""
    return block.scores.conflict_at.astype(np.int32)
