"""The single-modality heads: one regularised logistic regression a finding on frozen features.

A head is fitted on all rows that its labels may teach, and once more for each fold without that
fold's patient groups, all in the same solve (``solver``). What the fold heads say of the rows they
have not seen is the material of calibration, fusion and measurement.

The strength of the L2 penalty is said as the spread (variance) that a logit has before any label
is seen: ``alpha = width / spread`` on standardised features, which does not depend on their number.

Features that an encoder takes from different places (the middle of a network and its end) are
*blocks*: each gets a logistic regression of its own, and the head is their mean, weighed by share.
That is one head still, linear in all features. Against one regression on all image features
together, two blocks (last layer, middle) gave +.012 / +.008 / +.001 / +.005 AUROC on the real pairs
(diagnoses, severity by zones, outcomes, ultrasound; nested patient-grouped folds, 10 seeds or more
here and below): .706 / .768 / .816 / .796. Damping the last layer (``card.Weighing``) made that
.715 / .769 / .817 / .791; three blocks besides, stages 2-3 apart from 4-5, with equal shares
.716 / .770 / .809 / .803, with shares .45, .15, .40 .715 / .770 / .816 / .799. The middle damped as
well: -.003 to -.006 on ultrasound; a block for each stage: -.02 on outcomes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import pooled_slope
from mmreview.ml.encoders.card import Weighing
from mmreview.ml.metrics import element_log_loss
from mmreview.ml.prepared import Contents, Layout, Part, Prepared, Shelf
from mmreview.ml.solver import Columns, Design, Solution, Trace, mean_trace, solve
from mmreview.ml.standards import Standard
from mmreview.ml.surrogate import left_out

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

#: Spreads that are tried, per modality.
SPREADS = (0.1, 0.3, 1.0, 3.0, 10.0)
#: A finding with fewer labels of either kind gets its prior instead of a head.
LEAST = 3
#: An uncertain label draws a head this far from even odds to the finding's usual ones.
_TO_USUAL = np.float32(0.5)
#: From so many rows on a warm start ends when it promises a fall by ten times the usual share. On
#: 9,000 cases (25 corrections) no finding's AUROC moved by more than .0006 by that, the mean by
#: less than .0001, in half of the time.
_MANY, _NEARLY = 2000, 3e-4
#: Where the parent has learned all but this share of the labels it ends after so many rows × steps
#: at the latest (a step is two products with all features), and no more than so many steps: the
#: next round goes on from where this one ends. Eight rounds of 25 wrong corrections each over 9,200
#: synthetic cases, from a parent that was fitted to the end, against a fit to the end (report's
#: head; AUROC in the mean over findings, at most, held-out log-loss): 8 steps a round -.0002, .002,
#: -.0000; 4 steps -.0003, .006, -.0001; 3 steps -.0003, .006, -.0002; 2 steps -.0002, .006, -.0005;
#: one -.0001, .008, -.0010. It took 1.9, 1.2, 1.0, .75 and .6 s a round.
_FEW, _PASSES, _STEPS = 0.05, 24_000, 8
#: Rows × steps of a warm start where more is new: to its end on 10,000 cases (19 steps), for about
#: a minute on 100,000, where the end is two minutes away.
_LONG = 1_500_000
#: The share of its objective by which a step must promise a fall to be taken; steps at most.
_ENOUGH, _MOST_STEPS = 3e-5, 80
#: How strongly heads that leave cases out are drawn to the parent's (L2-SP, Li 2018), in units of
#: the strength of their regularisation (``replay``).
PULL = np.float32(1.0)
#: Rows that a twin is asked about at once.
_BLOCK = 512
_SEARCH_ROWS = 1500
_SEARCH_FINDINGS = 8
_SEARCH_FOLDS = 3


@dataclass(frozen=True)
class Head:
    """(width, findings) weights and (findings,) biases on raw features; ``taught`` says which
    findings have a head of their own (the others' logits are zero)."""

    weights: Array
    bias: NDArray[np.float64]
    taught: NDArray[np.bool_]

    def logits(self, features: Array) -> NDArray[np.float64]:
        """(n, findings) raw logits."""
        return (features @ self.weights).astype(np.float64) + self.bias


@dataclass(frozen=True)
class HeadFit:
    """The head of all rows first, then one of each fold; ``held_out`` are (n, findings) logits of
    each row by the head that has not seen it, NaN where there is none."""

    heads: tuple[Head, ...]
    held_out: NDArray[np.float64]
    spread: float


@dataclass(frozen=True)
class Lesson:
    """What one head learns from: (n, width) features with ``present`` rows, (n, findings) targets
    and teaching weights, (n,) folds. ``blocks`` are the widths of the features' blocks, in order;
    none is one block. ``weighing`` says how each is weighed; none is all alike. ``marked`` features
    are values and then marks that each is there. ``soft`` are (n, findings) weights of labels that
    are uncertain, 0 elsewhere: there a fit is drawn halfway between the finding's usual log-odds
    and even ones, and nothing else counts them. ``replayed`` are (n, findings) factors on the
    weights, 0 where a label is left out of a fit that has a parent's to start from (``replay``).
    ``contents`` tell what the features are (``prepared``)."""

    features: Array
    present: NDArray[np.bool_]
    targets: Array
    weights: Array
    folds: NDArray[np.int8]
    fold_count: int
    blocks: tuple[int, ...] = ()
    marked: bool = False
    weighing: tuple[Weighing, ...] = ()
    soft: Array | None = None
    replayed: Array | None = None
    contents: Contents | None = None

    @property
    def slices(self) -> list[slice]:
        """Where each block is."""
        widths = self.blocks or (self.features.shape[1],)
        ends = np.cumsum(widths).tolist()
        return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]

    def layout(self, *, seed: int) -> Layout:
        """How its features are made ready to solve on."""
        weighing = self.weighing or (Weighing(),) * len(self.slices)
        parts = [Part(place, each) for place, each in zip(self.slices, weighing, strict=True)]
        return Layout(tuple(parts), self.marked, seed)


