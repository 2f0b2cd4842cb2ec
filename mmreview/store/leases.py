"""Who has which case: short rows that run out, written by whoever writes the project.

A lease is a courtesy between readers, no part of the trail: it stops nobody from opening a case,
and one that has run out is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from mmreview.domain.streams import Lease
from mmreview.store.database import Database
from mmreview.store.tables import Query, leases

_WANTED = select(func.json_each(bindparam("wanted")).table_valued("value").c.value)
_HELD = Query(
    select(*leases.c).where(leases.c.until > bindparam("now")).order_by(leases.c.case_key)
)
_HELD_BY_OTHERS = Query(
    select(leases.c.case_key).where(
        leases.c.case_key.in_(_WANTED),
        leases.c.until > bindparam("now"),
        leases.c.reader != bindparam("reader"),
    )
)
_insert = insert(leases)
_TAKE = Query(
    _insert.on_conflict_do_update(
        index_elements=["case_key"],
        set_={"reader": _insert.excluded.reader, "until": _insert.excluded.until},
    )
)
_GIVE_BACK = Query(
    delete(leases).where(
        leases.c.case_key.in_(_WANTED), leases.c.reader == bindparam("reader")
    )
)
_FORGET = Query(delete(leases).where(leases.c.until <= bindparam("now")))


class SqlLeaseStore:
    """``ports.LeaseStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def held(self, *, now: int) -> list[Lease]:
        """The leases that have not run out."""
        with self._database.read() as connection:
            return [Lease(*row) for row in _HELD.run(connection, now=now)]

    def take(
        self, keys: Sequence[int], *, reader: str, now: int, until: int, over: Sequence[int] = ()
    ) -> list[int]:
        """Lease those of ``keys`` that no other reader has; which those are, in order. What this
        reader has already is renewed; the leases of ``over`` end. One transaction: two can never
        have the same case.

        Raises:
            WriteFailed, ProjectReadOnly: nothing was leased.
        """
        wanted = json.dumps(list(map(int, keys)))
        with self._database.write() as connection:
            _FORGET.run(connection, now=now)
            found = _HELD_BY_OTHERS.run(connection, wanted=wanted, now=now, reader=reader)
            others = {key for (key,) in found}
            free = [key for key in keys if key not in others]
            rows = [{"case_key": key, "reader": reader, "until": until} for key in free]
            connection.executemany(_TAKE.sql, rows)
            _GIVE_BACK.run(connection, wanted=json.dumps(list(over)), reader=reader)
        return free

    def give_back(self, keys: Sequence[int], *, reader: str) -> None:
        """End these leases of this reader; those of others stay. Raises as ``take`` does."""
        wanted = json.dumps(list(map(int, keys)))
        with self._database.write() as connection:
            _GIVE_BACK.run(connection, wanted=wanted, reader=reader)
