"""Is the trail whole, and does the rest of the database say what the trail says?

Every event's hash is computed again and must be the one the next event names; the last must be the
head that was stored beside the trail. What was derived from the trail is derived a second time, in
SQL, from the events alone, and compared row by row. Everything is read in one snapshot, streaming.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mmreview.domain.errors import Message
from mmreview.domain.reads import GENESIS_HASH, event_hash
from mmreview.store import seal
from mmreview.store.reads import event_pages

if TYPE_CHECKING:
    from mmreview.store.engine import Store

#: How many lines of its own the database's check may fill.
_LINES = 20

_GUARDS = ("events_no_delete", "events_no_update")

# A payload that is no JSON any more is named by its hash; here it must only not stop the rest.
_CORRECTIONS = """
WITH told AS (
    SELECT seq, kind, actor, at, case_id, CASE WHEN json_valid(payload) THEN payload ELSE '{}' END
        AS payload
    FROM events WHERE kind IN ('correction', 'undo')
), undone AS (
    SELECT json_extract(payload, '$.undoes') AS correction, min(seq) AS undo
    FROM told WHERE kind = 'undo' GROUP BY 1
)
SELECT told.seq, cases.key, json_extract(payload, '$.finding'), actor,
    json_extract(payload, '$.after'), json_extract(payload, '$.basis'),
    json_extract(payload, '$.before'), json_extract(payload, '$.version'), at, undone.undo
FROM told
LEFT JOIN cases ON cases.id = told.case_id
LEFT JOIN undone ON undone.correction = told.seq
WHERE told.kind = 'correction'
"""
_STORED = """
SELECT seq, case_key, finding, reader, state, basis, previous, version, at, undone_by
FROM corrections
"""
_CORRECTIONS_DIFFER = f"""
SELECT seq FROM (
    SELECT * FROM (SELECT * FROM ({_CORRECTIONS}) EXCEPT {_STORED})
    UNION ALL SELECT * FROM ({_STORED} EXCEPT SELECT * FROM ({_CORRECTIONS}))
) GROUP BY seq ORDER BY seq
"""
_READING = """
SELECT cases.key AS key, cases.id AS id, coalesce(made.number, 0) AS corrections,
    committed.at IS NOT NULL AS done, coalesce(committed.at, '') AS read_at,
    EXISTS (SELECT 1 FROM images WHERE images.case_key = cases.key) AS has_image,
    coalesce(cases.report, '') <> '' AS has_report
FROM cases
LEFT JOIN (
    SELECT case_key, count(*) AS number FROM corrections JOIN events USING (seq)
    WHERE undone_by IS NULL AND CASE WHEN json_valid(payload)
        THEN json_extract(payload, '$.implied_by') IS NULL ELSE 1 END
    GROUP BY case_key
) AS made ON made.case_key = cases.key
LEFT JOIN (
    SELECT case_id, at, max(seq) FROM events WHERE kind = 'read_committed' GROUP BY case_id
) AS committed ON committed.case_id = cases.id
"""
_WORKLIST_DIFFERS = f"""
SELECT told.id FROM ({_READING}) AS told LEFT JOIN worklist ON worklist.key = told.key
WHERE worklist.done IS NOT told.done OR worklist.corrections IS NOT told.corrections
    OR worklist.read_at IS NOT told.read_at OR worklist.has_image IS NOT told.has_image
    OR worklist.has_report IS NOT told.has_report
ORDER BY told.key
"""
_VERSIONS_DIFFER = """
SELECT versions.id FROM versions
JOIN (
    SELECT CASE WHEN json_valid(payload) THEN payload ELSE '{}' END AS payload
    FROM events WHERE kind IN ('version_trained', 'version_promoted', 'version_refused')
) AS told ON json_extract(told.payload, '$.version') = versions.id
WHERE json_extract(told.payload, '$.sha256') <> versions.sha256
GROUP BY versions.id
"""
_TOLD_VERSIONS = """
SELECT seq, kind, json_extract(
    CASE WHEN json_valid(payload) THEN payload ELSE '{}' END, '$.version'
) AS version
FROM events WHERE kind LIKE 'version_%' ORDER BY seq
"""
_TOLD_SEAL = """
SELECT seq, json_extract(payload, '$.seal') FROM events
WHERE kind IN ('import_finished', 'audit_drawn')
    AND CASE WHEN json_valid(payload) THEN json_extract(payload, '$.seal') IS NOT NULL ELSE 0 END
