"""Learning walks durable states, and whatever stops it leaves a whole project and every correction.

Store and services are the real ones; the model room is stood in for (``tests.fakes``).
"""

import errno
import json
from dataclasses import replace

import pytest

from mmreview.domain.errors import MmreviewError, TooFewLabels, WriteFailed
from mmreview.domain.findings import State
from mmreview.domain.ports import TrainingResult
from mmreview.domain.reads import Correction
from mmreview.domain.versions import Outcome
from mmreview.services.learning import NothingToRollBack, TrainingOptions, VersionUnfit
from mmreview.services.rounds import RoundRunning
from mmreview.store.audit import verify_trail
from tests.fakes import FakeOpener, FakeTrainer, make_project


class Trainer(FakeTrainer):
    """Measures as the real one does; can break, and can ask for a reader's decision."""

    outcome = None
    breaks = None  # called when the files are written

    def train(self, request):
        result = yield from super().train(request)
        if self.breaks is not None:
            self.breaks(request)
        lineage = {"since_seq": request.parent.through_seq if request.parent else 0}
        gate = replace(result.gate, outcome=self.outcome)
        return TrainingResult(result.sha256, result.fusion, result.metrics, gate, lineage)


@pytest.fixture
def opener():
    made = FakeOpener()
    made.trainer = Trainer()
    return made


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "p.mmreview", labels=True)


@pytest.fixture
def open_desk(opener, project):
    opened = []

    def run():
        opened.append(opener.open(project))
        return opened[-1]

    yield run
    for desk in opened:
        desk.close()


@pytest.fixture
def desk(open_desk):
    return open_desk()


def trained(desk, **options):
    steps = desk.learning.train(actor="ana", options=TrainingOptions(**options))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def correct(desk, case="case-0004", state=State.PRESENT, finding="Edema"):
    key = desk.cases.find(case).key
    return desk.reviewing.correct(Correction(key, finding, state, "ana"))


def states(desk):
    return [str(r.state) for r in desk.learning.rounds()]


def folders(desk):
    return sorted(p.name for p in (desk.info.folder / "versions").iterdir())


def roles(desk):
    return {v.id: str(v.role) for v in desk.learning.versions()}


# --- the walk -----------------------------------------------------------------------------------


def test_each_state_is_durable_before_the_next_begins(desk):
    seen = []
    for step in desk.learning.train(actor="ana"):
        seen.append((step.phase, states(desk)[:1]))
    assert seen[0] == ("training.phase.snapshot", [])
    assert ("training.phase.fitting", ["training"]) in seen
    assert ("training.phase.measuring", ["evaluating"]) in seen
    assert seen[-1] == ("training.phase.saving", ["evaluating"])
    [found] = desk.learning.rounds()
    assert (found.state, found.version, found.actor) == ("serving", 1, "ana")
    options = {"fusion": "mixture", "weight": "cv", "seed": 0, "unlabelled": False}
    assert found.options == options
    assert found.ended_at >= found.started_at != ""


def test_a_round_learns_what_was_said_before_it_and_no_more(desk):
    correct(desk)
    steps = desk.learning.train(actor="ana")
    next(steps), next(steps)  # the snapshot is taken
    later = correct(desk, case="case-0005")
    with pytest.raises(StopIteration) as done:
        while True:
            next(steps)
    version = done.value.value
    assert version.through_seq == later.seq - 1
    assert version.corrections == 1
    assert desk.learning.corrections_since() == desk.learning.corrections_unlearned() == 1
    second = trained(desk)
    assert desk.learning.rounds()[0].since_seq == version.through_seq
    assert second.lineage == {"since_seq": version.through_seq}
    assert desk.learning.corrections_unlearned() == 0


def test_what_a_refused_round_has_learned_is_learned_all_the_same(desk, opener):
    trained(desk)
    correct(desk)
    opener.trainer.refusing = True
    assert trained(desk).role == "refused"
    assert desk.learning.corrections_since() == 1  # the serving version has not seen it
    assert desk.learning.corrections_unlearned() == 0  # another round would say the same
    assert states(desk) == ["refused", "serving"]


