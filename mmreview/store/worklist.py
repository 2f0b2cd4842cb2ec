"""The worklist over any number of cases: one scan for the order, point queries for what is shown.

``keys`` scans the narrow ``worklist`` table (joined with the scores of the serving version) and
materialises nothing but integers; a page of rows is then fetched by key. Orders:

- *priority*: cases not yet read first, those with the highest priority on top and those without
  a score below them, in order of import; read cases follow in the same order.
- *conflict*: the largest conflict first, cases without one below, in order of import.
- *id*: as a person counts ("case-9" before "case-10").

A search of three letters or more uses the index of three-letter sequences (case does not matter,
in any script); a shorter one scans the texts, ignoring case for ASCII letters only.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    table,
    union,
)

from mmreview.domain.cases import (
    Partition,
    ReadStatus,
    WorklistCounts,
    WorklistFilter,
    WorklistRow,
    WorklistSort,
)
from mmreview.domain.findings import FindingSchema, State
from mmreview.domain.queues import CONFLICT_REASONS
from mmreview.store.labels import LETTERS
from mmreview.store.scores import SqlScoreStore, base_of, reason_params
from mmreview.store.tables import Query, cases, corrections, labels, scores, worklist

# ``base`` is the serving version's part of a score's id.
_SCORED = worklist.outerjoin(scores, scores.c.id == worklist.c.key + bindparam("base"))


def _steps(score: ColumnElement[Any]) -> ColumnElement[int]:
    """A score in steps of a billionth, what is missing far below: SQLite sorts 100,000 integers
    in two thirds of the time that it needs for numbers with a fraction."""
    return func.coalesce(cast(score * 1e9, Integer), -(1 << 49))


_ORDERS: dict[WorklistSort, tuple[ColumnElement[Any], ...]] = {
    WorklistSort.PRIORITY: (
        worklist.c.done.op("<<")(50) - _steps(scores.c.priority),
        worklist.c.key,
    ),
    WorklistSort.CONFLICT: (-_steps(scores.c.conflict), worklist.c.key),
    WorklistSort.ID: (worklist.c.sort_id, worklist.c.key),
}
_LACKS = or_(worklist.c.has_image == 0, worklist.c.has_report == 0)
_IN_CONFLICT = or_(*(scores.c.reason == reason for reason in CONFLICT_REASONS))

_search = table("cases_search", column("rowid"))
_LONG_SEARCH = worklist.c.key.in_(
    select(_search.c.rowid).where(literal_column("cases_search").op("MATCH")(bindparam("phrase")))
)
_SHORT_SEARCH = worklist.c.key.in_(
    select(cases.c.key).where(
        or_(*(c.like(bindparam("like"), escape="\\") for c in (cases.c.id, cases.c.caption,
                                                               cases.c.report)))
    )
)


def _marked_present() -> ColumnElement[bool]:
    """The case's finding holds as present: by its newest correction, else by the import."""
    live = and_(corrections.c.finding == bindparam("finding"), corrections.c.undone_by.is_(None))
    newer = corrections.alias("newer")
    letter = func.substr(labels.c.states, bindparam("place"), 1)
    by_import = select(labels.c.case_key).where(
        letter == LETTERS[State.PRESENT],
        ~exists().where(live, corrections.c.case_key == labels.c.case_key),
    )
    by_reader = select(corrections.c.case_key).where(
        live,
        corrections.c.state == str(State.PRESENT),
        ~exists()
        .where(newer.c.case_key == corrections.c.case_key, newer.c.undone_by.is_(None))
        .where(newer.c.finding == corrections.c.finding, newer.c.seq > corrections.c.seq),
    )
    return worklist.c.key.in_(union(by_import, by_reader))


_PRESENT = _marked_present()

_COUNTS = Query(
    select(
        func.count(),
        func.coalesce(func.sum(worklist.c.done), 0),
        func.count(case((worklist.c.corrections > 0, 1))),
        func.count(case((_LACKS, 1))),
        func.count(case((_IN_CONFLICT, 1))),
    ).select_from(_SCORED)
)
_ROWS = Query(
    select(
        cases.c.key,
        cases.c.id,
        cases.c.caption,
        cases.c.partition,
        worklist.c.done,
        worklist.c.corrections,
        worklist.c.has_image,
        worklist.c.has_report,
        worklist.c.read_at,
        scores.c.conflict,
        scores.c.priority,
        scores.c.reason,
        scores.c.reason_params,
    )
    .select_from(_SCORED.join(cases, cases.c.key == worklist.c.key))
    .where(
        worklist.c.key.in_(
            select(func.json_each(bindparam("wanted")).table_valued("value").c.value)
        )
    )
)


