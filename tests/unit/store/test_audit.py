"""What ``verify`` finds: tampering by hand is named, honest work is not."""

import sqlite3
from contextlib import closing

import pytest

from mmreview.domain.findings import State
from mmreview.domain.reads import EventKind, NewEvent, event_hash
from mmreview.domain.versions import Role, Version
from mmreview.store import seal
from mmreview.store.audit import covers_imports, rebuild, verify_trail
from mmreview.store.engine import open_store

GUARDS = ("DROP TRIGGER events_no_update", "DROP TRIGGER events_no_delete")


@pytest.fixture
def worked(filled, correct, reviewing):
    """Events 2 to 7: four corrections, an undo, a committed read; then version 1."""
    correct(1, "Edema", State.ABSENT)
    correct(2, "Edema", State.PRESENT, version=None)
    correct(2, "No Finding", State.UNCERTAIN, "ben")
    correct(3, "Edema", State.PRESENT)
    reviewing(filled).undo("ana")
    reviewing(filled).commit_read(2, reader="ben")
    filled.versions.add(
        Version(1, "a" * 64, Role.CHAMPION, None, "versions/00001", "", "pooling", 3, 7),
        NewEvent(EventKind.VERSION_PROMOTED, "ana", payload={"version": 1, "sha256": "a" * 64}),
    )
    return filled


def found(store):
    return [(m.code.removeprefix("verify."), m.params) for m in verify_trail(store)]


def after(store, *statements):
    """What is found when a hand has run these statements on the file, guards away."""
    store.close()
    with closing(sqlite3.connect(store.folder / "project.sqlite")) as connection:
        guards = connection.execute("SELECT sql FROM sqlite_master WHERE name LIKE 'events_no%'")
        guards = [sql for (sql,) in guards]
        for statement in (*GUARDS, *statements, *guards):
            connection.execute(statement)
        connection.commit()
    reader = open_store(store.folder, read_only=True)
    try:
        return found(reader)
    finally:
        reader.close()


def test_honest_work_is_whole(worked):
    assert found(worked) == []


def test_an_untouched_copy_is_whole(worked):
    assert after(worked) == []


def test_a_changed_event_is_named(worked):
    problems = after(worked, "UPDATE events SET actor = 'eve' WHERE seq = 3")
    assert ("event_changed", {"seq": 3, "case": "b"}) in problems
    assert ("correction_differs", {"seq": 3}) in problems


def test_a_changed_event_with_a_fitting_hash_breaks_the_link(worked):
    event = list(worked.events.events())[2]
    fields = {name: getattr(event, name) for name in
              ("seq", "kind", "at", "case", "read", "stage", "payload", "prev_hash")}
    forged = event_hash(**fields, actor="eve")
    problems = after(
        worked, f"UPDATE events SET actor = 'eve', hash = '{forged}' WHERE seq = 3"
    )
    assert ("event_unlinked", {"seq": 4}) in problems


def test_a_removed_event_leaves_a_gap(worked):
    problems = after(worked, "DELETE FROM events WHERE seq IN (3, 4)")
    assert ("events_missing", {"first": 3, "last": 4}) in problems


def test_a_cut_off_end_is_noticed(worked):
    problems = after(
        worked, "DELETE FROM events WHERE seq = 8", "DELETE FROM versions"
    )
    assert problems == [("trail_cut", {"expected": 8, "found": 7})]


def test_an_inserted_event_is_noticed(worked):
    problems = after(
        worked,
        "INSERT INTO events SELECT 9, kind, actor, at, case_id, read, stage, payload, hash, hash "
        "FROM events WHERE seq = 8",
    )
    assert ("event_changed", {"seq": 9, "case": ""}) in problems
    assert ("trail_cut", {"expected": 8, "found": 9}) in problems


def test_a_payload_that_is_no_json_is_named_and_the_rest_goes_on(worked):
    problems = after(
        worked,
        "UPDATE events SET payload = '{' WHERE seq = 3",
        "UPDATE worklist SET done = 1 WHERE key = 3",
    )
    assert ("event_changed", {"seq": 3, "case": "b"}) in problems
    assert ("reading_differs", {"case": "c"}) in problems


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE corrections SET state = 'present' WHERE seq = 2",
         ("correction_differs", {"seq": 2})),
        ("UPDATE corrections SET undone_by = NULL WHERE seq = 5",
         ("correction_differs", {"seq": 5})),
        ("DELETE FROM corrections WHERE seq = 4", ("correction_differs", {"seq": 4})),
        ("UPDATE worklist SET corrections = 9 WHERE key = 1", ("reading_differs", {"case": "a"})),
        ("UPDATE worklist SET read_at = '' WHERE key = 2", ("reading_differs", {"case": "b"})),
        ("DELETE FROM worklist WHERE key = 3", ("reading_differs", {"case": "c"})),
        ("UPDATE versions SET sha256 = 'b'", ("version_differs", {"version": 1})),
        ("DELETE FROM versions", ("version_missing", {"version": 1})),
        ("UPDATE versions SET role = 'retired'", ("champion_differs", {"told": 1, "found": "–"})),
        ("INSERT INTO versions SELECT 2, sha256, 'retired', parent, folder, created_at, fusion, "
         "corrections, through_seq, metrics, gate, lineage FROM versions",
         ("version_untold", {"version": 2})),
        ("UPDATE events SET payload = x'00ff' WHERE seq = 3",
         ("event_changed", {"seq": 3, "case": "b"})),
        ("UPDATE images SET case_key = 77 WHERE case_key = 1",
         ("row_orphaned", {"table": "images", "row": None, "parent": "cases"})),
    ],
)  # fmt: skip
def test_what_disagrees_with_the_trail_is_named(worked, statement, problem):
    assert problem in after(worked, statement)


