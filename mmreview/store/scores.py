"""The disposable sort keys of the worklist and its queue, in a cache file beside the database.

Every reading connection attaches the file as ``cache``, so that sorting and filtering by score is
one query over both. Nothing in it is worth keeping: a missing or damaged file, or one that another
version of the program shaped, is made anew, empty, and ``missing`` then names every case. It is
outside the trail, migrations and backups. A read-only store that scores cases does so in a copy of
its own, which ends with it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, delete, exists, func, select
from sqlalchemy.dialects.sqlite import insert

from mmreview.domain.errors import ProjectDamaged, WriteFailed
from mmreview.domain.predictions import CaseScore
from mmreview.domain.reads import canonical_json
from mmreview.store.database import BUSY_SECONDS, Database, ProjectClosed, file_uri
from mmreview.store.tables import Query, queue, scores, worklist

T = TypeVar("T")

_TABLES = (
    """CREATE TABLE IF NOT EXISTS cache.scores (
    id INTEGER NOT NULL PRIMARY KEY, conflict REAL, priority REAL,
    reason TEXT NOT NULL, reason_params TEXT NOT NULL, doubt REAL
)""",
    """CREATE TABLE IF NOT EXISTS cache.queue (
    key INTEGER NOT NULL PRIMARY KEY, place INTEGER NOT NULL, stream TEXT NOT NULL,
    score REAL NOT NULL, reason TEXT NOT NULL, reason_params TEXT NOT NULL,
    version INTEGER NOT NULL, reader TEXT NOT NULL
)""",
)


def _make_tables(connection: sqlite3.Connection) -> None:
    for table in _TABLES:
        connection.execute(table)


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.c)


def _refuse_other_shape(connection: sqlite3.Connection) -> None:
    """A program of another version may have made the file with other columns; it is no damage, and
    ends the same: nothing in it is worth keeping."""
    for table in (scores, queue):
        found = [row[1] for row in connection.execute(f"PRAGMA cache.table_info({table.name})")]
        if sorted(found) != sorted(column.name for column in table.c):
            raise sqlite3.DatabaseError("a cache of another version")


#: How far a version's number is shifted in ``scores.id`` to leave room for the case's key.
_SHIFT = 32

_insert = insert(scores)
_REPLACE = Query(
    _insert.on_conflict_do_update(
        index_elements=["id"],
        set_={column.name: _insert.excluded[column.name] for column in scores.c},
    )
)
_DROP_OLDER = Query(delete(scores).where(scores.c.id < bindparam("base")))
_DROP_NEWER = Query(delete(scores).where(scores.c.id >= bindparam("end")))
_KEY = scores.c.id.op("&")((1 << _SHIFT) - 1)
_FORGET = Query(
    delete(scores).where(
        _KEY.in_(select(func.json_each(bindparam("changed")).table_valued("value").c.value))
    )
)
_GIVE_UP_PLACE = Query(
    delete(queue).where(
        queue.c.key.in_(select(func.json_each(bindparam("changed")).table_valued("value").c.value))
    )
)
_MISSING = Query(
    select(worklist.c.key)
    .where(
        worklist.c.key > bindparam("after"),
        ~exists().where(scores.c.id == worklist.c.key + bindparam("base")),
    )
    .order_by(worklist.c.key)
    .limit(bindparam("limit"))
)


def base_of(version: int) -> int:
    """What is added to a case's key for the ``id`` of its score under ``version``."""
    return version << _SHIFT


