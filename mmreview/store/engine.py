"""Opening, making and closing a project's store.

Opening for writing takes the project's lock, brings an older database up to date after a backup,
and joins the stores over one ``Database``. A project that is up to date is opened without Alembic.
Making a project builds its database under another name and moves it into place complete, so that
a kill leaves either a project or an empty folder that the next attempt takes over.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from mmreview import __version__
from mmreview.domain.errors import (
    MmreviewError,
    ProjectDamaged,
    ProjectExists,
    ProjectNotFound,
    ProjectReadOnly,
    ProjectTooNew,
    WriteFailed,
)
from mmreview.domain.findings import ExclusiveGroup, Exclusivity, Finding, FindingSchema
from mmreview.domain.reads import GENESIS_HASH, EventKind, NewEvent, canonical_json
from mmreview.store import migrations
from mmreview.store.audit_sets import SqlAuditSetStore
from mmreview.store.backup import back_up_before_migration
from mmreview.store.cases import SqlCaseStore
from mmreview.store.database import Database, database_file, file_uri, readable_uri
from mmreview.store.leases import SqlLeaseStore
from mmreview.store.lock import WriterLock, holder_of
from mmreview.store.preferences import SqlPreferenceStore
from mmreview.store.queues import SqlQueueStore
from mmreview.store.reads import SqlEventStore, append_event, now
from mmreview.store.rounds import SqlRoundStore
from mmreview.store.scores import ScoreCache, SqlScoreStore
from mmreview.store.tables import Query, project, trail
from mmreview.store.versions import SqlVersionStore

#: What a project folder holds besides the database. ``features`` belongs to the model.
FOLDERS = ("features", "versions", "images")

#: What may lie in a folder that a killed ``create_store`` left behind.
_OURS = {*FOLDERS, "cache", "project.lock"}
_UNFINISHED = "project.sqlite.new"

#: SQLite's ``application_id``, "mmrv": a file manager tells by it that a database is a project's
#: (resources/packaging/linux/mmreview.xml).
_APPLICATION_ID = 0x6D6D7276

#: What the system says when it is room that is missing, not permission.
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: The preference that names the program which gave the database its shape.
_PROGRAM = "program"

#: Who signs the event that makes a project.
_SYSTEM = "mmreview"

_SCHEMA = Query(select(project.c.schema))
_INSERT_PROJECT = Query(insert(project))
_INSERT_HEAD = Query(insert(trail))


class Store:
    """One open project: the domain's stores over one database.

    ``holder`` names who writes the project if this store is read-only and somebody does.
    """

    def __init__(self, folder: Path, *, lock: WriterLock | None) -> None:
        self.folder = folder
        self.read_only = lock is None
        self.holder = holder_of(folder) if lock is None else ""
        self._lock = lock
        self._cache = ScoreCache(folder, read_only=self.read_only)
        try:
            self.database = Database(folder, read_only=self.read_only, attach=self._cache.attach)
        except BaseException:
            self._cache.close()
            raise
        try:
            self.versions = SqlVersionStore(self.database)
            champion = self.versions.champion()
            self.scores = SqlScoreStore(
                self.database, self._cache, serving=champion.id if champion else None
            )
            self.cases = SqlCaseStore(
                self.database, schema=self._read_schema(), scores=self.scores
            )
            self.queue = SqlQueueStore(self.scores, self._cache)
            self.leases = SqlLeaseStore(self.database)
            self.audit_sets = SqlAuditSetStore(self.database, scores=self.scores)
            self.events = SqlEventStore(self.database)
            self.rounds = SqlRoundStore(self.database)
            self.preferences = SqlPreferenceStore(self.database)
        except BaseException:
            self.database.close()
            self._cache.close()
            raise

    def _read_schema(self) -> FindingSchema:
        with self.database.read() as connection:
            text = _SCHEMA.value(connection)
        if text is None:
            raise ProjectDamaged(path=str(self.folder), detail="project")
        return _schema_from_json(text)

    def close(self) -> None:
        """Close everything and give the lock back. Twice is once."""
        self.database.close()
        self._cache.close()
        if self._lock is not None:
            self._lock.release()


def open_store(path: Path, *, read_only: bool = False) -> Store:
    """Open the project in the folder ``path``.

    Raises:
        ProjectNotFound: there is no project.
        ProjectLocked: somebody else writes it (open it with ``read_only``).
        ProjectReadOnly: it lies where it cannot be written (open it with ``read_only``), or it
            must be brought up to date first and may not be written.
        ProjectTooNew: a newer mmreview wrote it.
        ProjectDamaged: its database cannot be read.
        WriteFailed: the disk is full, or it had to be brought up to date and that failed; it is
            as it was.
    """
    folder = path.absolute()
    if not database_file(folder).is_file():
        raise ProjectNotFound(path=str(path))
    lock = None if read_only else _lock_for_writing(folder)
    try:
        with _as_damage(folder):
            revision = _revision(folder, read_only=read_only)
            if revision not in migrations.REVISIONS:
                raise _too_new(folder, revision)
            if revision != migrations.HEAD:
                _bring_up_to_date(folder, revision, read_only=read_only)
            return Store(folder, lock=lock)
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def create_store(path: Path, schema: FindingSchema) -> Store:
    """Make a project in the folder ``path`` and open it for writing.

    Raises:
        ProjectExists: something is there already.
        ProjectLocked: another process is making it at this moment.
        WriteFailed: the folder cannot be made or written.
    """
    folder = path.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _is_free(folder):
            raise ProjectExists(path=str(path))
        lock = WriterLock(folder)
    except FileExistsError:
        raise ProjectExists(path=str(path)) from None
    except OSError as error:
        raise WriteFailed(detail=error.strerror or str(error)) from error
    try:
        if not _is_free(folder):  # made by another process before the lock was ours
            raise ProjectExists(path=str(path))
        _build(folder, schema)
        return Store(folder, lock=lock)
    except (OSError, sqlite3.Error, DBAPIError) as error:
        lock.release()
        raise WriteFailed(detail=str(error)) from error
    except BaseException:
        lock.release()
        raise


def _is_free(folder: Path) -> bool:
    """True for a new folder, or what a killed attempt left: our own names and no database."""
    names = {entry.name for entry in folder.iterdir()}
    return all(name in _OURS or name.startswith(_UNFINISHED) for name in names)


def _build(folder: Path, schema: FindingSchema) -> None:
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    for left in folder.glob(f"{_UNFINISHED}*"):
        left.unlink()
    unfinished = folder / _UNFINISHED
    migrations.upgrade(unfinished)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        _INSERT_PROJECT.run(connection, id=1, schema=_schema_to_json(schema), created_at=now())
        _INSERT_HEAD.run(connection, id=1, seq=0, hash=GENESIS_HASH)
        created = NewEvent(
            kind=EventKind.PROJECT_CREATED,
            actor=_SYSTEM,
            payload={"schema": schema.name, "findings": list(schema.names)},
        )
        append_event(connection, created)
        _note_program(connection)
        connection.execute("COMMIT")
    unfinished.replace(database_file(folder))
    _make_durable(folder)


def _make_durable(folder: Path) -> None:
    """Write the folder's entries to disk, where the system can be told to."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_for_writing(folder: Path) -> WriterLock:
    if not os.access(database_file(folder), os.W_OK):
        raise ProjectReadOnly(path=str(folder))
    try:
        return WriterLock(folder)
    except OSError as error:
        if error.errno in _FULL:
            raise WriteFailed(detail=error.strerror or str(error)) from error
        raise ProjectReadOnly(path=str(folder)) from error


