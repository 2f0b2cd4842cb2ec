"""Numbered changes of the database's shape, run by Alembic from inside the program.

The revisions are named here as well, so that opening a project that is up to date imports no
Alembic. Each runs in one transaction with its record in ``alembic_version``.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

#: Every revision, oldest first; a test holds this against the files in ``versions``.
REVISIONS = ("0001", "0002", "0003")
HEAD = REVISIONS[-1]


def upgrade(database: Path) -> None:
    """Bring the database at ``database`` (made if missing) to ``HEAD``.

    Raises:
        sqlalchemy.exc.DBAPIError: a migration failed; that one left no trace.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        # The driver must not decide about transactions: DDL belongs into them too.
        return sqlite3.connect(database, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
