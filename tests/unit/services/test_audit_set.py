"""The audit set's size, its draws, and what is said of one that cannot judge."""

from dataclasses import replace

import pytest

from mmreview.domain.audit_sets import AuditDrawInvalid, AuditSetTooFew
from mmreview.domain.cases import Partition
from mmreview.domain.errors import ProjectReadOnly
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction, Stage
from mmreview.store.audit import verify_trail
from mmreview.store.engine import create_store, open_store
from mmreview.translation import tr
from tests.fakes import SCHEMA, FakeOpener, draft


def project(folder, drafts):
    store = create_store(folder, SCHEMA)
    store.cases.upsert(drafts)
    store.close()
    return folder


@pytest.fixture
def open_desk(tmp_path):
    opened = []

    def run(drafts, **options):
        folder = project(tmp_path / f"p{len(opened)}.mmreview", drafts)
        opened.append(FakeOpener().open(folder, **options))
        return opened[-1]

    yield run
    for desk in opened:
        desk.close()


def labelled(number, *, partition=Partition.AUDIT, state=None):
    state = state or (State.PRESENT if number % 3 else State.ABSENT)
    return draft(number, partition=partition, labels={"Edema": state})


def test_an_empty_project_has_a_proposal_all_the_same(open_desk):
    status = open_desk([]).audit_set.status()
    assert (status.cases, status.eligible, status.too_few) == (0, 0, "audit.empty")
    assert status.precision is None
    assert not status.proposal.measured
    assert status.proposal.cases > 100


def test_a_round_that_changed_nothing_does_not_make_the_next_one_easy_to_judge(open_desk):
    desk = open_desk([labelled(n, partition=Partition.TRAIN) for n in range(1, 10)])
    real = desk.learning._trainer.train
    uppers = iter((0.04, 0.0, 0.0))

    def judged(request):
        result = yield from real(request)
        rival = {"role": "champion", "difference": 0.0, "upper": next(uppers), "cases": 100}
        report = {"rivals": [rival], "budget": {"alpha": 0.05}}
        return replace(result, gate=replace(result.gate, report=report))

    desk.learning._trainer.train = judged
    for _ in range(3):
        for _ in desk.learning.train(actor="ana"):
            pass
    # The reach of the first, in standard errors, times the root of its cases.
    assert desk.audit_set.status().proposal.spread == pytest.approx(0.04 / 1.645 * 10, rel=1e-3)


def test_the_finer_the_precision_the_larger_the_set(open_desk):
    audit_set = open_desk([labelled(n) for n in range(1, 40)]).audit_set
    sizes = [audit_set.status(precision=p).proposal.auroc for p in (0.1, 0.05, 0.02)]
    assert sizes == sorted(sizes)
    assert audit_set.status().proposal.measured
    assert audit_set.status().proposal.prevalence == pytest.approx(2 / 3, abs=0.01)
    with pytest.raises(AuditDrawInvalid):
        audit_set.status(precision=0)


def test_labels_of_people_and_of_the_import_are_counted_apart(open_desk):
    desk = open_desk([labelled(n) for n in range(1, 41)])
    desk.reviewing.correct(Correction(1, "Edema", State.ABSENT, "ana", stage=Stage.REPORT))
    desk.reviewing.commit_read(1, reader="ana", stage=Stage.REPORT)
    status = desk.audit_set.status()
    assert (status.cases, status.read, status.by_people, status.imported) == (40, 1, 1, 39)
    assert (status.judging, status.too_few) == (40, "")
    assert 0 < status.precision < 0.3
    desk.gating.change(actor="ana", weak_imports=True)
    status = desk.audit_set.status()
    assert (status.judging, status.too_few) == (1, "audit.few_labels")


