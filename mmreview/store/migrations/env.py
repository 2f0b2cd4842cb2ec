"""What Alembic runs: the migrations, on the connection that ``upgrade`` opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite takes schema changes into a transaction once the driver keeps out of it.
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
