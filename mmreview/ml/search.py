"""The search for a project's best model: fusions, and how the heads are made, on its own labels.

``trainer`` asks for it when a person trains with the fusion ``auto``. A *candidate* is a fusion and
a plan of the heads (``plans``: regularisation, parts of the features). Every candidate is measured
by grouped cross-validation in which no part of it has seen the patient that it is measured on.

What serves goes on unless another candidate has a log-loss that is surely lower: paired over
patient groups, and corrected for how many were tried (Bonferroni), since the best looking of fifty
on a few hundred labels is best by chance more often than not. The figures of the winner are a
little too good, because they chose it. What choosing is worth is measured apart: in each outer fold
the same choice is made by cross-validation *within* the others, and measured on the fold that it
has not looked at (``searched``). Unless that is better than what served, nothing changes either.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.progress import Progress
from mmreview.ml import evaluation
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.metrics import element_log_loss
from mmreview.ml.plans import HeadPlan, plans_of
from mmreview.ml.recipe import Recipe
from mmreview.ml.relay import relay
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

#: Folds within an outer fold, where the choice is made again.
_INNER_FOLDS = 3
#: How sure it must be that a candidate is better than what serves, both tails together.
_LEVEL = 0.95
#: The scatter of fewer patient groups than this says too little to be sure of anything.
_LEAST_GROUPS = 10


@dataclass(frozen=True)
class Candidate:
    """One way to make the model."""

    fusion: str
    plan: HeadPlan = field(default_factory=HeadPlan)


@dataclass(frozen=True)
class Found:
    """What shall serve, and ``table``, ready for JSON: ``rows`` of what was tried (candidates have
    a ``plan``, modalities have none) with macro measures, intervals, ``difference`` (the chosen's
    less the row's) and ``ahead`` (AUROC less the better modality's of each finding, chosen with
    hindsight); ``default`` and ``default_plan`` served before, ``chosen`` and ``plan`` serve now,
    for ``reason`` (a message code); ``searched`` is what choosing is worth, and its ``difference``
    that to what served before; ``picked`` what each outer fold chose."""

    candidate: Candidate
    table: dict[str, Any]


@dataclass(frozen=True)
class _Trial:
    """Opinions of every candidate and modality on cases that they have not seen, by folds."""

    folds: NDArray[np.int8]
    candidates: dict[Candidate, Floats]
    modalities: dict[str, Floats]


def search(
    samples: Samples, recipe: Recipe, *, findings: tuple[str, ...]
) -> Generator[Progress, None, Found]:
    """Try all candidates and choose one. ``recipe`` is what serves now; its spreads (a parent found
    them on these very cases) are not looked at."""
    serving = Candidate(recipe.fusion, recipe.plan)
    plans = tuple(dict.fromkeys((*plans_of(samples.pieces), recipe.plan)))
    # Outer folds teach on K - 1 parts, each inner run on fewer rows and folds.
    whole = yield from _tried(samples, recipe, plans, folds=recipe.folds, begun=0.0, share=0.3)
    count = int(whole.folds.max()) + 1
    searched = np.full(samples.targets.shape, np.nan)
    picked: list[Candidate] = []
    for fold in range(count):
        inside = whole.folds == fold
        train = samples.take(~inside)
        begun = 0.3 + 0.65 * fold / count
        inner = yield from _tried(
            train, recipe, plans, folds=_INNER_FOLDS, begun=begun, share=0.65 / count
        )
        picked.append(choose(train, inner.candidates, serving))
        searched[inside] = whole.candidates[picked[-1]][inside]
    chosen, reason = _decided(samples, whole, searched, serving)
    table = yield from _table(
        samples, whole, {"chosen": chosen, "serving": serving}, searched,
        findings=findings, seed=recipe.seed,
    )
    table |= {
        "default": serving.fusion, "default_plan": serving.plan.as_json(),
        "chosen": chosen.fusion, "plan": chosen.plan.as_json(), "reason": reason,
        "tried": len(whole.candidates),
        "picked": [{"fusion": c.fusion, "plan": c.plan.as_json()} for c in picked],
    }
    return Found(chosen, table)


def _tried(
    samples: Samples, recipe: Recipe, plans: Sequence[HeadPlan], *, folds: int, begun: float,
    share: float,
) -> Generator[Progress, None, _Trial]:
    """Cross-validate every fusion under every plan; slow fusions under the usual plan only."""
    candidates: dict[Candidate, Floats] = {}
    modalities: dict[str, Floats] = {}
    outer = np.zeros(len(samples), np.int8)
    for number, plan in enumerate(plans):
        usual = plan == HeadPlan()
        trial = replace(recipe, plan=plan, spreads=None, slow=usual)
        work = evaluation.unseen_opinions(samples, folds=folds, recipe=trial)
        each = share / len(plans)
        unseen = yield from relay(work, partial(_of_plan, begun + number * each, each))
        outer = unseen.folds
        for name, values in unseen.opinions.items():
            fusion = recipe.fusion if name == "fused" else name.removeprefix("fusion:")
            if fusion in FUSIONS:
                candidates[Candidate(fusion, plan)] = values
            elif usual:
                modalities[name] = values
    return _Trial(outer, candidates, modalities)


def _of_plan(begun: float, share: float, step: Progress) -> Progress:
    part = begun + share * step.done / step.total
    return Progress("progress.evaluate", round(1000 * part), 1000)


def choose(
    samples: Samples, candidates: Mapping[Candidate, Floats], serving: Candidate
) -> Candidate:
    """The candidate whose log-loss is lower than the serving one's by the most, if that is sure."""
    others = [c for c in candidates if c != serving]
    # Corrected for how many are looked at.
    sure = NormalDist().inv_cdf(1 - (1 - _LEVEL) / 2 / max(len(others), 1))
    truth, _ = evaluation.comparable(samples)
    best, lead = serving, 0.0
    for candidate in others:
        values = candidates[candidate]
        gap, error = gap_of(truth, candidates[serving], values, samples.groups)
        if gap > max(lead, sure * error):
            best, lead = candidate, gap
    return best


