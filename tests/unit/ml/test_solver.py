"""The head solver finds the optimum that scikit-learn finds, quickly, and warm starts are short."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmreview.ml.solver import Columns, Design, solve


def run(work):
    traces = []
    while True:
        try:
            traces.append(next(work))
        except StopIteration as done:
            return traces, done.value


def problem(n, d, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 12)).astype(np.float32) @ rng.standard_normal((12, d))
    x = (x + rng.standard_normal((n, d))).astype(np.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = (rng.random((n, 3)) < 1 / (1 + np.exp(-x[:, :3] * 2))).astype(np.float32)
    weights = (rng.random((n, 3)) < 0.8).astype(np.float32)
    return x, Columns(y * (weights > 0), weights, np.full(3, 20.0, np.float32), np.zeros(3, "f"))


@pytest.mark.parametrize(("n", "d"), [(150, 300), (700, 60)], ids=["rotated", "preconditioned"])
def test_it_finds_the_optimum_of_each_column(n, d):
    x, columns = problem(n, d)
    design = Design.of(x, seed=0)
    assert design.rotated is (n < d)
    _, found = run(solve(design, columns, tolerance=1e-7))
    for column in range(3):
        rows = columns.weights[:, column] > 0
        peer = LogisticRegression(C=1 / 20.0, tol=1e-8, max_iter=5000)
        peer.fit(x[rows], columns.targets[rows, column])
        mine = x @ found.weights[:, column] + found.bias[column]
        theirs = x @ peer.coef_[0] + peer.intercept_[0]
        # One pseudo-observation on the intercept is the only difference in the objectives.
        assert np.abs(mine - theirs).max() < 0.03
        assert found.margins[:, column] == pytest.approx(mine, abs=1e-3)


def test_it_yields_within_an_iteration_and_the_loss_falls():
    x, columns = problem(3000, 60)
    traces, _ = run(solve(Design.of(x, seed=0), columns))
    losses = [t.objective for t in traces if t.objective is not None]
    assert losses == sorted(losses, reverse=True)
    assert sum(t.objective is None for t in traces) > 4 * len(losses)


def test_held_out_rows_are_measured_but_do_not_teach():
    x, columns = problem(400, 30)
    inside = np.arange(400) < 100
    apart = Columns(
        columns.targets,
        columns.weights * ~inside[:, None],
        columns.strengths,
        columns.prior,
        held_out=columns.weights * inside[:, None],
    )
    traces, first = run(solve(Design.of(x, seed=0), apart))
    flipped = np.where(inside[:, None], 1 - apart.targets, apart.targets)
    other = Columns(flipped, apart.weights, apart.strengths, apart.prior, apart.held_out)
    _, second = run(solve(Design.of(x, seed=0), other))
    assert np.array_equal(first.weights, second.weights)
    held_out = [t.held_out_loss for t in traces if t.held_out_loss is not None]
    assert held_out[-1] < held_out[0]


def test_a_warm_start_takes_a_third_of_the_iterations_at_most():
    x, columns = problem(3000, 60)
    design = Design.of(x, seed=0)
    _, cold = run(solve(design, columns))
    targets = columns.targets.copy()
    targets[:8] = 1 - targets[:8]
    changed = Columns(targets, columns.weights, columns.strengths, columns.prior)
    _, again = run(solve(design, changed))
    _, warm = run(solve(design, changed, start=(cold.weights, cold.bias)))
    assert warm.iterations <= again.iterations / 3
    assert np.abs(warm.margins - again.margins).max() < 0.1


def test_columns_that_have_arrived_are_left_where_they_are():
    """A warm start after a correction of one finding: the others are solved already."""
    x, columns = problem(900, 40)
    design = Design.of(x, seed=0)
    _, first = run(solve(design, columns, tolerance=1e-7))
    targets = columns.targets.copy()
    targets[:9, 1] = 1 - targets[:9, 1]
    changed = Columns(targets, columns.weights, columns.strengths, columns.prior)
    start = (first.weights, first.bias)
    traces, warm = run(solve(design, changed, start=start))
    _, cold = run(solve(design, changed, tolerance=1e-7))
    for column in (0, 2):
        assert np.array_equal(warm.weights[:, column], first.weights[:, column])
    assert np.abs(warm.weights[:, 1] - first.weights[:, 1]).max() > 1e-3
    assert np.abs(warm.margins - cold.margins).max() < 0.05
    # The losses that are told are of all columns, whichever still move.
    rows = columns.weights > 0
    losses = np.log1p(np.exp(-np.where(targets > 0.5, 1, -1) * warm.margins.astype(float)))[rows]
    assert traces[-1].loss == pytest.approx(losses.mean(), rel=1e-4)


def test_intercepts_of_a_warm_start_are_settled_first():
    """Of the blocks of a head only the sum of their intercepts is known."""
    x, columns = problem(900, 40)
    design = Design.of(x, seed=0)
    _, first = run(solve(design, columns, tolerance=1e-7))
    _, warm = run(solve(design, columns, start=(first.weights, first.bias + 0.8)))
    assert warm.iterations == 0
    assert np.abs(warm.bias - first.bias).max() < 0.02


def test_one_kind_of_label_only_stays_finite():
    x, columns = problem(60, 20)
    ones = Columns(np.ones((60, 3), "f"), np.ones((60, 3), "f"), columns.strengths, columns.prior)
    _, found = run(solve(Design.of(x, seed=0), ones))
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.bias).all()


@pytest.mark.parametrize(("n", "d"), [(150, 300), (700, 60)], ids=["rotated", "preconditioned"])
def test_a_centre_draws_the_solution_and_nothing_else(n, d):
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((n, d)).astype(np.float32)
    targets = (rng.random((n, 2)) < 0.4).astype(np.float32)
    centre = (rng.standard_normal((d, 2)) / d**0.5).astype(np.float32)
    strengths = np.array([30.0, 1e6], np.float32)
    prior = np.zeros(2, np.float32)
    columns = Columns(targets, np.ones((n, 2), np.float32), strengths, prior, centre=centre)
    _, found = run(solve(Design.of(rows, seed=0), columns, tolerance=1e-7))
    np.testing.assert_allclose(found.weights[:, 1], centre[:, 1], atol=1e-3)  # held by strength
    margins = rows @ found.weights + found.bias
    rates = 1 / (1 + np.exp(-margins))
    gradient = rows.T @ (rates - targets) + strengths * (found.weights - centre)
    assert np.abs(gradient[:, 0]).max() < 0.05 * np.abs(rows.T @ (0.5 - targets))[:, 0].max()
