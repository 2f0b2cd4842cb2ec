"""What cases without labels teach: the heads learn from the fused opinion of each other's side.

Image and report of one case are about one truth. A fit on the labels alone says what it believes of
unlabelled cases that have every modality; each head then learns these beliefs, as they are (soft
targets), beside the labels (multi-view consistency, after co-training: Blum & Mitchell 1998; soft
targets: Hinton 2015). Only the heads learn so: calibration, fusion, prior and every measure rest on
labels alone.

It is used only if it is proved to help: for each fold the beliefs come from the model that has not
seen the fold, a whole model is fitted on the rest with them, and the fused log-loss of the fold's
cases is compared with that of the model without, pair by pair. Only where the upper bound of the
difference is below zero do the models taught so take the others' place.

Measured on the public pairs (10 random splits, log-loss of unseen patients and AUROC of the
image's own opinion, 40 / 100 / 200 labelled cases of the diagnoses): +.002 / -.007 / -.003 and
-.004 / +.005 / +.004 with beliefs that count for .25 labels; hard labels where both sides agree and
are sure (self-training) gave +.002 / -.001 / -.001 and -.001 / +.002 / +.002.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.metrics import element_log_loss
from mmreview.ml.model import Model, Opinions
from mmreview.ml.recipe import Fitted, Recipe, Step, fit, joined
from mmreview.ml.relay import relay
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

#: With fewer unlabelled cases there is nothing to learn.
LEAST_CASES = 20
_DRAWS = 1000
#: The share of redrawn differences that must be below zero.
_SURE = 0.95


@dataclass(frozen=True)
class Tried:
    """What came of it: the fit that goes on, for the card ``{"cases", "used", "difference":
    [mean, low, high] of the log-loss or None}``, and the keys of the cases that taught."""

    fitted: Fitted
    told: dict[str, Any]
    taught: tuple[int, ...] = ()


def try_unlabelled(
    samples: Samples, spare: Samples, recipe: Recipe, fitted: Fitted
) -> Generator[Step, None, Tried]:
    """Teach the heads of ``fitted`` by ``spare`` too (no label of theirs is looked at), and keep
    that if it is proved to help."""
    spare = spare.take(spare.complete)
    told = {"cases": len(spare), "used": False, "difference": None}
    if len(spare) < LEAST_CASES or len(samples.modalities) < 2 or fitted.held_out is None:
        return Tried(fitted, told)
    plan = replace(recipe, twins=False, spreads=fitted.spreads)
    parts: list[tuple[NDArray[np.intp], Opinions]] = []
    models: list[Model] = []
    folds = len(fitted.models) - 1
    for fold in range(folds):
        inside = fitted.folds == fold
        apart = ~np.isin(spare.groups, samples.groups[inside])
        pool = believed(spare.take(apart), fitted.models[1 + fold])
        work = fit(samples.take(~inside).joined(pool), plan)
        found = yield from relay(work, lambda _, done=fold: _step(done, folds))
        models.append(found.models[0])
        rows = np.flatnonzero(inside)
        test = samples.take(rows)
        parts.append((rows, models[-1].opinions(test.features, test.present)))
    held_out = joined(parts, len(samples))
    told["difference"] = _difference(samples, held_out, fitted.held_out, seed=recipe.seed)
    if told["difference"] is None or told["difference"][2] >= 0:
        return Tried(fitted, told)
    work = fit(samples.joined(believed(spare, fitted.models[0])), plan)
    whole = yield from relay(work, lambda _: _step(folds, folds))
    taught = replace(
        fitted, models=(whole.models[0], *models), held_out=held_out, lesson=whole.lesson
    )
    return Tried(taught, {**told, "used": True}, tuple(spare.keys.tolist()))


def _step(done: int, folds: int) -> Step:
    return Step("training.phase.unlabelled", (done + 0.5) / (folds + 1))


def believed(spare: Samples, model: Model) -> Samples:
    """The cases with what the model believes of them."""
    beliefs = model.opinions(spare.features, spare.present).probabilities["fused"]
    return replace(spare, beliefs=np.where(np.isfinite(beliefs), beliefs, np.nan))


def _difference(
    samples: Samples, mine: Opinions, theirs: Opinions, *, seed: int
) -> list[float] | None:
    """Mean log-loss of the fused opinion less that without, with the bounds of ``_SURE`` when
    patient groups are redrawn; None where nothing is judged."""
    truth, a, b = (
        samples.judged, mine.probabilities["fused"], theirs.probabilities["fused"],
    )
    known = ~np.isnan(truth) & ~np.isnan(a) & ~np.isnan(b)
    rows = known.any(axis=1)
    if not rows.any():
        return None
    loss = [element_log_loss(np.nan_to_num(truth), np.nan_to_num(p, nan=0.5)) for p in (a, b)]
    gap = ((loss[0] - loss[1]) * known).sum(axis=1)[rows] / known.sum(axis=1)[rows]
    _, member = np.unique(samples.groups[rows], return_inverse=True)
    sums, sizes = np.bincount(member, weights=gap), np.bincount(member)
    drawn = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=_DRAWS
    )
    means = (drawn @ sums) / np.maximum(drawn @ sizes, 1)
    low, high = np.quantile(means, [1 - _SURE, _SURE])
    return [float(gap.mean()), float(low), float(high)]
