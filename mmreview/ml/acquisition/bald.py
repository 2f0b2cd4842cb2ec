"""Where the models disagree: what a label would tell about which of them is right.

Source: Houlsby et al. 2011, *Bayesian Active Learning for Classification and Preference Learning*
(arXiv 1112.5745): the entropy of the mean opinion less the mean entropy of the opinions. The
ensemble are the models of a version's folds, which differ by the labels they have seen (a
jackknife over patients; see also Beluch et al. 2018 on ensembles). Their spread is smaller than a
posterior's, by much the same factor everywhere, which leaves the order as it is.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import about, best, choices
from mmreview.ml.acquisition.entropy import probabilities
from mmreview.ml.acquisition.pool import Block, Pool
from mmreview.ml.acquisition.questions import Questions, asked, mean

Array = NDArray[np.float32]


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The cases about which the ensemble disagrees most, the mean over findings in bits; the
    reason names the finding that it disagrees most about."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)

    def lens(block: Block) -> Array:
        return information(block.members, questions)

    [told] = yield from pool.scan(lens)
    scores = mean(told)
    rows = best(scores, pool.request.top)
    at = np.nan_to_num(told[rows], nan=-1.0).argmax(axis=1)
    order = np.argsort(rows)
    [fused] = yield from pool.scan(probabilities, rows=rows[order])
    named = np.empty_like(at)
    named[order] = questions.named(fused, at[order])
    return choices(pool.keys, rows, scores, about("queue.disagree", findings, named))


def information(members: Sequence[Array], questions: Questions) -> Array:
    """(n, questions) mutual information in bits of a case's answer and which member is right, from
    each member's (n, findings) probabilities."""
    whole = members[0].copy()
    for member in members[1:]:
        whole += member
    whole /= np.float32(len(members))
    found = questions.entropy(whole)
    share = np.float32(1 / len(members))
    for member in members:
        found -= share * questions.entropy(member)
    return np.maximum(found, 0, out=found)