def fit_head(
    lesson: Lesson,
    *,
    seed: int,
    spread: float | None = None,
    freedom: float = 1.0,
    start: Sequence[Head] | None = None,
    changed: float = 1.0,
    shelf: Shelf | None = None,
    renewing: bool = False,
) -> Generator[Trace, None, HeadFit]:
    """Fit the head of one modality and its fold twins. ``spread`` None searches it;
    what is found is multiplied by ``freedom``. ``start`` are the parent's heads (all rows first,
    then folds), fitted without the same folds' groups, on all labels but the share that has
    ``changed``; ``shelf`` may hold what the round before prepared. With ``renewing`` the twins stay
    as the parent's are (``renewal``), unless another set of findings can be learned."""
    soft = np.zeros_like(lesson.weights) if lesson.soft is None else lesson.soft
    rows = np.flatnonzero(lesson.present & (lesson.weights + soft > 0).any(axis=1))
    whole = rows
    if lesson.replayed is not None and start is not None:
        rows = rows[lesson.replayed[rows].any(axis=1)]
    width, findings = lesson.features.shape[1], lesson.targets.shape[1]
    held_out = np.full((len(lesson.features), findings), np.nan)
    weights = lesson.weights[rows]
    targets = np.nan_to_num(lesson.targets[rows]) * (weights > 0)
    taught = _taught(targets, weights)
    if not taught.any():
        empty = Head(np.zeros((width, findings), np.float32), np.zeros(findings), taught)
        return HeadFit((empty,) * (1 + lesson.fold_count), held_out, spread or 0.0)
    folds = lesson.folds[rows]
    layout = lesson.layout(seed=seed)
    ready = yield from _ready(lesson, rows, layout, shelf)
    targets, weights, soft = targets[:, taught], weights[:, taught], soft[rows][:, taught]
    if spread is None:
        found = yield from _search(ready, targets, weights, folds, layout.shares, seed)
        spread = found * freedom
    start, twins = _apart(start, lesson.fold_count, taught, renewing)
    fitted = replace(lesson, fold_count=0 if twins else lesson.fold_count)
    columns = _columns(targets, weights, soft, folds, fitted.fold_count)
    warm = None if start is None else _warm(start, ready.standard, taught, layout)
    terms = None
    if warm is not None and lesson.replayed is not None:
        factors = _factors(lesson.replayed[rows][:, taught], soft)
        scaled = columns.weights * np.tile(factors, (1, 1 + fitted.fold_count))
        every = _columns_of(fitted, whole, taught)
        columns = replace(columns, weights=scaled, prior=every.prior)
        terms = yield from _left_out(fitted, whole, taught, every, ready.standard, layout, warm)
    tolerance, limit = _end(len(rows), changed if warm is not None else None)
    parts = yield from _solve_blocks(
        ready.designs, columns, spread, start=warm, tolerance=tolerance, limit=limit, terms=terms,
    )
    solution = _mean_of(parts, layout.shares)
    heads = (*_heads(solution, ready.standard, taught), *twins)
    if twins:
        unseen = yield from _by_twins(ready, twins, folds, taught, layout)
    else:
        unseen = _unseen(solution, folds, int(taught.sum()))
    held_out[np.ix_(rows, np.flatnonzero(taught))] = unseen
    yield from _unlabelled(lesson, rows, heads, held_out)
    return HeadFit(heads, held_out, spread)


