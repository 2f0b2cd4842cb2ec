"""Who may come into the audit set, and a draw that is one transaction with its event."""

import time
from dataclasses import replace

import pytest

from mmreview.domain.cases import Partition
from mmreview.domain.errors import Message, WriteFailed
from mmreview.domain.findings import State
from mmreview.domain.predictions import CaseScore
from mmreview.domain.reads import EventKind, NewEvent, Stage
from mmreview.domain.rounds import Round, RoundState
from mmreview.domain.streams import Offer, Stream
from mmreview.domain.versions import Role, Version
from mmreview.store import audit_sets
from mmreview.store.audit import verify_trail
from mmreview.store.audit_sets import AuditDrawOutdated

EVENT = NewEvent(EventKind.AUDIT_DRAWN, "ana", payload={"set": 1})


def eligible(store):
    return {candidate.group.removeprefix("patient of ") for candidate in
            store.audit_sets.candidates()}


def teach(store, number=1, through=None, **told):
    through = store.events.last_seq() if through is None else through
    store.versions.add(
        Version(number, "a" * 64, Role.CHAMPION, None, f"versions/{number:05d}", "", "mixture", 0,
                through, **told),
        NewEvent(EventKind.VERSION_PROMOTED, "ana", payload={"version": number,
                                                             "sha256": "a" * 64}),
    )


def test_before_any_version_every_training_patient_may_be_drawn(filled, draft):
    filled.cases.upsert([
        draft("d", partition=Partition.AUDIT), draft("e", partition=Partition.CONTROL),
        draft("f", images=0), draft("g", report=None),
    ])
    assert eligible(filled) == {"a", "b", "c", "f", "g"}
    found = {c.group[-1]: (c.cases, c.has_image, c.has_report)
             for c in filled.audit_sets.candidates()}
    assert (found["f"], found["g"]) == ((1, False, True), (1, True, False))


def test_no_patient_whose_label_has_taught(filled, correct):
    correct(2, "Edema", State.PRESENT)
    filled.cases.upsert([])
    teach(filled)
    correct(3, "Edema", State.PRESENT)  # no version has learned this one
    assert eligible(filled) == {"c"}


def test_a_label_that_was_taken_back_has_taught_all_the_same(filled, correct, reviewing):
    correct(2, "Edema", State.PRESENT)
    teach(filled)
    reviewing(filled).undo("ana")
    assert eligible(filled) == {"c"}


USED = {"unlabelled": {"cases": 1, "used": True, "difference": [-0.1, -0.2, -0.05]}}


def test_no_patient_who_taught_without_a_label(filled, draft):
    filled.cases.upsert([draft("b2", group="patient of b")])
    teach(filled, metrics=USED, lineage={"believed": [4]})
    assert eligible(filled) == {"c"}
    with pytest.raises(AuditDrawOutdated):
        filled.audit_sets.redraw(["patient of b"], number=0, refresh=False, event=EVENT)


def test_nobody_where_a_version_or_a_round_does_not_say_whom_it_believed(filled):
    wish = Round(actor="ana", since_seq=0, through_seq=1, version=1, options={"unlabelled": True})
    begun = filled.rounds.begin(wish)
    assert eligible(filled) == set()
    filled.rounds.end(begun.id, RoundState.CANCELLED, Message("error.cancelled"))
    assert eligible(filled) == {"a", "b", "c"}
    teach(filled, metrics=USED)
    assert eligible(filled) == set()


def test_tried_is_not_taught(filled):
    tried = {"unlabelled": {**USED["unlabelled"], "used": False}}
    teach(filled, metrics=tried, lineage={"believed": []})
    assert eligible(filled) == {"b", "c"}


def test_no_patient_who_shares_a_picture_with_another(filled, draft):
    same = replace(draft("d"), images=draft("b").images)
    of_one = replace(draft("c2", group="patient of c"), images=draft("c").images)
    filled.cases.upsert([same, of_one])
    assert eligible(filled) == {"a", "c"}


