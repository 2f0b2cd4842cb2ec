"""Measuring versions and recipes: what a card says of a version, and the ``evaluate`` verb.

Opinions are compared on the same labels: those that rest on every modality, on cases that have
every modality (unless fewer than ``_LEAST_COMPLETE`` are complete: then on all cases, each opinion
where it exists). AUROC and average precision count pairs within a fold only (``metrics``).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.ml import folds as grouping
from mmreview.ml import gate, group_metrics, metrics, uncertainty
from mmreview.ml.audited import audited
from mmreview.ml.exclusive import Group
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.fusion.fusing import PARTED, Fusion, fit_each
from mmreview.ml.recipe import Fitted, Recipe, fit, with_groups
from mmreview.ml.relay import relay
from mmreview.ml.reliability import curves as reliability_curves
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

_LEAST_COMPLETE = 20


def comparable(samples: Samples) -> tuple[Floats, str]:
    """(n, findings) truths on which opinions compare, and ``complete`` or ``all``."""
    truth = samples.judged
    if np.isnan(truth).all():
        truth = samples.targets.astype(np.float64)
    complete = samples.complete & ~np.isnan(truth).all(axis=1)
    if int(complete.sum()) < _LEAST_COMPLETE:
        return truth, "all"
    return np.where(complete[:, None], truth, np.nan), "complete"


def measure_version(
    samples: Samples, fitted: Fitted, audit: Samples, findings: tuple[str, ...], *, seed: int
) -> Generator[None, None, dict[str, Any]]:
    """A version's metrics, ready for JSON: ``{measure: {opinion: macro}, "basis", "cases",
    "measured_on", "macro": {opinion: {measure: …}}, "micro": the same over all labels together,
    "per_finding": {finding: {opinion: {measure: …}}}}``. What ``uncertainty.add_intervals`` adds
    to a row stands in ``macro`` and ``per_finding``; ``exclusive`` are the rows of
    ``group_metrics.measure_groups``, ``reliability`` the curves of ``reliability.curves``,
    ``audit`` what ``audited`` says, whatever the basis.

    ``basis`` is ``audit`` once the audit partition is big enough (see ``gate``), else
    ``cross_validation`` (the fold models' opinions on the folds they have not seen).
    """
    judging = fitted.models[0].opinions(audit.features, audit.present) if len(audit) else None
    if judging is not None and gate.big_enough(audit.judged):
        basis, measured, strata, opinions = "audit", audit, None, judging
    else:
        assert fitted.held_out is not None
        basis, measured, strata = "cross_validation", samples, fitted.folds
        opinions = fitted.held_out
    truth, on = comparable(measured)
    trial = uncertainty.Trial(truth, opinions.probabilities, measured.groups, strata)
    rows, together = yield from _measured(trial, findings, seed=seed)
    told = None
    if basis == "audit":
        macros = {row["opinion"]: row for row in rows if row["finding"] == "macro"}
        told = audited(trial, seed=seed, macros=macros)
    elif judging is not None:
        told = on_audit(audit, judging.probabilities, seed=seed)
    reliability = yield from reliability_curves(trial, findings, seed=seed)
    groups = fitted.lesson.groups
    exclusive = yield from group_metrics.measure_groups(trial, groups, findings, seed=seed)
    result: dict[str, Any] = {
        measure: {row["opinion"]: row[measure] for row in rows if row["finding"] == "macro"}
        for measure in metrics.MEASURES
    }
    per_finding: dict[str, dict[str, Any]] = {finding: {} for finding in findings}
    for row in rows:
        if row["finding"] != "macro":
            per_finding[row["finding"]][row["opinion"]] = _numbers(row)
    return {
        **result,
        "macro": {r["opinion"]: _numbers(r) for r in rows if r["finding"] == "macro"},
        "micro": {r["opinion"]: _numbers(r) for r in together},
        "basis": basis,
        "measured_on": on,
        "cases": int((~np.isnan(truth)).any(axis=1).sum()),
        "per_finding": per_finding,
        "exclusive": exclusive,
        "reliability": reliability,
        "audit": told,
    }


def on_audit(
    audit: Samples, opinions: Mapping[str, Floats], *, seed: int
) -> dict[str, Any] | None:
    """What ``audited`` says of (n, findings) opinions on the audit cases."""
    return audited(uncertainty.Trial(comparable(audit)[0], opinions, audit.groups), seed=seed)


def _measured(
    trial: uncertainty.Trial, findings: tuple[str, ...], *, seed: int
) -> Generator[None, None, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """The rows of ``metrics.table`` with their intervals, and the micro rows."""
    rows = metrics.table(trial.truth, trial.opinions, findings, trial.strata)
    yield
    common = metrics.comparable_findings(
        [row for row in rows if row["finding"] != "macro"], findings
    )
    yield from uncertainty.add_intervals(rows, trial, findings, common, seed=seed)
    columns = [findings.index(finding) for finding in common]
    together = metrics.micro(trial.truth, trial.opinions, columns, trial.strata)
    yield from uncertainty.add_micro_intervals(together, trial, columns, seed=seed)
    return rows, together


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in ("finding", "opinion")}


@dataclass(frozen=True)
class Unseen:
    """What each row was said to be by models that have not seen its patient group: ``folds`` (n,)
    are the outer folds, ``opinions`` map a name to (n, findings) probabilities, NaN where none."""

    folds: NDArray[np.int8]
    opinions: dict[str, Floats]


def nested(
    samples: Samples, *, findings: tuple[str, ...], folds: int, recipe: Recipe
) -> Generator[Progress, None, dict[str, Any]]:
    """Grouped nested cross-validation: what ``domain.ports.Trainer.evaluate`` says."""
    unseen = yield from unseen_opinions(samples, folds=folds, recipe=recipe)
    return (
        yield from judged(
            samples, unseen, findings=findings, seed=recipe.seed, groups=recipe.groups
        )
    )


def judged(
    samples: Samples, unseen: Unseen, *, findings: tuple[str, ...], seed: int,
    groups: tuple[Group, ...] = (),
) -> Generator[Progress, None, dict[str, Any]]:
    """How good unseen opinions are, as ``domain.ports.Trainer.evaluate`` says it."""
    truth, on = comparable(samples)
    trial = uncertainty.Trial(truth, unseen.opinions, samples.groups, unseen.folds)
    nearly = Progress("progress.evaluate", 99, 100)
    measuring = _measured(trial, findings, seed=seed)
    rows, together = yield from relay(measuring, lambda _: nearly)
    measuring_groups = group_metrics.measure_groups(trial, groups, findings, seed=seed)
    exclusive = yield from relay(measuring_groups, lambda _: nearly)
    return {
        "cases": int((~np.isnan(truth)).any(axis=1).sum()),
        "groups": len(np.unique(samples.groups)),
        "folds": int(unseen.folds.max()) + 1,
        "measured_on": on,
        "rows": rows,
        "micro": together,
        "exclusive": exclusive,
    }


def unseen_opinions(
    samples: Samples, *, folds: int, recipe: Recipe
) -> Generator[Progress, None, Unseen]:
    """The opinions of grouped nested cross-validation: everything that is fitted, searched or
    calibrated is so within the outer folds. ``fused`` is ``recipe``'s fusion, ``fusion:NAME`` are
    the others."""
    outer = grouping.assign(
        samples.groups.tolist(), samples.targets, folds=folds, seed=recipe.seed
    )
    count = int(outer.max()) + 1
    found: dict[str, Floats] = {}
    for fold in range(count):
        inside = outer == fold
        work = _outer_fold(samples.take(~inside), samples.take(inside), recipe)
        opinions = yield from relay(work, partial(_of_fold, fold, count))
        for name, values in opinions.items():
            found.setdefault(name, np.full(samples.targets.shape, np.nan))[inside] = values
    return Unseen(outer, found)


def _of_fold(fold: int, count: int, share: float) -> Progress:
    return Progress("progress.evaluate", round(5 + 94 * (fold + share) / count), 100)


def _tried(kind: type[Fusion], train: Samples, recipe: Recipe) -> bool:
    """Whether a fusion is compared: what takes long if asked for, what reads parts if they are
    there."""
    return (recipe.slow or not kind.slow) and (kind.reads != PARTED or bool(train.part_widths))


def _outer_fold(
    train: Samples, test: Samples, recipe: Recipe
) -> Generator[float, None, dict[str, Floats]]:
    """Every opinion on ``test`` by what ``train`` teaches."""
    fitting = fit(train, replace(recipe, twins=False))
    fitted = yield from relay(fitting, lambda step: 0.6 * step.share)
    model = fitted.models[0]
    opinions = model.opinions(test.features, test.present).probabilities
    for name, kind in FUSIONS.items():
        if name != recipe.fusion and _tried(kind, train, recipe):
            working = fit_each(kind(), fitted.materials, weight=recipe.weight)
            fusion = yield from relay(working, lambda _: 0.65)
            other = with_groups(replace(model, fusion=fusion), fitted.lesson)
            values = other.opinions(test.features, test.present).probabilities["fused"]
            opinions[f"fusion:{name}"] = values
    return opinions
