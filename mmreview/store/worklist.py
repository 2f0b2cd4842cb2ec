"""The worklist over any number of cases: one scan for the order, point queries for what is shown.

``keys`` scans the narrow ``worklist`` table (joined with the scores of the serving version) and
materialises nothing but integers; a page of rows is then fetched by key. Orders:

- *queue*: the cases that are offered, in their order (``queues``); behind them as by priority.
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
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import filterfalse
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
from mmreview.domain.streams import BLIND, NEUTRAL, RANDOM, Stream
from mmreview.store.labels import LETTERS
from mmreview.store.scores import SqlScoreStore, base_of, reason_params
from mmreview.store.tables import (
    Query,
    cases,
    corrections,
    labels,
    leases,
    queue,
    scores,
    worklist,
)

# ``base`` is the serving version's part of a score's id.
_SCORED = worklist.outerjoin(scores, scores.c.id == worklist.c.key + bindparam("base"))
_MINE = queue.c.reader.in_(["", bindparam("reader")])
_QUEUED = _SCORED.outerjoin(queue, and_(queue.c.key == worklist.c.key, _MINE))


def _steps(score: ColumnElement[Any]) -> ColumnElement[int]:
    """A score in steps of a billionth, what is missing far below: SQLite sorts 100,000 integers
    in two thirds of the time that it needs for numbers with a fraction."""
    return func.coalesce(cast(score * 1e9, Integer), -(1 << 49))


_ORDERS: dict[WorklistSort, tuple[ColumnElement[Any], ...]] = {
    WorklistSort.QUEUE: (queue.c.place,),
    WorklistSort.PRIORITY: (
        worklist.c.done.op("<<")(50) - _steps(scores.c.priority),
        worklist.c.key,
    ),
    WorklistSort.CONFLICT: (-_steps(scores.c.conflict), worklist.c.key),
    WorklistSort.ID: (worklist.c.sort_id, worklist.c.key),
}
_PLANTED = select(queue.c.key).where(queue.c.stream == str(Stream.REPEATS), _MINE)
_UNREAD = or_(worklist.c.done == 0, worklist.c.key.in_(_PLANTED))
_LEASED = and_(leases.c.until > bindparam("now"), leases.c.reader != bindparam("reader"))
_FREE = worklist.c.key.not_in(select(leases.c.case_key).where(_LEASED))
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
        select(func.count()).select_from(_PLANTED.subquery()).scalar_subquery(),
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
        leases.c.reader,
        queue.c.stream,
        queue.c.version,
        queue.c.reason,
        queue.c.reason_params,
    )
    .select_from(
        _QUEUED.join(cases, cases.c.key == worklist.c.key).outerjoin(
            leases, and_(leases.c.case_key == worklist.c.key, _LEASED)
        )
    )
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
        text = where.text.strip().replace("\0", "")
        params = self._params()
        if text:
            params["phrase"] = '"' + text.replace('"', '""') + '"'
            params["like"] = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
        if where.finding:
            place = self._schema.index(where.finding)
            params |= {"finding": self._schema.names[place], "place": place + 1}
        if sort is not WorklistSort.QUEUE:
            return self._keys(where, sort, params)
        # Two scans of one table each: joined, the few places cost half as much again as they sort.
        head = self._keys(where, sort, params)
        rest = self._keys(where, WorklistSort.PRIORITY, params)
        placed = set(head)
        return head + array("q", filterfalse(placed.__contains__, rest)) if placed else rest

    def _keys(
        self, where: WorklistFilter, sort: WorklistSort, params: Mapping[str, object]
    ) -> array[int]:
        query = self._query(where, sort)
        # One text of all keys: 100,000 rows of one number each would take longer to fetch.
        text = self._scores.reading(lambda connection: query.value(connection, **params))
        return array("q", json.loads(text))

    def _params(self) -> dict[str, object]:
        base = base_of(self._scores.serving)
        return {"base": base, "reader": self._scores.reader, "now": int(time.time())}

    def _query(self, where: WorklistFilter, sort: WorklistSort) -> Query:
        long = len(where.text.strip()) >= 3
        short = bool(where.text.strip()) and not long
        chosen: tuple[tuple[bool, ColumnElement[bool]], ...] = (
            (where.unread or where.due, _UNREAD),
            (where.due, _FREE),
            (where.corrected, worklist.c.corrections > 0),
            (where.missing_modality, _LACKS),
            (where.conflict, _IN_CONFLICT),
            (long, _LONG_SEARCH),
            (short, _SHORT_SEARCH),
            (bool(where.finding), _PRESENT),
        )
        shape = (sort, *(wanted for wanted, _ in chosen))
        if shape not in self._queries:
            statement: Select[Any] = select(worklist.c.key)
            if sort is WorklistSort.QUEUE:  # those that have a place
                statement = statement.select_from(_QUEUED).where(queue.c.place.is_not(None))
            elif where.conflict or sort is not WorklistSort.ID:
                statement = statement.select_from(_SCORED)
            conditions = [condition for wanted, condition in chosen if wanted]
            inner = statement.where(*conditions).order_by(*_ORDERS[sort]).subquery()
            self._queries[shape] = Query(select(func.json_group_array(inner.c.key)))
        return self._queries[shape]

    def rows(self, keys: Sequence[int]) -> list[WorklistRow]:
        """What the worklist shows of these cases, in this order; unknown keys are left out."""
        params = {**self._params(), "wanted": json.dumps(list(map(int, keys)))}
        serving = self._scores.serving
        found = self._scores.reading(
            lambda connection: {
                row[0]: _row(row, serving) for row in _ROWS.run(connection, **params)
            }
        )
        return [found[key] for key in keys if key in found]

    def counts(self) -> WorklistCounts:
        """How many cases each filter would keep. ``unread`` are those that no reader has
        committed a read of, begun or not, and those planted again for this reader."""
        params = self._params()
        total, done, corrected, lacking, conflicting, planted = self._scores.reading(
            lambda connection: _COUNTS.one(connection, **params)
        )
        read = done - planted
        return WorklistCounts(
            total=total,
            unread=total - read,
            read=read,
            corrected=corrected,
            conflict=conflicting,
            missing_modality=lacking,
        )


def _row(row: tuple[Any, ...], serving: int) -> WorklistRow:
    key, id, caption, partition, done, corrected, image, report, read_at, *scored = row
    conflict, priority, reason, params, holder, stream, version, offered, offered_params = scored
    begun = ReadStatus.STARTED if corrected else ReadStatus.UNREAD
    found = WorklistRow(
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
        stream=stream or "",
        leased_by=holder or "",
        marked=reason in CONFLICT_REASONS,
        scored_by=serving if reason is not None else 0,
    )
    if stream is None:
        return found
    if stream == Stream.REPEATS:  # not even that it was read before may be told
        found = replace(found, status=ReadStatus.UNREAD, corrections=0, read_at="")
    if stream in BLIND:
        return replace(
            found, conflict=None, priority=None, reason=NEUTRAL, reason_params={}, marked=False
        )
    if version != serving and stream not in RANDOM:
        return replace(found, reason="queue.stale", reason_params={})
    return replace(found, reason=offered, reason_params=reason_params(offered_params))


def sort_id(case_id: str) -> str:
    """A text whose plain order is the natural order of ids: each number by its size."""

    def sized(number: re.Match[str]) -> str:
        digits = number.group().lstrip("0") or "0"
        return f"{len(digits):04d}{digits}"

    return re.sub(r"[0-9]+", sized, case_id.casefold())