@contextmanager
def _as_damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ProjectDamaged(path=str(folder), detail=str(error)) from error


def _revision(folder: Path, *, read_only: bool) -> str:
    """The database's shape, read without Alembic."""
    uri = readable_uri(folder) if read_only else f"{file_uri(database_file(folder))}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise ProjectDamaged(path=str(folder), detail="alembic_version")
    return str(row[0])


def _bring_up_to_date(folder: Path, revision: str, *, read_only: bool) -> None:
    if read_only:
        raise ProjectReadOnly("error.project_needs_update", path=str(folder))
    try:
        back_up_before_migration(database_file(folder), revision)
        migrations.upgrade(database_file(folder))
        with closing(sqlite3.connect(database_file(folder), isolation_level=None)) as connection:
            _note_program(connection)
    except MmreviewError:
        raise
    except (OSError, sqlite3.Error, DBAPIError) as error:
        raise WriteFailed(detail=str(error)) from error


def _note_program(connection: sqlite3.Connection) -> None:
    """Which program gave the database its shape: an older one names it when it refuses."""
    note = {"revision": migrations.HEAD, "version": __version__}
    connection.execute(
        "INSERT INTO preferences (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_PROGRAM, canonical_json(note)),
    )


def _too_new(folder: Path, revision: str) -> ProjectTooNew:
    """Names the program to install, where the newer one left its name."""
    params = {"path": str(folder), "revision": revision, "here": __version__}
    with suppress(sqlite3.Error, ValueError, TypeError, KeyError):
        with closing(sqlite3.connect(readable_uri(folder), uri=True)) as connection:
            [text] = connection.execute(
                "SELECT value FROM preferences WHERE name = ?", (_PROGRAM,)
            ).fetchone()
        note = json.loads(text)
        if note["revision"] == revision:
            return ProjectTooNew(**params, wrote=str(note["version"]))
    return ProjectTooNew("error.project_too_new_unnamed", **params)


def _schema_to_json(schema: FindingSchema) -> str:
    return canonical_json(
        {
            "name": schema.name,
            "findings": [
                {
                    "name": f.name,
                    "abbreviation": f.abbreviation,
                    "group": f.group,
                    "phrases": list(f.phrases),
                    "excludes": list(f.excludes),
                }
                for f in schema.findings
            ],
            "groups": [
                {"name": g.name, "kind": str(g.kind), "findings": list(g.findings)}
                for g in schema.groups
            ],
        }
    )


def _schema_from_json(text: str) -> FindingSchema:
    told = json.loads(text)
    return FindingSchema(
        name=told["name"],
        findings=tuple(
            Finding(
                name=f["name"],
                abbreviation=f["abbreviation"],
                group=f["group"],
                phrases=tuple(f["phrases"]),
                excludes=tuple(f["excludes"]),
            )
            for f in told["findings"]
        ),
        groups=tuple(
            ExclusiveGroup(g["name"], Exclusivity(g["kind"]), tuple(g["findings"]))
            for g in told.get("groups", ())  # projects of before have none
        ),
    )
