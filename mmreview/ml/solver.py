"""The convex solver behind every head: many regularised logistic regressions on one design.

A *column* is one problem: a finding, on the rows of one cross-fit, under one strength. All columns
share the features, so one pass over them (two matrix products an iteration) serves all, and a
column's margins on the rows it does not train on come for free: they are its held-out opinions.

The method is L-BFGS (Nocedal 1980) for each column, with two changes that this problem allows:

* the first guess of the Hessian is not a scalar but ``kappa · XᵀX/n + alpha`` in the leading
  eigenvectors of the features (a Gram matrix of at most 512 rows finds them), because frozen
  encoders' features are strongly correlated;
* the line search costs no pass over the features: margins are linear in the step, so a few
  one-dimensional Newton steps on stored margins find the minimum along the direction.

With no more rows than ``_EXACT`` the features are rotated into their own row space first, which
is exact for L2-regularised models. Everything is plain numpy in float32: deterministic for a given
machine and thread count, and it releases the interpreter lock, so a window stays alive beside it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Up to this many rows the features are rotated into their row space.
_EXACT = 512
#: Leading eigenvectors that precondition larger problems.
_RANK = 96
_MEMORY = 8
_BLOCK = 2048
_LINE_STEPS = 3


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a solve stands. Losses are mean log-loss in nats over all columns' training rows and
    over ``held_out`` rows; ``None`` in the middle of an iteration (a chance to stop)."""

    iteration: int
    loss: float | None = None
    held_out_loss: float | None = None
    objective: float | None = None


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
            chosen = np.random.default_rng(seed).choice(n, _EXACT, replace=False)
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
    intercepts' prior log-odds, and optionally (n, c) weights of rows to report held-out loss on."""

    targets: Array
    weights: Array
    strengths: Array
    prior: Array
    held_out: Array | None = None


@dataclass(frozen=True)
class Solution:
    """(d, c) weights on features, (c,) intercepts, (n, c) margins of every row, iterations."""

    weights: Array
    bias: Array
    margins: Array
    iterations: int


@dataclass
class _State:
    """What changes while a solve runs; the last row of ``point`` is the intercept."""

    point: Array
    margins: Array
    gradient: Array
    steps: list[Array]
    changes: list[Array]


def solve(
    design: Design,
    columns: Columns,
    *,
    start: tuple[Array, Array] | None = None,
    tolerance: float = 1e-5,
    limit: int = 80,
) -> Generator[Trace, None, Solution]:
    """Minimise ``Σ weight · log-loss + strength/2 · ‖w‖²`` for each column.

    The intercept is not regularised apart from one pseudo-observation at the prior. ``start`` is
    (d, c) weights and (c,) intercepts to begin from. Ends when no column's objective falls by
    more than ``tolerance`` of itself in an iteration.
    """
    k, c = design.rows.shape[1], columns.targets.shape[1]
    point = np.zeros((k + 1, c), np.float32)
    point[-1] = columns.prior
    if start is not None:
        point[:-1], point[-1] = design.into(start[0]), start[1]
    margins = yield from _forward(design, point, 0)
    rate = _sigmoid(columns.prior)
    mass = columns.weights.sum(axis=0)
    curvature = np.maximum(mass * rate * (1 - rate), 1e-3).astype(np.float32)
    state = _State(point, margins, point, [], [])
    objective, residual = _objective(columns, state)
    state.gradient = yield from _backward(design, columns, state, residual, 0)
    yield _trace(columns, state, 0, objective)
    iteration, calm = 0, 0
    while iteration < limit and calm < 2:
        iteration += 1
        direction = _direction(design, columns, state, curvature)
        along = yield from _forward(design, direction, iteration)
        step = _line_search(columns, state, direction, along)
        moved = direction * step
        state.point = state.point + moved
        state.margins = state.margins + along * step
        previous = objective
        objective, residual = _objective(columns, state)
        gradient = yield from _backward(design, columns, state, residual, iteration)
        _remember(state, moved, gradient - state.gradient)
        state.gradient = gradient
        fall = (previous - objective) / np.maximum(np.abs(objective), 1e-9)
        calm = calm + 1 if float(fall.max()) < tolerance else 0
        yield _trace(columns, state, iteration, objective)
    weights = np.ascontiguousarray(design.out_of(state.point[:-1]))
    return Solution(weights, state.point[-1].copy(), state.margins, iteration)


