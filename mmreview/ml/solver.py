"""The convex solver behind every head: many regularised logistic regressions on one design.

A *column* is one problem: a finding, on the rows of one cross-fit, under one strength. All columns
share the features, so one pass over them (two matrix products an iteration) serves all, and a
column's margins on the rows it does not train on come for free: they are its held-out opinions.

The method is L-BFGS (Nocedal 1980) for each column, with two changes that this problem allows:

* the first guess of the Hessian is not a scalar but ``kappa · XᵀX/n + alpha`` in the leading
  eigenvectors of the features (the Gram matrix of a few hundred rows finds them), because frozen
  encoders' features are strongly correlated;
* the line search costs no pass over the features: margins are linear in the step, so two
  one-dimensional Newton steps on stored margins find the minimum along the direction.

A column that has arrived is left where it is, and those that still move are gathered once they are
few enough: a warm start after some corrections mostly solves the findings that were corrected.

With no more rows than ``_EXACT`` the features are rotated into their own row space first, which
is exact for L2-regularised models. Everything is plain numpy in float32: deterministic for a given
machine and thread count, and it releases the interpreter lock, so a window stays alive beside it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Up to this many rows the features are rotated into their row space.
_EXACT = 640
#: Leading eigenvectors that precondition larger problems.
_RANK = 320
#: Rows that they are found on.
_SAMPLE = 640
_MEMORY = 8
#: A column has arrived when its next step promises less than this share of the tolerance, and those
#: that have not are gathered when they are no more than this share of the columns.
_ARRIVED, _GATHER = 1 / 3, 0.75
#: Newton steps for the intercepts of a warm start at most, and the step that is small enough.
_SETTLING, _SETTLED = 4, 1e-3
#: Rows that are worked on at once: short enough to stop between, and to stay in the cache.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a solve stands. Losses are mean log-loss in nats over all columns' training rows and
    over ``held_out`` rows; ``None`` in the middle of an iteration (a chance to stop)."""

    iteration: int
    loss: float | None = None
    held_out_loss: float | None = None
    objective: float | None = None


def mean_trace(iteration: int, traces: Sequence[Trace]) -> Trace:
    """One trace for several solves that run in step."""
    loss = float(np.mean([t.loss for t in traces if t.loss is not None]))
    outside = [t.held_out_loss for t in traces if t.held_out_loss is not None]
    return Trace(iteration, loss, float(np.mean(outside)) if outside else None)


@dataclass(frozen=True)
class Design:
    """Standardised features ready to solve on.

    ``rows`` is (n, k): the features, or their coordinates in ``basis``. ``basis`` is (d, r) with
    orthonormal columns and ``spectrum`` (r,) the variance along each; ``rest`` is the variance of
    what lies outside. ``rotated`` says that ``rows`` are coordinates.
    """

    rows: Array
    basis: Array
    spectrum: Array
    rest: float
    rotated: bool

    @classmethod
    def of(cls, features: Array, *, seed: int) -> Design:
        """Find the leading directions of (n, d) standardised ``features``."""
        n, d = features.shape
        exact = n <= _EXACT and n < d
        sample = features
        if n > _EXACT:
            chosen = np.random.default_rng(seed).choice(n, _SAMPLE, replace=False)
            sample = features[np.sort(chosen)]
        values, vectors = np.linalg.eigh((sample @ sample.T).astype(np.float64))
        keep = values > max(float(values[-1]), 1e-12) * 1e-6
        if not exact:
            keep[: -min(_RANK, len(values))] = False
        values, vectors = values[keep][::-1], vectors[:, keep][:, ::-1]
        basis = (sample.T @ (vectors / np.sqrt(values)).astype(np.float32)).astype(np.float32)
        spectrum = (values / len(sample)).astype(np.float32)
        total = float(np.square(sample, dtype=np.float32).sum(dtype=np.float64)) / len(sample)
        rest = max(total - float(spectrum.sum()), 0.0) / max(d - len(spectrum), 1)
        rows = np.ascontiguousarray(features @ basis) if exact else features
        return cls(rows=rows, basis=basis, spectrum=spectrum, rest=rest, rotated=exact)

    def into(self, weights: Array) -> Array:
        """Weights on features as weights on ``rows``."""
        return self.basis.T @ weights if self.rotated else weights

    def out_of(self, weights: Array) -> Array:
        """Weights on ``rows`` as weights on features."""
        return self.basis @ weights if self.rotated else weights

    def precondition(self, gradient: Array, curvature: Array, strength: Array) -> Array:
        """The inverse of the approximate Hessian times ``gradient``; (k, c) like it."""
        inner = 1.0 / (self.spectrum[:, None] * curvature + strength)
        if self.rotated:
            return inner * gradient
        outer = 1.0 / (self.rest * curvature + strength)
        along = (inner - outer) * (self.basis.T @ gradient)
        return outer * gradient + self.basis @ along


