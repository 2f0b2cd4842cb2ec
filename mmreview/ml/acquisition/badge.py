"""Uncertain and unlike each other: a diverse draw of large gradients.

Source: Ash et al. 2020, *Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds*
(arXiv 1906.03671): k-means++ on gradient embeddings, the gradient of the loss of the likeliest
label with respect to the last layer's weights. For findings that are logistic regressions (and
groups that are softmaxes) on a case's place x it is the outer product of (p - ŷ) and x. Inner
products of outer products are products of inner products, so the squared distance of two is

    |r|²|x|² + |r'|²|x'|² - 2 (r·r')(x·x')

and no n × (findings · width) matrix is ever made: two small factors are enough.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.choosing import about, choices
from mmreview.ml.acquisition.clusters import Rows, scattered, squares
from mmreview.ml.acquisition.geometry import surveyed
from mmreview.ml.acquisition.pool import Block, Pool
from mmreview.ml.acquisition.questions import Questions, asked
from mmreview.ml.relay import relay

Array = NDArray[np.float32]


def rank(pool: Pool) -> Generator[Progress, None, list[Choice]]:
    """The draw; the reason names the finding whose answer would change the weights most."""
    findings = pool.predictor.findings
    questions = asked(len(findings), pool.predictor.models[0].groups)
    geometry = yield from surveyed(pool)

    def residuals(block: Block) -> Array:
        return remaining(block.fused.astype(np.float32), questions)

    left, points = yield from pool.scan(residuals, geometry.places)
    rng = np.random.default_rng(pool.request.seed)
    rows, lengths = yield from relay(
        gradients_apart(left, points, pool.request.top, rng),
        lambda _: Progress("progress.acquire", len(pool), len(pool)),
    )
    at = np.abs(left[rows]).argmax(axis=1)
    return choices(pool.keys, rows, np.sqrt(lengths), about("queue.teaches", findings, at))


def remaining(fused: Array, questions: Questions) -> Array:
    """(n, findings) p - ŷ, the part of the gradient that the opinion gives: what is likeliest is
    taken for the truth. 0 where a finding has no opinion, NaN where none has."""
    left = fused - (fused >= 0.5)
    for columns, one_of in questions.groups:
        own = fused[:, columns]
        known = ~np.isnan(own).all(axis=1)
        own = np.nan_to_num(own[known])
        top = own.argmax(axis=1)
        holds = np.ones(len(own), bool)
        if not one_of:
            holds = own[np.arange(len(own)), top] >= 1 - own.sum(axis=1)
        own[np.flatnonzero(holds), top[holds]] -= 1
        left[np.ix_(known, columns)] = own
    nothing = np.isnan(left).all(axis=1)
    left = np.nan_to_num(left)
    left[nothing] = np.nan
    return left


def gradients_apart(
    left: Array, points: Array, count: int, rng: np.random.Generator
) -> Generator[None, None, tuple[Rows, Array]]:
    """k-means++ on the outer products of (n, findings) and (n, axes) factors; rows of NaN are
    none. Returns the rows and everybody's squared length."""
    lengths = squares(left) * squares(points)
    np.nan_to_num(left, copy=False)
    rows = yield from scattered(
        lengths, lambda row: (left @ left[row]) * (points @ points[row]), count, rng
    )
    return rows, lengths
