"""Folds keep groups whole, spread rare labels and remember where a group was."""

import numpy as np

from mmreview.ml import folds


def test_groups_stay_whole_and_rare_labels_are_spread():
    rng = np.random.default_rng(0)
    groups = [f"g{rng.integers(80)}" for _ in range(400)]
    targets = np.zeros((400, 2), np.float32)
    rare = {f"g{i}" for i in range(10)}
    targets[:, 0] = [group in rare for group in groups]
    targets[rng.random(400) < 0.5, 1] = np.nan
    found = folds.assign(groups, targets, seed=1)
    for group in set(groups):
        assert len({f for f, g in zip(found, groups, strict=True) if g == group}) == 1
    for fold in range(5):
        assert 60 <= (found == fold).sum() <= 100
        assert targets[found == fold, 0].sum() > 0


def test_a_known_group_keeps_its_fold():
    groups = [f"g{i // 3}" for i in range(90)]
    targets = np.ones((90, 1), np.float32)
    first = folds.assign(groups[:60], targets[:60], seed=0)
    known = dict(zip(groups[:60], first.tolist(), strict=True))
    second = folds.assign(groups, targets, seed=9, known=known)
    assert np.array_equal(second[:60], first)
    assert np.bincount(second).min() >= 15


def test_few_groups_give_few_folds_and_one_group_is_split_by_row():
    targets = np.ones((12, 1), np.float32)
    assert set(folds.assign(["a"] * 6 + ["b"] * 6, targets, seed=0).tolist()) == {0, 1}
    assert len(set(folds.assign(["a"] * 12, targets, seed=0).tolist())) == 5


def test_the_same_seed_gives_the_same_folds():
    groups = [f"g{i // 2}" for i in range(50)]
    targets = np.zeros((50, 1), np.float32)
    assert np.array_equal(
        folds.assign(groups, targets, seed=3), folds.assign(groups, targets, seed=3)
    )
