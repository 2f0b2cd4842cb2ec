"""From labelled samples to a model, start to end: heads, calibration, fusion.

The same recipe serves training and every outer fold of ``evaluate``. It makes one model of all
rows and one of each fold: a *fold model* has seen no label of its fold in any part (heads,
calibration, λ, W), so what it says of that fold's cases is held out. They are what metrics and gate
stand on, and they travel in the bundle: the next round starts each from its parent's twin.

(The second stage of fold k learns from other folds' held-out logits, whose heads did see fold k:
the usual mild leak of stacking. ``evaluate`` has none, it nests.)
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml import folds as grouping
from mmreview.ml.calibration import Calibration, calibrate
from mmreview.ml.carrying import Bools, Ints, carried_calibration, carried_fusion
from mmreview.ml.exclusive import Group, GroupLesson, sets_of
from mmreview.ml.fusion import Fusion, fusion_named
from mmreview.ml.fusion.fusing import Subset, fit_each, subsets
from mmreview.ml.fusion.material import Inputs, Material, families_of
from mmreview.ml.heads import HeadFit, Lesson, fit_head
from mmreview.ml.model import Model, Opinions
from mmreview.ml.plans import HeadPlan, columns_of, narrowed, narrowed_head, widened
from mmreview.ml.prepared import Contents, Shelf
from mmreview.ml.relay import relay
from mmreview.ml.samples import Samples
from mmreview.ml.solver import Trace, mean_trace

Floats = NDArray[np.float64]

_NO_LOSS = Trace(0)
#: A set of modalities that fewer labelled cases have gets no fusion of its own.
_LEAST_CASES = 20


@dataclass(frozen=True)
class Step:
    """A step of a fit: its phase (a message code), the share of the fit that is done, and the
    iteration's losses where there are any."""

    phase: str
    share: float
    trace: Trace = _NO_LOSS


@dataclass(frozen=True)
class Recipe:
    """How to fit. ``spreads`` None searches the heads' regularisation. Without ``twins`` only the
    model of all rows gets calibration and fusion (an outer fold of ``evaluate`` needs no more).
    ``families`` names each finding's family (the schema's group); empty: all are of one. With
    ``slow`` the fusions that take long are compared as well (``evaluation``). ``groups`` are the
    findings that exclude each other, ``plan`` says what the heads look at and how freely."""

    fusion: str = "mixture"
    weight: LambdaChoice = field(default_factory=LambdaChoice)
    seed: int = 0
    spreads: Mapping[str, float] | None = None
    folds: int = grouping.FOLDS
    twins: bool = True
    families: tuple[str, ...] = ()
    slow: bool = False
    groups: tuple[Group, ...] = ()
    plan: HeadPlan = field(default_factory=HeadPlan)


@dataclass(frozen=True)
class Ancestor:
    """What a parent gives to a warm start: its models (all rows, then folds) with columns in the
    order of today's findings, the fold that each case had, and the share of today's labels that
    ``changed`` since (new ones too). ``changes`` (findings,) count them, where a finding without
    any keeps its calibration and fusion (``carrying``); None: none does."""

    models: tuple[Model, ...]
    fold_of: Mapping[int, int]
    changes: Ints | None = None
    changed: float = 1.0

    def carries(self, heads: Mapping[str, HeadFit], models: int) -> Bools | None:
        """Those of the findings that keep what they had, if there are as many ``models`` and these
        ``heads`` know the same of them."""
        if self.changes is None or len(self.models) != models:
            return None
        parent = self.models[0]
        if {*parent.heads} != {*heads}:
            return None
        same = [heads[m].heads[0].taught == head.taught for m, head in parent.heads.items()]
        columns = (self.changes == 0) & np.logical_and.reduce(same)
        return columns if columns.any() else None

    def folds_by_group(self, samples: Samples) -> dict[str, int]:
        """The fold of each patient group that it has seen: all cases of a patient are in one."""
        known: dict[str, int] = {}
        for key, group in zip(samples.keys.tolist(), samples.groups.tolist(), strict=True):
            if key in self.fold_of:
                known.setdefault(group, self.fold_of[key])
        return known


