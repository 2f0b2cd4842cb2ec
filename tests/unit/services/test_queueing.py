"""The queue that people read from: streams in their shares, reasons, repeats, leases, bad input."""

import time
from collections import Counter

import pytest

from mmreview.compose import furnish
from mmreview.domain.acquisition import PolicyNeedsVersion, PolicyNotFound
from mmreview.domain.cases import Partition, WorklistFilter, WorklistSort
from mmreview.domain.errors import MmreviewError, ProjectReadOnly
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.streams import QueueRules, Quotas, Stream
from mmreview.domain.versions import Role, Version
from mmreview.services.candidates import HashColumn, PagedContents
from mmreview.services.queueing import BATCH_SECONDS, OPEN_SECONDS
from mmreview.store.engine import create_store, open_store
from tests.fakes import SCHEMA, FakeAcquisition, FakeFeatures, FakeLikeness, FakeTrainer, draft


class Policies(FakeAcquisition):
    """Ranks the pool from its end; *conflict* and *label_error* want a version."""

    policies = ("random", "margin", "conflict", "label_error", "hybrid")

    def __init__(self):
        self.asked = []

    def rank(self, request):
        self.asked.append(request)
        if request.policy not in ("random", "hybrid") and request.version is None:
            raise PolicyNeedsVersion(policy=request.policy)
        yield Progress("progress.acquire", 0, len(request.keys))
        keys = list(request.keys)
        if request.policy in ("conflict", "label_error"):
            keys = [key for key in keys if key % 2 == (request.policy == "conflict")]
        reason = f"queue.{'uncertain' if request.policy == 'hybrid' else request.policy}"
        return [
            Choice(key, float(key), reason, {"finding": "Edema"})
            for key in keys[::-1][: request.top]
        ]


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def make(tmp_path):
    stores = []

    def make_desk(cases=400, *, read_only=False, folder="p.mmreview", served=True):
        place = tmp_path / folder
        store = open_store(place, read_only=read_only) if place.exists() else create_store(
            place, SCHEMA
        )
        stores.append(store)
        if not store.cases.count() and cases:
            kinds = {0: Partition.AUDIT, 10: Partition.CONTROL, 1: Partition.AUDIT}
            store.cases.upsert(
                [draft(n, partition=kinds.get(n % 20, Partition.TRAIN))
                 for n in range(1, cases + 1)]
            )
        if served and not read_only and store.versions.champion() is None:
            version = Version(
                1, "sha", Role.CHAMPION, None, "versions/00001", "", "pooling", 0, 0
            )
            promoted = NewEvent(EventKind.VERSION_PROMOTED, "x", payload={"version": 1})
            store.versions.add(version, promoted)
            store.scores.serve(1)
        desk = furnish(
            store, features=FakeFeatures(), trainer=FakeTrainer(), likeness=FakeLikeness(),
            acquisition=Policies(),
        )
        desk.queueing.read_by("ana")
        desk.queueing._clock = Clock()
        return desk

    yield make_desk
    for store in stores:
        store.close()


def run(work):
    try:
        while True:
            assert isinstance(next(work), Progress)
    except StopIteration as end:
        return end.value


def streams(desk, top=400):
    return [entry.stream for entry in desk.queueing.queue(top=top)]


def read(desk, key, reader="ana"):
    desk.reviewing.commit_read(key, reader=reader)
    desk.queueing.note_read(key)


# --- shares ---------------------------------------------------------------------------------------


def test_every_stream_has_its_share_and_a_case_is_offered_once(make):
    desk = make()
    made = run(desk.queueing.refresh())
    keys = [entry.key for entry in desk.queueing.queue(top=400)]
    assert len(keys) == len(set(keys)) == 400 == made.places
    offered = Counter(streams(desk, top=200))
    assert abs(offered["audit"] - 20) <= 2
    assert abs(offered["control"] - 10) <= 2
    assert abs(offered["conflict"] - 10) <= 2
    assert abs(offered["label_error"] - 10) <= 2
    assert "repeats" not in offered  # nothing was read yet: its places go to the policy