@dataclass(frozen=True)
class Columns:
    """The problems of one solve: (n, c) targets and training weights, (c,) L2 strengths, (c,)
    intercepts' prior log-odds, and optionally (n, c) weights of rows to report held-out loss on,
    and (d, c) weights that a solution is drawn to instead of zero."""

    targets: Array
    weights: Array
    strengths: Array
    prior: Array
    held_out: Array | None = None
    centre: Array | None = None

    def away(self, weights: Array) -> Array:
        """How far weights are from what they are drawn to."""
        return weights if self.centre is None else weights - self.centre

    def take(self, chosen: NDArray[np.intp]) -> Columns:
        """Some of them."""
        outside = self.held_out
        return Columns(
            np.ascontiguousarray(self.targets[:, chosen]),
            np.ascontiguousarray(self.weights[:, chosen]),
            self.strengths[chosen],
            self.prior[chosen],
            None if outside is None else np.ascontiguousarray(outside[:, chosen]),
            None if self.centre is None else self.centre[:, chosen],
        )

    @cached_property
    def mass(self) -> float:
        """The sum of the training weights."""
        return float(self.weights.sum(dtype=np.float64))

    @cached_property
    def held_out_mass(self) -> float:
        """The sum of the held-out weights."""
        return 0.0 if self.held_out is None else float(self.held_out.sum(dtype=np.float64))


@dataclass(frozen=True)
class Solution:
    """(d, c) weights on features, (c,) intercepts, (n, c) margins of every row, iterations."""

    weights: Array
    bias: Array
    margins: Array
    iterations: int


@dataclass
class _State:
    """What changes while a solve runs. The last row of ``point`` and ``gradient`` is the
    intercept; ``rates`` (n, c) are the probabilities of ``margins``; sums are over rows."""

    point: Array
    margins: Array
    rates: Array
    gradient: Array
    objective: Array
    losses: NDArray[np.float64]
    outside: NDArray[np.float64]
    steps: list[Array]
    changes: list[Array]

    def take(self, chosen: NDArray[np.intp]) -> _State:
        """Some of the columns."""
        return _State(
            *(np.ascontiguousarray(a[:, chosen]) for a in (
                self.point, self.margins, self.rates, self.gradient
            )),
            *(a[chosen] for a in (self.objective, self.losses, self.outside)),
            [a[:, chosen] for a in self.steps],
            [a[:, chosen] for a in self.changes],
        )

    def put(self, places: NDArray[np.intp], part: _State) -> None:
        """Where these columns have come to."""
        if part is not self:
            self.point[:, places], self.margins[:, places] = part.point, part.margins
            self.tell(places, part)

    def tell(self, places: NDArray[np.intp], part: _State) -> None:
        """What is said of these columns."""
        self.objective[places], self.losses[places] = part.objective, part.losses
        self.outside[places] = part.outside


