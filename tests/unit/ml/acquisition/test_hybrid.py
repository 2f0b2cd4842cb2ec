"""The default goes from typical cases to what few cases show, with a share of doubtful labels."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.hybrid import mixed
from mmreview.ml.acquisition.seeking import worthiest


def keys(chosen):
    return [c.key for c in chosen]


def test_without_a_version_it_is_typicality(ask):
    asking = ask(cases=200, labelled=0)
    assert keys(asking.rank("hybrid", top=10)) == keys(asking.rank("typicality", top=10))


def test_a_first_positive_ends_the_cold_start(ask):
    asking = ask(cases=300, labelled=10)
    nothing = asking.world.table(targets=np.zeros_like(asking.world.truth), rows=np.arange(10))
    assert {c.reason for c in asking.rank("hybrid", table=nothing)} == {"queue.typical"}
    targets = np.zeros_like(asking.world.truth)
    targets[3, 1] = 1
    one = asking.world.table(targets=targets, rows=np.arange(10))
    found = asking.rank("hybrid", table=one)
    assert {c.reason for c in found} == {"queue.resembles"}
    assert {c.params["finding"] for c in found} == {"Finding B"}
    assert {c.params["count"] for c in found} == {1}


def test_without_a_version_it_finds_more_of_what_it_has_seen_once(ask):
    asking = ask(cases=400, labelled=30, signal={"image": 3.0, "text": 3.0})
    chosen = asking.rank("hybrid", top=30)
    marked = [asking.world.truth[c.key, asking.world.findings.index(c.params["finding"])]
              for c in chosen]
    assert np.mean(marked) > np.mean(asking.world.truth[30:]) + 0.2


def test_with_a_version_rare_findings_come_first(ask):
    asking = ask(cases=500, labelled=150)
    targets = asking.world.truth.copy()
    kept = np.cumsum(targets[:, 0]) <= 4  # of the first finding four positives
    targets[:, 0] *= kept
    table = asking.world.table(targets=targets, rows=np.arange(150))
    asking.version, _ = asking.rounds.train(table)
    chosen = asking.rank("hybrid", table=table, top=20)
    named = [(c.reason, c.params["finding"]) for c in chosen]
    assert named.count(("queue.rare", "Finding A")) > 8
    assert [c.score for c in chosen] == sorted((c.score for c in chosen), reverse=True)


def test_a_batch_is_spread_over_findings():
    doubts = np.zeros((40, 2), np.float32)
    doubts[:20, 0], doubts[20:, 1] = 0.25, 0.2
    rows, worth, at = worthiest(doubts, np.array([0.0, 0.0]), 10)
    assert 3 <= (at == 1).sum() <= 7
    assert (np.diff(worth) <= 1e-6).all()
    assert len(set(rows.tolist())) == 10
    rows, _, _ = worthiest(doubts, np.array([0.0, 50.0]), 5)
    assert (rows < 20).all()
    assert len(worthiest(np.zeros((5, 2), np.float32), np.zeros(2), 3)[0]) == 0


def test_what_is_worth_nothing_is_drawn_at_random(ask):
    asking = ask(cases=60, labelled=40)
    asking.train()
    found = asking.rank("hybrid", top=30)
    assert sorted(keys(found)) == list(range(40, 60))


def test_doubtful_labels_have_their_share(ask):
    asking = ask(cases=400)
    asking.train()
    suspects = [
        {"key": key, "finding": "Finding A", "state": "absent", "confidence": 0.01}
        for key in range(130, 160)
    ]
    metrics = {**asking.version.metrics, "suspects": suspects}
    asking.version = replace(asking.version, metrics=metrics)
    chosen = asking.rank("hybrid", top=20)
    doubted = [place for place, c in enumerate(chosen) if c.reason == "queue.doubt_absent"]
    assert len(chosen) == len(set(keys(chosen))) == 20
    assert doubted == [7, 13]


def test_doubtful_labels_keep_to_it_where_more_is_asked_than_there_is(ask):
    asking = ask(cases=200)
    asking.train()
    suspects = [
        {"key": key, "finding": "Finding A", "state": "absent", "confidence": 0.01}
        for key in range(120, 160)
    ]
    metrics = {**asking.version.metrics, "suspects": suspects}
    asking.version = replace(asking.version, metrics=metrics)
    chosen = asking.rank("hybrid", top=512)
    assert len(chosen) == 80
    assert 4 <= sum(c.reason == "queue.doubt_absent" for c in chosen) <= 8


def choice(key):
    return Choice(key, 0.0, "queue.random")


@pytest.mark.parametrize("many", [0, 3, 20])
@pytest.mark.parametrize("few", [0, 1, 5])
def test_mixing_loses_nobody_and_takes_nobody_twice(many, few):
    first = [choice(key) for key in range(many)]
    second = [choice(key) for key in range(2, 2 + few)]
    found = keys(mixed(first, second, 30))
    assert len(found) == len(set(found))
    assert set(found) == set(keys(first)) | set(keys(second))
    assert len(mixed(first, second, 2)) == min(2, len(found))
