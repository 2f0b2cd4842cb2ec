"""A head of several blocks is the mean of one regression a block, and starts warm from itself;
what is kept of a round gives the next one the very same head."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.ml.encoders.card import Weighing
from mmreview.ml.heads import Lesson, fit_head
from mmreview.ml.plans import narrowed
from mmreview.ml.prepared import Shelf


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
    places = lesson.layout(seed=0).places
    parts = [run(fit_head(part_of(lesson, place), seed=0, spread=1.0))[0] for place in places]
    present = lesson.present
    for index in range(4):
        logits = whole.heads[index].logits(lesson.features)
        each = [
            part.heads[index].logits(lesson.features[:, block])
            for part, block in zip(parts, places, strict=True)
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
    assert part_of(lesson, slice(0, 30)).layout(seed=0).places == [slice(0, 30)]


def test_the_spread_of_blocks_is_searched_together(lesson):
    found, _ = run(fit_head(lesson, seed=0))
    same, _ = run(fit_head(lesson, seed=0, spread=found.spread))
    np.testing.assert_array_equal(found.heads[0].weights, same.heads[0].weights)


def test_shares_weigh_the_blocks(lesson):
    weighing = (Weighing(3.0), Weighing(1.0))
    whole, _ = run(fit_head(replace(lesson, weighing=weighing), seed=0, spread=1.0))
    even, _ = run(fit_head(lesson, seed=0, spread=1.0))
    first, second = slice(0, 20), slice(20, 30)
    for block, ratio in ((first, 1.5), (second, 0.5)):
        np.testing.assert_allclose(
            whole.heads[0].weights[block], ratio * even.heads[0].weights[block], rtol=1e-4
        )
    shares = replace(lesson, weighing=weighing)
    _, cold = run(fit_head(shares, seed=0, spread=1.0))
    _, warm = run(fit_head(shares, seed=0, spread=1.0, start=whole.heads))
    assert len(warm) < len(cold)


def test_damping_gives_a_rare_feature_less_say(lesson):
    spreads = np.where(np.arange(30) % 2, 0.1, 1.0).astype(np.float32)
    uneven = replace(lesson, features=lesson.features * spreads)
    alike, _ = run(fit_head(uneven, seed=0, spread=1.0))
    damped = replace(uneven, weighing=(Weighing(damping=0.5),) * 2)
    heard, _ = run(fit_head(damped, seed=0, spread=1.0))

    def say(fit):
        """How far the rare features and the others move the logits."""
        moved = np.abs(fit.heads[0].weights * spreads[:, None])
        return moved[1::2].sum() / moved[::2].sum()

    assert say(heard) < 0.7 * say(alike)


def test_a_joined_part_is_damped_apart_and_fitted_with_the_one_before(lesson):
    joined = replace(lesson, weighing=(Weighing(), Weighing(joined=True)))
    one = replace(lesson, blocks=())
    assert joined.layout(seed=0).places == [slice(0, 30)]
    together, _ = run(fit_head(joined, seed=0, spread=1.0))
    plain, _ = run(fit_head(one, seed=0, spread=1.0))
    np.testing.assert_allclose(together.heads[0].weights, plain.heads[0].weights, atol=1e-5)


def test_a_part_whose_block_is_left_out_stands_for_itself(lesson):
    joined = replace(lesson, weighing=(Weighing(), Weighing(damping=0.5, joined=True)))
    second = narrowed(joined, np.arange(30) >= 20)
    assert second.blocks == (10,)
    assert second.weighing == (Weighing(damping=0.5),)
    first = narrowed(joined, np.arange(30) < 12)
    assert (first.blocks, first.weighing) == ((12,), (Weighing(),))


def test_what_is_kept_changes_no_bit_and_only_serves_the_same_features(lesson):
    shelf = Shelf()
    changed = replace(lesson, targets=np.where(lesson.features[:, :1] > 5, 1, lesson.targets))
    run(fit_head(lesson, seed=0, spread=1.0, shelf=shelf))
    other = replace(lesson, features=lesson.features[::-1].copy())
    for asked in (changed, other, replace(other, present=np.arange(len(other.present)) > 20)):
        kept, _ = run(fit_head(asked, seed=0, spread=1.0, shelf=shelf))
        fresh, _ = run(fit_head(asked, seed=0, spread=1.0))
        np.testing.assert_array_equal(kept.heads[0].weights, fresh.heads[0].weights)
        np.testing.assert_array_equal(kept.held_out, fresh.held_out)


def test_the_next_round_prepares_nothing(lesson, monkeypatch):
    shelf = Shelf()
    first, _ = run(fit_head(lesson, seed=0, spread=1.0, shelf=shelf))
    monkeypatch.setattr("mmreview.ml.prepared.Prepared.of", None)  # preparing again would fail
    again = replace(lesson, features=lesson.features.copy())
    second, _ = run(fit_head(again, seed=0, spread=1.0, shelf=shelf))
    np.testing.assert_array_equal(first.heads[0].weights, second.heads[0].weights)


def test_uncertain_labels_draw_a_head_between_and_nothing_else(lesson):
    plain, without = run(fit_head(lesson, seed=0, spread=1.0))
    doubted = lesson.weights * (np.arange(len(lesson.features)) % 4 == 1)[:, None]
    firm = replace(lesson, weights=lesson.weights - doubted)
    alone, _ = run(fit_head(firm, seed=0, spread=1.0))
    soft, traces = run(fit_head(replace(firm, soft=doubted * 0.25), seed=0, spread=1.0))
    rows = doubted[:, 0] > 0
    usual = np.log(firm.targets[firm.weights[:, 0] > 0].mean(axis=0))
    usual -= np.log(1 - firm.targets[firm.weights[:, 0] > 0].mean(axis=0))

    def distance(fit):
        return np.abs(fit.heads[0].logits(lesson.features[rows]) - usual / 2).mean()

    assert distance(soft) < distance(alone)
    assert distance(soft) < distance(plain)
    assert traces[0].held_out_loss < without[0].held_out_loss + 0.2
    none = replace(firm, soft=np.zeros_like(doubted))
    same, _ = run(fit_head(none, seed=0, spread=1.0))
    np.testing.assert_array_equal(same.heads[0].weights, alone.heads[0].weights)


def test_uncertain_labels_alone_teach_nothing(lesson):
    nothing = replace(lesson, weights=np.zeros_like(lesson.weights), soft=lesson.weights)
    fitted, _ = run(fit_head(nothing, seed=0, spread=1.0))
    assert not fitted.heads[0].taught.any()
    assert np.isnan(fitted.held_out).all()


@pytest.fixture
def many_rows():
    """2,400 cases, from which a warm start need not be followed to its end."""
    rng = np.random.default_rng(1)
    features = rng.standard_normal((2400, 40)).astype(np.float32)
    logits = features[:, :3] @ rng.standard_normal((3, 2)) - 1
    return Lesson(
        features=features, present=np.ones(2400, bool),
        targets=(rng.random((2400, 2)) < 1 / (1 + np.exp(-logits))).astype(np.float32),
        weights=np.ones((2400, 2), np.float32),
        folds=(np.arange(2400) % 3).astype(np.int8), fold_count=3,
    )


def corrected(lesson, seed):
    """20 labels set otherwise."""
    targets, rows = lesson.targets.copy(), np.random.default_rng(seed).choice(2400, 20)
    targets[rows, 0] = 1 - targets[rows, 0]
    return replace(lesson, targets=targets)


def test_few_steps_a_round_do_not_fall_behind(many_rows, monkeypatch):
    """A round on many rows ends after few steps; what it leaves is made up for by later ones."""
    monkeypatch.setattr("mmreview.ml.heads._PASSES", 2400)  # one step
    lesson, start = many_rows, run(fit_head(many_rows, seed=0, spread=1.0))[0].heads
    for seed in range(4):
        lesson = corrected(lesson, seed)
        found, losses = run(fit_head(lesson, seed=0, spread=1.0, start=start, changed=0.01))
        assert len(losses) <= 2
        start = found.heads
    end, _ = run(fit_head(lesson, seed=0, spread=1.0))
    moved = end.held_out - run(fit_head(many_rows, seed=0, spread=1.0))[0].held_out
    assert np.std(found.held_out - end.held_out) < 0.2 * np.std(moved)


def test_where_most_labels_are_new_a_round_goes_to_the_end(many_rows, monkeypatch):
    monkeypatch.setattr("mmreview.ml.heads._PASSES", 2400)
    mirrored = replace(many_rows, targets=1 - many_rows.targets)
    start = run(fit_head(mirrored, seed=0, spread=1.0))[0].heads
    end, _ = run(fit_head(many_rows, seed=0, spread=1.0))
    found, losses = run(fit_head(many_rows, seed=0, spread=1.0, start=start, changed=1.0))
    assert len(losses) > 2
    assert np.std(found.held_out - end.held_out) < 0.03 * np.std(end.held_out)
