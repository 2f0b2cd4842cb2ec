"""Corrections, undo and committed reads: what they store, what holds after them."""

import shutil
import sqlite3
import sys
import threading
from contextlib import closing

import pytest

from mmreview.domain.cases import ReadStatus
from mmreview.domain.errors import CaseNotFound, MmreviewError, WriteFailed
from mmreview.domain.findings import Basis, State
from mmreview.domain.reads import GENESIS_HASH, EventKind, NewEvent, event_hash
from mmreview.store.audit import verify_trail
from mmreview.store.reads import append_event

P, A, U, UNSET = State.PRESENT, State.ABSENT, State.UNCERTAIN, State.UNSET


def holding(store, key=1):
    return {name: (str(s.state), s.reader) for name, s in store.cases.states(key).items()}


def row(store, key=1):
    [found] = store.cases.worklist_rows([key])
    return found


def test_the_trail_begins_with_the_project(store):
    [event] = store.events.events()
    assert (event.seq, event.kind, event.prev_hash) == (1, "project_created", GENESIS_HASH)
    assert event.data["findings"] == ["Edema", "Pleural Effusion", "No Finding"]


def test_events_are_chained_by_hashes_over_their_fields(filled, correct):
    correct(1, "Edema", A)
    correct(2, "Edema", P, basis=Basis.IMAGE, version=3)
    first, second, third = filled.events.events()
    assert second.prev_hash == first.hash
    assert third.prev_hash == second.hash
    assert third.hash == event_hash(
        seq=3, kind="correction", actor="ana", at=third.at, case="b", read=1, stage="model",
        payload=third.payload, prev_hash=second.hash,
    )
    assert third.data == {
        "finding": "Edema", "before": "unset", "before_basis": "both", "after": "present",
        "basis": "image", "version": 3,
    }  # fmt: skip
    assert third.at.endswith("Z")
    assert filled.events.last_seq() == 3


def test_a_payload_that_was_tampered_with_is_still_counted(filled, correct):
    correct(1, "Edema", A)
    correct(2, "Edema", P)
    with closing(sqlite3.connect(filled.folder / "project.sqlite")) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET payload = '{' WHERE seq = 3")
        connection.commit()
    assert filled.events.corrections_after(0) == 2


def test_a_correction_overrides_the_import_and_remembers_it(filled, correct):
    changed = correct(1, "edema", A, basis=Basis.REPORT, version=7)
    state = filled.cases.states(1)["Edema"]
    assert (state.state, state.previous, state.reader) == (A, P, "ana")
    assert (state.basis, state.version, state.seq) == (Basis.REPORT, 7, changed.seq)
    assert state == changed.after
    assert holding(filled)["Pleural Effusion"] == ("absent", "")


def test_unset_is_a_state_that_overrides_the_import(filled, correct):
    correct(1, "Edema", UNSET)
    assert holding(filled)["Edema"] == ("unset", "ana")


def test_undo_walks_back_to_the_import_label(filled, correct, reviewing):
    reader = reviewing(filled)
    correct(1, "Edema", A)
    correct(1, "Edema", U)
    assert reader.undo("ana").after.state is A
    assert holding(filled)["Edema"] == ("absent", "ana")
    assert reader.undo("ana").after.state is P
    assert holding(filled)["Edema"] == ("present", "")
    assert reader.undo("ana") is None
    assert row(filled).status is ReadStatus.UNREAD


def test_a_correction_after_an_undo_is_undone_next(filled, correct, reviewing):
    reader = reviewing(filled)
    correct(1, "Edema", A)
    correct(2, "Edema", A)
    reader.undo("ana")
    correct(3, "Edema", P)
    assert reader.undo("ana").case == "c"
    assert reader.undo("ana").case == "a"
    assert filled.events.undoable("ana") is None


def test_readers_undo_only_their_own(filled, correct, reviewing):
    correct(1, "Edema", A, "ana")
    correct(1, "Edema", U, "ben")
    reviewing(filled).undo("ana")
    assert holding(filled)["Edema"] == ("uncertain", "ben")
    reviewing(filled).undo("ben")
    assert holding(filled)["Edema"] == ("present", "")


