"""Where the version is least sure: the mean entropy of its opinions.

Source: Settles 2009, *Active Learning Literature Survey*, section 3.1 (uncertainty sampling by
entropy, after Shannon 1948). With many findings a case is asked many questions; their entropies
are averaged, an exclusive group counting as one.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import about, best, choices
from mmreview.ml.acquisition.pool import Block, Pool
from mmreview.ml.acquisition.questions import Questions, asked, in_blocks, mean

Floats = NDArray[np.floating]


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The cases with the largest mean entropy; the reason names the least sure finding."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)
    [fused] = yield from pool.scan(probabilities)
    rows, scores, at = most_entropy(fused, questions, pool.request.top)
    return choices(pool.keys, rows, scores, about("queue.uncertain", findings, at))


def probabilities(block: Block) -> NDArray[np.float32]:
    """The lens that sees fused probabilities."""
    return block.fused.astype(np.float32)


def most_entropy(
    fused: Floats, questions: Questions, top: int
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """The best rows, everybody's score in bits, and the least sure finding of each of the best."""
    scores = in_blocks(lambda part: mean(questions.entropy(part)), fused)
    rows = best(scores, top)
    own = np.nan_to_num(questions.entropy(fused[rows]), nan=-1.0)
    return rows, scores, questions.named(fused[rows], own.argmax(axis=1))
