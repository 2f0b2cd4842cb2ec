"""Rounds are stored step by step and settled in the transaction of their version."""

import sqlite3
from contextlib import closing

import pytest

from mmreview.domain.errors import Message, WriteFailed
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.rounds import Round, RoundState
from mmreview.domain.versions import Role, Version
from mmreview.store.engine import open_store


def wish(version=1, **fields):
    options = {"seed": 3, "fusion": "mixture"}
    fields = {"since_seq": 0, "through_seq": 4, "options": options, **fields}
    return Round(actor="ana", version=version, **fields)


def add(store, number, role):
    version = Version(
        number, f"{number:064x}", role, None, f"versions/{number:05d}", "2024-05-01T00:00:00Z",
        "pooling", 3, 9, lineage={"seed": 3, "corrections": {"added": 2}},
    )  # fmt: skip
    payload = {"version": number, "sha256": version.sha256}
    store.versions.add(version, NewEvent(EventKind.VERSION_TRAINED, "ana", payload=payload))
    return version


def test_a_round_is_what_was_stored_last(store):
    begun = store.rounds.begin(wish())
    assert begun.id == 1
    assert begun.started_at
    store.rounds.advance(begun.id, RoundState.TRAINING)
    [found] = store.rounds.rounds()
    assert found.state is RoundState.TRAINING
    assert found.options == {"seed": 3, "fusion": "mixture"}
    assert (found.version, found.ended_at, found.reason) == (1, "", None)
    store.rounds.end(1, RoundState.FAILED, Message("error.too_few_labels", {"needed": 5}))
    [found] = store.rounds.rounds()
    assert found.reason == Message("error.too_few_labels", {"needed": 5})
    assert found.ended_at >= found.started_at
    assert found.version is None
    assert store.rounds.learned_through() == 0


@pytest.mark.parametrize(
    ("role", "state"),
    [(Role.CHAMPION, "serving"), (Role.REFUSED, "refused"), (Role.CHALLENGER, "waiting")],
)
def test_a_version_settles_its_round(store, role, state):
    store.rounds.begin(wish())
    version = add(store, 1, role)
    [found] = store.rounds.rounds()
    assert found.state == state
    assert bool(found.ended_at) is (role is not Role.CHALLENGER)
    assert store.rounds.learned_through() == 4
    assert store.rounds.interrupt() == 0
    assert store.versions.get(1) == version


def test_a_decision_settles_what_waited_and_nothing_else(store):
    store.rounds.begin(wish(1))
    add(store, 1, Role.REFUSED)
    store.rounds.begin(wish(2))
    add(store, 2, Role.CHALLENGER)
    event = NewEvent(EventKind.VERSION_PROMOTED, "ana", payload={"version": 1})
    store.versions.set_role(1, Role.CHAMPION, event)  # by hand, over the gate's word
    assert [r.state for r in store.rounds.rounds()] == ["waiting", "refused"]
    store.versions.set_role(2, Role.CHAMPION, event)
    newest, older = store.rounds.rounds()
    assert (newest.state, older.state) == ("serving", "refused")
    assert newest.ended_at


def test_a_later_version_ends_the_waiting_of_an_earlier_one(store):
    for number in (1, 2):
        store.rounds.begin(wish(number))
        add(store, number, Role.CHALLENGER)
    newest, older = store.rounds.rounds()
    assert (newest.state, older.state) == ("waiting", "refused")
    assert older.reason == Message("round.superseded")
    assert [v.role for v in store.versions.versions()] == ["refused", "challenger"]


def test_what_never_ended_is_interrupted_by_the_next_or_by_name(store):
    store.rounds.begin(wish())
    store.rounds.begin(wish())
    newest, older = store.rounds.rounds()
    assert (older.state, older.reason) == ("cancelled", Message("round.interrupted"))
    assert newest.state is RoundState.SNAPSHOT
    assert store.rounds.interrupt() == 1
    assert store.rounds.rounds()[0].reason == Message("round.interrupted")


def test_a_failed_registration_leaves_the_round_as_it_was(store):
    store.rounds.begin(wish())

    def fail():
        raise sqlite3.OperationalError("disk I/O error")

    store.database.before_commit = fail
    with pytest.raises(WriteFailed):
        add(store, 1, Role.CHAMPION)
    assert store.rounds.rounds()[0].state is RoundState.SNAPSHOT
    assert store.versions.versions() == []


def test_a_project_from_before_there_were_rounds_is_brought_up_to_date(filled):
    add(filled, 1, Role.CHAMPION)
    filled.close()
    with closing(sqlite3.connect(filled.folder / "project.sqlite")) as connection:
        connection.execute("DROP TABLE rounds")
        connection.execute("ALTER TABLE versions DROP COLUMN lineage")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    store = open_store(filled.folder)
    try:
        assert store.versions.champion().id == 1
        assert store.versions.champion().lineage == {}
        assert store.rounds.rounds() == []
        assert store.rounds.learned_through() == 0
        assert list((store.folder / "backups").iterdir())
    finally:
        store.close()
