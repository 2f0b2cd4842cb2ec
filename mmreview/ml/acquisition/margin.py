"""Where two answers are nearly as likely: one less the margin between them, averaged over findings
with weights for rare ones.

Source: Scheffer, Decomain & Wrobel 2001 (margin); Settles 2009, *Active Learning Literature
Survey*, section 3.1. A finding counts by the inverse root of its variance among the labels, so
that one of twenty cases counts about twice as much as one of two: rare ones are what a reader's
time is short for, and a mean that treats all alike hardly hears them.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import about, best, choices
from mmreview.ml.acquisition.entropy import probabilities
from mmreview.ml.acquisition.pool import Pool
from mmreview.ml.acquisition.questions import Questions, asked, in_blocks, mean

Floats = NDArray[np.floating]

#: How much rareness counts: 0 not at all, .5 the root of a finding's variance, 1 all of it.
RARENESS = 0.5
#: No finding counts so many times the commonest.
MOST_WEIGHT = 5.0


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The cases with the smallest weighted margin; the reason names what decided it."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)
    [fused] = yield from pool.scan(probabilities)
    weights = question_weights(questions, shares(pool, findings))
    rows, scores, at = least_margin(fused, questions, weights, pool.request.top)
    return choices(pool.keys, rows, scores, about("queue.uncertain", findings, at))


def least_margin(
    fused: Floats, questions: Questions, weights: Floats, top: int
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """The best rows, everybody's score (0 to 1), and the finding that counted most in each of the
    best."""
    scores = in_blocks(lambda part: mean(1 - questions.margin(part), weights), fused)
    rows = best(scores, top)
    own = np.nan_to_num((1 - questions.margin(fused[rows])) * weights, nan=-1.0)
    return rows, scores, questions.named(fused[rows], own.argmax(axis=1))


def shares(pool: Pool, findings: tuple[str, ...]) -> Floats:
    """(findings,) how often each is present among the training labels, with one more of either
    kind."""
    present, labelled = pool.positives, pool.labelled
    return np.array([(present.get(f, 0) + 1) / (labelled.get(f, 0) + 2) for f in findings])


def question_weights(questions: Questions, share: Floats) -> Floats:
    """(questions,) weights, 1 for the commonest; a group counts by its rarest finding."""
    each = (share * (1 - share)) ** -RARENESS
    weights = np.array([max(each[list(columns)]) for columns in questions.columns])
    return np.minimum(weights / weights.min(initial=np.inf), MOST_WEIGHT)