def solve(
    design: Design,
    columns: Columns,
    *,
    start: tuple[Array, Array] | None = None,
    tolerance: float = 3e-5,
    limit: int = 80,
) -> Generator[Trace, None, Solution]:
    """Minimise ``Σ weight · log-loss + strength/2 · ‖w‖²`` for each column.

    The intercept is not regularised apart from one pseudo-observation at the prior. ``start`` is
    (d, c) weights and (c,) intercepts to begin from. Ends when the next step promises no column a
    fall by ``tolerance`` of its objective.
    """
    k, (n, c) = design.rows.shape[1], columns.targets.shape
    point = np.zeros((k + 1, c), np.float32)
    point[-1] = columns.prior
    beyond = np.float32(0)  # of what it is drawn to: where no row of a rotated design reaches
    if columns.centre is not None:
        inside = design.into(columns.centre)
        beyond = columns.centre - design.out_of(inside)
        columns = replace(columns, centre=inside)
    if start is not None:
        point[:-1], point[-1] = design.into(start[0]), start[1]
    whole = yield from _begun(design, columns, point, warm=start is not None)
    # A warm start knows how sure its rows are already; a cold one knows the prior only.
    rates = whole.rates if start is not None else sigmoid(columns.prior)
    bend = np.einsum("nc,nc->c", columns.weights, np.broadcast_to(rates * (1 - rates), (n, c)))
    curvature = np.maximum(bend, 1e-3).astype(np.float32)
    iteration = 0
    yield _trace(columns, whole, iteration)
    state, moving, places = whole, columns, np.arange(c)  # those that are solved for, and which
    while iteration < limit:
        direction = _direction(design, moving, state, curvature[places])
        slope = np.einsum("kc,kc->c", direction, state.gradient)
        promised = -0.5 * slope / np.maximum(state.objective, 1e-9)
        if float(promised.max(initial=0.0)) < tolerance:
            break
        there = np.flatnonzero(promised >= _ARRIVED * tolerance)
        if len(there) <= _GATHER * len(places):
            whole.put(places, state)
            state, moving, places = state.take(there), moving.take(there), places[there]
            direction, slope = np.ascontiguousarray(direction[:, there]), slope[there]
        iteration += 1
        along = yield from _forward(design, direction, iteration)
        step = yield from _line_search(moving, state, direction, along, slope, iteration)
        before = state.gradient
        state.point = state.point + direction * step
        last = iteration == limit
        yield from _advance(design, moving, state, along * step, iteration, slopes=not last)
        if not last:
            state.steps.append(direction * step)
            state.changes.append(state.gradient - before)
            del state.steps[:-_MEMORY], state.changes[:-_MEMORY]
        if state is not whole:
            whole.tell(places, state)
        yield _trace(columns, whole, iteration)
    whole.put(places, state)
    weights = np.ascontiguousarray(design.out_of(whole.point[:-1]) + beyond)
    return Solution(weights, whole.point[-1].copy(), whole.margins, iteration)


def _begun(
    design: Design, columns: Columns, point: Array, *, warm: bool
) -> Generator[Trace, None, _State]:
    """The state at a first point. The intercepts of a warm one are settled first: of the blocks of
    a head only their sum is known."""
    n, c = columns.targets.shape
    empty, none = np.zeros((n, c), np.float32), np.zeros(c)
    state = _State(point, empty, np.empty_like(empty), point, columns.prior, none, none, [], [])
    moved = yield from _forward(design, point, 0)
    for _ in range(_SETTLING if warm else 0):
        shift = yield from intercept_step(columns, moved, point[-1])
        point[-1] += shift
        moved += shift
        if float(np.abs(shift).max(initial=0.0)) < _SETTLED:
            break
    yield from _advance(design, columns, state, moved, 0)
    return state


def intercept_step(
    columns: Columns, margins: Array, bias: Array
) -> Generator[Trace, None, Array]:
    """(c,): Newton's step of the intercepts alone."""
    gradient, bend = (bias - columns.prior).astype(np.float64), np.ones(len(bias))
    for block in _blocks(len(margins)):
        rates = sigmoid(margins[block])
        weights = columns.weights[block]
        gradient += np.einsum("nc,nc->c", weights, rates - columns.targets[block])
        rates *= 1 - rates
        bend += np.einsum("nc,nc->c", weights, rates)
        yield Trace(0)
    return np.clip(-gradient / bend, -1, 1).astype(np.float32)


def _blocks(n: int) -> Iterator[slice]:
    """Rows in blocks that fit a processor's cache; callers may stop between them."""
    for begin in range(0, n, _BLOCK):
        yield slice(begin, begin + _BLOCK)


def _forward(design: Design, point: Array, iteration: int) -> Generator[Trace, None, Array]:
    """(n, c) margins of a point (or of a direction)."""
    n = len(design.rows)
    margins = np.empty((n, point.shape[1]), np.float32)
    for block in _blocks(n):
        np.matmul(design.rows[block], point[:-1], out=margins[block])
        margins[block] += point[-1]
        yield Trace(iteration)
    return margins


