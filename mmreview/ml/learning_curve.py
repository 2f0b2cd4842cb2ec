"""How good each opinion would be with fewer labels: is it worth while to label more?

Grouped cross-validation: of each outer fold's training patients a growing share teaches, always the
same patients first, and the fold that none of it has seen measures. Everything is fitted anew at
each share (heads, calibration, fusion), as ``evaluation`` does.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.ml import evaluation
from mmreview.ml import folds as grouping
from mmreview.ml.recipe import Recipe, Step, fit
from mmreview.ml.relay import relay
from mmreview.ml.samples import Samples

#: Shares of the training patients.
_SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
#: Cases below which there is nothing to fit.
_LEAST_CASES = 20
_STAGE = "progress.learning_curve"


def learning_curve(
    samples: Samples, recipe: Recipe, *, findings: tuple[str, ...]
) -> Generator[Progress, None, dict[str, Any]]:
    """``{"points": [{"cases", "labels", "rows": {finding: {opinion: [auroc, low, high]}}}],
    "groups", "folds", "cases"}``, ready for JSON; ``macro`` among the findings is their mean, low
    and high are None where labels are too few, ``cases`` and ``labels`` are what taught a fold."""
    outer = grouping.assign(
        samples.groups.tolist(), samples.targets, folds=recipe.folds, seed=recipe.seed
    )
    count = int(outer.max()) + 1
    recipe = replace(recipe, twins=False, spreads=None)
    points: list[dict[str, Any]] = []
    for number, share in enumerate(_SHARES):
        opinions: dict[str, NDArray[np.float64]] = {}
        taught = []
        for fold in range(count):
            inside = outer == fold
            train = _first(samples.take(~inside), share, seed=recipe.seed + fold)
            taught.append((len(train), int((~np.isnan(train.targets)).sum())))
            fitting = fit(train, recipe)
            fitted = yield from relay(fitting, partial(_of_fit, number + fold / count, count))
            test = samples.take(inside)
            found = fitted.models[0].opinions(test.features, test.present).probabilities
            for name, values in found.items():
                whole = opinions.setdefault(name, np.full(samples.targets.shape, np.nan))
                whole[inside] = values
        cases, labels = np.mean(taught, axis=0)
        if cases >= _LEAST_CASES or share == 1.0:
            unseen = evaluation.Unseen(outer, opinions)
            part = round(99 * (number + 1) / len(_SHARES))
            judged = yield from _judged(samples, unseen, findings, recipe.seed, part)
            rows = _rows(judged["rows"])
            points.append({"cases": round(cases), "labels": round(labels), "rows": rows})
    return {
        "points": points, "folds": count, "groups": len(np.unique(samples.groups)),
        "cases": len(samples),
    }


def _of_fit(before: float, count: int, step: Step) -> Progress:
    return Progress(_STAGE, round(99 * (before + step.share / count) / len(_SHARES)), 100)


def _first(train: Samples, share: float, *, seed: int) -> Samples:
    """The cases of the first patients of a drawn order."""
    names = np.unique(train.groups)
    drawn = np.random.default_rng(seed).permutation(names)
    chosen = drawn[: max(2, round(share * len(names)))]
    return train.take(np.isin(train.groups, chosen))


def _judged(
    samples: Samples, unseen: evaluation.Unseen, findings: tuple[str, ...], seed: int,
    part: int,
) -> Generator[Progress, None, dict[str, Any]]:
    judging = evaluation.judged(samples, unseen, findings=findings, seed=seed)
    return (yield from relay(judging, lambda _: Progress(_STAGE, part, 100)))


def _rows(rows: list[dict[str, Any]]) -> dict[str, dict[str, list[float | None]]]:
    found: dict[str, dict[str, list[float | None]]] = {}
    for row in rows:
        low, high = (row.get("intervals") or {}).get("auroc") or (None, None)
        found.setdefault(row["finding"], {})[row["opinion"]] = [row["auroc"], low, high]
    return found