class Worklist:
    """The worklist's three questions. Safe from any thread."""

    def __init__(self, scored: SqlScoreStore, schema: FindingSchema) -> None:
        self._scores = scored
        self._schema = schema
        self._queries: dict[tuple[object, ...], Query] = {}

    def keys(self, where: WorklistFilter, sort: WorklistSort) -> array[int]:
        """The keys ('q') of the cases that pass, in order.

        Raises:
            FindingNotFound: the filter names a finding that the schema lacks.
        """
        query = self._query(where, sort)
        text = where.text.strip().replace("\0", "")
        params: dict[str, object] = {"base": base_of(self._scores.serving)}
        if text:
            params["phrase"] = '"' + text.replace('"', '""') + '"'
            params["like"] = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
        if where.finding:
            place = self._schema.index(where.finding)
            params |= {"finding": self._schema.names[place], "place": place + 1}
        # One text of all keys: 100,000 rows of one number each would take longer to fetch.
        text = self._scores.reading(lambda connection: query.value(connection, **params))
        return array("q", json.loads(text))

    def _query(self, where: WorklistFilter, sort: WorklistSort) -> Query:
        long = len(where.text.strip()) >= 3
        short = bool(where.text.strip()) and not long
        chosen: tuple[tuple[bool, ColumnElement[bool]], ...] = (
            (where.unread, worklist.c.done == 0),
            (where.corrected, worklist.c.corrections > 0),
            (where.missing_modality, _LACKS),
            (where.conflict, _IN_CONFLICT),
            (long, _LONG_SEARCH),
            (short, _SHORT_SEARCH),
            (bool(where.finding), _PRESENT),
        )
        shape = (sort, *(wanted for wanted, _ in chosen))
        if shape not in self._queries:
            statement: Select[Any] = select(worklist.c.key).order_by(*_ORDERS[sort])
            if where.conflict or sort is not WorklistSort.ID:
                statement = statement.select_from(_SCORED)
            conditions = [condition for wanted, condition in chosen if wanted]
            inner = statement.where(*conditions).subquery()
            self._queries[shape] = Query(select(func.json_group_array(inner.c.key)))
        return self._queries[shape]

    def rows(self, keys: Sequence[int]) -> list[WorklistRow]:
        """What the worklist shows of these cases, in this order; unknown keys are left out."""
        wanted = json.dumps(list(map(int, keys)))
        found = self._scores.reading(
            lambda connection: {
                row[0]: _row(row)
                for row in _ROWS.run(connection, wanted=wanted, base=base_of(self._scores.serving))
            }
        )
        return [found[key] for key in keys if key in found]

    def counts(self) -> WorklistCounts:
        """How many cases each filter would keep. ``unread`` are those that no reader has
        committed a read of, begun or not."""
        total, read, corrected, lacking, conflicting = self._scores.reading(
            lambda connection: _COUNTS.one(connection, base=base_of(self._scores.serving))
        )
        return WorklistCounts(
            total=total,
            unread=total - read,
            read=read,
            corrected=corrected,
            conflict=conflicting,
            missing_modality=lacking,
        )


def _row(row: tuple[Any, ...]) -> WorklistRow:
    key, id, caption, partition, done, corrected, image, report, read_at, *scored = row
    conflict, priority, reason, params = scored
    begun = ReadStatus.STARTED if corrected else ReadStatus.UNREAD
    return WorklistRow(
        key=key,
        id=id,
        caption=caption,
        partition=Partition(partition),
        status=ReadStatus.READ if done else begun,
        has_image=bool(image),
        has_report=bool(report),
        corrections=corrected,
        conflict=conflict,
        priority=priority,
        reason=reason or "",
        reason_params=reason_params(params),
        read_at=read_at,
    )


def sort_id(case_id: str) -> str:
    """A text whose plain order is the natural order of ids: each number by its size."""

    def sized(number: re.Match[str]) -> str:
        digits = number.group().lstrip("0") or "0"
        return f"{len(digits):04d}{digits}"

    return re.sub(r"[0-9]+", sized, case_id.casefold())