@dataclass(frozen=True)
class Fitted:
    """``models`` are that of all rows and those of the folds; ``folds`` (n,) those of the samples;
    ``materials`` what the first model's fusion was fitted on, by modalities, and ``lesson`` its
    exclusive groups; ``held_out`` the fold models' opinions (None without twins); ``losses`` the
    heads' (training, held-out) loss at each iteration."""

    models: tuple[Model, ...]
    folds: NDArray[np.int8]
    materials: Mapping[Subset, Material]
    lesson: GroupLesson
    held_out: Opinions | None
    spreads: dict[str, float]
    losses: tuple[tuple[float, float | None], ...]


def fit(
    samples: Samples, recipe: Recipe, *, ancestor: Ancestor | None = None,
    shelves: Mapping[str, Shelf] | None = None,
) -> Generator[Step, None, Fitted]:
    """Fit ``samples`` (audit rows must not be among them). ``shelves`` by modality keep what the
    next round may use again."""
    fusion = fusion_named(recipe.fusion)
    folds = grouping.assign(
        samples.groups.tolist(), samples.targets, folds=recipe.folds, seed=recipe.seed,
        known={} if ancestor is None else ancestor.folds_by_group(samples),
    )
    yield Step("training.phase.fitting", 0.0)
    heads, losses = yield from fit_heads(samples, recipe, folds, ancestor, shelves or {})
    second = _second_stages(samples, heads, folds, fusion, recipe, ancestor)
    models, materials, lesson = yield from second
    held_out = unseen_by(samples, models, heads, folds) if recipe.twins else None
    return Fitted(
        models=tuple(models),
        folds=folds,
        materials=materials,
        lesson=lesson,
        held_out=held_out,
        spreads={m: fitted.spread for m, fitted in heads.items()},
        losses=tuple(losses),
    )


def lesson_of(samples: Samples, modality: str, folds: NDArray[np.int8]) -> Lesson:
    """What ``modality``'s head learns from: labels, and beliefs where there is none."""
    targets, weights = samples.with_beliefs(modality)
    digest = samples.contents.get(modality)
    return Lesson(
        features=samples.features[modality],
        present=samples.present[modality],
        targets=targets,
        weights=weights,
        folds=folds,
        fold_count=int(folds.max()) + 1,
        blocks=samples.blocks.get(modality, ()),
        marked=modality in samples.marked,
        weighing=samples.weighing.get(modality, ()),
        soft=samples.doubting(modality),
        replayed=samples.replayed,
        contents=None if digest is None else Contents(digest, samples.present[modality]),
    )


def fit_heads(
    samples: Samples, recipe: Recipe, folds: NDArray[np.int8], ancestor: Ancestor | None,
    shelves: Mapping[str, Shelf], *, renewing: bool = False,
) -> Generator[Step, None, tuple[dict[str, HeadFit], list[tuple[float, float | None]]]]:
    """All heads in step with each other, so that one loss curve tells of all. With ``renewing``
    fold twins stay as the ``ancestor``'s are."""
    working = {}
    for m in samples.modalities:
        shelf = shelves.get(m)
        working[m] = _fit_head(samples, recipe, folds, m, ancestor, shelf, renewing=renewing)
    latest: dict[str, Trace] = {}
    done: dict[str, HeadFit] = {}
    losses: list[tuple[float, float | None]] = []
    while working:
        for m in list(working):
            try:
                while (trace := next(working[m])).loss is None:
                    yield Step("training.phase.fitting", _share(len(losses)))
                latest[m] = trace
            except StopIteration as finished:
                done[m] = finished.value
                del working[m]
        if working and latest:
            step = mean_trace(len(losses), list(latest.values()))
            losses.append((step.loss or 0.0, step.held_out_loss))
            yield Step("training.phase.fitting", _share(len(losses)), step)
    return {m: done[m] for m in samples.modalities}, losses


