"""A consistent copy of a project's database, also while it is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from mmreview.store.database import file_uri


def copy_database(source: Path, target: Path) -> None:
    """Copy the database at ``source`` to ``target``, which is complete or not there.

    Raises:
        sqlite3.Error: one of the two cannot be read or written.
        OSError: the copy cannot be moved into place.
    """
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{file_uri(source)}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(partial)) as copy,
        ):
            original.backup(copy)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def back_up_before_migration(database: Path, revision: str) -> Path:
    """Keep a copy of a database that is about to be migrated, in ``backups/`` beside it."""
    folder = database.parent / "backups"
    folder.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = folder / f"project-{revision}-{stamp}.sqlite"
    copy_database(database, target)
    return target
