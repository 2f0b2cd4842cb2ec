"""The change on old labels: who is asked, what counts as old, and that it is measured rightly."""

import json

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.ml.old_labels import old_truths
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
    return make_world(cases=240, findings=3)


def test_old_is_what_the_parent_knew_and_nobody_changed(world):
    before, after = world.truth.copy(), world.truth.copy()
    before[0, 0] = np.nan  # labelled since
    after[1, 0] = 1 - after[1, 0]  # changed since
    after[2, 0] = np.nan  # withdrawn since
    known = world.table(targets=before, rows=np.arange(200))
    truth = old_truths(gathered(world, world.table(targets=after)), known)
    assert np.isnan(truth[:3, 0]).all()
    assert not np.isnan(truth[3:200]).any()
    assert np.isnan(truth[200:]).all()


def test_a_parent_that_knew_nothing(world):
    known = world.table(rows=np.arange(0))
    assert np.isnan(old_truths(gathered(world, world.table()), known)).all()


def test_a_round_tells_the_change_by_finding(world, make_rounds):
    rounds = make_rounds(world)
    first = world.table(rows=np.arange(160))
    parent, one = rounds.train(first)
    assert "old_labels" not in one.metrics
    _, two = rounds.train(world.table(), number=2, parent=parent)
    told = two.metrics["old_labels"]
    json.dumps(told)
    assert set(told) == set(world.findings)
    for row in told.values():
        mean, low, high = row["difference"]
        assert low <= mean <= high
        assert mean == pytest.approx(row["log_loss"][1] - row["log_loss"][0])
        assert row["cases"] == 160
        assert mean < 0.02


def test_what_new_labels_destroy_is_seen(world, make_rounds):
    rounds = make_rounds(world)
    parent, _ = rounds.train(world.table(rows=np.arange(120)))
    targets = world.truth.copy()
    targets[120:, 1] = 1 - targets[120:, 1]  # all the new ones are wrong
    _, two = rounds.train(world.table(targets=targets), number=2, parent=parent)
    told = two.metrics["old_labels"]
    assert told[world.findings[1]]["difference"][1] > 0
    assert told[world.findings[1]]["auroc"][1] < told[world.findings[1]]["auroc"][0]
    assert told[world.findings[0]]["difference"][1] < 0.01


def test_the_interval_minds_that_a_patients_cases_go_together():
    from mmreview.ml.old_labels import _mean_over_patients

    values = np.random.default_rng(0).standard_normal(100)
    alone = _mean_over_patients(values, np.arange(100))
    few = _mean_over_patients(values, np.arange(100) % 4)
    assert few == [pytest.approx(values.mean()), None, None]
    twice = _mean_over_patients(np.tile(values, 2), np.tile(np.arange(100), 2))
    assert twice == pytest.approx(alone)
    assert alone[2] - alone[0] == pytest.approx(1.96 * values.std(ddof=1) / 10)