def test_partitions_keep_to_their_streams(make):
    desk = make()
    run(desk.queueing.refresh())
    for entry in desk.queueing.queue(top=150):
        partition = desk.cases.get(entry.key).partition
        expected = {"audit": Partition.AUDIT, "control": Partition.CONTROL}
        assert partition is expected.get(entry.stream, Partition.TRAIN)
    [pool] = {tuple(request.keys) for request in desk.queueing._acquisition.asked}
    assert all(desk.cases.get(key).partition is Partition.TRAIN for key in pool)


def test_shares_are_kept_while_the_queue_is_made_anew_after_some_reads(make):
    desk = make()
    seen = []
    for _ in range(40):
        run(desk.queueing.refresh(quotas=Quotas(repeats=0)))
        for entry in desk.queueing.queue(top=3):
            seen.append(entry.stream)
            read(desk, entry.key)
    assert abs(Counter(seen)["audit"] - 12) <= 2
    assert abs(Counter(seen)["control"] - 6) <= 2


def test_where_audit_cases_come_says_nothing_of_them(make):
    places = []
    for folder, policy in (("a.mmreview", "hybrid"), ("b.mmreview", "random")):
        desk = make(folder=folder)
        run(desk.queueing.refresh(policy=policy))
        queue = desk.queueing.queue(top=200)
        audit = [(at, e.key) for at, e in enumerate(queue) if e.stream == "audit"]
        assert {e.reason for e in queue if e.stream == "audit"} == {"queue.neutral"}
        assert {e.priority for e in queue if e.stream == "audit"} == {0.0}
        places.append(audit)
    assert places[0] == places[1]  # whatever the model ranks


def test_rules_are_the_project_s_and_their_change_is_an_event(make):
    desk = make()
    rules = QueueRules(policy="margin", quotas=Quotas(audit=50, control=50, conflict=0,
                                                      label_error=0, repeats=0))
    desk.queueing.change_rules(rules, actor="ana")
    assert desk.queueing.rules == rules
    event = list(desk.events.events())[-1]
    assert (event.kind, event.actor, event.data["setting"]) == ("setting_changed", "ana", "queue")
    desk.queueing.change_rules(rules, actor="ana")
    assert desk.events.last_seq() == event.seq  # no change, no event
    run(desk.queueing.refresh())
    assert Counter(streams(desk, top=40)) == {"audit": 20, "control": 20}
    with pytest.raises(PolicyNotFound):
        desk.queueing.change_rules(QueueRules(policy="luck"), actor="ana")


def test_a_read_says_which_stream_its_case_came_from(make):
    desk = make(60)
    run(desk.queueing.refresh())
    first = {entry.stream: entry.key for entry in desk.queueing.queue(top=60)[::-1]}
    for stream, key in first.items():
        read(desk, key)
        assert list(desk.events.events())[-1].data["stream"] == stream
    read(desk, first["audit"])  # once more: it has no place any more
    assert list(desk.events.events())[-1].data["stream"] == ""


def test_a_policy_by_name_is_asked_alone(make):
    desk = make()
    run(desk.queueing.refresh(policy="margin", quotas=Quotas(0, 0, 0, 0, 0)))
    queue = desk.queueing.queue(top=5)
    assert {e.stream for e in queue} == {"policy"}
    assert [e.key for e in queue] == sorted((e.key for e in queue), reverse=True)
    assert [r.policy for r in desk.queueing._acquisition.asked] == ["margin"]


def test_priority_is_the_order_of_the_scores_alone(make):
    desk = make(40)
    run(desk.queueing.refresh())
    keys = [e.key for e in desk.queueing.queue(policy="priority", top=40)]
    assert keys == desk.cases.worklist_keys(WorklistFilter(), WorklistSort.PRIORITY).tolist()


def test_closing_the_generator_leaves_the_queue_before(make):
    desk = make()
    run(desk.queueing.refresh())
    before = desk.queueing.head()
    work = desk.queueing.refresh(policy="random")
    next(work)
    work.close()
    assert desk.queueing.head() == before != []


# --- repeats --------------------------------------------------------------------------------------


def apart(desk, cases):
    desk.queueing.change_rules(
        QueueRules(apart=cases, quotas=Quotas(0, 0, 0, 0, repeats=20)), actor="ana"
    )


