"""Which versions exist and which one serves, each change with its event in one transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from mmreview.domain.errors import VersionNotFound
from mmreview.domain.reads import Event, NewEvent, canonical_json
from mmreview.domain.versions import Role, Version
from mmreview.store.database import Database
from mmreview.store.reads import append_event
from mmreview.store.rounds import settle, supersede
from mmreview.store.tables import Query, versions

_ALL = Query(select(*versions.c).order_by(versions.c.id))
_GET = Query(select(*versions.c).where(versions.c.id == bindparam("version")))
_CHAMPION = Query(select(*versions.c).where(versions.c.role == str(Role.CHAMPION)))
_LAST = Query(select(func.coalesce(func.max(versions.c.id), 0)))
_INSERT = Query(insert(versions))
_RETIRE = Query(
    update(versions).where(versions.c.role == str(Role.CHAMPION)).values(role=str(Role.RETIRED))
)
_WAIT_NO_LONGER = Query(
    update(versions).where(versions.c.role == str(Role.CHALLENGER)).values(role=str(Role.REFUSED))
)
_SET_ROLE = Query(
    update(versions).where(versions.c.id == bindparam("version")).values(role=bindparam("new"))
)


class SqlVersionStore:
    """``ports.VersionStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        with self._database.read() as connection:
            return [_version(row) for row in _ALL.run(connection)]

    def get(self, version: int) -> Version:
        """The version with this id. Raises VersionNotFound."""
        with self._database.read() as connection:
            row = _GET.one(connection, version=version)
        if row is None:
            raise VersionNotFound(version=version)
        return _version(row)

    def champion(self) -> Version | None:
        """The serving version."""
        with self._database.read() as connection:
            row = _CHAMPION.one(connection)
        return None if row is None else _version(row)

    def next_id(self) -> int:
        """The id that the next version will get."""
        with self._database.read() as connection:
            return int(_LAST.value(connection)) + 1

    def add(self, version: Version, event: NewEvent) -> Event:
        """Register a version whose files are already durable, with its event, in one
        transaction. A champion retires the one before; one that serves or waits takes the
        place of those that waited. The round that it came of is settled with it."""
        with self._database.write() as connection:
            if version.role is Role.CHAMPION:
                _RETIRE.run(connection)
            if version.role is not Role.REFUSED:
                _WAIT_NO_LONGER.run(connection)
                supersede(connection, version.id)
            _INSERT.run(
                connection,
                id=version.id,
                sha256=version.sha256,
                role=str(version.role),
                parent=version.parent,
                folder=version.folder,
                created_at=version.created_at,
                fusion=version.fusion,
                corrections=version.corrections,
                through_seq=version.through_seq,
                metrics=canonical_json(dict(version.metrics)),
                gate=canonical_json(dict(version.gate)),
                lineage=canonical_json(dict(version.lineage)),
            )
            settle(connection, version.id, version.role)
            return append_event(connection, event)

    def set_role(self, version: int, role: Role, event: NewEvent) -> Event:
        """Change a version's role, with its event, in one transaction. A champion retires the
        one before. A round that waited for this is settled with it. Raises VersionNotFound."""
        with self._database.write() as connection:
            _require(connection, version)
            if role is Role.CHAMPION:
                _RETIRE.run(connection)
            _SET_ROLE.run(connection, version=version, new=str(role))
            settle(connection, version, role)
            return append_event(connection, event)


def _require(connection: sqlite3.Connection, version: int) -> None:
    if _GET.one(connection, version=version) is None:
        raise VersionNotFound(version=version)


def _version(row: tuple[Any, ...]) -> Version:
    known = dict(zip(versions.c.keys(), row, strict=True))
    known["role"] = Role(known["role"])
    known["metrics"] = json.loads(known["metrics"])
    known["gate"] = json.loads(known["gate"])
    known["lineage"] = json.loads(known["lineage"])
    return Version(**known)