def gap_of(
    truth: Floats, reference: Floats, other: Floats, groups: NDArray[np.str_]
) -> tuple[float, float]:
    """By how much ``other`` has the lower log-loss, the mean over findings of the mean over cases,
    and its standard error over patient groups (infinite where these are too few to tell)."""
    known = ~np.isnan(truth) & ~np.isnan(reference) & ~np.isnan(other)
    labels = known.sum(axis=0)
    if not labels.any():
        return 0.0, 0.0
    safe = np.where(known, truth, 0.0)
    gaps = element_log_loss(safe, np.where(known, reference, 0.5))
    gaps = np.where(known, gaps - element_log_loss(safe, np.where(known, other, 0.5)), 0.0)
    means = gaps.sum(axis=0) / np.maximum(labels, 1)
    left = np.where(known, gaps - means, 0.0) / np.maximum(labels, 1)
    measured = int((labels > 0).sum())
    _, member = np.unique(groups, return_inverse=True)
    by_group = np.bincount(member, weights=left.sum(axis=1) / measured)
    count = len(np.unique(member[known.any(axis=1)]))
    gap = float(means.sum() / measured)
    if count < _LEAST_GROUPS:
        return gap, np.inf
    return gap, float(np.sqrt(np.square(by_group).sum() * count / (count - 1)))


def _decided(
    samples: Samples, whole: _Trial, searched: Floats, serving: Candidate
) -> tuple[Candidate, str]:
    """What shall serve, and why."""
    best = choose(samples, whole.candidates, serving)
    if best == serving:
        return serving, "search.kept"
    truth, _ = evaluation.comparable(samples)
    gap, _ = gap_of(truth, whole.candidates[serving], searched, samples.groups)
    return (best, "search.found") if gap > 0 else (serving, "search.unproved")


def _table(
    samples: Samples, whole: _Trial, roles: Mapping[str, Candidate], searched: Floats, *,
    findings: tuple[str, ...], seed: int,
) -> Generator[Progress, None, dict[str, Any]]:
    """The measures of everything that was tried, against the chosen; then those of choosing,
    against what served."""
    names = {f"candidate:{i}": c for i, c in enumerate(whole.candidates)}
    opinions = {"fused": whole.candidates[roles["chosen"]], **whole.modalities}
    opinions |= {name: whole.candidates[c] for name, c in names.items()}
    judged = yield from _judged(samples, whole.folds, opinions, findings, seed)
    ahead = _ahead(judged["rows"], samples.modalities)
    rows: list[dict[str, Any]] = []
    for row in judged["rows"]:
        name = row["opinion"]
        if row["finding"] == "macro" and name != "fused":
            candidate = names.get(name)
            own = {"fusion": name, "plan": None}
            if candidate is not None:
                own = {"fusion": candidate.fusion, "plan": candidate.plan.as_json()}
            rows.append({**own, **_macro(row), "ahead": ahead.get(name)})
    rows.sort(key=lambda row: (row["plan"] is None, row["log_loss"] or np.inf))
    worth = yield from _judged(
        samples, whole.folds,
        {"fused": searched, "serving": whole.candidates[roles["serving"]], **whole.modalities},
        findings, seed,
    )
    macro = {r["opinion"]: _macro(r) for r in worth["rows"] if r["finding"] == "macro"}
    return {
        **{k: judged[k] for k in ("cases", "groups", "folds", "measured_on")},
        "rows": rows,
        "searched": {**macro["fused"], "difference": macro["serving"]["difference"]},
    }


def _judged(
    samples: Samples, folds: NDArray[np.int8], opinions: dict[str, Floats],
    findings: tuple[str, ...], seed: int,
) -> Generator[Progress, None, dict[str, Any]]:
    judging = evaluation.judged(
        samples, evaluation.Unseen(folds, opinions), findings=findings, seed=seed
    )
    return (yield from relay(judging, lambda _: Progress("progress.evaluate", 970, 1000)))


def _macro(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in ("finding", "opinion")}


def _ahead(rows: list[Mapping[str, Any]], modalities: tuple[str, ...]) -> dict[str, float]:
    """How far each opinion's AUROC is ahead of the better modality, the mean over findings."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["finding"] != "macro" and row["auroc"] is not None:
            found.setdefault(row["finding"], {})[row["opinion"]] = row["auroc"]
    gaps: dict[str, list[float]] = {}
    for measured in found.values():
        own = [measured[m] for m in modalities if m in measured]
        for opinion, auroc in measured.items() if len(own) == len(modalities) else ():
            gaps.setdefault(opinion, []).append(auroc - max(own))
    return {opinion: float(np.mean(values)) for opinion, values in gaps.items()}