def _apart(
    start: Sequence[Head] | None, fold_count: int, taught: NDArray[np.bool_], renewing: bool
) -> tuple[Sequence[Head] | None, Sequence[Head]]:
    """The heads to start from, and the twins that stay as they are."""
    if start is None or len(start) != 1 + fold_count:
        return None, ()
    if renewing and np.array_equal(start[0].taught, taught):
        return start[:1], start[1:]
    return start, ()


def _ready(
    lesson: Lesson, rows: NDArray[np.intp], layout: Layout, shelf: Shelf | None
) -> Generator[Trace, None, Prepared]:
    """The features of ``rows``, ready to solve on."""
    shelf = shelf or Shelf()
    return (
        yield from shelf.prepare(lesson.features, rows, layout, contents=lesson.contents)
    )


def _by_twins(
    ready: Prepared, twins: Sequence[Head], folds: NDArray[np.int8], taught: NDArray[np.bool_],
    layout: Layout,
) -> Generator[Trace, None, NDArray[np.float64]]:
    """(rows, taught) logits of each row by the twin of its own fold."""
    said = np.empty((len(folds), int(taught.sum())))
    for fold, twin in enumerate(twins):
        weights, bias = ready.standard.standard(twin.weights[:, taught], twin.bias[taught])
        inside = np.flatnonzero(folds == fold)
        for begin in range(0, len(inside), _BLOCK):
            rows = inside[begin : begin + _BLOCK]
            margins = np.broadcast_to(bias, (len(rows), len(bias))).copy()
            for block, place in zip(ready.blocks, layout.places, strict=True):
                margins += block[rows] @ weights[place]
            said[rows] = margins
            yield Trace(0)
    return said