def _fit_head(
    samples: Samples, recipe: Recipe, folds: NDArray[np.int8], modality: str,
    ancestor: Ancestor | None, shelf: Shelf | None, *, renewing: bool,
) -> Generator[Trace, None, HeadFit]:
    """One modality's head on the parts of its features that the plan leaves."""
    start = None
    if ancestor is not None and len(ancestor.models) == int(folds.max()) + 2:
        known = [model.heads[modality] for model in ancestor.models if modality in model.heads]
        start = known or None  # a parent from before the project had this modality
    spread = None if recipe.spreads is None else recipe.spreads.get(modality)
    lesson = lesson_of(samples, modality, folds)
    columns = columns_of(samples.pieces.get(modality, ()), modality, recipe.plan)
    if columns is not None:
        lesson = narrowed(lesson, columns)
        start = None if start is None else [narrowed_head(head, columns) for head in start]
    found = yield from fit_head(
        lesson, seed=recipe.seed, spread=spread, freedom=recipe.plan.freedom, start=start,
        changed=1.0 if ancestor is None else ancestor.changed, shelf=shelf, renewing=renewing,
    )
    return found if columns is None else widened(found, columns)


def _share(iterations: int) -> float:
    """How far the heads have come; how many iterations they need is not known beforehand."""
    return 0.8 * iterations / (iterations + 8.0)


def _second_stages(
    samples: Samples, heads: dict[str, HeadFit], folds: NDArray[np.int8], fusion: Fusion,
    recipe: Recipe, ancestor: Ancestor | None,
) -> Generator[Step, None, tuple[list[Model], dict[Subset, Material], GroupLesson]]:
    """Calibration, fusion and exclusive groups of all rows, then without each fold."""
    truths = {m: samples.truth(m) for m in samples.modalities}
    weights = {m: samples.teaching(m) for m in samples.modalities}
    inputs = Inputs(samples.features, weights, recipe.seed, samples.part_widths)
    families = families_of(recipe.families, samples.targets.shape[1])
    bench = _Bench(samples, heads, folds, families, inputs)
    count = int(folds.max()) + 1 if recipe.twins else 0
    columns = None if ancestor is None else ancestor.carries(heads, 1 + count)
    taught = np.logical_or.reduce([fitted.heads[0].taught for fitted in heads.values()])
    models: list[Model] = []
    first: dict[Subset, Material] = {}
    lessons: list[GroupLesson] = []
    for index in range(1 + count):
        inside = np.ones(len(samples), bool) if index == 0 else folds != index - 1
        # The twins only serve to measure.
        calibrating, weighing = (
            ("training.phase.calibrating", "training.phase.weighing")
            if index == 0
            else ("training.phase.measuring",) * 2
        )
        prior = _prior(samples.targets[inside])
        calibrations = {}
        for m in samples.modalities:
            logits, truth = heads[m].held_out[inside], truths[m][inside]
            calibrations[m] = calibrate(
                logits, truth, (~np.isnan(truth)).astype(np.float64),
                like=models[0].calibrations[m] if models else None,
            )
            if columns is not None and ancestor is not None:
                before = ancestor.models[index].calibrations[m]
                calibrations[m] = carried_calibration(calibrations[m], before, columns)
            yield Step(calibrating, 0.8 + 0.2 * index / (1 + count))
        materials = bench.materials(calibrations, np.nan_to_num(prior), inside)
        first = first or materials
        weighed = Step(weighing, 0.8 + 0.2 * (index + 0.5) / (1 + count))
        working = fit_each(fusion, materials, weight=recipe.weight)
        fitted = yield from relay(working, lambda _, step=weighed: step)
        if columns is not None and ancestor is not None:
            fitted = carried_fusion(fitted, ancestor.models[index].fusion, columns, taught)
        model = Model(
            modalities=samples.modalities,
            heads={m: heads[m].heads[index] for m in samples.modalities},
            calibrations=calibrations,
            prior=prior,
            fusion=fitted,
        )
        lessons.append(bench.lesson(model, inside, recipe.groups))
        models.append(with_groups(model, lessons[-1]))
    return models, first, lessons[0]


def with_groups(model: Model, lesson: GroupLesson) -> Model:
    """The model with heads for its exclusive groups (those that it has are fitted anew).

    A fusion that is no weighted sum looks at the features that it was fitted on: what it says of
    these cases is not held out, and its groups' scales stay where they begin.
    """
    alone = replace(model, groups=())
    fused = model.fusion.additive
    return replace(
        model, groups=lesson.learn(lambda logits: alone.fuse(logits, {}).fused.logits, fused=fused)
    )


