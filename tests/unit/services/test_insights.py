"""What the trail says of the loop, on real stores and on trails whose times are known."""

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mmreview.domain.audit_sets import AUDIT_SET
from mmreview.domain.cases import Partition
from mmreview.domain.errors import MmreviewError, TooFewToCompare
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction, Event, EventKind, Stage, canonical_json
from mmreview.services.trail_walk import TrailWalk, share
from mmreview.store.engine import create_store
from tests.fakes import SCHEMA, FakeOpener, FakeTrainer, draft


def finish(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


@contextmanager
def desk_of(folder, *, train=6, control=0, audit=0):
    """Cases by partition, in this order; Edema is present by the import in each second one."""
    store = create_store(folder, SCHEMA)
    kinds = [Partition.TRAIN] * train + [Partition.CONTROL] * control + [Partition.AUDIT] * audit
    store.cases.upsert(
        [
            draft(n, partition=kind,
                  labels={"Edema": State.PRESENT if n % 2 else State.ABSENT})
            for n, kind in enumerate(kinds, start=1)
        ]
    )
    store.close()
    desk = FakeOpener().open(folder)
    try:
        yield desk
    finally:
        desk.close()


def correct(desk, key, finding, state, reader="Ada", **fields):
    desk.reviewing.correct(
        Correction(case_key=key, finding=finding, state=state, reader=reader, **fields)
    )


def read(desk, *keys, reader="Ada", version=None, stage=Stage.MODEL):
    for key in keys:
        desk.reviewing.commit_read(key, reader=reader, version=version, stage=stage)


# --- pace ---------------------------------------------------------------------------------------


class Trail:
    """Events at seconds after an hour, in the shape that the store gives them."""

    def __init__(self):
        self.events = []

    def add(self, second, kind, *, actor="Ada", case="c", day=0, **data):
        at = datetime(2026, 3, 14 + day, 8, tzinfo=UTC) + timedelta(seconds=second)
        event = Event(
            seq=len(self.events) + 1, kind=str(kind), actor=actor, at=at.isoformat(), case=case,
            read=1, stage="model", payload=canonical_json(data), prev_hash="", hash="",
        )
        self.events.append(event)
        return event.seq

    def correct(self, second, **more):
        return self.add(second, EventKind.CORRECTION, finding="Edema", before="unset",
                        after="present", **more)

    def commit(self, second, **more):
        return self.add(second, EventKind.READ_COMMITTED, states={}, changed=[], **more)

    def walk(self):
        walk = TrailWalk()
        walk.take(self.events)
        return walk


def test_pauses_are_not_work():
    trail = Trail()
    for second in (0, 60, 120):
        trail.correct(second)
    trail.correct(120 + 3600)  # an hour later: a pause, and what led to this act is not known
    trail.correct(120 + 3660)
    [everybody, ada, day] = trail.walk().paces()
    assert everybody.corrections == 5
    assert everybody.hours == pytest.approx(180 / 3600)
    assert everybody.corrections_per_hour == pytest.approx(60)
    assert (ada.reader, ada.hours) == ("Ada", everybody.hours)
    assert day.day == "2026-03-14"


def test_what_was_taken_back_or_implied_is_no_correction():
    trail = Trail()
    trail.correct(0)
    trail.correct(30, implied_by="Edema")
    seq = trail.correct(60)
    trail.add(90, EventKind.UNDO, undoes=seq, finding="Edema", before="present", after="unset")
    trail.commit(120)
    everybody = trail.walk().paces()[0]
    assert (everybody.corrections, everybody.reads) == (1, 1)
    assert everybody.corrections_per_hour == 0.0, "the first act has no known time behind it"
    assert everybody.reads_per_hour == pytest.approx(30)
    assert trail.walk().corrections_through(3) == 2
    assert trail.walk().corrections_through(4) == 1


def test_what_was_given_to_near_duplicates_is_one_act_and_a_second_reading_no_agreement():
    trail = Trail()
    trail.correct(0)
    given = [trail.correct(60, case=f"twin {n}", propagated_from="c") for n in range(5)]
    for seq in given:
        trail.add(90, EventKind.UNDO, case="twin", undoes=seq, finding="Edema", before="present",
                  after="unset")
    trail.commit(120)
    trail.add(150, EventKind.REPEAT_ANSWERED, finding="Edema", before="unset", after="absent")
    trail.add(180, EventKind.READ_COMMITTED, states={"Edema": "absent"}, changed=[], repeats=12)
    walk = trail.walk()
    everybody = walk.paces()[0]
    assert (everybody.corrections, everybody.reads) == (1, 2)
    assert everybody.hours == pytest.approx(180 / 3600)
    assert walk.corrections_through(99) == 1
    assert len(walk.reads) == 1


def test_two_readers_work_beside_each_other_and_days_are_told_apart():
    trail = Trail()
    for second in (0, 100, 200):
        trail.correct(second, actor="Ada")
        trail.correct(second + 1, actor="Ben")
    trail.correct(0, day=1)
    trail.correct(50, day=1)
    paces = {(pace.reader, pace.day): pace for pace in trail.walk().paces()}
    assert paces["", ""].hours == pytest.approx(450 / 3600)
    assert paces["Ada", ""].corrections == 5
    assert paces["Ben", ""].corrections_per_hour == pytest.approx(36)
    assert paces["", "2026-03-15"].corrections_per_hour is None, "less than a minute of work"


def test_an_empty_trail_has_no_pace():
    [everybody] = TrailWalk().paces()
    assert (everybody.reads, everybody.hours, everybody.corrections_per_hour) == (0, 0.0, None)


def test_an_event_that_somebody_edited_is_left_to_verify():
    trail = Trail()
    trail.correct(0)
    for kind, payload in ((EventKind.READ_COMMITTED, "{"), (EventKind.UNDO, "{}"),
                          (EventKind.READ_COMMITTED, '{"states": 3}'), (EventKind.CORRECTION, "7")):
        seq = trail.add(60, kind)
        trail.events[-1] = replace(trail.events[-1], payload=payload)
    trail.correct(90)
    walk = trail.walk()
    assert (walk.paces()[0].corrections, walk.reads, walk.seq) == (2, [], seq + 1)


def test_a_walk_goes_on_where_it_was():
    trail = Trail()
    trail.correct(0)
    walk = trail.walk()
    trail.correct(90)
    walk.take(trail.events[1:])
    assert walk.paces() == trail.walk().paces()
    assert walk.seq == 2


# --- shares -------------------------------------------------------------------------------------


def test_a_share_is_as_sure_as_its_cases_differ():
    even = share([(1, 10)] * 40)
    clustered = share([(10, 10)] * 4 + [(0, 10)] * 36)
    assert even.value == clustered.value == pytest.approx(0.1)
    assert even.low < 0.1 < even.high
    assert clustered.high - clustered.low > 2 * (even.high - even.low)
    nothing = share([(0, 10)] * 40)
    assert nothing.low == pytest.approx(0.0) and 0 < nothing.high < 0.15
    assert share([(1, 3)]).low is None
    assert share([]).value is None


def test_readers_against_the_import_and_against_what_they_were_shown(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        version = finish(desk.learning.train(actor="Ada"))
        predictor = desk.predicting
        predictor.serve()
        for key in range(1, 7):  # the reader always says what the model does not
            prediction = predictor.opinion(desk.cases.get(key))[0]
            said = {f.finding: f.fused for f in prediction.findings}
            other = State.ABSENT if said["Fracture"] >= 0.5 else State.PRESENT
            correct(desk, key, "Fracture", other, version=version.id)
        for key in (1, 2):
            held = desk.cases.states(key)["Edema"].state
            other = State.ABSENT if held is State.PRESENT else State.PRESENT
            correct(desk, key, "Edema", other, version=version.id)
        read(desk, 1, 2, 3, 4, version=version.id)
        read(desk, 5, stage=Stage.REPORT)
        found = finish(desk.insights.collect())
        by_name = {(a.finding, a.version): a for a in found.agreements}
        edema, fracture = by_name["Edema", None], by_name["Fracture", None]
        assert (edema.imported.changed, edema.imported.judged) == (2, 5)
        assert (fracture.imported.judged, fracture.model.changed) == (0, 4)
        assert fracture.model.judged == 4, "the read without an opinion does not count"
        assert by_name["", version.id].model.judged == by_name["", None].model.judged == 8
        assert found.unknown == 0


def test_a_version_that_cannot_answer_is_counted(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        version = finish(desk.learning.train(actor="Ada"))
        read(desk, 1, 2, version=version.id)

        def refuse(version, folder):
            raise MmreviewError("error.bundle_invalid")

        desk.insights._trainer.load = refuse
        found = finish(desk.insights.collect())
        assert found.unknown == 2
        assert found.agreements[0].model.judged == 0
        assert found.agreements[0].imported.judged == 2


# --- versions -----------------------------------------------------------------------------------


def test_each_attempt_says_what_work_it_knew_and_how_it_ended(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=6, control=1) as desk:
        finish(desk.learning.train(actor="Ada"))
        correct(desk, 1, "Fracture", State.PRESENT)
        read(desk, 1, 2, 7)
        desk.learning._trainer.refusing = True
        finish(desk.learning.train(actor="Ada"))
        desk.learning.promote(2, actor="Ada")
        read(desk, 1)  # again: the case was paid for already
        finish(desk.learning.train(actor="Ada"))
        one, two, three = finish(desk.insights.collect()).attempts
        assert (one.reads, one.corrections, one.outcome, one.served) == (0, 0, "accepted", True)
        assert (two.reads, two.corrections, two.outcome, two.served) == (2, 1, "refused", True)
        assert (three.reads, three.served) == (2, False)
        assert two.difference == -0.01
        assert one.auroc is None, "nobody has read an audit case"


def test_the_gates_interval_is_that_against_the_champion(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        real = desk.learning._trainer.train
        rivals = [
            {"role": "first", "difference": 0.5, "lower": 0.4, "upper": 0.6},
            {"role": "champion", "difference": -0.01, "lower": -0.03, "upper": 0.02},
        ]

        def judged(request):
            result = yield from real(request)
            return replace(result, gate=replace(result.gate, report={"rivals": rivals}))

        finish(desk.learning.train(actor="Ada"))
        desk.learning._trainer.train = judged
        finish(desk.learning.train(actor="Ada"))
        one, two = finish(desk.insights.collect()).attempts
        assert (one.bounds, two.bounds) == (None, (-0.03, 0.02))


def test_versions_are_measured_on_todays_audit_cases_once(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=6, audit=3) as desk:
        finish(desk.learning.train(actor="Ada"))
        asked = []
        real = desk.learning._trainer.audit

        def note(table, *, findings, versions):
            asked.append((len(table.keys), [version.id for version, _ in versions]))
            return (yield from real(table, findings=findings, versions=versions))

        desk.learning._trainer.audit = note
        [attempt] = finish(desk.insights.collect()).attempts
        assert (attempt.auroc, attempt.ece, attempt.audit_cases) == ((0.8, 0.7, 0.9), 0.05, 3)
        finish(desk.learning.train(actor="Ada"))
        finish(desk.insights.collect())
        correct(desk, 8, "Fracture", State.PRESENT)
        finish(desk.insights.collect())
        assert asked == [(3, [1]), (3, [2]), (3, [1, 2])], "again with other audit labels only"


def test_figures_of_two_audit_sets_never_stand_in_one_curve(tmp_path):
    then = {"auroc": {"fused": [0.6, 0.5, 0.7]}, "cases": 9, "ece": 0.1}

    def train(desk, audit_set, **report):
        real = FakeTrainer.train

        def judged(request):
            result = yield from real(desk.learning._trainer, request)
            gate = replace(result.gate, report={"audit_set": audit_set, **report})
            return replace(result, gate=gate, metrics={**result.metrics, "audit": then})

        desk.learning._trainer.train = judged
        finish(desk.learning.train(actor="Ada"))

    with desk_of(tmp_path / "p.mmreview", train=6, audit=3) as desk:
        train(desk, 0)
        desk.preferences.set(AUDIT_SET, 1)
        train(desk, 1)
        desk.learning._trainer.audit = none_answers
        one, two = finish(desk.insights.collect()).attempts
        assert (one.auroc, one.audit_cases) == (None, 0)
        assert (two.auroc, two.audit_cases) == ((0.6, 0.5, 0.7), 9)


def none_answers(table, *, findings, versions):
    """As a trainer of other encoders does."""
    yield from ()
    return {}


# --- the control arm ----------------------------------------------------------------------------


def test_what_is_missing_is_counted_and_nothing_is_claimed(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=25, control=3, audit=4) as desk:
        read(desk, *range(1, 23), 26)
        found = finish(desk.insights.collect())
        assert found.comparison is None
        assert found.readiness.have == {"queue": 22, "control": 1, "audit": 4}
        assert found.readiness.missing == {"queue": 0, "control": 19, "audit": 16}
        assert not found.readiness.ready
        with pytest.raises(MmreviewError, match="no_version"):
            finish(desk.insights.measure())
        finish(desk.learning.train(actor="Ada"))
        with pytest.raises(TooFewToCompare):
            finish(desk.insights.measure())
        assert finish(desk.insights.collect()).comparison is None


def test_what_was_read_blind_is_not_the_queues_choice(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=6, control=3) as desk:
        read(desk, 1, 2, 7)
        read(desk, 3, 8, stage=Stage.REPORT)
        assert desk.insights.summary()[1].have == {"queue": 2, "control": 2, "audit": 0}


def test_a_comparison_is_kept_beside_the_version_and_grows_old(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=40, control=40) as desk:
        version = finish(desk.learning.train(actor="Ada"))
        read(desk, *range(20, 0, -1), *range(41, 61))
        asked = {}
        real = desk.learning._trainer.control_arm

        def note(request, *, read):
            asked.update(read)
            return (yield from real(request, read=read))

        desk.learning._trainer.control_arm = note
        found = finish(desk.insights.measure())
        assert asked["queue"] == list(range(20, 0, -1)), "in order of reading"
        kept = finish(desk.insights.collect()).comparison
        assert (kept.version, kept.found, kept.due) == (version.id, json.loads(json.dumps(found)),
                                                        False)
        read(desk, *range(21, 35), *range(61, 75))
        assert finish(desk.insights.collect()).comparison.due
        finish(desk.learning.train(actor="Ada"))  # another version serves: what was measured holds
        pace, readiness, comparison = desk.insights.summary()
        assert comparison.version == version.id
        assert readiness.have["control"] == 34
        assert pace.reads == 68


def test_a_damaged_comparison_is_none(tmp_path):
    with desk_of(tmp_path / "p.mmreview", train=20, control=20) as desk:
        version = finish(desk.learning.train(actor="Ada"))
        (desk.info.folder / version.folder / "control_arm.json").write_text('{"found": 3}')
        assert desk.insights.summary()[2] is None
