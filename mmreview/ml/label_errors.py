"""Which labels are suspect: those that a model which has not seen the patient contradicts.

``trainer`` calls this with what a round has anyway, the fold models' calibrated opinions; the
version carries the list (``metrics["suspects"]``), the queue and the findings panel offer it for a
second look. Nothing is ever changed by it.

Confident learning (Northcutt 2021, section 3) ranks labels by their out-of-fold self-confidence.
Two things are added. A label is suspect only where the opinion holds *evidence* against it: not
merely a finding that is rare anyway, which would put every true case of it on the list; that does
the work of the class thresholds there. And the neighbours have a say: half the log-odds by which
the labels of the ten nearest cases of other patients (cosine, in each modality's features) depart
from the usual. A label that a reader set has been looked at on purpose: it counts as more likely
right by the odds that it weighs more; one that a reader confirmed is not suspected again.

Planted errors among the first 60 (``tests/benchmarks/planted.py``, seeds 100-109 on which this was
chosen, mean of ten; diagnoses / zones / ultrasound): a tenth of all labels flipped,
self-confidence alone 56.7 / 20.7 / 41.3, this 55.9 / 21.4 / 38.9; as many presents as absents
flipped, a tenth of the rarer kind, 20.0 / 19.3 / 17.5 and 27.4 / 20.0 / 17.9; labels exchanged
between patients 17.0 / 10.0 / 14.3 and 21.9 / 10.0 / 14.0. On small sets it names fewer than 60: a
label that the opinion holds for likely is no suspect. Northcutt's thresholds instead of the
evidence: 56.7 / 20.7 / 35.7, 27.1 / 19.8 / 17.8, 20.1 / 10.3 / 14.7. Lost on flips what they gained
elsewhere, or more: normalised margins, image and report as further witnesses (the least, the mean),
noise rates from anchor points (Patrini 2017), evidence counted twice.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.recipe import Fitted
from mmreview.ml.samples import CORRECTION_WEIGHT, Samples

Floats = NDArray[np.float64]

#: A version carries no more suspects than this.
MOST = 200
#: So many are looked at with their neighbours.
_SHORTLIST = 400
_NEIGHBOURS = 10
#: How many observations at the usual rate the neighbours are shrunk by.
_PSEUDO = 5.0
#: What the neighbours' log-odds count for.
_SHARE = 0.5
#: Neighbours are looked for among so many cases, drawn where there are more, and in about so many
#: features, evenly spread: all of 1,792 and 2,432 found no more.
_AMONG, _WIDTH = 5_000, 512
_BLOCK = 128


def suspects(
    samples: Samples, fitted: Fitted, findings: tuple[str, ...], *, seed: int
) -> Generator[None, None, list[dict[str, Any]]]:
    """The labels that are likely errors, worst first, at most ``MOST``: ``[{"key", "finding",
    "state", "confidence"}]`` with the key of the case, the state that the label says and the
    out-of-fold probability that it holds, by the opinion that it rests on. Yields between blocks.
    """
    assert fitted.held_out is not None
    belief = _belief(samples, fitted.held_out.probabilities)
    truth = samples.targets
    says, usual = truth == 1, _rate(truth)
    taught = np.logical_or.reduce([head.taught for head in fitted.models[0].heads.values()])
    evidence = np.where(says, belief < usual, belief > usual)
    doubted = evidence & np.where(says, belief < 0.5, belief > 0.5) & taught & ~np.isnan(truth)
    if samples.confirmed is not None:
        doubted &= ~samples.confirmed
    rows, columns = np.nonzero(doubted)
    sign = np.where(says[rows, columns], -1.0, 1.0)
    score = sign * _log_odds(belief[rows, columns])
    score -= np.log(CORRECTION_WEIGHT) * samples.corrected[rows, columns]
    short = np.argsort(-score, kind="stable")[:_SHORTLIST]
    rows, columns, sign, score = rows[short], columns[short], sign[short], score[short]
    yield
    near = yield from _neighbours(samples, rows, columns, usual, seed=seed)
    score += _SHARE * sign * (_log_odds(near) - _log_odds(usual[columns]))
    order = np.argsort(-score, kind="stable")[:MOST]
    confidence = np.where(says, belief, 1 - belief)
    return [
        {
            "key": int(samples.keys[row]),
            "finding": findings[column],
            "state": "present" if says[row, column] else "absent",
            "confidence": round(float(confidence[row, column]), 4),
        }
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    ]


def _belief(samples: Samples, opinions: Mapping[str, Floats]) -> Floats:
    """(n, findings) probability of presence by the opinion that each label rests on: a modality's
    own where the label is about that one alone, the fused one elsewhere. NaN where there is none.
    """
    belief = np.array(opinions["fused"])
    for place, modality in enumerate(samples.modalities):
        alone = samples.basis == 1 << place
        belief[alone] = opinions[modality][alone]
    return belief


def _rate(truth: NDArray[np.float32]) -> Floats:
    """(findings,) how often each is present, half a label added to either side."""
    present, known = (truth == 1).sum(axis=0), (~np.isnan(truth)).sum(axis=0)
    return np.asarray((present + 0.5) / (known + 1.0), np.float64)


def _log_odds(probability: Floats) -> Floats:
    bounded = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(bounded / (1 - bounded)), np.float64)


def _neighbours(
    samples: Samples, rows: NDArray[np.intp], columns: NDArray[np.intp], usual: Floats, *,
    seed: int,
) -> Generator[None, None, Floats]:
    """(k,) rate of presence of finding ``columns[i]`` among the labelled neighbours of case
    ``rows[i]``, shrunk to the usual one; the mean over the modalities that the case has."""
    cases, place = np.unique(rows, return_inverse=True)
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for position, modality in enumerate(samples.modalities):
        known = np.flatnonzero(samples.present[modality])
        asked = np.flatnonzero(samples.present[modality][cases])
        if len(known) <= _NEIGHBOURS or not len(asked):
            continue
        if len(known) > _AMONG:
            rng = np.random.default_rng((seed, position))
            known = np.sort(rng.choice(known, _AMONG, replace=False))
        features = samples.features[modality]
        spread_out = slice(None, None, max(1, features.shape[1] // _WIDTH))
        among = features[known, spread_out]
        mean, spread = among.mean(axis=0), among.std(axis=0)
        spread[spread == 0] = np.inf
        among = _unit((among - mean) / spread)
        _, patient = np.unique(
            samples.groups[np.concatenate([cases, known])], return_inverse=True
        )
        own, others = patient[: len(cases)], patient[len(cases) :]
        yield
        rates = np.full((len(cases), len(usual)), np.nan)
        for begin in range(0, len(asked), _BLOCK):
            block = asked[begin : begin + _BLOCK]
            alike = _unit((features[cases[block], spread_out] - mean) / spread) @ among.T
            alike[own[block][:, None] == others] = -np.inf
            nearest = np.argpartition(-alike, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
            rates[block] = _shrunk(samples.targets[known[nearest]], usual)
            yield
        found = rates[place, columns]
        has = ~np.isnan(found)
        total[has] += found[has]
        count += has
    return np.where(count > 0, total / np.maximum(count, 1), usual[columns])


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one; what has no length keeps none."""
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(length, 1e-12), np.float32)


def _shrunk(labels: NDArray[np.float32], usual: Floats) -> Floats:
    """(cases, findings) rates of presence of (cases, neighbours, findings) labels."""
    present, known = (labels == 1).sum(axis=1), (~np.isnan(labels)).sum(axis=1)
    return np.asarray((present + _PSEUDO * usual) / (known + _PSEUDO), np.float64)