def _end(rows: int, changed: float | None) -> tuple[float, int]:
    """When a fit ends (see ``_FEW``); ``changed`` None is one without a parent's to start from."""
    if changed is None or rows < _MANY:
        return _ENOUGH, _MOST_STEPS
    if changed > _FEW:
        return _NEARLY, int(np.clip(_LONG // rows, 2 * _STEPS, _MOST_STEPS))
    return _NEARLY, int(np.clip(_PASSES // rows, 1, _STEPS))


def _drawn(columns: Columns, term: tuple[Array, Array], start: Array) -> Columns:
    """The problems with a linear term, drawn to ``start`` beside: s/2 |w|² - term · w +
    PULL · s/2 |w - start|² is, but for a constant, a square around another centre."""
    slope, shift = term
    centre = (PULL * start + slope / columns.strengths) / np.float32(1 + PULL)
    return replace(
        columns, strengths=columns.strengths * np.float32(1 + PULL), centre=centre,
        prior=columns.prior + shift,
    )


def _left_out(
    lesson: Lesson, rows: NDArray[np.intp], taught: NDArray[np.bool_], columns: Columns,
    standard: Standard, layout: Layout, start: Sequence[tuple[Array, Array]],
) -> Generator[Trace, None, list[tuple[Array, Array]]]:
    """What the cases say that are left out of a fit, block by block (``surrogate``)."""
    assert lesson.replayed is not None
    none = np.zeros((len(rows), int(taught.sum())), np.float32)
    soft = none if lesson.soft is None else lesson.soft[rows][:, taught]
    factors = _factors(lesson.replayed[rows][:, taught], soft)
    excess = np.tile(factors - 1, (1, 1 + lesson.fold_count))
    return (
        yield from left_out(
            lesson.features, rows, standard, layout.places, columns, excess, start
        )
    )


def _columns_of(lesson: Lesson, rows: NDArray[np.intp], taught: NDArray[np.bool_]) -> Columns:
    """The problems on all cases, with those that a fit leaves out."""
    weights = lesson.weights[rows][:, taught]
    soft = np.zeros_like(weights) if lesson.soft is None else lesson.soft[rows][:, taught]
    targets = np.nan_to_num(lesson.targets[rows])[:, taught] * (weights > 0)
    return _columns(targets, weights, soft, lesson.folds[rows], lesson.fold_count)


def _factors(replayed: Array, soft: Array) -> Array:
    """The factors, with those of uncertain labels: 1 where the case is not left out."""
    kept = replayed.any(axis=1)[:, None]
    return np.where(soft > 0, kept.astype(np.float32), replayed)


def _warm(
    start: Sequence[Head], standard: Standard, taught: NDArray[np.bool_], layout: Layout
) -> list[tuple[Array, Array]]:
    """Where each block's solve begins: the heads' own blocks. The mean of blocks has each one's
    share in it; the intercepts are not known apart."""
    together = np.hstack([head.weights[:, taught] for head in start])
    weights, bias = standard.standard(together, np.hstack([h.bias[taught] for h in start]))
    return [
        (weights[place] / np.float32(share), bias)
        for place, share in zip(layout.places, layout.shares, strict=True)
    ]


def _taught(targets: Array, weights: Array) -> NDArray[np.bool_]:
    known = weights > 0
    present = (known & (targets > 0.5)).sum(axis=0)
    return (present >= LEAST) & (known.sum(axis=0) - present >= LEAST)


def _solve_blocks(
    designs: Sequence[Design],
    columns: Columns,
    spread: float,
    *,
    start: Sequence[tuple[Array, Array]] | None = None,
    tolerance: float = _ENOUGH,
    limit: int = _MOST_STEPS,
    terms: Sequence[tuple[Array, Array]] | None = None,
) -> Generator[Trace, None, list[Solution]]:
    """The solution on each block, all in step, so that the losses they tell are the blocks' mean.
    """
    working = {}
    for index, design in enumerate(designs):
        width = design.basis.shape[0]
        strengths = np.full(columns.targets.shape[1], width / spread, np.float32)
        own = replace(columns, strengths=strengths)
        if terms is not None and start is not None:
            own = _drawn(own, terms[index], start[index][0])
        working[index] = solve(
            design,
            own,
            start=start[index] if start is not None else None,
            tolerance=tolerance,
            limit=limit,
        )
    latest: dict[int, Trace] = {}
    done: dict[int, Solution] = {}
    iteration = 0
    while working:
        for index in list(working):
            try:
                while (trace := next(working[index])).loss is None:
                    yield Trace(iteration)
                latest[index] = trace
            except StopIteration as finished:
                done[index] = finished.value
                del working[index]
        if working:
            yield mean_trace(iteration, list(latest.values()))
            iteration += 1
    return [done[index] for index in range(len(designs))]


def _mean_of(parts: Sequence[Solution], shares: Floats) -> Solution:
    """The blocks' regressions as one on all features."""
    each = list(zip(parts, shares.astype(np.float32), strict=True))
    return Solution(
        weights=np.vstack([part.weights * share for part, share in each]),
        bias=np.sum([part.bias * share for part, share in each], axis=0),
        margins=np.sum([part.margins * share for part, share in each], axis=0),
        iterations=max(part.iterations for part in parts),
    )


def _columns(
    targets: Array, weights: Array, soft: Array, folds: NDArray[np.int8], fold_count: int
) -> Columns:
    """All rows first, then without each of ``fold_count`` folds. The blocks' widths make the
    strengths. Uncertain labels train only: the intercept's prior and the held-out loss don't know
    them."""
    parts, drawn, outside = [weights], [soft], [np.zeros_like(weights)]
    for fold in range(fold_count):
        inside = (folds == fold)[:, None]
        parts.append(np.where(inside, 0, weights))
        drawn.append(np.where(inside, 0, soft))
        outside.append(np.where(inside, weights, 0))
    stacked = np.hstack(parts)
    repeated = np.tile(targets, (1, 1 + fold_count))
    prior = _log_odds(repeated, stacked)
    if soft.any():
        stacked += np.hstack(drawn)
        between = 1 / (1 + np.exp(-_TO_USUAL * prior))
        repeated = np.where(np.tile(soft > 0, (1, 1 + fold_count)), between, repeated)
    return Columns(
        targets=repeated,
        weights=stacked,
        strengths=np.zeros(stacked.shape[1], np.float32),
        prior=prior,
        held_out=np.hstack(outside),
    )


def _log_odds(targets: Array, weights: Array) -> Array:
    present = (weights * targets).sum(axis=0) + 0.5
    absent = (weights * (1 - targets)).sum(axis=0) + 0.5
    return np.log(present / absent).astype(np.float32)


def _unseen(solution: Solution, folds: NDArray[np.int8], taught: int) -> NDArray[np.float64]:
    """(rows, taught) margins of each row in the columns of its own fold."""
    margins = solution.margins.reshape(len(folds), -1, taught)
    return margins[np.arange(len(folds)), 1 + folds.astype(int)].astype(np.float64)


def _unlabelled(
    lesson: Lesson, rows: NDArray[np.intp], heads: tuple[Head, ...], held_out: NDArray[np.float64]
) -> Generator[Trace, None, None]:
    """Fill ``held_out`` for rows that have the modality but taught this head nothing."""
    rest = lesson.present.copy()
    rest[rows] = False
    taught = heads[0].taught
    for fold in range(lesson.fold_count):
        chosen = np.flatnonzero(rest & (lesson.folds == fold))
        if len(chosen):
            logits = heads[1 + fold].logits(lesson.features[chosen])
            held_out[np.ix_(chosen, np.flatnonzero(taught))] = logits[:, taught]
            yield Trace(0)


def _heads(
    solution: Solution, standard: Standard, taught: NDArray[np.bool_]
) -> tuple[Head, ...]:
    heads = []
    each = int(taught.sum())
    for index in range(solution.weights.shape[1] // each):
        part = slice(index * each, (index + 1) * each)
        raw, offset = standard.raw(solution.weights[:, part], solution.bias[part])
        weights = np.zeros((len(raw), len(taught)), np.float32)
        bias = np.zeros(len(taught))
        weights[:, taught], bias[taught] = raw, offset
        heads.append(Head(weights, bias, taught))
    return tuple(heads)


def _search(
    ready: Prepared, targets: Array, weights: Array, folds: NDArray[np.int8], shares: Floats,
    seed: int,
) -> Generator[Trace, None, float]:
    """The spread whose held-out logits, at their best common temperature, have the least
    log-loss. Many rows are searched on a sample, three folds and the best labelled findings."""
    used, designs = np.unique(folds), list(ready.designs)
    if len(folds) > _SEARCH_ROWS:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(len(folds), _SEARCH_ROWS, replace=False))
        targets, weights, folds = (a[rows] for a in (targets, weights, folds))
        designs = []
        for block in ready.blocks:
            designs.append(Design.of(block[rows], seed=seed))
            yield Trace(0)
        used = used[:_SEARCH_FOLDS]
    known = weights > 0
    minority = np.minimum(
        (known & (targets > 0.5)).sum(axis=0), (known & (targets < 0.5)).sum(axis=0)
    )
    chosen = np.argsort(-minority, kind="stable")[:_SEARCH_FINDINGS]
    targets, weights = targets[:, chosen], weights[:, chosen]
    apart = np.hstack([np.where((folds == fold)[:, None], 0, weights) for fold in used])
    repeated = np.tile(targets, (1, len(used)))
    none = np.zeros(apart.shape[1], np.float32)
    columns = Columns(repeated, apart, none, _log_odds(repeated, apart))
    best, best_loss, start = SPREADS[0], np.inf, None
    for spread in SPREADS:
        solving = _solve_blocks(designs, columns, spread, start=start, tolerance=1e-3, limit=15)
        while True:
            try:
                next(solving)
            except StopIteration as done:
                parts: list[Solution] = done.value
                break
            yield Trace(0)
        start = [(part.weights, part.bias) for part in parts]
        loss = _held_out_loss(_mean_of(parts, shares), targets, weights, folds, used)
        if loss < best_loss:
            best, best_loss = spread, loss
    return best


def _held_out_loss(
    solution: Solution, targets: Array, weights: Array, folds: NDArray[np.int8],
    used: NDArray[np.int8],
) -> float:
    margins = solution.margins.reshape(len(folds), len(used), -1)
    logits, truth, known = [], [], []
    for position, fold in enumerate(used):
        rows = folds == fold
        logits.append(margins[rows, position])
        truth.append(targets[rows])
        known.append(weights[rows] > 0)
    z = np.concatenate(logits).astype(np.float64)
    y = np.concatenate(truth).astype(np.float64)
    seen = np.concatenate(known).astype(np.float64)
    probability = 1 / (1 + np.exp(-pooled_slope(z, y, seen) * z))
    return float((seen * element_log_loss(y, probability)).sum() / max(seen.sum(), 1.0))
