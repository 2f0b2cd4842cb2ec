"""The head of the queue in the cache, what it is made from, and how the worklist follows it."""

import sqlite3
from contextlib import closing

import pytest

from mmreview.domain.cases import Partition, ReadStatus, WorklistFilter, WorklistSort
from mmreview.domain.findings import State
from mmreview.domain.predictions import CaseScore
from mmreview.domain.streams import Offer, Stream
from mmreview.store.engine import open_store

QUEUE = WorklistSort.QUEUE


def offer(key, stream=Stream.POLICY, reason="queue.margin"):
    return Offer(key, stream, 0.5, reason, {"finding": "Edema"})


def keys(store, sort=QUEUE, **where):
    return store.cases.worklist_keys(WorklistFilter(**where), sort).tolist()


@pytest.fixture
def five(filled, draft):
    filled.cases.upsert([draft("d", partition=Partition.AUDIT), draft("e")])
    filled.scores.serve(1)
    priorities = {1: 0.5, 2: 0.9, 3: 0.7, 5: 0.1}
    filled.scores.replace(
        1, [CaseScore(key, 0.4, much, "queue.uncertain") for key, much in priorities.items()]
    )
    filled.queue.reader = "ana"
    return filled


def test_the_worklist_follows_the_queue_then_the_priority(five):
    assert keys(five) == [2, 3, 1, 5, 4]
    five.queue.replace(1, [offer(5), offer(4, Stream.AUDIT), offer(1)])
    assert keys(five) == [5, 4, 1, 2, 3]
    assert keys(five, WorklistSort.PRIORITY) == [2, 3, 1, 5, 4]
    assert [o.key for o in five.queue.head(2)] == [5, 4]
    five.queue.replace(1, [offer(3)])
    assert keys(five) == [3, 2, 1, 5, 4]


def test_filters_hold_for_the_queue_too(five):
    five.queue.replace(1, [offer(5), offer(1), offer(3)])
    assert keys(five, finding="Edema") == [1]


def test_a_row_says_why_it_is_offered(five):
    five.queue.replace(1, [offer(5), offer(4, Stream.AUDIT, "queue.margin")])
    offered, audit, other = five.cases.worklist_rows([5, 4, 2])
    assert (offered.reason, offered.stream) == ("queue.margin", "policy")
    assert offered.reason_params == {"finding": "Edema"}
    assert (audit.reason, audit.reason_params, audit.priority) == ("queue.neutral", {}, None)
    assert (other.reason, other.stream) == ("queue.uncertain", "")


def test_reasons_of_another_version_are_not_shown_as_this_one_s(five):
    five.queue.replace(1, [offer(5), offer(3, Stream.CONTROL, "queue.control")])
    five.scores.serve(2)
    ranked, drawn = five.cases.worklist_rows([5, 3])
    assert (ranked.reason, drawn.reason) == ("queue.stale", "queue.control")


def test_a_case_that_is_read_gives_its_place_up(five, reviewing):
    five.queue.replace(1, [offer(5), offer(1)])
    reviewing(five).commit_read(5, reader="ana")
    five.queue.take_out(5)
    assert keys(five) == [1, 2, 3, 4, 5]
    assert five.queue.pool(Partition.TRAIN).tolist() == [1, 2, 3]
    assert five.queue.pool(Partition.AUDIT).tolist() == [4]
    assert five.queue.read_count() == 1


def test_a_planted_case_looks_unread_to_its_reader_only(five, reviewing, correct):
    correct(2, "Edema", State.PRESENT)
    reviewing(five).commit_read(2, reader="ana")
    five.queue.replace(1, [offer(5), offer(2, Stream.REPEATS)])
    [row] = five.cases.worklist_rows([2])
    assert (row.status, row.corrections, row.read_at) == (ReadStatus.UNREAD, 0, "")
    assert (row.reason, row.conflict, row.priority) == ("queue.neutral", None, None)
    assert keys(five, unread=True) == [5, 2, 3, 1, 4]
    counts = five.cases.worklist_counts()
    assert (counts.unread, counts.read) == (5, 0)
    five.queue.reader = "ben"
    [row] = five.cases.worklist_rows([2])
    assert (row.status, row.corrections) == (ReadStatus.READ, 1)
    assert keys(five, unread=True) == [5, 3, 1, 4]
    assert five.cases.worklist_counts().read == 1
    assert [o.key for o in five.queue.head(9)] == [5]


def test_the_reads_of_a_reader_in_order(five, reviewing):
    reader = reviewing(five)
    for key, who in ((3, "ana"), (1, "ana"), (2, "ben"), (3, "ana")):
        reader.commit_read(key, reader=who)
    assert five.queue.reads_of("ana") == [(3, 2), (1, 1)]
    assert five.queue.reads_of("nobody") == []


def test_a_cache_of_an_older_program_gets_a_queue(five):
    five.close()
    with closing(sqlite3.connect(five.folder / "cache" / "scores.sqlite")) as connection:
        connection.execute("DROP TABLE queue")
        connection.commit()
    again = open_store(five.folder)
    again.scores.serve(1)
    assert keys(again) == [2, 3, 1, 5, 4]
    again.queue.replace(1, [offer(5)])
    assert keys(again)[0] == 5
    again.close()


def test_a_reader_without_the_right_to_write_queues_for_itself(five):
    five.queue.replace(1, [offer(5)])
    reader = open_store(five.folder, read_only=True)
    assert keys(reader)[0] == 5
    reader.queue.replace(1, [offer(1)])
    assert keys(reader)[0] == 1
    assert keys(five)[0] == 5
    reader.close()


def doubted(store, *doubts):
    """Scores of version 1 with these doubts, of the cases 1, 2, …"""
    store.scores.replace(
        1, [CaseScore(key, 0.1, 0.9, "queue.uncertain", doubt=d) for key, d in doubts]
    )


def test_the_most_doubtful_are_told_once_all_are_scored(five):
    doubted(five, (1, 0.2), (2, 0.8))
    assert five.queue.doubtful(1, Partition.TRAIN, 2) is None  # 3 and 5 have other scores yet
    doubted(five, (3, 0.5), (5, 0.8))
    assert five.queue.doubtful(1, Partition.TRAIN, 3) == [(2, 0.8), (5, 0.8), (3, 0.5)]
    assert five.queue.doubtful(2, Partition.TRAIN, 3) is None
    five.scores.replace(1, [CaseScore(5, None, None, "queue.no_opinion")])
    assert five.queue.doubtful(1, Partition.TRAIN, 9) == [(2, 0.8), (3, 0.5), (1, 0.2)]


def test_what_has_been_read_is_not_doubted(five, reviewing):
    doubted(five, (1, 0.2), (2, 0.8), (3, 0.5), (5, 0.1))
    reviewing(five).commit_read(2, reader="ana")
    assert five.queue.doubtful(1, Partition.TRAIN, 2) == [(3, 0.5), (1, 0.2)]
