"""Findings given to near-duplicates: one act, each case told where from, taken back as a whole."""

import pytest

from mmreview.compose import furnish
from mmreview.domain.cases import Partition
from mmreview.domain.findings import (
    Basis,
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)
from mmreview.domain.likeness import Alikeness
from mmreview.domain.reads import Correction, EventKind
from mmreview.store.engine import create_store
from tests.fakes import SCHEMA, FakeAcquisition, FakeFeatures, FakeLikeness, FakeTrainer, draft

WHOLE, IMAGE = Alikeness.WHOLE, Alikeness.IMAGE


def ended(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


@pytest.fixture
def make_desk(tmp_path):
    made = []

    def make(twins, *, schema=SCHEMA, drafts=None):
        store = create_store(tmp_path / f"p{len(made)}.mmreview", schema)
        store.cases.upsert(drafts or [draft(n) for n in range(1, 7)])
        made.append(
            furnish(
                store, features=FakeFeatures(), trainer=FakeTrainer(),
                likeness=FakeLikeness(twins), acquisition=FakeAcquisition(),
            )
        )
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def correct(desk, key, finding, state, *, reader="Ada", basis=Basis.BOTH):
    desk.reviewing.correct(
        Correction(case_key=key, finding=finding, state=state, reader=reader, basis=basis)
    )


def held(desk, key):
    return {n: s.state for n, s in desk.cases.states(key).items() if s.state is not State.UNSET}


def test_twins_are_offered_what_they_lack_and_get_it_in_one_act(make_desk):
    desk = make_desk({2: WHOLE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    correct(desk, 1, "Fracture", State.ABSENT)
    correct(desk, 4, "Edema", State.PRESENT, reader="Ben")
    cluster = ended(desk.propagating.find(1))
    offered = {t.case.key: {s.finding: s.state for s in t.states} for t in cluster.twins}
    assert {s.finding for s in cluster.states} == {"Edema", "Fracture"}
    assert offered == {
        2: {"Edema": State.PRESENT, "Fracture": State.ABSENT}, 4: {"Fracture": State.ABSENT}
    }
    before = desk.events.last_seq()
    given = desk.propagating.give(cluster, [2, 4], reader="Ada")
    assert (given.cases, given.findings) == (2, 3)
    assert (given.first_seq, given.last_seq) == (before + 1, before + 3)
    assert held(desk, 2) == {"Edema": State.PRESENT, "Fracture": State.ABSENT}
    told = [event.data["propagated_from"] for event in desk.events.events(after=before)]
    assert told == ["case-0001"] * 3
    assert ended(desk.auditing.verify()) == []
    assert ended(desk.propagating.find(1)).twins == ()


def test_only_the_ticked_cases_are_given_anything(make_desk):
    desk = make_desk({2: WHOLE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    cluster = ended(desk.propagating.find(1))
    desk.propagating.give(cluster, [4], reader="Ada")
    assert held(desk, 2) == {}
    assert held(desk, 4) == {"Edema": State.PRESENT}
    assert desk.propagating.give(cluster, [], reader="Ada") is None


def test_an_act_is_taken_back_as_a_whole_but_not_what_was_corrected_since(make_desk):
    desk = make_desk({2: WHOLE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    correct(desk, 2, "Edema", State.ABSENT, reader="Ben")
    given = desk.propagating.give(ended(desk.propagating.find(1)), [2, 4], reader="Ada")
    assert held(desk, 2) == {"Edema": State.PRESENT}
    correct(desk, 4, "Edema", State.UNCERTAIN, reader="Ben")
    assert desk.propagating.take_back(given, reader="Ada") == 2
    assert held(desk, 2) == {"Edema": State.ABSENT}
    assert held(desk, 4) == {"Edema": State.UNCERTAIN}
    assert desk.propagating.take_back(given, reader="Ada") == 0
    assert ended(desk.auditing.verify()) == []


def test_what_a_reader_undid_one_by_one_is_not_undone_twice(make_desk):
    desk = make_desk({2: WHOLE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    given = desk.propagating.give(ended(desk.propagating.find(1)), [2, 4], reader="Ada")
    assert desk.reviewing.undo("Ada").case == "case-0004"
    assert desk.propagating.take_back(given, reader="Ada") == 1
    assert held(desk, 2) == held(desk, 4) == {}


def test_with_another_report_only_what_rests_on_the_image_is_given(make_desk):
    desk = make_desk({2: IMAGE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    correct(desk, 1, "Fracture", State.PRESENT, basis=Basis.IMAGE)
    cluster = ended(desk.propagating.find(1))
    assert {t.case.key: [s.finding for s in t.states] for t in cluster.twins} == {
        2: ["Fracture"], 4: ["Edema", "Fracture"]
    }
    desk.propagating.give(cluster, [2], reader="Ada")
    assert desk.cases.states(2)["Fracture"].basis is Basis.IMAGE


def test_audit_and_control_cases_neither_give_nor_take(make_desk):
    drafts = [draft(1), draft(2, partition=Partition.AUDIT), draft(3, partition=Partition.CONTROL)]
    desk = make_desk({2: WHOLE, 3: WHOLE, 1: WHOLE}, drafts=drafts)
    for key in (1, 2, 3):
        correct(desk, key, "Edema", State.PRESENT)
    correct(desk, 1, "Fracture", State.PRESENT)
    assert [ended(desk.propagating.find(key)).twins for key in (1, 2, 3)] == [(), (), ()]


def test_what_was_only_imported_is_not_given(make_desk):
    drafts = [draft(1, labels={"Edema": State.PRESENT}), draft(2)]
    desk = make_desk({2: WHOLE}, drafts=drafts)
    assert ended(desk.propagating.find(1)).twins == ()
    correct(desk, 1, "Fracture", State.ABSENT)  # a reader has looked: what stands there holds
    [twin] = ended(desk.propagating.find(1)).twins
    assert {s.finding for s in twin.states} == {"Edema", "Fracture"}


def test_two_of_an_exclusive_group_never_hold_at_once(make_desk):
    names = ("Normal", "Mild", "Severe")
    schema = FindingSchema(
        "s", tuple(map(Finding, names)), (ExclusiveGroup("grade", Exclusivity.ONE_OF, names),)
    )
    drafts = [draft(1), draft(2, labels={"Mild": State.PRESENT})]
    desk = make_desk({2: WHOLE}, schema=schema, drafts=drafts)
    correct(desk, 1, "Severe", State.PRESENT)
    desk.propagating.give(ended(desk.propagating.find(1)), [2], reader="Ada")
    present = [n for n, state in held(desk, 2).items() if state is State.PRESENT]
    assert present == ["Severe"]


def test_a_disk_that_fails_leaves_nothing_half_given(make_desk, monkeypatch):
    desk = make_desk({2: WHOLE, 4: WHOLE})
    correct(desk, 1, "Edema", State.PRESENT)
    cluster = ended(desk.propagating.find(1))
    append = type(desk.events).append_together

    def fail(self, events):
        append(self, [*events, events[0].__class__(EventKind.UNDO, "Ada", payload={"undoes": 0})])

    monkeypatch.setattr(type(desk.events), "append_together", fail)
    before = desk.events.last_seq()
    with pytest.raises(Exception):  # noqa: B017 - whatever the store says
        desk.propagating.give(cluster, [2, 4], reader="Ada")
    assert desk.events.last_seq() == before
    assert held(desk, 2) == held(desk, 4) == {}
