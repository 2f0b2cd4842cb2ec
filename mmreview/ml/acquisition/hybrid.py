"""The default: typical cases to begin with, then uncertain ones that differ, and doubtful labels.

*Cold start*: until each finding has about ``ENOUGH`` positives, or ``COLD_CASES`` cases are
labelled, the choice is ``typicality``'s: first batches chosen by uncertainty were worse than random
ones where that was published. *Then*: the best ``FACTOR`` · top by weighted ``margin`` are
clustered into as many parts as are wished, and each gives its best (Zhdanov 2019, *Diverse
Mini-batch Active Learning*, arXiv 1901.05954). ``SUSPECTS`` of the places are for labels that
the models doubt. Cases of which nothing is encoded come last, at random, so that nobody waits.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition import random, typicality
from mmreview.ml.acquisition.choosing import about, best, choices
from mmreview.ml.acquisition.clusters import clustered
from mmreview.ml.acquisition.entropy import probabilities
from mmreview.ml.acquisition.geometry import surveyed
from mmreview.ml.acquisition.label_error import suspected
from mmreview.ml.acquisition.margin import least_margin, question_weights, shares
from mmreview.ml.acquisition.pool import Pool
from mmreview.ml.acquisition.questions import asked
from mmreview.ml.relay import relay
from mmreview.ml.samples import rows_of

#: Positives of each finding that end the cold start, and labelled cases that end it anyway: a
#: finding that nobody ever sees must not hold it up for good.
ENOUGH, COLD_CASES = 5, 100
#: Among so many times the wished cases, the least sure, different ones are looked for.
FACTOR = 8
#: The share of places for suspected labels.
SUSPECTS = 0.1


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The streams as one list, its beginning as mixed as the whole."""
    teaching = yield from (typicality.rank(pool) if is_cold(pool) else spread_margin(pool))
    top = pool.request.top
    doubted = suspected(pool)[: int(SUSPECTS * top)]
    found = mixed(teaching, doubted, top)
    if len(found) < min(top, len(pool)):
        found = mixed(found + (yield from random.rank(pool)), [], top)
    return found


def is_cold(pool: Pool) -> bool:
    """Whether too little is labelled for opinions to be worth asking."""
    if pool.request.version is None:
        return True
    table = pool.request.table
    labelled = (~np.isnan(table.targets[rows_of(table, Partition.TRAIN)])).any(axis=1).sum()
    return labelled < COLD_CASES and min(pool.positives.values(), default=0) < ENOUGH


def spread_margin(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The least sure cases of different parts of the pool, the least sure first."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)
    [fused] = yield from pool.scan(probabilities)
    weights = question_weights(questions, shares(pool, findings))
    top = pool.request.top
    rows, scores, at = least_margin(fused, questions, weights, FACTOR * top)
    named = dict(zip(rows.tolist(), at.tolist(), strict=True))
    likely = np.sort(rows)
    geometry = yield from surveyed(pool)
    [points] = yield from pool.scan(geometry.places, rows=likely, opinions=False)
    kept = likely
    if len(likely) > top:
        rng = np.random.default_rng(pool.request.seed)
        labels, _ = yield from relay(
            clustered(points, top, rng),
            lambda _: Progress("progress.acquire", len(pool), len(pool)),
        )
        kept = likely[best_of_each(scores[likely], labels, top)]
    kept = kept[best(scores[kept], top)]
    at = np.array([named[row] for row in kept.tolist()], np.intp)
    return choices(pool.keys, kept, scores, about("queue.uncertain", findings, at))


def best_of_each(
    scores: NDArray[np.floating], labels: NDArray[np.intp], top: int
) -> NDArray[np.intp]:
    """The rows of each cluster's best, then their second best, until there are ``top``."""
    order = best(scores, len(scores))
    rank = np.zeros(len(scores), np.intp)
    seen: dict[int, int] = {}
    for row in order.tolist():
        rank[row] = seen[labels[row]] = seen.get(labels[row], -1) + 1
    return order[np.argsort(rank[order], kind="stable")][:top]


def mixed(many: Sequence[Choice], few: Sequence[Choice], top: int) -> list[Choice]:
    """Both in their own order, ``few`` spread evenly over the whole; no case twice."""
    few = few[:top]
    total = min(top, len(many) + len(few))
    places = {round((i + 1) * total / (len(few) + 1)) for i in range(len(few))}
    found: dict[int, Choice] = {}
    firsts, others = iter(few), iter(many)
    for place in range(total):
        choice = next(firsts if place in places else others, None)
        if choice is not None:
            found.setdefault(choice.key, choice)
    for choice in (*firsts, *others):
        if len(found) < total:
            found.setdefault(choice.key, choice)
    return list(found.values())
