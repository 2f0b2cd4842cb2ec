"""Whom a challenger has to stand up to, and who stands in where one of them is gone."""

from dataclasses import replace

import pytest

from mmreview.domain.findings import State
from mmreview.store.engine import create_store
from tests.fakes import SCHEMA, FakeOpener, draft

#: What each version's log-loss was, in order.
LOSSES = (0.5, 0.3, 0.4, 0.6)


@pytest.fixture
def desk(tmp_path):
    store = create_store(tmp_path / "p.mmreview", SCHEMA)
    store.cases.upsert([draft(n, labels={"Edema": State.PRESENT}) for n in range(1, 7)])
    store.close()
    desk = FakeOpener().open(tmp_path / "p.mmreview")
    real = desk.learning._trainer.train

    def judged(request):
        result = yield from real(request)
        report = {"log_loss": LOSSES[request.version - 1], "audit_set": 0, "rivals": []}
        return replace(result, gate=replace(result.gate, report=report))

    desk.learning._trainer.train = judged
    for _ in LOSSES:
        for _ in desk.learning.train(actor="ana"):
            pass
    yield desk
    desk.close()


def rivals(desk):
    terms = desk.gating.terms(desk.learning.champion())
    return {r.name: [r.version.id, *(v.id for v, _ in r.instead)] for r in terms.rivals}


def test_the_first_and_the_best_with_those_that_come_next(desk):
    assert rivals(desk) == {"first": [1, 2, 3, 4], "best": [2, 3, 1, 4]}


def test_who_serves_is_no_rival_besides(desk):
    desk.learning.promote(2, actor="ana")
    assert rivals(desk) == {"first": [1, 2, 3, 4]}
    desk.learning.promote(1, actor="ana")
    assert rivals(desk) == {"best": [2, 3, 1, 4]}
