"""The default: typical cases to begin with, then what few known cases show, and doubtful labels.

*Cold start*: while nothing is marked present, the choice is ``typicality``'s. *Then* ``seeking``:
cases that may show findings of which few positives are known, by opinion where there is one and by
resemblance where there is none yet; it goes on from the first positive, since waiting for typical
cases to show five of each finding cost labels (Open-i .67 of random's against .62, see there).
``SUSPECTS`` of the places are for labels that the models doubt. Cases that are worth nothing, and
those of which nothing is encoded, come last, at random, so that nobody waits.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition import random, seeking, typicality
from mmreview.ml.acquisition.label_error import suspected
from mmreview.ml.acquisition.pool import Pool

#: The share of places for suspected labels.
SUSPECTS = 0.1


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The streams as one list, its beginning as mixed as the whole."""
    cold = not any(pool.positives.values())
    teaching = yield from (typicality.rank(pool) if cold else seeking.rank(pool))
    top = pool.request.top
    doubted = suspected(pool)[: int(SUSPECTS * min(top, len(pool)))]
    found = mixed(teaching, doubted, top)
    if len(found) < min(top, len(pool)):
        found = mixed(found + (yield from random.rank(pool)), [], top)
    return found


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
