"""A head of several blocks is the mean of one regression a block, and starts warm from itself."""

import numpy as np
import pytest

from mmreview.ml.heads import Lesson, fit_head


def run(working):
    traces = []
    while True:
        try:
            traces.append(next(working))
        except StopIteration as done:
            return done.value, [trace for trace in traces if trace.loss is not None]


@pytest.fixture(params=[120, 700], ids=["few rows", "many rows"])
def lesson(request):
    rng = np.random.default_rng(0)
    n = request.param
    features = rng.standard_normal((n, 30)).astype(np.float32) * 3 + 1
    logits = features[:, :2] @ np.array([[0.5, -0.4], [0.2, 0.6]]) - 1
    targets = (rng.random((n, 2)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return Lesson(
        features=features,
        present=np.arange(n) % 9 > 0,
        targets=targets,
        weights=((np.arange(n) % 9 > 0)[:, None] * np.ones((1, 2))).astype(np.float32),
        folds=(np.arange(n) % 3).astype(np.int8),
        fold_count=3,
        blocks=(20, 10),
    )


def part_of(lesson, block):
    return Lesson(
        lesson.features[:, block], lesson.present, lesson.targets, lesson.weights, lesson.folds, 3
    )


def test_a_head_is_the_mean_of_its_blocks(lesson):
    whole, _ = run(fit_head(lesson, seed=0, spread=1.0))
    parts = [run(fit_head(part_of(lesson, b), seed=0, spread=1.0))[0] for b in lesson.slices]
    present = lesson.present
    for index in range(4):
        logits = whole.heads[index].logits(lesson.features)
        each = [
            part.heads[index].logits(lesson.features[:, block])
            for part, block in zip(parts, lesson.slices, strict=True)
        ]
        np.testing.assert_allclose(logits, np.mean(each, axis=0), atol=1e-4)
    unseen = np.mean([part.held_out for part in parts], axis=0)
    np.testing.assert_allclose(whole.held_out[present], unseen[present], atol=1e-4)


def test_blocks_tell_one_falling_loss_and_start_warm(lesson):
    first, traces = run(fit_head(lesson, seed=0, spread=1.0))
    losses = [trace.loss for trace in traces]
    assert [trace.iteration for trace in traces] == list(range(len(traces)))
    assert losses[-1] < losses[0]
    again, warm = run(fit_head(lesson, seed=0, spread=1.0, start=first.heads))
    assert len(warm) < len(traces)
    np.testing.assert_allclose(
        again.heads[0].weights, first.heads[0].weights, atol=3e-3
    )


def test_without_blocks_there_is_one(lesson):
    assert part_of(lesson, slice(0, 30)).slices == [slice(0, 30)]


def test_the_spread_of_blocks_is_searched_together(lesson):
    found, _ = run(fit_head(lesson, seed=0))
    same, _ = run(fit_head(lesson, seed=0, spread=found.spread))
    np.testing.assert_array_equal(found.heads[0].weights, same.heads[0].weights)
