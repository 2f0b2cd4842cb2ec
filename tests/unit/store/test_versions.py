"""Versions change with their event, in one transaction; one serves."""

import sqlite3

import pytest

from mmreview.domain.errors import VersionNotFound, WriteFailed
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.versions import Role, Version

PROMOTED = EventKind.VERSION_PROMOTED


def version(id, role=Role.CHAMPION, **fields):
    fields = {"parent": id - 1 or None, "metrics": {"auroc": {"fused": 0.8}}, **fields}
    return Version(
        id=id, sha256=f"{id:064x}", role=role, folder=f"versions/{id:05d}",
        created_at="2024-05-01T00:00:00Z", fusion="pooling", corrections=3, through_seq=9,
        gate={"accepted": True}, **fields,
    )  # fmt: skip


def event(id, kind=PROMOTED):
    return NewEvent(kind, "ana", payload={"version": id, "sha256": f"{id:064x}"})


def roles(store):
    return {v.id: str(v.role) for v in store.versions.versions()}


def test_a_new_champion_retires_the_one_before(store):
    assert store.versions.champion() is None
    assert store.versions.next_id() == 1
    store.versions.add(version(1), event(1))
    stored = store.versions.add(version(2), event(2))
    assert roles(store) == {1: "retired", 2: "champion"}
    assert store.versions.champion() == store.versions.get(2) == version(2)
    assert store.versions.next_id() == 3
    assert stored.data["version"] == 2
    assert store.events.last_seq() == stored.seq == 3


def test_a_refused_version_leaves_the_champion(store):
    store.versions.add(version(1), event(1))
    store.versions.add(version(2, Role.REFUSED), event(2, EventKind.VERSION_REFUSED))
    assert roles(store) == {1: "champion", 2: "refused"}


def test_rolling_back_swaps_the_roles(store):
    store.versions.add(version(1), event(1))
    store.versions.add(version(2), event(2))
    store.versions.set_role(1, Role.CHAMPION, event(1, EventKind.VERSION_ROLLED_BACK))
    assert roles(store) == {1: "champion", 2: "retired"}


def test_an_unknown_version_changes_nothing(store):
    store.versions.add(version(1), event(1))
    with pytest.raises(VersionNotFound):
        store.versions.set_role(9, Role.CHAMPION, event(9))
    with pytest.raises(VersionNotFound):
        store.versions.get(9)
    assert roles(store) == {1: "champion"}
    assert store.events.last_seq() == 2


def test_a_failed_registration_leaves_version_and_event_out(store):
    def fail():
        raise sqlite3.OperationalError("disk I/O error")

    store.database.before_commit = fail
    with pytest.raises(WriteFailed):
        store.versions.add(version(1), event(1))
    assert store.versions.versions() == []
    assert store.events.last_seq() == 1


def test_preferences_are_json(store):
    assert store.preferences.get("seed") is None
    assert store.preferences.get("seed", 3) == 3
    for value in (7, 0.1, True, None, {"a": [1, "ü"]}):
        store.preferences.set("seed", value)
        assert store.preferences.get("seed", "absent") == value