def test_the_trail_says_what_an_undo_did_also_between_readers(filled, correct, reviewing):
    def told(event):
        return {name: event.data[name] for name in ("before", "after", "basis", "undoes")}

    correct(1, "Edema", A, "ana", basis=Basis.IMAGE)  # over the import's present
    correct(1, "Edema", U, "ben")
    first = reviewing(filled).undo("ana")
    second = reviewing(filled).undo("ben")
    assert (first.before.state, first.after.state) == (U, U)
    assert (second.before.state, second.after.state) == (U, P)
    *_, by_ana, by_ben = filled.events.events(case="a")
    assert told(by_ana) == {"before": "uncertain", "after": "uncertain", "basis": "both",
                            "undoes": 2}
    assert told(by_ben) == {"before": "uncertain", "after": "present", "basis": "both",
                            "undoes": 3}
    assert list(verify_trail(filled)) == []


def test_what_was_taken_back_was_not_changed_in_a_read(filled, correct, reviewing):
    correct(1, "Edema", A)
    correct(1, "No Finding", A)
    reviewing(filled).undo("ana")
    committed = reviewing(filled).commit_read(1, reader="ana")
    assert committed.changed == 1
    assert list(filled.events.events())[-1].data["changed"] == ["Edema"]


def test_nothing_is_undone_twice(filled, correct):
    seq = correct(1, "Edema", A).seq
    undo = NewEvent(EventKind.UNDO, "ana", "a", payload={"undoes": seq})
    filled.events.append(undo)
    with pytest.raises(MmreviewError) as refused:
        filled.events.append(undo)
    assert refused.value.code == "error.nothing_to_undo"
    assert filled.events.last_seq() == seq + 1


def test_a_committed_read_marks_the_case_and_counts(filled, correct, reviewing):
    assert row(filled).status is ReadStatus.UNREAD
    correct(1, "Edema", A)
    assert row(filled).status is ReadStatus.STARTED
    committed = reviewing(filled).commit_read(1, reader="ana")
    assert (committed.read, committed.changed) == (1, 1)
    assert row(filled).status is ReadStatus.READ
    assert row(filled).read_at == committed.at
    assert row(filled).corrections == 1
    assert filled.events.read_number("a", "ana") == 2
    assert filled.events.read_number("a", "ben") == 1
    assert filled.events.read_number("b", "ana") == 1


def test_agreement_sets_no_state(filled, reviewing):
    reviewing(filled).commit_read(1, reader="ana")
    assert holding(filled)["Edema"] == ("present", "")
    assert not filled.cases.label_table().corrected.any()


def test_corrections_since_a_version_leave_out_what_was_undone(filled, correct, reviewing):
    first = correct(1, "Edema", A).seq
    correct(2, "Edema", A)
    correct(3, "Edema", A)
    reviewing(filled).undo("ana")
    assert filled.events.corrections_after(0) == 2
    assert filled.events.corrections_after(first) == 1


def test_events_of_one_case_and_after_a_number(filled, correct):
    for key in (1, 2, 1, 3):
        correct(key, "Edema", A)
    assert [e.seq for e in filled.events.events(case="a")] == [2, 4]
    assert [e.seq for e in filled.events.events(case="a", after=2)] == [4]
    assert [e.seq for e in filled.events.events(after=3)] == [4, 5]


def test_a_long_trail_comes_in_pages(filled):
    with filled.database.write() as connection:
        for number in range(1100):
            append_event(connection, NewEvent(EventKind.SETTING_CHANGED, f"reader {number}"))
    assert [e.seq for e in filled.events.events()] == list(range(1, 1102))
    assert list(verify_trail(filled)) == []


