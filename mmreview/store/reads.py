"""The trail and what is derived from it, in the same transaction.

An append reads the head of the chain, hashes the event after it, stores it, moves the head and
updates what the event means: a correction or its undo in ``corrections``, the reading columns of
``worklist``. ``audit`` derives the same again from the events alone and compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select, update

from mmreview.domain.errors import CaseNotFound, MmreviewError
from mmreview.domain.reads import Event, EventKind, NewEvent, canonical_json, event_hash
from mmreview.store import seal
from mmreview.store.database import Database
from mmreview.store.tables import Query, cases, corrections, events, trail, worklist

_PAGE = 512


class NothingToUndo(MmreviewError):
    """The correction ``seq`` is not there or has been taken back already."""

    code = "error.nothing_to_undo"


# --- writing ----------------------------------------------------------------------------------

_HEAD = Query(select(trail.c.seq, trail.c.hash))
_INSERT_EVENT = Query(insert(events))
_MOVE_HEAD = Query(update(trail).values(seq=bindparam("new_seq"), hash=bindparam("new_hash")))
_CASE_KEY = Query(select(cases.c.key).where(cases.c.id == bindparam("case")))
_INSERT_CORRECTION = Query(insert(corrections))
_COUNT_CORRECTIONS = Query(
    update(worklist)
    .where(worklist.c.key == bindparam("case_key"))
    .values(corrections=worklist.c.corrections + bindparam("change"))
)
_TAKE_BACK = Query(
    update(corrections)
    .where(corrections.c.seq == bindparam("undone"), corrections.c.undone_by.is_(None))
    .values(undone_by=bindparam("undo"))
    .returning(corrections.c.case_key)
)
_MARK_READ = Query(
    update(worklist)
    .where(worklist.c.key == bindparam("case_key"))
    .values(done=1, read_at=bindparam("when"))
)


#: Events that tell the seal over what was imported.
_SEALING = (EventKind.IMPORT_FINISHED, EventKind.AUDIT_DRAWN)


def now() -> str:
    """This instant: UTC, ISO 8601 with microseconds and a ``Z``."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def append_event(connection: sqlite3.Connection, new: NewEvent) -> Event:
    """Store an event and what follows from it in the open transaction.

    Raises:
        CaseNotFound: a correction or read of a case that is not there.
        NothingToUndo: an undo of what is not there or undone already.
    """
    last_seq, last_hash = _HEAD.one(connection)
    if new.kind in _SEALING and (sealed := seal.kept(connection)) is not None:
        new = replace(new, payload={**new.payload, seal.SEAL: sealed.as_json()})
        seal.keep(connection, sealed, told=True)
    fields: dict[str, Any] = {
        "seq": last_seq + 1,
        "kind": str(new.kind),
        "actor": new.actor,
        "at": now(),
        "case": new.case,
        "read": new.read,
        "stage": new.stage,
        "payload": canonical_json(dict(new.payload)),
        "prev_hash": last_hash,
    }
    event = Event(**fields, hash=event_hash(**fields))
    case_id = fields.pop("case")
    _INSERT_EVENT.run(connection, **fields, case_id=case_id, hash=event.hash)
    _MOVE_HEAD.run(connection, new_seq=event.seq, new_hash=event.hash)
    if new.kind is EventKind.CORRECTION:
        _derive_correction(connection, event, new)
    elif new.kind is EventKind.UNDO:
        _derive_undo(connection, event, new)
    elif new.kind is EventKind.READ_COMMITTED:
        key = _case_key(connection, event.case)
        _MARK_READ.run(connection, case_key=key, when=event.at)
    return event


def _derive_correction(connection: sqlite3.Connection, event: Event, new: NewEvent) -> None:
    key = _case_key(connection, event.case)
    _INSERT_CORRECTION.run(
        connection,
        seq=event.seq,
        case_key=key,
        finding=new.payload["finding"],
        reader=event.actor,
        state=str(new.payload["after"]),
        basis=str(new.payload["basis"]),
        previous=str(new.payload["before"]),
        version=new.payload.get("version"),
        at=event.at,
        undone_by=None,
    )
    _count(connection, key, new, 1)


def _derive_undo(connection: sqlite3.Connection, event: Event, new: NewEvent) -> None:
    undone = new.payload["undoes"]
    key = _TAKE_BACK.value(connection, undone=undone, undo=event.seq)
    if key is None:
        raise NothingToUndo(seq=undone)
    _count(connection, key, new, -1)


