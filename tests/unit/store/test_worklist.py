"""Order, filters, search and counts of the worklist, and the disposable scores under them."""

import sqlite3
from contextlib import closing

import pytest

from mmreview.domain.cases import ReadStatus, WorklistFilter, WorklistSort
from mmreview.domain.errors import FindingNotFound
from mmreview.domain.findings import State
from mmreview.domain.predictions import CaseScore
from mmreview.store.audit import verify_trail
from mmreview.store.engine import open_store
from mmreview.store.worklist import sort_id

PRIORITY, CONFLICT, ID = WorklistSort.PRIORITY, WorklistSort.CONFLICT, WorklistSort.ID


def score(key, *, priority=None, conflict=None, reason="queue.uncertain"):
    return CaseScore(key, conflict, priority, reason, {"finding": "Edema"})


def ids(store, sort=ID, **where):
    keys = store.cases.worklist_keys(WorklistFilter(**where), sort)
    assert keys.typecode == "q"
    return [row.id for row in store.cases.worklist_rows(keys)]


@pytest.fixture
def scored(filled):
    filled.scores.serve(1)
    filled.scores.replace(1, [score(1, priority=0.5, conflict=0.1), score(3, priority=0.9)])
    return filled


def test_ids_sort_as_people_count(store, draft):
    store.cases.upsert([draft(id) for id in ("p10", "P9", "p009a", "p1", "q", "10", "9")])
    assert ids(store) == ["9", "10", "p1", "P9", "p009a", "p10", "q"]
    assert sort_id("a" + "9" * 30) < sort_id("a1" + "0" * 30)


def test_priority_puts_the_missing_last_and_the_read_at_the_end(scored, draft, reviewing):
    scored.cases.upsert([draft("d"), draft("e")])
    scored.scores.replace(1, [score(5, priority=-2.0)])
    assert ids(scored, PRIORITY) == ["c", "a", "e", "b", "d"]
    reviewing(scored).commit_read(3, reader="ana")
    assert ids(scored, PRIORITY) == ["a", "e", "b", "d", "c"]


def test_conflict_sorts_the_largest_first(scored):
    scored.scores.replace(1, [score(2, conflict=0.4)])
    assert ids(scored, CONFLICT) == ["b", "a", "c"]


def test_equal_scores_keep_the_order_of_import(store, draft):
    store.cases.upsert([draft(f"case-{n}") for n in range(9, 0, -1)])
    store.scores.serve(1)
    store.scores.replace(1, [score(key, priority=1.0, conflict=1.0) for key in range(1, 10)])
    for sort in (PRIORITY, CONFLICT):
        assert store.cases.worklist_keys(WorklistFilter(), sort).tolist() == list(range(1, 10))


def test_filters_and_their_counts_agree(scored, draft, correct, reviewing):
    scored.cases.upsert([draft("no image", images=0), draft("no report", report=None)])
    marked = score(2, conflict=0.2, reason="queue.conflict")
    scored.scores.replace(1, [marked, score(1, conflict=0.3)])
    correct(1, "Edema", State.ABSENT)
    reviewing(scored).commit_read(2, reader="ana")
    assert ids(scored, unread=True) == ["a", "c", "no image", "no report"]
    assert ids(scored, corrected=True) == ["a"]
    assert ids(scored, conflict=True) == ["b"]
    assert ids(scored, missing_modality=True) == ["no image", "no report"]
    assert ids(scored, PRIORITY, unread=True, missing_modality=True, text="no r") == ["no report"]
    counts = scored.cases.worklist_counts()
    assert (counts.total, counts.unread, counts.read) == (5, 4, 1)
    assert (counts.corrected, counts.conflict, counts.missing_modality) == (1, 1, 2)


def test_the_finding_filter_follows_the_state_that_holds(filled, correct, reviewing):
    assert ids(filled, finding="edema") == ["a"]
    correct(2, "Edema", State.PRESENT)
    correct(1, "Edema", State.ABSENT, "ben")
    assert ids(filled, finding="Edema") == ["b"]
    correct(2, "Edema", State.UNCERTAIN, "ben")
    assert ids(filled, finding="Edema") == []
    reviewing(filled).undo("ben")
    reviewing(filled).undo("ben")
    assert ids(filled, finding="Edema") == ["a", "b"]
    assert ids(filled, finding="Pleural Effusion") == []
    with pytest.raises(FindingNotFound):
        ids(filled, finding="Nothing")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FRACTURE", ["x-1"]),
        ("rib frac", ["x-1"]),
        ("ÖDEM", ["x-2"]),
        ("ödem", ["x-2"]),
        ("胸腔积", ["x-3"]),
        ("积液", ["x-3"]),
        ("x-", ["x-1", "x-2", "x-3"]),
        ("F 71", ["x-2"]),
        ("100%", ["x-3"]),
        ("0%", ["x-3"]),
        ("_%", []),
        ('"quoted"', ["x-1"]),
        ("AND OR", []),
        ("  fracture ", ["x-1"]),
        ("   ", ["x-1", "x-2", "x-3"]),
        ("a\0b", []),
    ],
)
def test_search_in_id_caption_and_report(store, draft, text, found):
    store.cases.upsert(
        [
            draft("x-1", report='Old "quoted" rib fracture.'),
            draft("x-2", report="Kein Ödem.", metadata={"sex": "F", "age": 71}),
            draft("x-3", report="无胸腔积液 100%", images=0),
        ]
    )
    assert ids(store, text=text) == found