def test_a_case_comes_again_after_enough_others(make):
    desk = make()
    apart(desk, 3)
    for key in (2, 3, 4):
        read(desk, key)
    run(desk.queueing.refresh())
    assert "repeats" not in streams(desk)
    read(desk, 5)
    run(desk.queueing.refresh())
    again = [e.key for e in desk.queueing.queue(top=50) if e.stream == "repeats"]
    assert again == [2]
    [entry] = [e for e in desk.queueing.queue(top=50) if e.key == 2]
    assert (entry.reason, entry.priority) == ("queue.neutral", 0.0)
    desk.reviewing.commit_read(2, reader="ana", repeat=True)
    desk.queueing.note_read(2)
    run(desk.queueing.refresh())
    assert 2 not in desk.queueing.head()


def test_cases_come_again_to_their_own_reader_only(make):
    desk = make()
    apart(desk, 1)
    for key in (2, 3, 4):
        read(desk, key)
    desk.queueing.read_by("ben")
    run(desk.queueing.refresh())
    assert "repeats" not in streams(desk)


def test_repeats_take_their_share_and_no_more(make):
    desk = make()
    apart(desk, 5)
    seen = []
    for _ in range(60):
        run(desk.queueing.refresh())
        [entry] = desk.queueing.queue(top=1)
        seen.append(entry.stream)
        desk.reviewing.commit_read(entry.key, reader="ana", repeat=entry.stream == "repeats")
        desk.queueing.note_read(entry.key)
    assert abs(Counter(seen)["repeats"] - 12) <= 3


def test_repeats_do_not_fill_the_places_of_what_is_all_read(make):
    desk = make(20)
    for key in range(1, 19):
        read(desk, key)
    desk.queueing.change_rules(QueueRules(apart=3), actor="ana")
    run(desk.queueing.refresh())
    offered = Counter(e.stream for e in desk.queueing.queue(top=50))
    assert offered["repeats"] <= 1, "two unread cases, not fifteen read ones"
    for key in (19, 20):
        read(desk, key)
    run(desk.queueing.refresh())
    assert desk.queueing.queue() == []


def test_nothing_is_planted_where_the_answer_could_not_be_kept(make):
    writer = make()
    apart(writer, 1)
    for key in (2, 3, 4):
        read(writer, key)
    run(writer.queueing.refresh())
    reader = make(read_only=True)
    run(reader.queueing.refresh())
    assert "repeats" in streams(writer)
    assert "repeats" not in streams(reader)


# --- leases ---------------------------------------------------------------------------------------


def test_a_batch_is_offered_to_one_reader(make):
    desk = make()
    run(desk.queueing.refresh())
    batch = [e.key for e in desk.queueing.queue(top=10)]
    assert desk.queueing.lease(batch, reader="ben") == batch
    assert not set(batch) & {e.key for e in desk.queueing.queue(top=20)}
    desk.queueing.read_by("ben")
    assert [e.key for e in desk.queueing.queue(top=10)] == batch
    assert desk.queueing.give_back(reader="ben") == 10
    assert desk.queueing.leases() == []


def held(desk):
    return {lease.key: lease.until - int(desk.queueing._clock()) for lease in
            desk.queueing.leases()}


def test_the_open_case_is_leased_renewed_and_given_back(make):
    desk = make()
    queueing, clock = desk.queueing, desk.queueing._clock
    assert queueing.hold(5, reader="ana")
    assert held(desk) == {5: OPEN_SECONDS}
    clock.now += 600
    assert queueing.hold(5, reader="ana")
    assert held(desk) == {5: OPEN_SECONDS}
    assert queueing.hold(6, reader="ana")
    assert held(desk) == {6: OPEN_SECONDS}
    assert not queueing.hold(None, reader="ana")
    assert held(desk) == {}


def test_what_another_reader_has_can_be_opened_but_is_not_taken(make):
    desk = make()
    desk.queueing.lease([5], reader="ben")
    assert not desk.queueing.hold(5, reader="ana")
    assert desk.queueing.leases()[0].reader == "ben"
    desk.queueing.hold(6, reader="ana")
    assert held(desk)[5] == BATCH_SECONDS