class ScoreCache:
    """The cache file: made, attached, and made anew when it is damaged."""

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self._path = folder / "cache" / "scores.sqlite"
        self._read_only = read_only
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.RLock()
        self._writer = None if read_only else self._open()
        #: Called when the file has been replaced: connections still show the old one.
        self.on_replaced: Callable[[], None] = lambda: None

    def attach(self, connection: sqlite3.Connection) -> None:
        """Attach the cache to a reading connection; an empty one where there is no file."""
        for uri in self._uris():
            try:
                connection.execute("ATTACH ? AS cache", (uri,))
                for table in (scores, queue):
                    connection.execute(f"SELECT {_columns(table)} FROM cache.{table.name} LIMIT 1")
                return
            except sqlite3.DatabaseError:
                with suppress(sqlite3.DatabaseError):
                    connection.execute("DETACH cache")
                if not self._read_only and "mode=rw" in uri:
                    self._replace()
        connection.execute("ATTACH ':memory:' AS cache")
        _make_tables(connection)

    def _uris(self) -> tuple[str, ...]:
        file = file_uri(self._path)
        if self._read_only:
            return (f"{file}?mode=ro", f"{file}?immutable=1") if self._path.exists() else ()
        return (f"{file}?mode=rw", f"{file}?mode=rw")  # once more after it was made anew

    def write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Run ``work`` in a transaction of the cache. A damaged cache is replaced, once.

        Raises:
            WriteFailed: the disk is full or the file cannot be written.
        """
        with self._lock:
            if self._read_only:
                self._move_to_scratch()
            try:
                self._transact(work)
            except sqlite3.OperationalError as error:
                raise WriteFailed(detail=str(error)) from error
            except sqlite3.DatabaseError:
                self._replace()
                self._transact(work)

    def _transact(self, work: Callable[[sqlite3.Connection], object]) -> None:
        if self._writer is None:
            raise ProjectClosed(path=str(self._path.parent.parent))
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            work(self._writer)
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _move_to_scratch(self) -> None:
        """Go on with a writable copy outside the project, of what can be read of its cache."""
        self._scratch = tempfile.TemporaryDirectory(prefix="mmreview-scores-")
        copy = Path(self._scratch.name) / self._path.name
        for uri in self._uris():
            try:
                with (
                    closing(sqlite3.connect(uri, uri=True)) as original,
                    closing(sqlite3.connect(copy)) as mine,
                ):
                    original.backup(mine)
                break
            except sqlite3.DatabaseError:
                copy.unlink(missing_ok=True)
        self._path, self._read_only = copy, False
        self._writer = self._open()
        self.on_replaced()

    def mend(self) -> bool:
        """True when the cache was damaged; it has been replaced by an empty one."""
        probe = sqlite3.connect(":memory:", uri=True, isolation_level=None)
        try:
            probe.execute("ATTACH ? AS cache", (file_uri(self._path),))
            sound = probe.execute("PRAGMA cache.quick_check(1)").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            sound = False
        finally:
            probe.close()
        if sound:
            return False
        if self._read_only:
            # Not ours to delete; go on without, as if there were none.
            self._path = self._path.with_name("none")
            self.on_replaced()
        else:
            self._replace()
        return True

    def _replace(self) -> None:
        with self._lock:
            if self._writer is not None:
                self._writer.close()
            self._unlink()
            self._writer = self._open()
        self.on_replaced()

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(exist_ok=True)
        connection = sqlite3.connect(
            ":memory:", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            # The file is attached here too, so that one statement serves both sides.
            connection.execute("ATTACH ? AS cache", (file_uri(self._path),))
            connection.execute("PRAGMA cache.journal_mode = WAL")
            connection.execute("PRAGMA cache.synchronous = OFF")
            _make_tables(connection)
            _refuse_other_shape(connection)
        except sqlite3.OperationalError as error:
            connection.close()
            raise WriteFailed(detail=str(error)) from error
        except sqlite3.DatabaseError:
            connection.close()
            self._unlink()
            return self._open()
        return connection

    def close(self) -> None:
        """Close the writing side. Twice is once."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            if self._scratch is not None:
                self._scratch.cleanup()


class SqlScoreStore:
    """``ports.ScoreStore``. ``serving`` is the version whose scores the worklist uses (0: none),
    ``reader`` who looks at it."""

    def __init__(self, database: Database, cache: ScoreCache, *, serving: int | None) -> None:
        self._database = database
        self._cache = cache
        self.serving = serving or 0
        self.reader = ""
        cache.on_replaced = database.forget_readers

    def replace(self, version: int, scores: Iterable[CaseScore]) -> None:
        """Store these scores for ``version`` (others of that version stay). In a read-only
        store they are its own. Raises WriteFailed."""
        rows = [
            {
                "id": base_of(version) + score.key,
                "conflict": score.conflict,
                "priority": score.priority,
                "reason": score.reason,
                "reason_params": canonical_json(dict(score.reason_params)),
                "doubt": score.doubt,
            }
            for score in scores
        ]
        self._cache.write(lambda connection: connection.executemany(_REPLACE.sql, rows))

    def serve(self, version: int | None) -> None:
        """Sort and mark the worklist by this version's scores from now on; drop the others."""
        if (version or 0) == self.serving:
            return
        self.serving = version or 0
        if not self._database.read_only:
            self._cache.write(self._drop_others)

    def _drop_others(self, connection: sqlite3.Connection) -> None:
        _DROP_OLDER.run(connection, base=base_of(self.serving))
        _DROP_NEWER.run(connection, end=base_of(self.serving + 1))

    def missing(self, version: int, limit: int, *, after: int = 0) -> list[int]:
        """Keys above ``after``, in order, of up to ``limit`` cases without a score under
        ``version``."""
        wanted = {"base": base_of(version), "after": after, "limit": limit}
        return self.reading(
            lambda connection: [key for (key,) in _MISSING.run(connection, **wanted)]
        )

    def forget(self, keys: Iterable[int]) -> None:
        """Drop the scores of cases that are about to change, and their places in the queue, whose
        reasons come of what they were."""
        changed = json.dumps(list(keys))

        def drop(connection: sqlite3.Connection) -> None:
            _FORGET.run(connection, changed=changed)
            _GIVE_UP_PLACE.run(connection, changed=changed)

        if changed != "[]":
            self._cache.write(drop)

    def reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Read with the cache attached; a damaged cache is replaced and the read done again."""
        try:
            with self._database.read() as connection:
                return work(connection)
        except ProjectDamaged:
            if not self._cache.mend():
                raise
        with self._database.read() as connection:
            return work(connection)


def reason_params(text: str | None) -> dict[str, Any]:
    """The parameters of a reason, as stored."""
    params: dict[str, Any] = json.loads(text) if text else {}
    return params
