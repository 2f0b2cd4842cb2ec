"""Does the queue save work? Two models of equally many read cases, on the same audit cases.

One arm learns from the first n cases that were read from the queue (the train partition, in order
of reading), the other from the first n that were read of the control partition, which is a random
sample that never teaches a version that serves. Both are made by the same recipe from nothing.

Two things are uncertain, and the intervals hold both: which patients the audit set has (a bootstrap
over them, the same draws for both arms), and which patients happened to be read (``_REPEATS``
models of each arm from patients drawn again; how far they are from their mean is added to every
draw). A saving is told only where 95 % of the draws show one: no difference is the rule at first.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.errors import TooFewToCompare
from mmreview.domain.insights import ARMS, LEAST_AUDIT, LEAST_READ
from mmreview.domain.labels import LabelTable
from mmreview.domain.progress import Progress
from mmreview.ml import metrics, uncertainty
from mmreview.ml.audited import macro_draws
from mmreview.ml.evaluation import comparable
from mmreview.ml.recipe import Recipe, Step, fit
from mmreview.ml.relay import relay
from mmreview.ml.samples import LEARNABLE, Samples

Floats = NDArray[np.float64]

#: Cases of each arm at the first point; doubled from point to point.
_FIRST = 10
#: Audit labels of either kind that a finding needs to be measured.
LEAST_LABELS = 3
_REPEATS = 8
_STAGE = "progress.control_arm"


@dataclass(frozen=True)
class Arms:
    """``samples`` of each arm's read cases, in any order, and the keys in order of reading (a read
    case without a label has no row: it cost a read and taught nothing). ``audit`` measures."""

    samples: Mapping[str, Samples]
    keys: Mapping[str, Sequence[int]]
    audit: Samples


def control_arm(
    arms: Arms, recipe: Recipe, *, findings: tuple[str, ...]
) -> Generator[Progress, None, dict[str, Any]]:
    """What ``domain.ports.Trainer.control_arm`` says.

    Raises:
        TooFewToCompare: an arm or the audit set has too few cases.
    """
    truth = comparable(arms.audit)[0]
    columns = measurable(truth)
    require(arms, truth, columns)
    recipe = replace(recipe, twins=False, spreads=None)
    sizes = sizes_of(min(len(keys) for keys in arms.keys.values()))
    drawn = uncertainty.draws(arms.audit.groups, recipe.seed)
    points: list[dict[str, Any]] = []
    curves: dict[str, list[Floats]] = {arm: [] for arm in ARMS}
    means: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for at, size in enumerate(sizes):
        point: dict[str, Any] = {"cases": size, "labels": {}}
        for number, arm in enumerate(ARMS):
            first = first_read(arms, arm, size)
            point["labels"][arm] = int((~np.isnan(first.targets)).sum())
            begun = (at + number / 2) / len(sizes)
            work = _arm(first, arms.audit, truth[:, columns], columns, drawn, recipe)
            tell = partial(_of_work, begun, 1 / (2 * len(sizes)))
            value, spread = yield from relay(work, tell)
            means[arm].append(value)
            curves[arm].append(spread)
            point[arm] = [value, *(uncertainty.bounds(spread) or (None, None))]
        gap = curves["queue"][-1] - curves["control"][-1]
        difference = means["queue"][-1] - means["control"][-1]
        point["difference"] = [difference, *(uncertainty.bounds(gap) or (None, None))]
        points.append(point)
    return {
        "points": points,
        "audit": {
            "cases": int((~np.isnan(truth)).any(axis=1).sum()),
            "findings": [findings[column] for column in columns],
        },
        "read": {arm: len(arms.keys[arm]) for arm in ARMS},
        **judged(sizes, {arm: np.stack(curves[arm]) for arm in ARMS}, means),
    }


def _of_work(begun: float, share: float, done: float) -> Progress:
    return Progress(_STAGE, round(100 * (begun + share * done)), 100)


def sizes_of(most: int) -> list[int]:
    """How many cases teach at each point: doubled from 10 on, and as many as both arms have."""
    sizes = [_FIRST]
    while 2 * sizes[-1] <= most:
        sizes.append(2 * sizes[-1])
    if most >= 1.25 * sizes[-1]:
        sizes.append(most)
    return sizes


def measurable(truth: Floats) -> list[int]:
    """The findings with enough audit labels of either kind."""
    kinds = np.minimum((truth == 1).sum(axis=0), (truth == 0).sum(axis=0))
    return np.flatnonzero(kinds >= LEAST_LABELS).tolist()


def require(arms: Arms, truth: Floats, columns: Sequence[int]) -> None:
    """Raise TooFewToCompare unless there is enough to compare."""
    missing = {arm: LEAST_READ - len(arms.keys[arm]) for arm in ARMS}
    missing["audit"] = LEAST_AUDIT - int((~np.isnan(truth)).any(axis=1).sum())
    if not columns:
        missing["audit"] = max(missing["audit"], LEAST_LABELS)
    if max(missing.values()) > 0:
        raise TooFewToCompare(**{what: max(0, count) for what, count in missing.items()})


def first_read(arms: Arms, arm: str, size: int) -> Samples:
    """The labelled ones among the first ``size`` read cases of an arm, in order of reading."""
    samples = arms.samples[arm]
    row_of = {key: row for row, key in enumerate(samples.keys.tolist())}
    rows = [row_of[key] for key in arms.keys[arm][:size] if key in row_of]
    return samples.take(np.asarray(rows, np.intp))


def _arm(
    first: Samples, audit: Samples, truth: Floats, columns: Sequence[int],
    drawn: NDArray[np.float32], recipe: Recipe,
) -> Generator[float, None, tuple[float, Floats]]:
    """Macro AUROC on the audit cases of a model of these cases, and draws of it (see above)."""
    rng = np.random.default_rng(recipe.seed)
    names = np.unique(first.groups)
    values: list[float] = []
    draws = np.full(drawn.shape[1], 0.5)
    for repeat in range(1 + _REPEATS):
        taken = first
        if repeat:
            chosen = rng.choice(names, size=len(names)) if len(names) else names
            rows = [np.flatnonzero(first.groups == name) for name in chosen]
            taken = first.take(np.concatenate(rows) if rows else np.empty(0, np.intp))
        tell = partial(_of_fit, repeat)
        opinion = yield from relay(_opinion(taken, audit, recipe), tell)
        opinion = opinion[:, columns]
        values.append(_macro(truth, opinion))
        if not repeat:
            draws = macro_draws(truth, opinion, drawn, list(range(truth.shape[1])))
    repeated = np.asarray(values[1:])
    # Eight models scatter a little less about their own mean than models do.
    apart = (repeated - repeated.mean()) * np.sqrt(_REPEATS / (_REPEATS - 1))
    return values[0], (draws[:, None] + apart[None, :]).ravel()


def _of_fit(repeat: int, step: Step) -> float:
    return (repeat + step.share) / (1 + _REPEATS)


def _opinion(taught: Samples, audit: Samples, recipe: Recipe) -> Generator[Step, None, Floats]:
    """(n, findings) fused probabilities of the audit cases; one half where nothing was learned:
    an arm that never met a finding knows nothing of it, and its ranking is chance."""
    kinds = np.minimum((taught.targets == 1).sum(axis=0), (taught.targets == 0).sum(axis=0))
    if not (kinds >= LEARNABLE).any():
        yield Step("training.phase.fitting", 1.0)
        return np.full(audit.targets.shape, 0.5)
    fitted = yield from fit(taught, recipe)
    opinions = fitted.models[0].opinions(audit.features, audit.present)
    return np.nan_to_num(opinions.probabilities["fused"], nan=0.5)


def _macro(truth: Floats, opinion: Floats) -> float:
    found = []
    for t in range(truth.shape[1]):
        known = ~np.isnan(truth[:, t])
        found.append(metrics.auroc(truth[known, t], opinion[known, t]))
    return float(np.mean([value for value in found if value is not None]))


# --- the verdict ------------------------------------------------------------------------------


def judged(
    sizes: Sequence[int], curves: Mapping[str, Floats], means: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """``verdict`` (a message code), ``params`` and ``saving``: what one arm needed for what the
    other had reached with all its cases, ``{"arm", "cases", "low", "high", "other"}``; None where
    no difference is beyond noise. ``curves`` are (points, draws)."""
    most = sizes[-1]
    for ahead, behind in (ARMS, ARMS[::-1]):
        target = means[behind][-1]
        needed = reached(sizes, np.asarray(means[ahead])[:, None], np.full(1, target))[0]
        every = reached(sizes, curves[ahead], curves[behind][-1])
        low, high = np.quantile(every, [0.025, 0.975], method="nearest")
        if high < most and needed < most:
            saving = {"arm": ahead, "cases": round(float(needed)), "other": most,
                      "low": round(float(low)), "high": round(float(high))}
            return {
                "verdict": f"insights.saving.{ahead}",
                "params": {**saving, "auroc": round(target, 3)},
                "saving": saving,
            }
    return {"verdict": "insights.saving.none", "params": {"cases": most}, "saving": None}


def reached(sizes: Sequence[int], curve: Floats, target: Floats) -> Floats:
    """(draws,) the number of cases from which on each column of ``curve`` (points, draws) stays at
    its ``target`` or above, between points by a straight line from chance at none; infinite where
    the last point is below. The careful reading of a curve that goes up and down."""
    heights = np.vstack([np.full(curve.shape[1], 0.5), curve])
    cases = np.asarray([0, *sizes], np.float64)
    found = np.zeros(curve.shape[1])
    for at in range(len(sizes)):
        low, high = heights[at], heights[at + 1]
        rises = (low < target) & (high >= target)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (target - low) / (high - low)
        between = cases[at] + share * (cases[at + 1] - cases[at])
        found = np.where(rises, between, found)
        found = np.where(high < target, np.inf, found)
    return found


def rows_among(table: LabelTable, keys: Sequence[int]) -> NDArray[np.intp]:
    """The rows of ``table`` that are of these cases."""
    return np.flatnonzero(np.isin(table.keys, np.asarray(keys, np.int64)))
