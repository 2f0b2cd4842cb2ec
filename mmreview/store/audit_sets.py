"""The audit partition: which patients may still come into it, and the draw, with its event.

A draw is one transaction: the partitions of whole patients, the number of the set and the event
that tells all of it. That a patient may still be drawn is looked up once more in the same
transaction, so that a label or a read that came in between cannot slip through.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmreview.domain.audit_sets import AUDIT_SET, AuditCounts, Candidate
from mmreview.domain.errors import MmreviewError
from mmreview.domain.reads import Event, NewEvent
from mmreview.domain.rounds import UNFINISHED
from mmreview.store import seal
from mmreview.store.database import Database
from mmreview.store.reads import append_event
from mmreview.store.scores import SqlScoreStore

_UNFINISHED = ", ".join(f"'{state}'" for state in UNFINISHED)

#: Patients whose cases are all of the training partition, of whom no label was there when any
#: version was trained (import's labels count as always there: the trail does not say since when),
#: who taught none without a label either (``lineage.believed``; where it is not said, or a round
#: runs that may use them, nobody can be sure of anyone), no picture of whom is another patient's
#: too, whom nobody has read or corrected with a version's opinion before their eyes, and whom
#: nobody has open now. A payload that is no JSON any more counts as an opinion.
_CANDIDATES = f"""
WITH learned AS (
    SELECT max(through_seq) AS through FROM (
        SELECT through_seq FROM versions
        UNION ALL SELECT through_seq FROM rounds WHERE state IN ({_UNFINISHED})
    )
), believed AS (
    SELECT value AS key FROM versions, json_each(versions.lineage, '$.believed')
), unsure AS (
    SELECT 1 FROM versions WHERE json_extract(metrics, '$.unlabelled.used')
        AND json_type(lineage, '$.believed') IS NULL
    UNION ALL SELECT 1 FROM rounds
        WHERE state IN ({_UNFINISHED}) AND json_extract(options, '$.unlabelled')
){{more}}
SELECT patient_group, count(*), max(has_image), max(has_report)
FROM cases JOIN worklist USING (key)
{{where}}
GROUP BY patient_group
HAVING max(
    partition <> 'train'
    OR (
        (SELECT through FROM learned) IS NOT NULL AND (
            EXISTS (SELECT 1 FROM labels WHERE case_key = cases.key)
            OR EXISTS (
                SELECT 1 FROM corrections
                WHERE case_key = cases.key AND seq <= (SELECT through FROM learned)
            )
        )
    )
    OR EXISTS (SELECT 1 FROM unsure)
    OR cases.key IN (SELECT key FROM believed)
    {{shared}}
    OR EXISTS (
        SELECT 1 FROM events
        WHERE case_id = cases.id AND case_id <> '' AND stage = 'model' AND CASE
            WHEN json_valid(payload) THEN json_extract(payload, '$.version') IS NOT NULL ELSE 1 END
    )
    OR EXISTS (SELECT 1 FROM leases WHERE case_key = cases.key AND until > :now)
) = 0
ORDER BY patient_group
"""
#: Cases with a picture that another patient has as well. Pictures do not change within a draw:
#: looked for once, outside of its transaction.
_SHARED = """, shared AS (
    SELECT case_key AS key FROM images WHERE sha256 IN (
        SELECT sha256 FROM images JOIN cases ON cases.key = images.case_key
        GROUP BY sha256 HAVING min(patient_group) <> max(patient_group)
    )
)"""
_ALL = _CANDIDATES.format(
    where="", more=_SHARED, shared="OR cases.key IN (SELECT key FROM shared)"
)
_SOME = _CANDIDATES.format(
    where="WHERE patient_group IN (SELECT value FROM json_each(:wanted))", more="", shared=""
)
_SIZES = """
SELECT count(*), sum(done) FROM cases JOIN worklist USING (key)
WHERE partition = 'audit' GROUP BY patient_group
"""
_MOVING = """
SELECT key FROM cases
WHERE partition = 'audit' OR patient_group IN (SELECT value FROM json_each(:wanted))
"""
_RETIRE = "UPDATE cases SET partition = 'train' WHERE partition = 'audit' RETURNING key, id"
_DRAW = """
UPDATE cases SET partition = 'audit'
WHERE patient_group IN (SELECT value FROM json_each(:wanted)) RETURNING key, id
"""
_NUMBER = """
INSERT INTO preferences (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


class AuditDrawOutdated(MmreviewError):
    """A patient of the draw has been labelled or read since it was made; nothing was changed."""

    code = "error.audit_draw_outdated"


class SqlAuditSetStore:
    """``domain.audit_sets.AuditSetStore``."""

    def __init__(self, database: Database, *, scores: SqlScoreStore) -> None:
        self._database = database
        self._scores = scores

    def candidates(self) -> list[Candidate]:
        """The patients that may still be drawn, in order of their names."""
        with self._database.read() as connection:
            return [_candidate(row) for row in connection.execute(_ALL, {"now": int(time.time())})]

    def counts(self) -> AuditCounts:
        """The audit partition as it is."""
        with self._database.read() as connection:
            rows = connection.execute(_SIZES).fetchall()
        return AuditCounts(tuple(size for size, _ in rows), sum(read or 0 for _, read in rows))

    def redraw(
        self, groups: Sequence[str], *, number: int, refresh: bool, event: NewEvent
    ) -> Event:
        """Draw these patients into set ``number``; with ``refresh`` those of the set before go to
        the training partition first. One transaction with the event, whose payload gets the ids of
        the cases that were ``drawn`` and ``retired``.

        Raises:
            AuditDrawOutdated: one of them may no longer be drawn.
            WriteFailed, ProjectReadOnly: nothing was changed.
        """
        wanted = json.dumps(list(groups))
        with self._database.write() as connection:
            self._require(connection, groups, wanted)
            keys = [key for (key,) in connection.execute(_MOVING, {"wanted": wanted})]
            sealed = seal.begun(connection).moved(seal.rows_of(connection, keys), -1)
            retired = connection.execute(_RETIRE).fetchall() if refresh else []
            drawn = connection.execute(_DRAW, {"wanted": wanted}).fetchall()
            connection.execute(_NUMBER, {"name": AUDIT_SET, "value": json.dumps(number)})
            seal.keep(connection, sealed.moved(seal.rows_of(connection, keys), 1))
            told = {
                "drawn": sorted(case for _, case in drawn),
                "retired": sorted(case for _, case in retired),
            }
            # Before the commit: a kill in between costs a score, never shows one it should not.
            self._scores.forget([key for key, _ in (*drawn, *retired)])
            return append_event(connection, replace(event, payload={**event.payload, **told}))

    @staticmethod
    def _require(connection: sqlite3.Connection, groups: Sequence[str], wanted: str) -> None:
        params = {"now": int(time.time()), "wanted": wanted}
        free = {row[0] for row in connection.execute(_SOME, params)}
        lost = sum(group not in free for group in groups)
        if lost:
            raise AuditDrawOutdated(count=lost)


def _candidate(row: tuple[Any, ...]) -> Candidate:
    group, cases, has_image, has_report = row
    return Candidate(group, cases, bool(has_image), bool(has_report))
