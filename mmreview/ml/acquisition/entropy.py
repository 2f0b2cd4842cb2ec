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
    """The cases with the largest mean entropy; the reason names the least sure finding. What the
    version has said of the cases before (``request.doubts``) is not asked again: then only those
    that are chosen are looked at."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)
    told = pool.request.doubts()
    if told is None:
        [fused] = yield from pool.scan(probabilities)
        rows, scores, at = most_entropy(fused, questions, pool.request.top)
        return choices(pool.keys, rows, scores, about("queue.uncertain", findings, at))
    if not told:
        return []
    known = dict(told)
    rows = np.flatnonzero(np.isin(pool.keys, np.fromiter(known, np.int64, len(known))))
    [fused] = yield from pool.scan(probabilities, rows=rows)
    doubt = np.array([known[key] for key in pool.keys[rows].tolist()])
    order = best(doubt, pool.request.top)
    at = least_sure(fused[order], questions)
    return choices(pool.keys[rows], order, doubt, about("queue.uncertain", findings, at))


def probabilities(block: Block) -> NDArray[np.float32]:
    """The lens that sees fused probabilities."""
    return block.fused.astype(np.float32)


def most_entropy(
    fused: Floats, questions: Questions, top: int
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """The best rows, everybody's score in bits, and the least sure finding of each of the best."""
    scores = in_blocks(lambda part: mean(questions.entropy(part)), fused)
    rows = best(scores, top)
    return rows, scores, least_sure(fused[rows], questions)


def least_sure(fused: Floats, questions: Questions) -> NDArray[np.intp]:
    """(n,) the finding of the largest entropy in each of (n, findings) opinions."""
    own = np.nan_to_num(questions.entropy(fused), nan=-1.0)
    return questions.named(fused, own.argmax(axis=1))