def test_a_batch_stays_leased_until_each_case_is_read(make):
    desk = make()
    desk.queueing.lease([5, 6], reader="ana")
    desk.queueing.hold(5, reader="ana")
    desk.queueing.hold(6, reader="ana")  # left without reading it
    assert set(held(desk)) == {5, 6}
    read(desk, 6)
    desk.queueing.hold(7, reader="ana")
    assert set(held(desk)) == {5, 7}


def test_who_reads_along_cannot_lease(make):
    make(40)
    reader = make(read_only=True)
    assert not reader.queueing.can_lease
    assert not reader.queueing.hold(5, reader="ana")
    with pytest.raises(ProjectReadOnly):
        reader.queueing.lease([5], reader="ana")


# --- bad input ------------------------------------------------------------------------------------


def codes(made):
    return [note.code for note in made.notes]


def test_an_empty_project_says_what_to_do(make):
    desk = make(0, served=False)
    made = run(desk.queueing.refresh())
    assert (made.places, codes(made)) == (0, ["queue.note.no_cases"])
    assert desk.queueing.queue() == []


def test_without_a_version_typical_cases_come_and_the_model_s_streams_wait(make):
    desk = make(served=False)
    made = run(desk.queueing.refresh())
    assert codes(made) == ["queue.note.no_version"]
    assert set(streams(desk, top=100)) == {"policy", "audit", "control"}


def test_everything_read(make):
    desk = make(5)
    for key in range(1, 6):
        read(desk, key)
    made = run(desk.queueing.refresh())
    assert codes(made) == ["queue.note.all_read"]
    assert desk.queueing.queue() == []


def test_a_policy_that_cannot_choose_yet_is_refused_by_name_and_stood_in_for_by_default(make):
    desk = make(40, served=False)
    with pytest.raises(PolicyNeedsVersion):
        run(desk.queueing.refresh(policy="margin"))
    desk.queueing.change_rules(QueueRules(policy="margin"), actor="ana")
    made = run(desk.queueing.refresh())
    assert codes(made) == ["queue.note.no_version", "error.policy_needs_version"]
    assert made.places


def test_a_policy_of_a_newer_program_is_stood_in_for(make):
    desk = make(40)
    desk.preferences.set("queue", {"policy": "oracle"})
    assert run(desk.queueing.refresh()).places
    with pytest.raises(MmreviewError) as refused:
        run(desk.queueing.refresh(policy="oracle"))
    assert refused.value.code == "error.policy_not_found"


def test_the_model_s_reasons_wait_for_the_version_that_serves(make):
    desk = make(60)
    run(desk.queueing.refresh())
    version = Version(2, "sha", Role.CHAMPION, 1, "versions/00002", "", "pooling", 0, 0)
    promoted = NewEvent(EventKind.VERSION_PROMOTED, "x", payload={"version": 2})
    versions = desk.learning._versions
    versions.add(version, promoted)
    run(desk.predicting.score_all())
    reasons = {e.stream: e.reason for e in desk.queueing.queue(top=60)}
    assert reasons["policy"] == "queue.stale"
    assert reasons["control"] == "queue.control"
    run(desk.queueing.refresh())
    assert {e.reason for e in desk.queueing.queue(top=60) if e.stream == "policy"} == {
        "queue.uncertain"
    }


# --- contents -------------------------------------------------------------------------------------


def test_contents_come_page_by_page(make, monkeypatch):
    monkeypatch.setattr("mmreview.services.candidates._PAGE", 7)
    desk = make(50)
    pool = desk.cases.worklist_keys(WorklistFilter(), WorklistSort.ID)
    whole = desk.cases.contents(pool).hashes["text"]
    column = HashColumn(PagedContents(desk.cases, pool), "text")
    assert len(column) == 50
    assert list(column) == list(whole)
    assert column[3:31] == list(whole[3:31])
    assert column[40:] == list(whole[40:])
    assert (column[-1], column[49]) == (whole[-1], whole[-1])
    assert column[30:10] == []
    assert HashColumn(PagedContents(desk.cases, pool), "clinical")[2] == ()
    with pytest.raises(IndexError):
        column[50]


def test_a_stream_s_names_are_those_of_the_trail():
    assert [str(stream) for stream in Stream] == [
        "audit", "control", "conflict", "label_error", "repeats", "policy"
    ]