def test_no_patient_who_was_read_with_an_opinion(filled, correct, reviewing):
    correct(1, "Edema", State.PRESENT, version=1, stage=Stage.MODEL)
    correct(2, "Edema", State.PRESENT, version=None, stage=Stage.MODEL)
    reviewing(filled).commit_read(3, reader="ana", version=None, stage=Stage.REPORT)
    assert eligible(filled) == {"b", "c"}
    reviewing(filled).commit_read(3, reader="ben", version=1)
    assert eligible(filled) == {"b"}


def test_one_case_of_a_patient_is_enough(filled, draft, reviewing):
    filled.cases.upsert([draft("b2", group="patient of b"), draft("c2", group="patient of c")])
    reviewing(filled).commit_read(2, reader="ana", version=1)
    assert eligible(filled) == {"a", "c"}


def test_not_what_somebody_has_open(filled):
    now = int(time.time())
    filled.leases.take([1], reader="ben", now=now, until=now + 60)
    filled.leases.take([2], reader="ben", now=now - 90, until=now - 60)
    assert eligible(filled) == {"b", "c"}


def test_a_draw_is_told_and_whole(filled):
    event = filled.audit_sets.redraw(
        ["patient of a", "patient of b"], number=1, refresh=False, event=EVENT
    )
    assert event.kind == "audit_drawn"
    told = {name: event.data[name] for name in ("set", "drawn", "retired")}
    assert told == {"set": 1, "drawn": ["a", "b"], "retired": []}
    assert [filled.cases.get(key).partition for key in (1, 2, 3)] == ["audit", "audit", "train"]
    assert filled.preferences.get("audit_set") == 1
    assert filled.audit_sets.counts().sizes == (1, 1)
    assert list(verify_trail(filled)) == []


def test_a_refresh_retires_the_set_before(filled, reviewing):
    filled.audit_sets.redraw(["patient of a"], number=0, refresh=False, event=EVENT)
    reviewing(filled).commit_read(1, reader="ana", stage=Stage.REPORT)
    assert filled.audit_sets.counts().read == 1
    event = filled.audit_sets.redraw(["patient of c"], number=1, refresh=True, event=EVENT)
    assert (event.data["drawn"], event.data["retired"]) == (["c"], ["a"])
    assert [filled.cases.get(key).partition for key in (1, 2, 3)] == ["train", "train", "audit"]
    assert filled.audit_sets.counts().read == 0


def test_what_came_in_between_undoes_the_draw(filled, reviewing):
    reviewing(filled).commit_read(2, reader="ana", version=1)
    with pytest.raises(AuditDrawOutdated) as refused:
        filled.audit_sets.redraw(
            ["patient of a", "patient of b"], number=1, refresh=True, event=EVENT
        )
    assert refused.value.params == {"count": 1}
    assert filled.audit_sets.counts().cases == 0
    assert filled.preferences.get("audit_set") is None


def test_a_failure_leaves_all_as_it_was(filled, monkeypatch):
    def full(*_):
        raise WriteFailed(detail="no room")

    monkeypatch.setattr(audit_sets, "append_event", full)
    with pytest.raises(WriteFailed):
        filled.audit_sets.redraw(["patient of a"], number=1, refresh=False, event=EVENT)
    assert filled.audit_sets.counts().cases == 0
    assert filled.preferences.get("audit_set") is None


def test_nothing_of_an_opinion_stays_in_worklist_or_queue(filled):
    filled.scores.serve(1)
    filled.scores.replace(1, [CaseScore(k, 0.4, 0.5, "queue.conflict") for k in (1, 2)])
    offers = [Offer(k, Stream.POLICY, 0.5, "queue.margin", {}) for k in (1, 2)]
    filled.queue.replace(1, offers)
    filled.audit_sets.redraw(["patient of a"], number=0, refresh=False, event=EVENT)
    drawn, other = filled.cases.worklist_rows([1, 2])
    assert (drawn.reason, drawn.priority, drawn.conflict) == ("", None, None)
    assert other.priority == 0.5
    assert [offer.key for offer in filled.queue.head(9)] == [2]


def test_an_import_of_the_same_patient_keeps_the_draw(filled):
    filled.audit_sets.redraw(["patient of a"], number=0, refresh=False, event=EVENT)
    assert filled.cases.partitions(["patient of a"]) == {"patient of a": Partition.AUDIT}
