"""How good an opinion on an exclusive group is: one class out of several, "none of them" among
these where at most one finding holds.

Accuracy of the likeliest class, balanced accuracy (the mean recall), macro one-against-the-rest
AUROC (within folds, see ``metrics``), log-loss, and the calibration error of the top label (Guo
2017: 15 bins of how sure the likeliest class is), with the confusion matrix. Intervals and paired
differences are those of ``uncertainty``: every opinion on the same bootstrap draws of patient
groups. Cases count whose class is known: exactly one finding present, or all absent.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.exclusive import Group, classes_of
from mmreview.ml.metrics import auroc, calibration_error
from mmreview.ml.perfection import kin, perfect_errors
from mmreview.ml.uncertainty import Trial, bounds, draws, ranked

Floats = NDArray[np.float64]

MEASURES = ("accuracy", "balanced_accuracy", "auroc", "log_loss", "ece")
#: Those with an interval.
BOUNDED = ("accuracy", "balanced_accuracy", "auroc", "log_loss")


def measure_groups(
    trial: Trial, groups: tuple[Group, ...], findings: tuple[str, ...], *, seed: int
) -> Generator[None, None, list[dict[str, Any]]]:
    """A row for each group and opinion: ``group`` (its name), ``classes`` (names of ``findings``,
    None for "none of them"), ``opinion``, ``n``, each of ``MEASURES`` (None without two classes),
    ``ece_perfect``, ``confusion`` (a row for what is true, a column for what was said),
    ``intervals`` {measure: [low, high]} and, but for ``fused``, ``difference`` {measure: [fused
    less this, low, high]}, empty where the two were not measured on the same cases."""
    rows: list[dict[str, Any]] = []
    drawn = draws(trial.groups, seed) if groups else np.zeros((0, 0), np.float32)
    for group in groups:
        columns = list(group.columns)
        names = [*(findings[c] for c in columns), *(() if group.one_of else (None,))]
        classes = classes_of(trial.truth[:, columns], one_of=group.one_of)
        fused: dict[str, Floats] = {}
        places: dict[str, NDArray[np.intp]] = {}
        for name, opinion in trial.opinions.items():
            chances = class_chances(opinion[:, columns], one_of=group.one_of)
            known = np.flatnonzero((classes >= 0) & ~np.isnan(chances).any(axis=1))
            strata = None if trial.strata is None else trial.strata[known]
            truth, chance = classes[known], chances[known]
            row = {"group": group.name, "classes": names, "opinion": name}
            row |= measure(truth, chance, strata)
            found = yield from _drawn(truth, chance, strata, drawn[known])
            row["intervals"] = {each: bounds(values) for each, values in found.items()}
            row["ece_perfect"] = _perfect(truth, chance, trial.groups[known], strata, seed)
            places[name] = known
            if name == "fused":
                fused = found
            else:
                paired = np.array_equal(known, places["fused"])
                row["difference"] = _differences(rows, row, fused, found) if paired else {}
            rows.append(row)
            yield
    return rows


def class_chances(probability: Floats, *, one_of: bool) -> Floats:
    """(n, classes) chances that add up to 1 from (n, findings) probabilities: "none of them" gets
    what is left, and yes-or-no opinions that add up to something else are scaled."""
    if not one_of:
        rest = np.maximum(1 - probability.sum(axis=1, keepdims=True), 0)
        probability = np.hstack([probability, rest])
    return probability / np.maximum(probability.sum(axis=1, keepdims=True), 1e-12)


def measure(
    truth: NDArray[np.intp], chance: Floats, strata: NDArray[np.integer] | None = None
) -> dict[str, Any]:
    """``n``, ``MEASURES`` and ``confusion`` of (n, classes) chances against (n,) classes."""
    width = chance.shape[1]
    called = chance.argmax(axis=1)
    confusion = np.zeros((width, width), int)
    np.add.at(confusion, (truth, called), 1)
    each = confusion.sum(axis=1)
    result: dict[str, Any] = {"n": len(truth), "confusion": confusion.tolist()}
    if int((each > 0).sum()) < 2:
        return result | dict.fromkeys(MEASURES)
    right = np.diag(confusion)
    ranks = [auroc((truth == c).astype(float), chance[:, c], strata) for c in range(width)]
    known = [value for value in ranks if value is not None]
    return result | {
        "accuracy": float(right.sum() / len(truth)),
        "balanced_accuracy": float((right[each > 0] / each[each > 0]).mean()),
        "auroc": float(np.mean(known)) if known else None,
        "log_loss": float(_losses(truth, chance).mean()),
        "ece": calibration_error((truth == called).astype(float), chance.max(axis=1)),
    }


def _perfect(
    truth: NDArray[np.intp], chance: Floats, groups: NDArray[np.str_],
    strata: NDArray[np.integer] | None, seed: int,
) -> float | None:
    """The calibration error of the top label if it were as likely right as it says."""
    if not len(truth):
        return None
    right, sure = (truth == chance.argmax(axis=1)).astype(float), chance.max(axis=1)
    alike = kin(right[:, None], sure[:, None], groups, strata)
    return perfect_errors(sure, alike, seed=seed)["ece_perfect"]


def _losses(truth: NDArray[np.intp], chance: Floats) -> Floats:
    return -np.log(np.clip(chance[np.arange(len(truth)), truth], 1e-6, 1.0))


def _drawn(
    truth: NDArray[np.intp], chance: Floats, strata: NDArray[np.integer] | None,
    drawn: NDArray[np.float32],
) -> Generator[None, None, dict[str, Floats]]:
    """(draws,) of each bounded measure, NaN where a draw does not define it."""
    strata = np.zeros(len(truth), int) if strata is None else strata
    right = chance.argmax(axis=1) == truth
    ranks, recalls = [], []
    for c in np.unique(truth):
        inside = truth == c
        ranks.append(ranked(inside, chance[:, c], strata, drawn)["auroc"])
        recalls.append(_share(drawn[inside & right], drawn[inside]))
        yield
    total = drawn.sum(axis=0).astype(np.float64)
    loss = _losses(truth, chance) @ drawn / np.where(total > 0, total, np.nan)
    return {
        "accuracy": _share(drawn[right], drawn),
        "balanced_accuracy": _mean(recalls, len(total)),
        "auroc": _mean(ranks, len(total)),
        "log_loss": loss,
    }


def _share(some: NDArray[np.float32], of: NDArray[np.float32]) -> Floats:
    """(draws,): how much of what was drawn is ``some``; NaN where nothing was."""
    total = of.sum(axis=0).astype(np.float64)
    return some.sum(axis=0) / np.where(total > 0, total, np.nan)


def _mean(parts: list[Floats], count: int) -> Floats:
    """The mean over the classes that a draw has."""
    values = np.array(parts, np.float64).reshape(len(parts), count)
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _differences(
    rows: list[dict[str, Any]], row: Mapping[str, Any], fused: Mapping[str, Floats],
    found: Mapping[str, Floats],
) -> dict[str, list[float]]:
    """What the fused opinion is ahead by, on the same draws."""
    best = next(r for r in rows if r["group"] == row["group"] and r["opinion"] == "fused")
    result = {}
    for name in BOUNDED:
        limits = bounds(fused[name] - found[name])
        if limits is not None and row[name] is not None and best[name] is not None:
            result[name] = [best[name] - row[name], *limits]
    return result
