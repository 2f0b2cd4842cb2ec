"""A second reading: blind, beside the label, and counted."""

import pytest

from mmreview.domain.findings import ExclusiveGroup, Exclusivity, Finding, FindingSchema, State
from mmreview.domain.reads import Correction, EventKind, Stage
from mmreview.domain.streams import Offer, Stream
from mmreview.services.reviewing import Reviewing
from mmreview.store.audit import rebuild, verify_trail
from mmreview.store.engine import create_store
from tests.fakes import draft

SCHEMA = FindingSchema(
    "s",
    (Finding("Edema"), Finding("Mild"), Finding("Severe")),
    (ExclusiveGroup("Grade", Exclusivity.AT_MOST_ONE, ("Mild", "Severe")),),
)


class NoModel:
    """Would say something, if it were asked."""

    def opinion(self, case):
        raise AssertionError(f"an opinion on {case.id} was asked for")


@pytest.fixture
def store(tmp_path):
    store = create_store(tmp_path / "p.mmreview", SCHEMA)
    store.cases.upsert([draft(n) for n in range(1, 4)])
    store.queue.reader = "ana"
    yield store
    store.close()


@pytest.fixture
def reviewing(store):
    return Reviewing(
        cases=store.cases, events=store.events, predicting=NoModel(), folder=store.folder,
        queue=store.queue,
    )


def say(reviewing, key, finding, state, *, repeat=False, reader="ana"):
    return reviewing.correct(Correction(key, finding, state, reader, repeat=repeat))


@pytest.fixture
def planted(store, reviewing):
    """Case 1 was read by ana (Edema present, Mild absent), and is offered to her again."""
    say(reviewing, 1, "Edema", State.PRESENT)
    say(reviewing, 1, "Mild", State.ABSENT)
    reviewing.commit_read(1, reader="ana", version=3)
    store.queue.replace(1, [Offer(1, Stream.REPEATS, 0.0, "queue.neutral")])
    return reviewing


def states(reviewing, key=1):
    return {name: str(held.state) for name, held in reviewing.open_case(key).states.items()}


def test_nothing_of_the_first_reading_is_shown(planted):
    view = planted.open_case(1)
    assert view.repeat
    assert view.states == {}
    assert (view.prediction, view.stage) == (None, Stage.REPORT)
    assert view.prediction_status.code == "prediction.blind"
    assert (view.row.status, view.row.reason) == ("unread", "queue.neutral")


def test_the_answers_stand_beside_the_label(store, planted):
    seq = store.events.last_seq()
    changed = say(planted, 1, "Edema", State.ABSENT, repeat=True)
    assert (changed.repeat, changed.before.state, changed.after.state) == (
        True, State.UNSET, State.ABSENT
    )
    assert states(planted) == {"Edema": "absent"}
    assert store.cases.states(1)["Edema"].state is State.PRESENT
    assert store.cases.label_table().targets[0, 0] == 1
    assert store.events.corrections_after(seq) == 0
    done = planted.commit_read(1, reader="ana", repeat=True)
    assert (done.repeat, done.differs, done.read) == (True, ("Edema",), 2)
    assert store.cases.states(1)["Edema"].state is State.PRESENT
    assert list(verify_trail(store)) == []
    rebuild(store)
    assert list(verify_trail(store)) == []


def test_an_answer_can_be_taken_back_and_given_again(store, planted):
    say(planted, 1, "Mild", State.PRESENT, repeat=True)
    say(planted, 1, "Severe", State.PRESENT, repeat=True)
    assert states(planted) == {"Mild": "absent", "Severe": "present"}
    undone = planted.undo("ana", repeat_of=1)
    assert (undone.before.state, undone.after.state) == (State.PRESENT, State.ABSENT)
    assert [(s.finding, s.state) for s in undone.implied] == [("Mild", State.PRESENT)]
    assert states(planted) == {"Mild": "present", "Severe": "absent"}
    assert planted.undo("ana", repeat_of=1) is not None
    assert states(planted) == {}
    assert planted.undo("ana", repeat_of=1) is None
    assert planted.undo("ana").after.state is State.UNSET  # the label's own undo is another thing
    assert store.cases.states(1)["Edema"].state is State.PRESENT


def test_once_committed_it_is_an_ordinary_read_case_again(store, planted):
    say(planted, 1, "Edema", State.PRESENT, repeat=True)
    planted.commit_read(1, reader="ana", repeat=True)
    store.queue.take_out(1)
    [row] = store.cases.worklist_rows([1])
    assert (row.status, row.corrections) == ("read", 2)
    assert store.queue.reads_of("ana") == [(1, 2)]


def test_only_its_own_reader_reads_it_again(store, planted):
    store.queue.reader = "ben"
    [row] = store.cases.worklist_rows([1])
    assert (row.stream, row.status) == ("", "read")


def test_agreement_counts_what_was_answered_twice(store, planted):
    say(planted, 1, "Edema", State.ABSENT, repeat=True)
    say(planted, 1, "Mild", State.ABSENT, repeat=True)
    say(planted, 1, "Severe", State.ABSENT, repeat=True)  # was not answered before
    planted.commit_read(1, reader="ana", repeat=True)
    whole, edema, mild = planted.repeats.consistency()
    assert (whole.reader, whole.finding, whole.cases) == ("ana", "", 1)
    assert (whole.pairs, whole.agreed) == (2, 1)
    assert (edema.finding, edema.agreed, mild.finding, mild.agreed) == ("Edema", 0, "Mild", 1)


def test_without_a_second_reading_there_is_nothing_to_count(planted):
    assert planted.repeats.consistency() == []


def test_the_trail_says_what_was_answered_and_which_reading_it_repeats(store, planted):
    say(planted, 1, "Edema", State.ABSENT, repeat=True)
    planted.commit_read(1, reader="ana", repeat=True)
    first, answered, second = list(store.events.events(case="case-0001"))[-3:]
    assert answered.kind == EventKind.REPEAT_ANSWERED
    assert (answered.data["before"], answered.data["after"]) == ("unset", "absent")
    assert (first.seq, second.kind) == (second.data["repeats"], EventKind.READ_COMMITTED)
    assert second.data["states"] == {"Edema": "absent"}