def test_missing_guards_are_named(worked):
    with worked.database.write() as connection:
        connection.execute(GUARDS[0])
    assert found(worked) == [("trail_unguarded", {"guard": "events_no_update"})]


def test_a_torn_page_is_named(worked):
    worked.close()
    path = worked.folder / "project.sqlite"
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_corrections_case_key'"
        ).fetchone()
    data[(page - 1) * 4096 + 100 : page * 4096] = bytes(4096 - 100)
    path.write_bytes(data)
    reader = open_store(worked.folder, read_only=True)
    assert any(code == "database_damaged" for code, _ in found(reader))
    reader.close()


def test_what_is_derived_can_be_rebuilt(worked):
    before = {key: worked.cases.states(key) for key in (1, 2, 3)}
    rows = worked.cases.worklist_rows([1, 2, 3])
    with worked.database.write() as connection:
        connection.execute("DELETE FROM corrections")
        connection.execute("UPDATE worklist SET done = 0, corrections = 5, read_at = 'x'")
    assert found(worked)
    rebuild(worked)
    assert found(worked) == []
    assert {key: worked.cases.states(key) for key in (1, 2, 3)} == before
    assert worked.cases.worklist_rows([1, 2, 3]) == rows


def sealed(store):
    """As the end of an import is told."""
    store.events.append(NewEvent(EventKind.IMPORT_FINISHED, "ana", payload={"added": 3}))
    return store


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cases SET partition = 'audit' WHERE key = 2",
        "UPDATE cases SET patient_group = 'another' WHERE key = 2",
        "UPDATE cases SET report_sha256 = 'x' WHERE key = 2",
        "INSERT INTO labels VALUES (2, 'paa')",
    ],
)
def test_a_case_that_is_not_what_was_imported_is_named(worked, statement):
    assert after(sealed(worked), statement) == [("case_differs", {"case": "b"})]


def test_a_changed_import_label_is_named_and_several_are_counted(filled, draft):
    filled.cases.upsert([draft("d", labels={"Edema": State.PRESENT})])
    sealed(filled)
    found_one = after(filled, "UPDATE labels SET states = 'a--' WHERE case_key = 4")
    assert found_one == [("case_differs", {"case": "d"})]


def test_several_changes_are_told_together(filled):
    problems = after(
        sealed(filled), "UPDATE cases SET partition = 'audit' WHERE key IN (2, 3)"
    )
    assert problems == [("cases_differ", {"count": 3, "sealed": 3})]


def test_a_seal_that_was_made_to_fit_is_not_what_the_trail_says(filled):
    filled.close()
    first = open_store(filled.folder)
    sealed(first)
    with first.database.write() as connection:
        connection.execute("UPDATE cases SET partition = 'audit' WHERE key = 2")
        seal.keep(connection, seal.counted(connection), told=True)
    assert found(first) == [("seal_differs", {"seq": first.events.last_seq()})]
    with first.database.write() as connection:
        connection.execute("DELETE FROM preferences WHERE name = 'seal'")
    assert found(first) == [("seal_differs", {"seq": first.events.last_seq()})]
    first.close()


def test_an_import_that_was_cut_off_and_one_that_changes_cases_are_whole(filled, draft):
    sealed(filled)
    filled.cases.upsert([draft("b", mark="new", labels={"Edema": State.ABSENT}), draft("e")])
    assert found(filled) == []  # no event tells of it yet
    problems = after(filled, "UPDATE labels SET states = 'p--' WHERE case_key = 2")
    assert problems == [("case_differs", {"case": "b"})]


def test_what_came_in_before_there_was_a_seal_is_sealed_by_the_next_import(filled, draft):
    with filled.database.write() as connection:
        connection.execute("DELETE FROM preferences WHERE name = 'seal'")
        connection.execute("UPDATE cases SET patient_group = 'x' WHERE key = 1")
    assert found(filled) == []
    filled.cases.upsert([draft("d")])
    sealed(filled)
    assert found(filled) == []
    assert after(filled, "UPDATE cases SET partition = 'control' WHERE key = 3") == [
        ("case_differs", {"case": "c"})
    ]



def test_what_is_not_covered_says_so(filled):
    assert covers_imports(filled)
    with filled.database.write() as connection:
        connection.execute("DELETE FROM preferences WHERE name = 'seal'")
    assert not covers_imports(filled)