def _count(connection: sqlite3.Connection, key: int, new: NewEvent, change: int) -> None:
    """One act of a reader is one correction, however many states it implied."""
    if "implied_by" not in new.payload:
        _COUNT_CORRECTIONS.run(connection, case_key=key, change=change)


def _case_key(connection: sqlite3.Connection, case: str) -> int:
    key: int | None = _CASE_KEY.value(connection, case=case)
    if key is None:
        raise CaseNotFound(case=case)
    return key


# --- reading ----------------------------------------------------------------------------------

_EVENT = select(*events.c).order_by(events.c.seq)
_LATER = events.c.seq > bindparam("after")
_EVENTS = Query(_EVENT.where(_LATER).limit(_PAGE))
# The second condition lets the planner use the index that leaves out events without a case.
_OF_CASE = (events.c.case_id == bindparam("case")) & (events.c.case_id != "")
_CASE_EVENTS = Query(_EVENT.where(_LATER, _OF_CASE).limit(_PAGE))
_UNDOABLE = Query(
    select(*events.c)
    .join(corrections, corrections.c.seq == events.c.seq)
    .where(corrections.c.reader == bindparam("actor"), corrections.c.undone_by.is_(None))
    .order_by(corrections.c.seq.desc())
    .limit(1)
)
_READS = Query(
    select(func.count())
    .select_from(events)
    .where(_OF_CASE, events.c.actor == bindparam("actor"))
    .where(events.c.kind == str(EventKind.READ_COMMITTED))
)
_CORRECTIONS_AFTER = Query(
    select(func.count())
    .select_from(corrections)
    .join(events, events.c.seq == corrections.c.seq)
    .where(corrections.c.seq > bindparam("after"), corrections.c.undone_by.is_(None))
    # A payload that was tampered with is for ``verify`` to name; here it counts as it did.
    .where(
        case(
            (
                func.json_valid(events.c.payload) == 1,
                func.json_extract(events.c.payload, "$.implied_by"),
            )
        ).is_(None)
    )
)


def event_pages(
    connection: sqlite3.Connection, *, after: int = 0, case: str | None = None
) -> Iterator[Event]:
    """Events in order on one connection, a page in memory at a time."""
    while page := _page(connection, after, case):
        yield from page
        after = page[-1].seq


def _page(connection: sqlite3.Connection, after: int, case: str | None) -> list[Event]:
    if case is None:
        rows = _EVENTS.run(connection, after=after)
    else:
        rows = _CASE_EVENTS.run(connection, after=after, case=case)
    return [Event(*row) for row in rows]


class SqlEventStore:
    """``ports.EventStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, event: NewEvent) -> Event:
        """Store one event and what is derived from it, durably.

        Raises:
            WriteFailed, ProjectReadOnly: nothing was stored.
            CaseNotFound, NothingToUndo: the event speaks of what is not there.
        """
        with self._database.write() as connection:
            return append_event(connection, event)

    def append_together(self, events: Sequence[NewEvent]) -> list[Event]:
        """Store several events in one transaction; raises as ``append`` does, with nothing stored.
        """
        with self._database.write() as connection:
            return [append_event(connection, event) for event in events]

    def events(self, *, after: int = 0, case: str | None = None) -> Iterator[Event]:
        """Events in order, optionally of one case only. No lock is held between pages."""
        while True:
            with self._database.read() as connection:
                page = _page(connection, after, case)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def last_seq(self) -> int:
        """The sequence number of the newest event, 0 for none."""
        with self._database.read() as connection:
            return int(_HEAD.value(connection))

    def undoable(self, actor: str) -> Event | None:
        """The newest correction of ``actor`` that no undo has taken back, if any."""
        with self._database.read() as connection:
            row = _UNDOABLE.one(connection, actor=actor)
        return None if row is None else Event(*row)

    def read_number(self, case: str, actor: str) -> int:
        """The number of the read that ``actor`` is in on ``case``: committed reads + 1."""
        with self._database.read() as connection:
            return int(_READS.value(connection, case=case, actor=actor)) + 1

    def corrections_after(self, seq: int) -> int:
        """How many corrections came after event ``seq`` and were not undone, less the implied."""
        with self._database.read() as connection:
            return int(_CORRECTIONS_AFTER.value(connection, after=seq))