@pytest.mark.parametrize(
    ("drafts", "code"),
    [
        ([labelled(n) for n in (1, 2, 3)], "audit.few_cases"),
        ([draft(n, partition=Partition.AUDIT) for n in range(1, 41)], "audit.few_labels"),
        ([labelled(n, state=State.ABSENT) for n in range(1, 41)], "audit.one_class"),
    ],
)
def test_a_set_that_cannot_judge_says_why(open_desk, drafts, code):
    status = open_desk(drafts).audit_set.status()
    assert status.too_few == code
    said = tr(code, judging=status.judging, cases=status.cases)
    assert said != code
    assert str(status.judging) in said


def test_a_set_of_one_patient_cannot_judge(open_desk):
    one = [replace(labelled(n), group="one") for n in range(1, 41)]
    status = open_desk(one).audit_set.status()
    assert (status.patients, status.too_few) == (1, "audit.one_patient")
    assert status.proposal.design == 40


def test_a_draw_is_one_event_and_a_whole_project(open_desk):
    desk = open_desk([labelled(n, partition=Partition.TRAIN) for n in range(1, 61)])
    made = desk.audit_set.draw(20, actor="ana")
    assert (made.number, made.cases, made.patients, made.retired) == (0, 20, 20, 0)
    [event] = [e for e in desk.events.events() if e.kind == "audit_drawn"]
    assert (event.seq, event.actor) == (made.seq, "ana")
    assert event.data["wanted"] == event.data["cases"] == len(event.data["drawn"])
    assert event.data["eligible"] == 60
    more = desk.audit_set.draw(10, actor="ana")
    assert desk.audit_set.status().cases == 20 + more.cases
    assert desk.audit_set.status().number == 0
    with pytest.raises(AuditSetTooFew):
        desk.audit_set.draw(31, actor="ana")


def test_a_refresh_has_a_budget_of_its_own_and_no_patient_of_the_one_before(open_desk):
    desk = open_desk([labelled(n, partition=Partition.TRAIN) for n in range(1, 61)])
    desk.audit_set.draw(20, actor="ana")
    before = {case.id for batch in desk.cases.batches() for case in batch
              if case.partition is Partition.AUDIT}
    made = desk.audit_set.refresh(25, actor="ana")
    after = {case.id for batch in desk.cases.batches() for case in batch
             if case.partition is Partition.AUDIT}
    assert not before & after
    assert (made.number, made.retired, desk.gating.audit_set()) == (1, 20, 1)
    assert desk.audit_set.status().attempts == 0
    with pytest.raises(AuditSetTooFew):  # as many as are proposed are not there
        desk.audit_set.refresh(actor="ana")
    assert desk.audit_set.number == 1


def test_a_drawn_case_opens_without_opinion_and_a_retired_one_with(open_desk):
    desk = open_desk([labelled(n, partition=Partition.TRAIN) for n in range(1, 41)])
    desk.audit_set.draw(15, actor="ana")
    drawn = {case.key for batch in desk.cases.batches() for case in batch
             if case.partition is Partition.AUDIT}
    for _ in desk.learning.train(actor="ana"):
        pass
    for _ in desk.predicting.score_all():
        pass
    for key in range(1, 41):
        view = desk.reviewing.open_case(key)
        blind = key in drawn
        assert (view.prediction is None) is blind
        assert (view.row.reason == "queue.neutral") is blind
        assert (view.row.priority is None) is blind


def test_only_the_writer_draws(open_desk):
    desk = open_desk([labelled(n, partition=Partition.TRAIN) for n in range(1, 41)],
                     read_only=True)
    assert desk.audit_set.status().eligible == 40
    with pytest.raises(ProjectReadOnly):
        desk.audit_set.draw(5, actor="ana")


def test_the_trail_holds_after_draws(tmp_path):
    store = create_store(tmp_path / "p.mmreview", SCHEMA)
    store.cases.upsert([draft(n) for n in range(1, 11)])
    store.close()
    desk = FakeOpener().open(tmp_path / "p.mmreview")
    desk.audit_set.draw(3, actor="ana")
    desk.audit_set.refresh(3, actor="ana")
    desk.close()
    store = open_store(tmp_path / "p.mmreview")
    assert list(verify_trail(store)) == []
    store.close()