ORDER BY seq DESC LIMIT 1
"""
_SERVING_KINDS = ("version_promoted", "version_rolled_back")


def verify_trail(store: Store) -> Iterator[Message]:
    """Every problem of the trail and the database, none if they are whole. Only reads."""
    try:
        connection = store.database.connect_reader()
    except sqlite3.Error as error:
        yield Message("verify.database_damaged", {"detail": str(error)})
        return
    try:
        connection.execute("BEGIN")
        yield from _database_problems(connection)
        yield from _chain_problems(connection)
        for (seq,) in connection.execute(_CORRECTIONS_DIFFER):
            yield Message("verify.correction_differs", {"seq": seq})
        for (case,) in connection.execute(_WORKLIST_DIFFERS):
            yield Message("verify.reading_differs", {"case": case})
        for (version,) in connection.execute(_VERSIONS_DIFFER):
            yield Message("verify.version_differs", {"version": version})
        yield from _version_problems(connection)
        yield from _seal_problems(connection)
    except sqlite3.Error as error:
        yield Message("verify.database_damaged", {"detail": str(error)})
    finally:
        connection.close()


def covers_imports(store: Store) -> bool:
    """Whether partitions and imported labels can be checked: not in a project whose cases all came
    in before there was a seal."""
    with store.database.read() as connection:
        none = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM cases)").fetchone()[0]
        return bool(none) or seal.kept(connection) is not None


def _database_problems(connection: sqlite3.Connection) -> Iterator[Message]:
    for (line,) in connection.execute(f"PRAGMA main.integrity_check({_LINES})"):
        if line != "ok":
            yield Message("verify.database_damaged", {"detail": line})
    for table, row, parent, _ in connection.execute("PRAGMA main.foreign_key_check"):
        yield Message("verify.row_orphaned", {"table": table, "row": row, "parent": parent})
    found = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'trigger'")
    names = {name for (name,) in found}
    for guard in _GUARDS:
        if guard not in names:
            yield Message("verify.trail_unguarded", {"guard": guard})


def _chain_problems(connection: sqlite3.Connection) -> Iterator[Message]:
    seq, last = 0, GENESIS_HASH
    for event in event_pages(connection):
        if event.seq != seq + 1:
            yield Message("verify.events_missing", {"first": seq + 1, "last": event.seq - 1})
        elif event.prev_hash != last:
            yield Message("verify.event_unlinked", {"seq": event.seq})
        fields = asdict(event)
        stored = fields.pop("hash")
        if not _fits(fields, stored):
            yield Message("verify.event_changed", {"seq": event.seq, "case": event.case})
        seq, last = event.seq, stored
    head = connection.execute("SELECT seq, hash FROM trail").fetchone()
    if head != (seq, last):
        yield Message("verify.trail_cut", {"expected": head[0] if head else 0, "found": seq})


def _fits(fields: dict[str, Any], stored: str) -> bool:
    try:
        return event_hash(**fields) == stored
    except (TypeError, ValueError):  # bytes where a text stood
        return False


def _version_problems(connection: sqlite3.Connection) -> Iterator[Message]:
    """Versions that only one side knows of, and a serving one that nobody let serve."""
    told: set[int] = set()
    serving: int | None = None
    for _, kind, version in connection.execute(_TOLD_VERSIONS):
        if not isinstance(version, int):
            continue
        told.add(version)
        if kind in _SERVING_KINDS:
            serving = version
    stored = dict(connection.execute("SELECT id, role FROM versions ORDER BY id").fetchall())
    for version in stored:
        if version not in told:
            yield Message("verify.version_untold", {"version": version})
    for version in sorted(told - stored.keys()):
        yield Message("verify.version_missing", {"version": version})
    champion = next((v for v, role in stored.items() if role == "champion"), None)
    if champion != serving:
        yield Message(
            "verify.champion_differs",
            {"told": serving or "–", "found": champion or "–"},
        )


def _seal_problems(connection: sqlite3.Connection) -> Iterator[Message]:
    """Cases that are not what was imported and drawn (``seal``). One that was never sealed says
    nothing; between the batches of an import that was cut off no event tells the seal."""
    stored = seal.kept(connection)
    told = connection.execute(_TOLD_SEAL).fetchone()
    if stored is None:
        if told is not None:
            yield Message("verify.seal_differs", {"seq": told[0]})
        return
    if stored.told and (told is None or not _is_seal(told[1], stored)):
        yield Message("verify.seal_differs", {"seq": told[0] if told else 0})
    found = seal.counted(connection)
    if found.same_sums(stored):
        return
    key = stored.changed_key(found)
    row = connection.execute("SELECT id FROM cases WHERE key = ?", (_fitting(key),)).fetchone()
    if row is None:
        yield Message("verify.cases_differ", {"count": found.cases, "sealed": stored.cases})
    else:
        yield Message("verify.case_differs", {"case": row[0]})


def _is_seal(said: str, stored: seal.Seal) -> bool:
    try:
        return seal.Seal.of_json(json.loads(said)).same_sums(stored)
    except (KeyError, TypeError, ValueError):
        return False


def _fitting(key: int | None) -> int:
    """A key that the database could have; what several changes come to is far beyond."""
    return key if key is not None and key < 1 << 62 else -1


def rebuild(store: Store) -> None:
    """Derive corrections and the worklist's reading columns from the trail again, in one
    transaction. The trail is the truth: what disagreed with it is gone.

    Raises:
        WriteFailed, ProjectReadOnly: everything is as it was.
    """
    with store.database.write() as connection:
        connection.execute("DELETE FROM corrections")
        connection.execute(f"INSERT INTO corrections {_CORRECTIONS}")
        connection.execute(
            "UPDATE worklist SET done = told.done, corrections = told.corrections, "
            "read_at = told.read_at, has_image = told.has_image, has_report = told.has_report "
            f"FROM ({_READING}) AS told WHERE told.key = worklist.key"
        )
