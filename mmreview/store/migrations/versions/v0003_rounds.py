"""Rounds of training are remembered, and versions say what they were made of."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """CREATE TABLE rounds (
        id INTEGER NOT NULL PRIMARY KEY,
        state TEXT NOT NULL,
        actor TEXT NOT NULL,
        options TEXT NOT NULL,
        since_seq INTEGER NOT NULL,
        through_seq INTEGER NOT NULL,
        version INTEGER,
        started_at TEXT NOT NULL,
        ended_at TEXT NOT NULL,
        reason TEXT NOT NULL
    )""",
    "CREATE INDEX ix_rounds_version ON rounds (version)",
    "ALTER TABLE versions ADD COLUMN lineage TEXT NOT NULL DEFAULT '{}'",
)


def upgrade() -> None:
    """Add them; versions that are there have no lineage."""
    for statement in _STATEMENTS:
        # Not ``op.execute(str)``: nothing in a statement is a parameter here.
        op.get_bind().exec_driver_sql(statement)
