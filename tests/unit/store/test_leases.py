"""Leases: two readers are not offered the same case."""

import time

import pytest

from mmreview.domain.cases import WorklistFilter, WorklistSort
from mmreview.domain.errors import ProjectReadOnly
from mmreview.domain.streams import Lease
from mmreview.store.audit import verify_trail
from mmreview.store.engine import open_store


def test_what_another_reader_has_is_not_leased(filled):
    leases = filled.leases
    assert leases.take([1, 2], reader="ana", now=100, until=200) == [1, 2]
    assert leases.take([2, 3], reader="ben", now=150, until=250) == [3]
    assert leases.held(now=150) == [
        Lease(1, "ana", 200), Lease(2, "ana", 200), Lease(3, "ben", 250)
    ]
    assert leases.take([2], reader="ana", now=150, until=300) == [2]  # renewed
    assert leases.take([1], reader="ben", now=200, until=300) == [1]  # it has run out
    leases.give_back([1, 2, 3], reader="ana")
    assert [(lease.key, lease.reader) for lease in leases.held(now=200)] == [(1, "ben"), (3, "ben")]
    assert list(verify_trail(filled)) == []


def due(store):
    return store.cases.worklist_keys(WorklistFilter(due=True), WorklistSort.ID).tolist()


def test_the_next_case_is_never_one_that_another_reader_has(filled, reviewing):
    filled.queue.reader = "ana"
    now = int(time.time())
    filled.leases.take([1], reader="ben", now=now, until=now + 600)
    filled.leases.take([2], reader="ana", now=now, until=now + 600)
    assert due(filled) == [2, 3]
    assert [row.leased_by for row in filled.cases.worklist_rows([1, 2, 3])] == ["ben", "", ""]
    reviewing(filled).commit_read(3, reader="ana")
    assert due(filled) == [2]
    filled.queue.reader = "ben"
    assert due(filled) == [1]


def test_a_lease_that_has_run_out_is_none(filled):
    now = int(time.time())
    filled.leases.take([1], reader="ben", now=now - 900, until=now - 1)
    assert due(filled) == [1, 2, 3]
    [row] = filled.cases.worklist_rows([1])
    assert row.leased_by == ""


def test_only_who_writes_the_project_can_lease(filled):
    now = int(time.time())
    filled.leases.take([1], reader="ben", now=now, until=now + 600)
    reader = open_store(filled.folder, read_only=True)
    with pytest.raises(ProjectReadOnly):
        reader.leases.take([2], reader="ana", now=now, until=now + 600)
    assert [lease.key for lease in reader.leases.held(now=now)] == [1]
    reader.close()