def test_one_round_at_a_time(desk):
    first = desk.learning.train(actor="ana")
    next(first)
    with pytest.raises(RoundRunning):
        trained(desk)
    first.close()
    assert trained(desk).id == 1


# --- what stops it ------------------------------------------------------------------------------


def test_cancelling_leaves_the_word_that_it_was_cancelled(desk):
    correct(desk)
    for steps_taken in range(1, 6):
        steps = desk.learning.train(actor="ana")
        for _ in range(steps_taken):
            next(steps)
        steps.close()
    assert folders(desk) == []
    assert desk.learning.versions() == []
    assert set(states(desk)) == {"cancelled"}
    assert desk.learning.rounds()[0].version is None
    assert desk.learning.corrections_unlearned() == 1


def test_too_few_labels_end_a_round_with_that_reason(opener, tmp_path):
    desk = opener.open(make_project(tmp_path / "empty.mmreview"))
    try:
        with pytest.raises(TooFewLabels):
            trained(desk)
        [found] = desk.learning.rounds()
        assert (found.state, found.reason.code) == ("failed", "error.too_few_labels")
    finally:
        desk.close()


def test_a_round_that_breaks_after_writing_leaves_no_file(desk, opener):
    def breaks(request):
        raise WriteFailed(detail="No space left on device")

    trained(desk)
    opener.trainer.breaks = breaks
    with pytest.raises(WriteFailed):
        trained(desk)
    assert folders(desk) == ["00001"]
    assert desk.learning.champion().id == 1
    assert desk.learning.rounds()[0].reason.params == {"detail": "No space left on device"}
    opener.trainer.breaks = None
    assert trained(desk).id == 2


def test_a_registration_that_fails_leaves_no_file_and_the_champion(desk, opener, monkeypatch):
    trained(desk)
    database = desk.cases._database

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    def breaks(request):
        database.before_commit = fail

    opener.trainer.breaks = breaks
    with pytest.raises(OSError, match="No space left"):
        trained(desk)
    database.before_commit = None
    assert folders(desk) == ["00001"]
    assert roles(desk) == {1: "champion"}
    # Its end could not be stored either; the next round does that.
    assert states(desk)[0] == "evaluating"
    opener.trainer.breaks = None
    assert trained(desk).id == 2
    assert states(desk) == ["serving", "cancelled", "serving"]


def test_a_kill_is_cleaned_up_at_the_next_opening(desk, open_desk):
    trained(desk)
    correct(desk)
    versions = desk.info.folder / "versions"
    steps = desk.learning.train(actor="ana")
    for _ in range(5):
        next(steps)
    # What a kill leaves: the round in the database, files that nobody registered.
    left = [{"state": str(r.state), "version": r.version} for r in desk.learning.rounds()]
    assert left[0] == {"state": "evaluating", "version": 2}
    (versions / "00002.partial").mkdir()
    (versions / "00002.partial" / "card.json").write_text("{")
    (versions / "00007").mkdir()
    (versions / "stray").write_text("")
    (versions / "00001" / "learning_curve.json.partial").write_text("")
    desk.close()  # the generator is still open and must not get to say how it ended
    again = open_desk()
    assert folders(again) == ["00001"]
    assert sorted(p.name for p in (versions / "00001").iterdir()) == ["card.json"]
    newest = again.learning.rounds()[0]
    assert (newest.state, newest.reason.code) == ("cancelled", "round.interrupted")
    assert newest.version is None
    assert again.learning.champion().id == 1
    assert again.learning.corrections_unlearned() == 1
    assert trained(again).id == 2
    steps.close()
    assert folders(again) == ["00001", "00002"]


# --- a reader's decision ------------------------------------------------------------------------


@pytest.fixture
def waiting(desk, opener):
    trained(desk)
    opener.trainer.outcome = Outcome.WAITING
    correct(desk)
    return trained(desk)


def test_a_version_that_waits_does_not_serve(desk, waiting):
    assert waiting.role == "challenger"
    assert desk.learning.champion().id == 1
    assert desk.learning.waiting() == waiting
    assert states(desk)[0] == "waiting"
    assert [e.kind for e in desk.events.events()][-1] == "version_trained"
    assert list(verified(desk)) == []