@dataclass(frozen=True)
class _Bench:
    """What the materials of every fusion of a round are made from."""

    samples: Samples
    heads: dict[str, HeadFit]
    folds: NDArray[np.int8]
    families: NDArray[np.intp]
    inputs: Inputs

    def materials(
        self, calibrations: dict[str, Calibration], prior: Floats, inside: NDArray[np.bool_]
    ) -> dict[Subset, Material]:
        """All modalities' material, and that of each smaller set with enough labelled cases among
        the rows ``inside``."""
        samples = self.samples
        _, groups = np.unique(samples.groups, return_inverse=True)
        found = {}
        for names in subsets(samples.modalities):
            chosen = inside & samples.having(names)
            truth = samples.judged_by(names)[chosen]
            labelled = int((~np.isnan(truth)).any(axis=1).sum())
            if names == samples.modalities or labelled >= _LEAST_CASES:
                found[names] = Material(
                    modalities=names,
                    evidence=_evidence(self.heads, calibrations, prior, names, chosen),
                    truth=truth,
                    prior=prior,
                    folds=self.folds[chosen],
                    taught={m: self.heads[m].heads[0].taught for m in names},
                    groups=groups[chosen],
                    families=self.families,
                    rows=np.flatnonzero(chosen),
                    inputs=self.inputs,
                )
        return found

    def lesson(
        self, model: Model, inside: NDArray[np.bool_], groups: tuple[Group, ...]
    ) -> GroupLesson:
        """What the heads of exclusive groups learn from the rows ``inside``."""
        samples = self.samples
        logits = {}
        for m in samples.modalities if groups else ():
            values = model.calibrated(m, np.nan_to_num(self.heads[m].held_out[inside]))
            logits[m] = np.where(samples.present[m][inside, None], values, np.nan)
        truths = {
            names: samples.judged_by(names)[inside]
            for names in (sets_of(samples.modalities) if groups else ())
        }
        return GroupLesson(groups, logits, truths, samples.targets[inside].astype(np.float64))


def _prior(targets: NDArray[np.float32]) -> Floats:
    """(findings,) log-odds of presence, half a label added to either side; NaN unlabelled."""
    present = (targets == 1).sum(axis=0)
    absent = (targets == 0).sum(axis=0)
    odds = np.log((present + 0.5) / (absent + 0.5))
    return np.where(present + absent > 0, odds, np.nan)


def _evidence(
    heads: dict[str, HeadFit], calibrations: dict[str, Calibration], prior: Floats, names: Subset,
    rows: NDArray[np.bool_],
) -> dict[str, Floats]:
    """How far each modality's held-out opinion on ``rows`` moves the belief; 0 without a head."""
    return {
        m: np.nan_to_num(calibrations[m].apply(heads[m].held_out[rows]) - prior) for m in names
    }


def unseen_by(
    samples: Samples, models: Sequence[Model], heads: dict[str, HeadFit], folds: NDArray[np.int8]
) -> Opinions:
    """Each row's opinions by the model (all rows first, then folds) of its own fold."""
    parts: list[tuple[NDArray[np.intp], Opinions]] = []
    for fold in range(len(models) - 1):
        rows = np.flatnonzero(folds == fold)
        model = models[1 + fold]
        logits = {}
        for m, fitted in heads.items():
            values = model.calibrated(m, np.nan_to_num(fitted.held_out[rows]))
            logits[m] = np.where(samples.present[m][rows, None], values, np.nan)
        features = {}
        if not model.fusion.additive:
            features = {name: values[rows] for name, values in samples.features.items()}
        parts.append((rows, model.fuse(logits, features)))
    return joined(parts, len(folds))


def joined(parts: list[tuple[NDArray[np.intp], Opinions]], n: int) -> Opinions:
    """The opinions on ``n`` rows from those on parts of them, each with its rows."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")

    def join(arrays: list[NDArray]) -> NDArray:
        return np.concatenate(arrays)[order]

    first = parts[0][1]
    fused = type(first.fused)(
        logits=join([o.fused.logits for _, o in parts]),
        units={m: join([o.fused.units[m] for _, o in parts]) for m in first.fused.units},
        shares={m: join([o.fused.shares[m] for _, o in parts]) for m in first.fused.shares},
        prior=join([o.fused.prior for _, o in parts]),
        weights=join([o.fused.weights for _, o in parts]),
        complete=join([o.fused.complete for _, o in parts]),
    )
    own = {m: join([o.logits[m] for _, o in parts]) for m in first.logits}
    return Opinions(fused, own, first.groups)
