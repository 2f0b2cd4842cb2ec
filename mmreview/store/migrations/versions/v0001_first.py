"""The first shape: cases, the append-only trail, what is derived from it, versions."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_IMPORTED = """
CREATE TABLE project (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    schema TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE preferences (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE cases (
    key INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    patient_group TEXT NOT NULL,
    partition TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    accession TEXT NOT NULL,
    study_date TEXT NOT NULL,
    caption TEXT NOT NULL,
    report_sha256 TEXT,
    metadata TEXT NOT NULL,
    report TEXT
);
CREATE INDEX ix_cases_patient_group ON cases (patient_group, partition);
CREATE TABLE images (
    case_key INTEGER NOT NULL REFERENCES cases (key),
    position INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    path TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    view TEXT NOT NULL,
    PRIMARY KEY (case_key, position)
) WITHOUT ROWID;
CREATE TABLE labels (
    case_key INTEGER NOT NULL PRIMARY KEY REFERENCES cases (key),
    states TEXT NOT NULL
);
"""

_TRAIL = """
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TEXT NOT NULL,
    case_id TEXT NOT NULL,
    read INTEGER NOT NULL,
    stage TEXT NOT NULL,
    payload TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX ix_events_case_id ON events (case_id, seq) WHERE case_id <> '';
CREATE TABLE trail (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
);
"""

_DERIVED = """
CREATE TABLE corrections (
    seq INTEGER NOT NULL PRIMARY KEY REFERENCES events (seq),
    case_key INTEGER NOT NULL REFERENCES cases (key),
    finding TEXT NOT NULL,
    reader TEXT NOT NULL,
    state TEXT NOT NULL,
    basis TEXT NOT NULL,
    previous TEXT NOT NULL,
    version INTEGER,
    at TEXT NOT NULL,
    undone_by INTEGER
);
CREATE INDEX ix_corrections_case_key ON corrections (case_key, finding, seq);
CREATE INDEX ix_corrections_reader ON corrections (reader, seq) WHERE undone_by IS NULL;
CREATE TABLE worklist (
    key INTEGER NOT NULL PRIMARY KEY REFERENCES cases (key),
    sort_id TEXT NOT NULL,
    has_image INTEGER NOT NULL,
    has_report INTEGER NOT NULL,
    done INTEGER NOT NULL,
    corrections INTEGER NOT NULL,
    read_at TEXT NOT NULL
);
CREATE INDEX ix_worklist_sort_id ON worklist (sort_id, key);
CREATE TABLE versions (
    id INTEGER NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL,
    role TEXT NOT NULL,
    parent INTEGER REFERENCES versions (id),
    folder TEXT NOT NULL,
    created_at TEXT NOT NULL,
    fusion TEXT NOT NULL,
    corrections INTEGER NOT NULL,
    through_seq INTEGER NOT NULL,
    metrics TEXT NOT NULL,
    gate TEXT NOT NULL
);
CREATE UNIQUE INDEX ix_versions_champion ON versions (role) WHERE role = 'champion';
"""

# Statements with a semicolon inside, one each.
_GUARDS = (
    """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END""",
    """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END""",
)

# Substring search in any language: an index of three-letter sequences over the cases' own text.
_SEARCH = (
    """CREATE VIRTUAL TABLE cases_search USING fts5(
        id, caption, report,
        content='cases', content_rowid='key', tokenize='trigram', columnsize=0
    )""",
    """CREATE TRIGGER cases_search_insert AFTER INSERT ON cases BEGIN
        INSERT INTO cases_search (rowid, id, caption, report)
        VALUES (new.key, new.id, new.caption, new.report);
    END""",
    """CREATE TRIGGER cases_search_update AFTER UPDATE OF id, caption, report ON cases BEGIN
        INSERT INTO cases_search (cases_search, rowid, id, caption, report)
        VALUES ('delete', old.key, old.id, old.caption, old.report);
        INSERT INTO cases_search (rowid, id, caption, report)
        VALUES (new.key, new.id, new.caption, new.report);
    END""",
)


def upgrade() -> None:
    """Make everything."""
    for script in (_IMPORTED, _TRAIL, _DERIVED):
        for statement in filter(None, map(str.strip, script.split(";"))):
            op.execute(statement)
    for statement in (*_GUARDS, *_SEARCH):
        # Not ``op.execute(str)``: a colon in a statement is no parameter here.
        op.get_bind().exec_driver_sql(statement)