def _advance(
    design: Design, columns: Columns, state: _State, moved: Array, iteration: int, *,
    slopes: bool = True,
) -> Generator[Trace, None, None]:
    """Move the margins and renew everything that follows from them in one pass over the rows; the
    gradient only if there is a step to come (``slopes``)."""
    gradient = np.empty_like(state.point)
    away = columns.away(state.point[:-1])
    np.multiply(columns.strengths, away, out=gradient[:-1])
    gradient[-1] = state.point[-1] - columns.prior
    loss, outside = np.zeros(state.point.shape[1]), np.zeros(state.point.shape[1])
    for block in _blocks(len(moved)):
        margins = state.margins[block]
        margins += moved[block]
        targets, weights = columns.targets[block], columns.weights[block]
        small = np.exp(-np.abs(margins))
        rates = np.where(margins >= 0, np.float32(1), small)
        rates /= 1 + small
        losses = np.log(1 + small)
        losses += np.maximum(margins, 0)
        losses -= targets * margins
        state.rates[block] = rates
        loss += np.einsum("nc,nc->c", weights, losses)
        if columns.held_out is not None:
            outside += np.einsum("nc,nc->c", columns.held_out[block], losses)
        if slopes:
            residual = rates - targets
            residual *= weights
            gradient[:-1] += design.rows[block].T @ residual
            gradient[-1] += residual.sum(axis=0)
        yield Trace(iteration)
    state.gradient = gradient
    state.losses, state.outside = loss, outside
    loss = loss + 0.5 * columns.strengths * np.square(away).sum(axis=0)
    state.objective = loss + 0.5 * np.square(state.point[-1] - columns.prior)


def _direction(design: Design, columns: Columns, state: _State, curvature: Array) -> Array:
    """The two-loop recursion, each column with its own inner products."""
    q = -state.gradient
    kept = []
    for step, change in zip(reversed(state.steps), reversed(state.changes), strict=True):
        product = np.einsum("kc,kc->c", step, change)
        inverse = np.where(product > 1e-10, 1.0 / np.maximum(product, 1e-10), 0).astype(np.float32)
        share = inverse * np.einsum("kc,kc->c", step, q)
        q -= share * change
        kept.append((step, change, inverse, share))
    result = np.empty_like(q)
    result[:-1] = design.precondition(q[:-1], curvature, columns.strengths)
    result[-1] = q[-1] / (curvature + 1.0)
    for step, change, inverse, share in reversed(kept):
        result += (share - inverse * np.einsum("kc,kc->c", change, result)) * step
    downhill = np.einsum("kc,kc->c", result, state.gradient) < 0
    if not downhill.all():
        result[:, ~downhill] = 0  # converged to rounding: stay
    return result


def _line_search(
    columns: Columns, state: _State, direction: Array, along: Array, slope: Array, iteration: int
) -> Generator[Trace, None, Array]:
    """(c,) step lengths: two Newton steps on each column's one-dimensional convex problem, the
    first of them with the rates that are known already."""
    size = np.square(direction[:-1]).sum(axis=0) * columns.strengths + np.square(direction[-1])
    pull = (direction[:-1] * columns.away(state.point[:-1])).sum(axis=0) * columns.strengths
    pull += direction[-1] * (state.point[-1] - columns.prior)
    bend = size.astype(np.float64)
    for block in _blocks(len(along)):
        rates = state.rates[block]
        part = rates * (1 - rates)
        part *= columns.weights[block]
        part *= along[block]
        bend += np.einsum("nc,nc->c", part, along[block])
        yield Trace(iteration)
    step = (-slope / np.maximum(bend, 1e-12)).astype(np.float32)
    slope, bend = pull + step * size, size.astype(np.float64)
    for block in _blocks(len(along)):
        rates = sigmoid(state.margins[block] + along[block] * step)
        weighted = columns.weights[block] * along[block]
        slope = slope + np.einsum("nc,nc->c", weighted, rates - columns.targets[block])
        rates *= 1 - rates
        weighted *= rates
        bend += np.einsum("nc,nc->c", weighted, along[block])
        yield Trace(iteration)
    better = step - slope / np.maximum(bend, 1e-12)
    return np.clip(better, 0.1 * step, 4 * step).astype(np.float32)


def sigmoid(margins: Array) -> Array:
    """The logistic function of float32 margins."""
    return np.float32(0.5) * np.tanh(np.float32(0.5) * margins) + np.float32(0.5)


def _trace(columns: Columns, state: _State, iteration: int) -> Trace:
    outside = None
    if columns.held_out is not None:
        outside = float(state.outside.sum()) / max(columns.held_out_mass, 1e-9)
    return Trace(
        iteration,
        float(state.losses.sum()) / max(columns.mass, 1e-9),
        outside,
        float(state.objective.sum(dtype=np.float64)),
    )
