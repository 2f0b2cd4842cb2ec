"""Who has which case at the moment, and the reads of a reader found without looking at all events.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table and the index."""
    op.execute(
        "CREATE TABLE leases ("
        "case_key INTEGER NOT NULL PRIMARY KEY REFERENCES cases (key), "
        "reader TEXT NOT NULL, until INTEGER NOT NULL)"
    )
    op.execute(
        "CREATE INDEX ix_events_reads ON events (actor, case_id, seq) "
        "WHERE kind = 'read_committed'"
    )
