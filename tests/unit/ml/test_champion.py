"""Whom a challenger is compared with, and whose labels of audit cases count."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.domain.gates import GateRules
from mmreview.domain.ports import GateTerms, Rival
from mmreview.ml.champion import changed_share
from mmreview.ml.samples import gather


@pytest.fixture
def three(make_world, make_rounds):
    """A world with an audit partition, and two versions of it: few labels, then more."""
    world = make_world(cases=300, audit=0.3)
    rounds = make_rounds(world)
    few = np.flatnonzero([p == "audit" or n < 90 for n, p in enumerate(world.partitions)])
    first, _ = rounds.train(world.table(rows=few))
    second, _ = rounds.train(world.table(seq=2), number=2, parent=first)
    return world, rounds, first, second


def judged(three, *, table=None, number=3, **terms):
    world, rounds, _, parent = three
    request = rounds.request(table or world.table(seq=3), number=number, parent=parent)
    return rounds.run(replace(request, terms=GateTerms(**terms))).gate


def test_the_first_version_is_a_rival_beside_the_champion(three):
    _, rounds, first, _ = three
    verdict = judged(three, rivals=(Rival("first", first, rounds.folder / first.folder),))
    assert [r["role"] for r in verdict.report["rivals"]] == ["champion", "first"]
    champion, beginning = verdict.report["rivals"]
    assert champion["difference"] == pytest.approx(0, abs=1e-3)  # the same labels once more
    assert beginning["difference"] < champion["difference"]
    assert verdict.accepted


def test_a_rival_that_cannot_answer_is_named_and_left_out(three, tmp_path):
    _, _, first, _ = three
    verdict = judged(three, rivals=(Rival("first", first, tmp_path / "gone"),))
    assert verdict.report["left_out"] == [first.id]
    assert [r["role"] for r in verdict.report["rivals"]] == ["champion"]
    assert verdict.accepted


def test_the_next_of_its_kind_stands_in_for_a_rival_that_cannot_answer(three, tmp_path):
    _, rounds, first, second = three
    gone, sound = tmp_path / "gone", rounds.folder / first.folder
    missing = replace(first, id=7)
    rivals = (Rival("best", missing, gone, ((missing, gone), (first, sound))),)
    verdict = judged(three, rivals=rivals)
    assert verdict.report["left_out"] == [7]
    assert [(r["role"], r["version"]) for r in verdict.report["rivals"]] == [
        ("champion", 2), ("best", 1)
    ]
    serving = (second, rounds.folder / second.folder)
    verdict = judged(three, number=4, rivals=(Rival("first", missing, gone, (serving,)),))
    assert [r["role"] for r in verdict.report["rivals"]] == ["champion"]  # it is asked already


def test_imported_labels_judge_unless_they_are_called_weak(three):
    world = three[0]
    corrected = np.zeros(world.truth.shape, bool)
    audit = np.flatnonzero([p == "audit" for p in world.partitions])
    verdict = judged(three, table=world.table(seq=3, corrected=corrected))
    assert (verdict.basis, verdict.report["read"]) == ("audit", 0)
    weak = GateRules(weak_imports=True)
    table = world.table(seq=3, corrected=corrected)
    none_read = judged(three, table=table, rules=weak, number=4)
    assert none_read.basis == "cross_validation"
    corrected[audit[:30]] = True
    table = world.table(seq=3, corrected=corrected)
    some_read = judged(three, table=table, rules=weak, number=5)
    assert (some_read.basis, some_read.cases) == ("audit", 30)
    assert some_read.report["read"] == 30


def test_the_share_of_labels_that_a_parent_has_not_learned(make_world):
    world = make_world(cases=40, findings=3)
    before, after = world.truth.copy(), world.truth.copy()
    before[0, 0] = np.nan  # labelled since
    after[1, 1] = 1 - after[1, 1]  # changed since
    after[2, 2] = np.nan  # withdrawn since: no label today
    known = world.table(targets=before, rows=np.arange(30))
    working = gather(world.features, world.table(targets=after), Partition.TRAIN)
    while True:
        try:
            next(working)
        except StopIteration as done:
            samples = done.value
            break
    learned = dict.fromkeys(range(40), 0)
    assert changed_share(samples, known, learned) == pytest.approx((10 * 3 + 2) / (40 * 3 - 1))
    assert changed_share(samples, world.table(targets=after), learned) == 0.0
    assert changed_share(samples, world.table(rows=np.arange(0)), learned) == 1.0
    assert changed_share(samples, None, learned) == 1.0
    few = dict.fromkeys(range(10), 0)  # imported since: the table of then has today's labels
    assert changed_share(samples, world.table(targets=after), few) == pytest.approx(90 / 119)
