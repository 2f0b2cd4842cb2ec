"""Connections to one project's database: many readers, one writer, any thread.

Writes go through ``write``: one transaction at a time, durable when the block ends
(WAL, ``synchronous=FULL``), or rolled back with ``WriteFailed``. Reads take a connection from a
pool; they never wait for the writer. Reading connections have the score cache attached.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmreview.domain.errors import MmreviewError, ProjectDamaged, ProjectReadOnly, WriteFailed

#: How long a statement waits for a lock that another process holds, in seconds.
BUSY_SECONDS = 5.0


#: What SQLite says when it cannot make the files that a WAL database needs beside it, for want of
#: permission or of room.
_UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)


class ProjectClosed(MmreviewError):
    """The project was closed while somebody still wanted something of it."""

    code = "error.project_closed"


class Database:
    """The open database of the project in ``folder``.

    ``before_commit`` is called with every transaction complete but not yet committed; what it
    raises is treated as the commit's own failure (tests make commits slow or fail with it).
    """

    def __init__(
        self, folder: Path, *, read_only: bool, attach: Callable[[sqlite3.Connection], None]
    ) -> None:
        self.folder = folder
        self.read_only = read_only
        self.before_commit: Callable[[], None] | None = None
        self._attach = attach
        self._lock = threading.Lock()
        self._closed = False
        self._idle: list[sqlite3.Connection] = []
        self._generation = 0
        self._file = (0, 0)  # what the writer has open: a deleted file would take all and keep none
        self._uri = readable_uri(folder) if read_only else f"{_uri(folder)}?mode=rw"
        self._writer: sqlite3.Connection | None = None if read_only else self._connect_writer()

    # --- writing ------------------------------------------------------------------------------

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block ends; an error in it leaves nothing behind.

        Raises:
            ProjectReadOnly: this store does not write.
            WriteFailed: disk full, locked, read-only or broken; nothing was stored.
        """
        if self.read_only:
            raise ProjectReadOnly(path=str(self.folder))
        with self._lock:
            if self._closed:
                raise ProjectClosed(path=str(self.folder))
            try:
                if self._writer is None:
                    self._writer = self._connect_writer()
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                if self.before_commit is not None:
                    self.before_commit()
                self._require_file()
                self._writer.execute("COMMIT")
            except BaseException as error:
                self._roll_back()
                if isinstance(error, sqlite3.Error):
                    raise WriteFailed(detail=str(error)) from error
                raise

    def _require_file(self) -> None:
        """What is committed must still be there to be opened again. SQLite goes on writing to a
        file that was deleted or moved away.

        Raises:
            WriteFailed: the folder has lost its database, or has another one.
        """
        try:
            if _identity(self.folder) == self._file:
                return
            missing = errno.ESTALE
        except OSError as error:
            missing = error.errno or errno.ENOENT
        raise WriteFailed(detail=f"{os.strerror(missing)}: {database_file(self.folder)}")

    def _roll_back(self) -> None:
        """Undo the open transaction. A connection that cannot is given up: SQLite undoes what it
        left, and the next write opens another."""
        if self._writer is None:
            return
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    def _connect_writer(self) -> sqlite3.Connection:
        connection = _connect(self._uri)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        self._file = _identity(self.folder)
        return connection

    # --- reading ------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that only reads, this thread's own until the block ends.

        Raises:
            ProjectDamaged: the database cannot be read.
        """
        if self._closed:
            raise ProjectClosed(path=str(self.folder))
        generation = self._generation
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self.connect_reader()
        except sqlite3.Error as error:
            raise ProjectDamaged(path=str(self.folder), detail=str(error)) from error
        try:
            yield connection
        except sqlite3.Error as error:
            raise ProjectDamaged(path=str(self.folder), detail=str(error)) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._closed or generation != self._generation:
                connection.close()
            else:
                self._idle.append(connection)

    def connect_reader(self) -> sqlite3.Connection:
        """A new connection that only reads; the caller closes it."""
        connection = _connect(self._uri)
        try:
            self._attach(connection)
            # Not earlier: making an empty cache in memory is a write.
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def forget_readers(self) -> None:
        """Let later reads open new connections (the attached cache has been replaced)."""
        self._generation += 1
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    def close(self) -> None:
        """Close everything; a commit that is under way is waited for. Twice is once."""
        with self._lock:
            self._closed = True
            writer, self._writer = self._writer, None
        self.forget_readers()
        if writer is not None:
            writer.close()


def readable_uri(folder: Path) -> str:
    """How the database can be opened for reading only, also in a folder nobody may write.

    A WAL database wants its ``-shm`` file beside it. Where that cannot be made, the file is
    opened as immutable, unless changes are left in the ``-wal`` file that this would hide.

    Raises:
        ProjectDamaged: the database cannot be opened, or not without a writable copy.
    """
    plain = f"{_uri(folder)}?mode=ro"
    try:
        connection = _connect(plain)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
        return plain
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
            raise ProjectDamaged(path=str(folder), detail=str(error)) from error
        wal = database_file(folder).with_name("project.sqlite-wal")
        if wal.exists() and wal.stat().st_size:
            raise ProjectDamaged("error.project_needs_writable_copy", path=str(folder)) from error
        return f"{_uri(folder)}?immutable=1"
    except sqlite3.DatabaseError as error:
        raise ProjectDamaged(path=str(folder), detail=str(error)) from error


def database_file(folder: Path) -> Path:
    """Where the database of the project in ``folder`` lies."""
    return folder / "project.sqlite"


def file_uri(path: Path) -> str:
    """An SQLite URI of a file, without its parameters."""
    return path.absolute().as_uri()


def _identity(folder: Path) -> tuple[int, int]:
    found = database_file(folder).stat()
    return found.st_dev, found.st_ino


def _uri(folder: Path) -> str:
    return file_uri(database_file(folder))


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended by name only
        check_same_thread=False,  # the pool and the lock keep a connection to one thread at a time
        cached_statements=256,
    )