def test_a_row_shows_what_the_serving_version_says(scored):
    [a, b] = scored.cases.worklist_rows([1, 2])
    assert (a.conflict, a.priority, a.reason) == (0.1, 0.5, "queue.uncertain")
    assert a.reason_params == {"finding": "Edema"}
    assert (b.conflict, b.priority, b.reason, b.status) == (None, None, "", ReadStatus.UNREAD)
    assert scored.cases.worklist_rows([99, 2]) == [b]
    assert scored.cases.worklist_rows([]) == []


# --- scores -------------------------------------------------------------------------------------


def test_missing_scores_are_named_until_they_are_there(scored):
    assert scored.scores.missing(1, 10) == [2]
    assert scored.scores.missing(2, 2) == [1, 2]
    assert scored.scores.missing(2, 2, after=2) == [3]
    scored.scores.replace(1, [score(2)])
    assert scored.scores.missing(1, 10) == []


def test_serving_another_version_drops_the_scores_of_the_one_before(scored):
    scored.scores.serve(2)
    assert ids(scored, PRIORITY) == ["a", "b", "c"]
    scored.scores.replace(2, [score(2, priority=1.0)])
    assert ids(scored, PRIORITY) == ["b", "a", "c"]
    scored.scores.serve(1)
    assert scored.scores.missing(1, 10) == [1, 2, 3]


def test_an_updated_case_is_scored_anew(scored, draft):
    scored.cases.upsert([draft("a", mark="new")])
    assert scored.scores.missing(1, 10) == [1, 2]


def cache_of(store):
    return store.folder / "cache" / "scores.sqlite"


def test_scores_outlive_the_process(scored):
    scored.close()
    again = open_store(scored.folder)
    again.scores.serve(1)
    assert ids(again, PRIORITY) == ["c", "a", "b"]
    again.close()


#: What a program of another version may have made of the cache.
OTHER_SHAPES = {
    "renamed": "ALTER TABLE scores RENAME COLUMN id TO old",
    "older": "ALTER TABLE queue DROP COLUMN reader",
    "newer": "ALTER TABLE scores ADD COLUMN weight REAL NOT NULL DEFAULT 1",
}


def reshape(store, shape):
    with closing(sqlite3.connect(cache_of(store))) as connection, connection:
        connection.execute(OTHER_SHAPES[shape])


@pytest.mark.parametrize("damage", ["deleted", "garbage", "torn", *OTHER_SHAPES])
def test_a_lost_cache_is_made_anew(scored, damage):
    scored.close()
    path = cache_of(scored)
    if damage == "deleted":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "garbage":
        path.write_bytes(b"no database" * 999)
    else:
        reshape(scored, damage)
    again = open_store(scored.folder)
    again.scores.serve(1)
    assert ids(again, PRIORITY) == ["a", "b", "c"]
    assert again.scores.missing(1, 10) == [1, 2, 3]
    again.scores.replace(1, [score(2, priority=1.0)])
    assert ids(again, PRIORITY) == ["b", "a", "c"]
    assert list(verify_trail(again)) == []
    again.close()


def test_a_cache_that_breaks_while_open_is_no_error(scored, draft):
    scored.cases.upsert([draft(f"more {n}") for n in range(3000)])
    scored.scores.replace(1, [score(key, priority=1.0) for key in range(1, 3004)])
    assert len(ids(scored, PRIORITY)) == 3003
    for suffix in ("", "-wal"):
        path = cache_of(scored).with_name("scores.sqlite" + suffix)
        with path.open("r+b") as file:
            file.seek(0)
            file.write(b"\xff" * path.stat().st_size)
    scored.database.forget_readers()
    assert ids(scored, PRIORITY)[:3] == ["a", "b", "c"]
    scored.scores.replace(1, [score(3, priority=1.0)])
    assert ids(scored, PRIORITY)[0] == "c"


def test_a_damaged_cache_does_not_stop_a_reader_without_the_right_to_write(scored):
    scored.close()
    cache_of(scored).write_bytes(b"no database" * 999)
    reader = open_store(scored.folder, read_only=True)
    assert ids(reader, PRIORITY) == ["a", "b", "c"]
    reader.close()
    assert cache_of(scored).read_bytes().startswith(b"no database")


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_a_cache_of_another_version_does_not_stop_a_reader(scored, shape):
    scored.close()
    reshape(scored, shape)
    reader = open_store(scored.folder, read_only=True)
    assert len(ids(reader, PRIORITY)) == 3
    reader.scores.replace(1, [score(2, priority=0.7)])
    reader.close()


def test_a_reader_without_the_right_to_write_scores_for_itself(scored):
    reader = open_store(scored.folder, read_only=True)
    reader.scores.serve(1)
    reader.scores.replace(1, [score(2, priority=0.7)])
    assert ids(reader, PRIORITY) == ["c", "b", "a"]
    assert reader.scores.missing(1, 10) == []
    assert scored.scores.missing(1, 10) == [2]
    scored.scores.replace(1, [score(2, priority=0.1)])
    assert ids(scored, PRIORITY) == ["c", "a", "b"]
    reader.close()
