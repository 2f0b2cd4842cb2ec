"""The default goes from typical to uncertain and different, with a share of doubtful labels."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.queues import Choice
from mmreview.ml.acquisition.hybrid import best_of_each, mixed


def keys(chosen):
    return [c.key for c in chosen]


def test_without_a_version_it_is_typicality(ask):
    asking = ask(cases=200, labelled=0)
    assert keys(asking.rank("hybrid", top=10)) == keys(asking.rank("typicality", top=10))


def test_with_few_positives_it_is_still_cold(ask):
    asking = ask(cases=300, labelled=60)
    asking.train()
    targets = asking.world.truth.copy()
    targets[4:, 2] = 0  # of one finding there are four positives at most
    table = asking.world.table(targets=targets, rows=np.arange(60))
    assert {c.reason for c in asking.rank("hybrid", table=table)} == {"queue.typical"}
    assert {c.reason for c in asking.rank("hybrid")} == {"queue.uncertain"}


def test_a_finding_nobody_ever_sees_does_not_hold_it_up(ask):
    asking = ask(cases=300, labelled=120)
    asking.train()
    targets = asking.world.truth.copy()
    targets[:, 2] = 0
    table = asking.world.table(targets=targets, rows=np.arange(120))
    assert {c.reason for c in asking.rank("hybrid", table=table)} == {"queue.uncertain"}


def test_uncertain_cases_are_of_different_parts_of_the_pool(ask):
    asking = ask(cases=600, widths={"image": 12, "text": 8})
    asking.train()
    unsure = asking.rank("margin", top=80)
    chosen = asking.rank("hybrid", top=10)
    assert set(keys(chosen)) <= set(keys(unsure))
    assert [c.score for c in chosen] == sorted((c.score for c in chosen), reverse=True)

    def apart(found):
        x = asking.world.matrices["image"][keys(found)]
        return np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, 1].mean()

    assert apart(chosen) > apart(unsure[:10])


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


def test_each_cluster_gives_its_best_before_any_its_second():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    labels = np.array([0, 0, 0, 1, 2])
    assert best_of_each(scores, labels, 4).tolist() == [0, 3, 4, 1]


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