def test_it_waits_through_a_restart(desk, waiting, open_desk):
    desk.close()
    again = open_desk()
    assert again.learning.waiting().id == 2
    assert states(again)[0] == "waiting"
    assert folders(again) == ["00001", "00002"]


@pytest.mark.parametrize("by_promote", [True, False])
def test_accepting_is_one_event_of_the_reader(desk, waiting, by_promote):
    before = desk.events.last_seq()
    if by_promote:
        changed = desk.learning.promote(2, actor="bo")
    else:
        changed = desk.learning.decide(2, accept=True, actor="bo")
    assert (changed.version, changed.previous) == (2, 1)
    [event] = desk.events.events(after=before)
    assert (event.kind, event.actor) == ("version_promoted", "bo")
    assert states(desk)[0] == "serving"
    assert desk.learning.waiting() is None
    assert list(verified(desk)) == []


@pytest.mark.parametrize("by_promote", [True, False])
def test_only_the_named_reader_lets_it_serve(desk, waiting, by_promote):
    desk.gating.change(actor="ana", act=True, reader="bo")
    before = desk.events.last_seq()
    with pytest.raises(VersionUnfit) as refused:
        if by_promote:
            desk.learning.promote(2, actor="ana")
        else:
            desk.learning.decide(2, accept=True, actor="ana")
    assert refused.value.code == "error.version_waits_for"
    assert refused.value.params["reader"] == "bo"
    assert desk.events.last_seq() == before
    assert desk.learning.waiting().id == 2
    desk.learning.promote(2, actor="bo")
    assert desk.learning.champion().id == 2


def test_refusing_is_one_event_of_the_reader_and_keeps_the_corrections(desk, waiting):
    before = desk.events.last_seq()
    assert desk.learning.decide(2, accept=False, actor="bo") is None
    [event] = desk.events.events(after=before)
    assert (event.kind, event.actor) == ("version_refused", "bo")
    assert roles(desk) == {1: "champion", 2: "refused"}
    assert states(desk)[0] == "refused"
    assert desk.learning.corrections_since() == 1
    assert list(verified(desk)) == []
    with pytest.raises(VersionUnfit) as refused:
        desk.learning.decide(2, accept=False, actor="bo")
    assert refused.value.code == "error.version_not_waiting"


def test_only_the_newest_waits(desk, waiting, opener):
    third = trained(desk)
    assert desk.learning.waiting() == third
    assert roles(desk) == {1: "champion", 2: "refused", 3: "challenger"}
    assert desk.learning.rounds()[1].reason.code == "round.superseded"
    opener.trainer.outcome = None
    assert trained(desk).role == "champion"
    assert desk.learning.waiting() is None
    assert list(verified(desk)) == []


# --- promotion and rollback ---------------------------------------------------------------------


def test_rolling_back_leaves_the_corrections_and_is_one_event(desk):
    with pytest.raises(NothingToRollBack):
        desk.learning.rollback(actor="ana")
    trained(desk)
    correct(desk)
    trained(desk)
    before = desk.events.last_seq()
    changed = desk.learning.rollback(actor="bo")
    assert (changed.version, changed.previous, changed.seq) == (1, 2, before + 1)
    assert roles(desk) == {1: "champion", 2: "retired"}
    assert desk.learning.corrections_since() == 1
    assert states(desk) == ["serving", "serving"]  # history: both came to serve
    with pytest.raises(VersionUnfit):
        desk.learning.promote(1, actor="bo")
    with pytest.raises(MmreviewError) as unknown:
        desk.learning.promote(9, actor="bo")
    assert unknown.value.code == "error.version_not_found"


def verified(desk):
    """What the trail and the database say against each other."""

    class Store:
        database = desk.cases._database

    return verify_trail(Store())


def test_the_events_tell_the_gate_s_word(desk):
    trained(desk)
    [event] = [e for e in desk.events.events() if e.kind == "version_promoted"]
    told = json.loads(event.payload)
    assert told["gate"]["reason"] == "gate.first"
    assert told["version"] == 1
