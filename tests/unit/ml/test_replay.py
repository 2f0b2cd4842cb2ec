"""Beyond the bound: which labels teach, what they count for, and what the round says of it."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.ml import replay as replaying
from mmreview.ml.heads import fit_head
from mmreview.ml.recipe import lesson_of
from mmreview.ml.replay import replay
from mmreview.ml.samples import gather


def gathered(world, table):
    work = gather(world.features, table, Partition.TRAIN)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


@pytest.fixture
def world(make_world):
    return make_world(cases=400, findings=3)


def corrected(world, rows):
    marks = np.zeros(world.truth.shape, bool)
    marks[rows] = True
    return marks


def test_below_the_bound_all_teach(world):
    samples = gathered(world, world.table())
    assert replay(samples, seed=0) is None
    assert replay(samples, seed=0, bound=400) is None


def test_every_corrected_case_teaches_and_the_bound_holds(world):
    samples = gathered(world, world.table(corrected=corrected(world, slice(0, 40))))
    found = replay(samples, seed=0, bound=100)
    taught = found.factors.any(axis=1)
    assert taught.sum() == found.cases == 100
    assert taught[:40].all()
    assert (found.factors[:40] == 1).all()
    crowded = replay(samples, seed=0, bound=10)  # what was corrected is never left out
    assert crowded.factors.any(axis=1).tolist() == [True] * 40 + [False] * 360


def test_what_teaches_counts_for_all_of_its_kind(world):
    targets = world.truth.copy()
    targets[::5, 1] = np.nan
    samples = gathered(world, world.table(targets=targets))
    factors = replay(samples, seed=0, bound=120).factors
    for column in range(3):
        for kind in (0, 1):
            inside = targets[:, column] == kind
            assert factors[inside, column].sum() == pytest.approx(inside.sum(), rel=1e-5)
    assert not factors[::5, 1].any()


def test_a_rare_finding_keeps_its_cases(world):
    targets = world.truth.copy()
    targets[:, 2] = 0
    targets[[7, 70, 170, 270], 2] = 1
    samples = gathered(world, world.table(targets=targets))
    taught = replay(samples, seed=0, bound=60).factors.any(axis=1)
    assert taught[[7, 70, 170, 270]].all()


def test_a_case_keeps_its_draw_when_others_come(world):
    def taught(rows):
        samples = gathered(world, world.table(rows=rows))
        found = replay(samples, seed=3, bound=80).factors.any(axis=1)
        return set(samples.keys[found].tolist())

    some, more = taught(np.arange(390)), taught(np.arange(400))
    assert len(some - more) <= 10
    assert taught(np.arange(400)) == more


def test_a_round_beyond_the_bound_says_so_and_measures_all(world, make_rounds, monkeypatch):
    rounds = make_rounds(world)
    parent, whole = rounds.train(world.table())
    monkeypatch.setattr(replaying, "BOUND", 150)
    _, part = rounds.train(world.table(), number=2, parent=parent)
    told = {"code": "remark.replay", "params": {"taught": 150, "count": 400}}
    assert told in part.metrics["remarks"]
    assert told not in whole.metrics["remarks"]
    assert part.metrics["cases"] == whole.metrics["cases"]
    now, before = (result.metrics["auroc"]["fused"] for result in (part, whole))
    assert now == pytest.approx(before, abs=0.02)


def head_of(world, table, *, start=None, bound=None, spread=1.0):
    samples = gathered(world, table)
    folds = (np.unique(samples.groups, return_inverse=True)[1] % 5).astype(np.int8)
    if bound is not None:
        samples = replace(samples, replayed=replay(samples, seed=0, bound=bound).factors)
    work = fit_head(lesson_of(samples, "image", folds), seed=0, spread=spread, start=start)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_what_is_left_out_still_has_its_say(make_world):
    world = make_world(cases=2000, findings=3)
    labels = world.truth.copy()
    wrong = np.random.default_rng(0).random(labels.shape) < 0.1
    labels[wrong] = 1 - labels[wrong]
    before = head_of(world, world.table(targets=labels))
    labels[:200] = world.truth[:200]
    table = world.table(targets=labels, corrected=corrected(world, slice(0, 200)))
    whole = head_of(world, table, start=before.heads)
    part = head_of(world, table, start=before.heads, bound=600)
    still = head_of(world, table, start=part.heads, bound=600)

    def far(fit, index=0):
        mine, exact = (f.heads[index].logits(world.matrices["image"]) for f in (fit, whole))
        return np.abs(mine - exact).mean()

    moved = far(before)
    assert far(part) < 0.4 * moved
    assert far(part, 3) < 0.5 * far(before, 3)
    assert far(still) < far(part)  # round by round it arrives


def test_uncertain_labels_of_what_is_left_out_have_it_too(make_world):
    world = make_world(cases=1500, findings=2)
    targets = world.truth.copy()
    doubted = np.random.default_rng(1).random(targets.shape) < 0.3
    targets[doubted] = np.nan
    table = world.table(targets=targets)
    before = head_of(world, table)
    table = replace(table, uncertain=doubted)
    whole = head_of(world, table, start=before.heads)
    part = head_of(world, table, start=before.heads, bound=500)
    moved = np.abs(before.heads[0].weights - whole.heads[0].weights).mean()
    assert np.abs(part.heads[0].weights - whole.heads[0].weights).mean() < 0.6 * moved
