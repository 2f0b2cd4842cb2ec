"""The head of the queue in the disposable cache, and what a new one is made from.

``replace`` puts a queue into the place of the one before, in one transaction of the cache; the
worklist sorts by it (``worklist``). The pools are the unread cases of a partition, in order of
import, from the index over partitions alone.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, delete, func, literal_column, select
from sqlalchemy.dialects.sqlite import insert

from mmreview.domain.cases import Partition
from mmreview.domain.reads import canonical_json
from mmreview.domain.streams import Offer, Stream
from mmreview.store.scores import ScoreCache, SqlScoreStore, base_of, reason_params
from mmreview.store.tables import Query, cases, events, queue, scores, worklist

_DROP = Query(delete(queue))
_PLACE = Query(insert(queue).prefix_with("OR REPLACE"))
_TAKE_OUT = Query(delete(queue).where(queue.c.key == bindparam("read")))
_HEAD = Query(
    select(queue.c.key, queue.c.stream, queue.c.score, queue.c.reason, queue.c.reason_params)
    .where(queue.c.reader.in_(["", bindparam("reader")]))
    .order_by(queue.c.place)
    .limit(bindparam("limit"))
)
_pool = (
    select(worklist.c.key)
    .join(cases, cases.c.key == worklist.c.key)
    .where(cases.c.partition == bindparam("wanted"), worklist.c.done == 0)
    .order_by(worklist.c.key)
    .subquery()
)
_POOL = Query(select(func.json_group_array(_pool.c.key)))
#: First of all a case without a score, or with one that does not tell the doubt of an opinion.
_lacking = scores.c.id.is_(None) | (scores.c.doubt.is_(None) & scores.c.priority.is_not(None))
_DOUBTFUL = Query(
    select(worklist.c.key, scores.c.doubt, _lacking.label("lacking"))
    .join(cases, cases.c.key == worklist.c.key)
    .join(scores, scores.c.id == worklist.c.key + bindparam("base"), isouter=True)
    .where(cases.c.partition == bindparam("wanted"), worklist.c.done == 0)
    .order_by(_lacking.desc(), scores.c.doubt.desc(), worklist.c.key)
    .limit(bindparam("limit"))
)
_IS_READ: ColumnElement[bool] = literal_column("kind = 'read_committed'")
_COMMITTED = Query(select(func.count()).select_from(events).where(_IS_READ))
_READS = Query(
    select(cases.c.key, func.min(events.c.seq).label("first"), func.count())
    .select_from(events)
    .join(cases, cases.c.id == events.c.case_id)
    .where(_IS_READ, events.c.actor == bindparam("reader"))
    .group_by(events.c.case_id)
    .order_by("first")
)


class SqlQueueStore:
    """``ports.QueueStore``."""

    def __init__(self, scores: SqlScoreStore, cache: ScoreCache) -> None:
        self._scores = scores
        self._cache = cache

    @property
    def reader(self) -> str:
        """Whose queue it is: what is planted for others is not shown, what others have on lease is
        marked."""
        return self._scores.reader

    @reader.setter
    def reader(self, reader: str) -> None:
        self._scores.reader = reader

    def replace(self, version: int, offers: Sequence[Offer]) -> None:
        """Let these be the queue from now on, as ``version`` (0: none) ranked them. In a read-only
        store it is its own. Raises WriteFailed."""
        rows = [
            {
                "key": offer.key,
                "place": place,
                "stream": str(offer.stream),
                "score": offer.score,
                "reason": offer.reason,
                "reason_params": canonical_json(dict(offer.params)),
                "version": version,
                "reader": self.reader if offer.stream is Stream.REPEATS else "",
            }
            for place, offer in enumerate(offers)
        ]

        def put(connection: sqlite3.Connection) -> None:
            _DROP.run(connection)
            connection.executemany(_PLACE.sql, rows)

        self._cache.write(put)

    def take_out(self, key: int) -> None:
        """The case has been read: it gives its place up."""
        self._cache.write(lambda connection: _TAKE_OUT.run(connection, read=key))

    def head(self, limit: int) -> list[Offer]:
        """The first places, in order."""
        rows = self._scores.reading(
            lambda connection: _HEAD.run(connection, limit=limit, reader=self.reader).fetchall()
        )
        return [
            Offer(key, Stream(stream), score, reason, reason_params(params))
            for key, stream, score, reason, params in rows
        ]

    def pool(self, partition: Partition) -> array[int]:
        """The keys ('q') of the cases of a partition that nobody has read, ascending."""
        text = self._scores.reading(
            lambda connection: _POOL.value(connection, wanted=str(partition))
        )
        return array("q", json.loads(text))

    def doubtful(self, version: int, of: Partition, top: int) -> list[tuple[int, float]] | None:
        """The unread cases of a partition that the version doubts most, with how much; None while
        it has not scored all of them (see the port)."""
        wanted = {"base": base_of(version), "wanted": str(of), "limit": max(top, 1)}
        rows = self._scores.reading(
            lambda connection: _DOUBTFUL.run(connection, **wanted).fetchall()
        )
        if rows and rows[0][2]:
            return None
        return [(key, doubt) for key, doubt, _ in rows[:top] if doubt is not None]

    def read_count(self) -> int:
        """How many reads have been committed, second readings among them."""
        return int(self._scores.reading(lambda connection: _COMMITTED.value(connection)))

    def reads_of(self, reader: str) -> list[tuple[int, int]]:
        """The cases that this reader has committed a read of, in the order of the first: key and
        how many reads."""
        rows = self._scores.reading(
            lambda connection: _READS.run(connection, reader=reader).fetchall()
        )
        return [(key, count) for key, _, count in rows]