def test_an_unknown_case_stores_nothing(filled):
    event = NewEvent(
        EventKind.CORRECTION, "ana", "nobody",
        payload={"finding": "Edema", "before": "unset", "after": "present", "basis": "both"},
    )  # fmt: skip
    with pytest.raises(CaseNotFound):
        filled.events.append(event)
    assert filled.events.last_seq() == 1
    assert list(verify_trail(filled)) == []


def test_the_database_itself_refuses_to_change_the_trail(filled, correct):
    correct(1, "Edema", A)
    for statement in ("UPDATE events SET actor = 'eve'", "DELETE FROM events WHERE seq = 2"):
        with pytest.raises(WriteFailed) as refused, filled.database.write() as connection:
            connection.execute(statement)
        assert "append-only" in refused.value.params["detail"]
    assert filled.events.last_seq() == 2


def test_a_failed_commit_leaves_nothing_and_the_retry_works(filled, correct):
    def full():
        raise sqlite3.OperationalError("database or disk is full")

    filled.database.before_commit = full
    with pytest.raises(WriteFailed) as failed:
        correct(1, "Edema", A)
    assert failed.value.params["detail"] == "database or disk is full"
    assert holding(filled)["Edema"] == ("present", "")
    assert row(filled).corrections == 0
    filled.database.before_commit = None
    correct(1, "Edema", A)
    assert holding(filled)["Edema"] == ("absent", "ana")
    assert list(verify_trail(filled)) == []


def test_a_lost_connection_is_replaced_by_the_next_write(filled, correct):
    filled.database.before_commit = lambda: filled.database._writer.close()
    with pytest.raises(WriteFailed):
        correct(1, "Edema", A)
    filled.database.before_commit = None
    correct(1, "Edema", U)
    assert [e.data["after"] for e in filled.events.events(after=1)] == ["uncertain"]
    assert list(verify_trail(filled)) == []


def test_a_full_disk_is_said_and_survived(filled, correct):
    correct(1, "Edema", A)
    writer = filled.database._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    made = 0
    with pytest.raises(WriteFailed) as failed:
        for _ in range(500):
            correct(2, "Edema", A)
            made += 1
    assert "full" in failed.value.params["detail"]
    assert row(filled, 2).corrections == made
    assert list(verify_trail(filled)) == []
    writer.execute("PRAGMA max_page_count = 1000000")
    correct(2, "Edema", A)
    assert row(filled, 2).corrections == made + 1


def test_readers_do_not_wait_for_a_slow_commit(filled, correct):
    inside, go = threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert go.wait(10)

    filled.database.before_commit = slow
    writer = threading.Thread(target=correct, args=(1, "Edema", A))
    writer.start()
    assert inside.wait(10)
    assert holding(filled)["Edema"] == ("present", "")  # not durable yet, so not told
    go.set()
    writer.join()
    assert holding(filled)["Edema"] == ("absent", "ana")


def test_many_threads_write_one_chain(filled, correct, reviewing):
    def work(name):
        for number in range(20):
            correct(1 + number % 3, "Edema", A, name)
            if number % 5 == 4:
                reviewing(filled).undo(name)

    threads = [threading.Thread(target=work, args=(f"reader {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled.events.last_seq() == 1 + 4 * (20 + 4)
    assert filled.events.corrections_after(0) == 4 * 16
    assert list(verify_trail(filled)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being removed")
def test_a_correction_into_a_folder_that_is_gone_is_refused_until_it_is_back(
    filled, correct, tmp_path
):
    folder, elsewhere = filled.folder, tmp_path / "moved away"
    folder.rename(elsewhere)
    with pytest.raises(WriteFailed) as caught:
        correct(1, "Edema", A)
    assert "project.sqlite" in caught.value.params["detail"]
    elsewhere.rename(folder)
    correct(1, "Edema", A)
    folder.rename(elsewhere)
    shutil.copytree(elsewhere, folder)  # another one at the same place
    with pytest.raises(WriteFailed):
        correct(1, "Edema", U)
    assert holding(filled)["Edema"] == ("absent", "ana")
    shutil.rmtree(folder)
    elsewhere.rename(folder)
