"""Scoring after another version began to serve: what comes next first, and nothing twice."""

import pytest

from mmreview.domain.cases import Partition, WorklistFilter, WorklistSort
from mmreview.services import predicting
from mmreview.store.engine import create_store
from tests.fakes import SCHEMA, FakeOpener, draft


@pytest.fixture
def project(tmp_path):
    store = create_store(tmp_path / "p.mmreview", SCHEMA)
    store.cases.upsert(
        [
            draft(
                number,
                report=f"FINDINGS: Report number {number}.",
                labels={"Edema": "present"} if number % 2 else {"Edema": "absent"},
                partition=Partition.AUDIT if number == 7 else Partition.TRAIN,
            )
            for number in range(1, 31)
        ]
    )
    store.close()
    return store.folder


@pytest.fixture
def open_desk(project):
    opened = []

    def run():
        opened.append(FakeOpener().open(project))
        return opened[-1]

    yield run
    for desk in opened:
        desk.close()


def rows(desk):
    keys = desk.cases.worklist_keys(WorklistFilter(), WorklistSort.QUEUE)
    return {row.key: row for row in desk.cases.worklist_rows(keys)}


def order(desk):
    return list(desk.cases.worklist_keys(WorklistFilter(), WorklistSort.QUEUE))


@pytest.fixture
def scored(open_desk, monkeypatch):
    monkeypatch.setattr(predicting, "_HEAD", 5)
    monkeypatch.setattr(predicting, "_SCORED", 8)
    desk = open_desk()
    list(desk.learning.train(actor="ana"))
    list(desk.predicting.score_all())
    return desk


def test_until_scoring_begins_every_number_is_of_the_version_that_it_names(scored):
    before = rows(scored)
    assert {row.scored_by for row in before.values()} == {1}
    list(scored.learning.train(actor="ana"))
    assert scored.predicting.serve().version == 2
    assert rows(scored) == before


def test_the_head_of_the_queue_is_scored_first(scored):
    head = order(scored)[:5]
    list(scored.learning.train(actor="ana"))
    scoring = scored.predicting.score_all()
    step = next(scoring)
    assert (step.done, step.total) == (5, 30)
    after = rows(scored)
    assert {key for key, row in after.items() if row.scored_by == 2} == set(head)
    assert all(after[key].priority is None for key in after.keys() - set(head))
    assert set(order(scored)[:5]) == set(head)
    with pytest.raises(StopIteration) as done:
        while True:
            next(scoring)
    assert done.value.value == 30
    assert {row.scored_by for row in rows(scored).values()} == {2}


def test_an_audit_case_gets_no_number_also_at_the_head(scored, monkeypatch):
    monkeypatch.setattr(predicting, "_HEAD", 30)
    list(scored.learning.train(actor="ana"))
    next(scored.predicting.score_all())
    [audit] = [row for row in rows(scored).values() if row.partition is Partition.AUDIT]
    assert (audit.conflict, audit.priority, audit.reason) == (None, None, "queue.neutral")


def test_scoring_that_was_closed_goes_on_at_the_next_opening(scored, open_desk):
    list(scored.learning.train(actor="ana"))
    scoring = scored.predicting.score_all()
    next(scoring), next(scoring)
    scoring.close()
    done = {key for key, row in rows(scored).items() if row.scored_by == 2}
    assert len(done) == 13
    scored.close()
    again = open_desk()
    steps = again.predicting.score_all()
    with pytest.raises(StopIteration) as ended:
        while True:
            next(steps)
    assert ended.value.value == 17
    assert {row.scored_by for row in rows(again).values()} == {2}


def test_rolling_back_scores_again(scored):
    list(scored.learning.train(actor="ana"))
    list(scored.predicting.score_all())
    scored.learning.rollback(actor="ana")
    list(scored.predicting.score_all())
    assert {row.scored_by for row in rows(scored).values()} == {1}
