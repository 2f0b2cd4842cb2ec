"""Exclusive groups in the trail: one act sets the whole group, one undo takes it back, and nothing
of either is stored where the disk gives out in the middle."""

import pytest

from mmreview.domain.errors import WriteFailed
from mmreview.domain.findings import (
    Basis,
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)
from mmreview.store import reads
from mmreview.store.audit import rebuild, verify_trail
from mmreview.store.engine import open_store

P, A, U = State.PRESENT, State.ABSENT, State.UNCERTAIN
GRADES = ("None", "Mild", "Severe")


@pytest.fixture
def schema():
    group = ExclusiveGroup("Severity", Exclusivity.ONE_OF, GRADES)
    return FindingSchema("g", tuple(Finding(n) for n in (*GRADES, "Edema")), (group,))


@pytest.fixture
def filled(store, draft):
    labels = {"None": P, "Mild": A, "Severe": A}
    store.cases.upsert([draft("a", labels=labels), draft("b")])
    return store


def holding(store, key=1):
    return {name: (str(s.state), s.reader) for name, s in store.cases.states(key).items()}


def test_groups_are_kept_with_the_project(filled, folder, schema):
    filled.close()
    store = open_store(folder)
    assert store.cases.schema == schema
    store.close()


def test_one_key_sets_the_whole_group_in_one_act(filled, correct):
    changed = correct(1, "Severe", P, basis=Basis.IMAGE, version=4)
    assert holding(filled) == {
        "None": ("absent", "ana"), "Mild": ("absent", "ana"), "Severe": ("present", "ana"),
    }
    assert {s.finding: s for s in (*changed.implied, changed.after)} == filled.cases.states(1)
    told = [event.data for event in filled.events.events(case="a")]
    assert [(d["finding"], d["before"], d["after"], d["basis"]) for d in told] == [
        ("None", "present", "absent", "image"),
        ("Mild", "absent", "absent", "image"),
        ("Severe", "absent", "present", "image"),
    ]
    assert [d.get("implied_by") for d in told] == ["Severe", "Severe", None]
    assert told[-1]["implies"] == ["None", "Mild"]


def test_an_act_counts_as_one_correction(filled, correct, reviewing):
    correct(1, "Severe", P)
    correct(1, "Edema", U)
    [row] = filled.cases.worklist_rows([1])
    assert row.corrections == 2
    assert filled.events.corrections_after(0) == 2
    assert reviewing(filled).commit_read(1, reader="ana").changed == 2
    assert list(verify_trail(filled)) == []
    rebuild(filled)
    assert filled.cases.worklist_rows([1])[0].corrections == 2


def test_one_undo_takes_the_whole_act_back(filled, correct, reviewing):
    reader = reviewing(filled)
    before = holding(filled)
    correct(1, "Severe", P)
    correct(1, "Mild", P)
    undone = reader.undo("ana")
    assert undone.after.finding == "Mild"
    assert holding(filled)["Severe"] == ("present", "ana")
    assert {s.finding: s for s in (*undone.implied, undone.after)} == filled.cases.states(1)
    reader.undo("ana")
    assert holding(filled) == before
    assert reader.undo("ana") is None
    assert filled.events.corrections_after(0) == 0
    told = [e.data for e in filled.events.events(case="a") if e.kind == "undo"]
    assert [d["finding"] for d in told] == ["None", "Severe", "Mild", "None", "Mild", "Severe"]
    assert list(verify_trail(filled)) == []


def test_uncertain_and_absent_speak_for_one_finding_only(filled, correct):
    correct(1, "Severe", U)
    correct(1, "None", A)
    assert holding(filled) == {
        "None": ("absent", "ana"), "Mild": ("absent", ""), "Severe": ("uncertain", "ana"),
    }


def test_another_reader_who_spoke_since_stays_heard(filled, correct, reviewing):
    correct(1, "Severe", P, "ana")
    correct(1, "Mild", P, "ben")
    reviewing(filled).undo("ana")
    assert holding(filled)["Mild"] == ("present", "ben")
    assert holding(filled)["Severe"] == ("absent", "ben")
    assert list(verify_trail(filled)) == []


def test_an_act_that_fails_in_the_middle_leaves_nothing(filled, correct, reviewing, monkeypatch):
    before, last = holding(filled), filled.events.last_seq()
    real, made = reads.append_event, []

    def fails_on_the_third(connection, event):
        made.append(event)
        if len(made) == 3:
            raise WriteFailed(detail="disk full")
        return real(connection, event)

    with monkeypatch.context() as patched:
        patched.setattr(reads, "append_event", fails_on_the_third)
        with pytest.raises(WriteFailed):
            correct(1, "Severe", P)
    assert (holding(filled), filled.events.last_seq()) == (before, last)
    correct(1, "Severe", P)
    made.clear()
    held = holding(filled)
    with monkeypatch.context() as patched:
        patched.setattr(reads, "append_event", fails_on_the_third)
        with pytest.raises(WriteFailed):
            reviewing(filled).undo("ana")
    assert holding(filled) == held
    assert list(verify_trail(filled)) == []
    reviewing(filled).undo("ana")
    assert holding(filled) == before