def _forward(design: Design, point: Array, iteration: int) -> Generator[Trace, None, Array]:
    """(n, c) margins, a block of rows at a time so that a caller can stop between."""
    n = len(design.rows)
    margins = np.empty((n, point.shape[1]), np.float32)
    for begin in range(0, n, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        np.matmul(design.rows[block], point[:-1], out=margins[block])
        margins[block] += point[-1]
        if begin + _BLOCK < n:
            yield Trace(iteration)
    return margins


def _backward(
    design: Design, columns: Columns, state: _State, residual: Array, iteration: int
) -> Generator[Trace, None, Array]:
    """The (k + 1, c) gradient at ``state.point``, a block of rows at a time."""
    gradient = np.empty_like(state.point)
    np.multiply(columns.strengths, state.point[:-1], out=gradient[:-1])
    gradient[-1] = residual.sum(axis=0) + state.point[-1] - columns.prior
    n = len(design.rows)
    for begin in range(0, n, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        gradient[:-1] += design.rows[block].T @ residual[block]
        if begin + _BLOCK < n:
            yield Trace(iteration)
    return gradient


def _sigmoid(margins: Array) -> Array:
    return 0.5 * np.tanh(0.5 * margins) + 0.5


def log_loss(margins: Array, targets: Array) -> Array:
    """Element-wise log-loss in nats of logits against targets of 0 to 1."""
    return np.logaddexp(0, margins) - targets * margins


def _objective(columns: Columns, state: _State) -> tuple[Array, Array]:
    """Each column's objective, and the (n, c) weighted residuals."""
    loss = (columns.weights * log_loss(state.margins, columns.targets)).sum(axis=0)
    loss += 0.5 * columns.strengths * np.square(state.point[:-1]).sum(axis=0)
    loss += 0.5 * np.square(state.point[-1] - columns.prior)
    return loss, columns.weights * (_sigmoid(state.margins) - columns.targets)


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


def _line_search(columns: Columns, state: _State, direction: Array, along: Array) -> Array:
    """(c,) step lengths: Newton on each column's one-dimensional problem, never uphill."""
    weights, strengths = columns.weights, columns.strengths
    size = np.square(direction[:-1]).sum(axis=0) * strengths + np.square(direction[-1])
    slope_at_0 = (direction[:-1] * state.point[:-1]).sum(axis=0) * strengths
    slope_at_0 += direction[-1] * (state.point[-1] - columns.prior)
    step = np.ones(direction.shape[1], np.float32)
    for _ in range(_LINE_STEPS):
        rate = _sigmoid(state.margins + along * step)
        weighted = weights * along
        slope = (weighted * (rate - columns.targets)).sum(axis=0) + slope_at_0 + step * size
        bend = (weighted * along * rate * (1 - rate)).sum(axis=0) + size
        step = np.clip(step - slope / np.maximum(bend, 1e-12), 0.05 * step, 4 * step)
    return step


def _remember(state: _State, step: Array, change: Array) -> None:
    state.steps.append(step)
    state.changes.append(change)
    del state.steps[:-_MEMORY], state.changes[:-_MEMORY]


def _trace(columns: Columns, state: _State, iteration: int, objective: Array) -> Trace:
    losses = log_loss(state.margins, columns.targets)
    mass = float(columns.weights.sum())
    loss = float((columns.weights * losses).sum(dtype=np.float64)) / max(mass, 1e-9)
    held_out = None
    if columns.held_out is not None:
        held_out = float((columns.held_out * losses).sum(dtype=np.float64))
        held_out /= max(float(columns.held_out.sum()), 1e-9)
    return Trace(iteration, loss, held_out, float(objective.sum(dtype=np.float64)))
