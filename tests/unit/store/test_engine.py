"""Making, opening, sharing, updating and closing a project."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from mmreview import __version__
from mmreview.domain.cases import WorklistFilter, WorklistSort
from mmreview.domain.errors import (
    ProjectDamaged,
    ProjectExists,
    ProjectLocked,
    ProjectNotFound,
    ProjectReadOnly,
    ProjectTooNew,
    WriteFailed,
)
from mmreview.domain.findings import State
from mmreview.domain.predictions import CaseScore
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.store import engine, migrations
from mmreview.store.audit import verify_trail
from mmreview.store.database import ProjectClosed
from mmreview.store.engine import create_store, open_store
from mmreview.store.tables import metadata
from mmreview.translation import tr

ROOT = Path(__file__).parents[3]


def database(folder):
    return folder / "project.sqlite"


def edit(folder, *statements):
    with closing(sqlite3.connect(database(folder), isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


# --- making and opening -------------------------------------------------------------------------


def test_a_new_project_has_its_folders_and_its_schema(store, schema):
    for name in ("features", "versions", "images", "project.sqlite"):
        assert (store.folder / name).exists()
    assert not list(store.folder.glob("project.sqlite.new*"))
    assert store.cases.schema == schema
    store.close()
    again = open_store(store.folder)
    assert again.cases.schema == schema
    assert not again.read_only
    again.close()
    again.close()


def test_writing_is_durable_by_setting(store):
    with store.database.write() as connection:
        facts = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert facts == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000,
    }  # fmt: skip


def test_what_is_taken_is_refused(store, schema, tmp_path):
    with pytest.raises(ProjectExists):
        create_store(store.folder, schema)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(ProjectExists):
        create_store(tmp_path / "photos", schema)
    with pytest.raises(ProjectExists):
        create_store(tmp_path / "photos" / "cat.png", schema)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.png"]


def test_where_no_folder_can_be_made_it_says_so(schema, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed):
        create_store(tmp_path / "file" / "inside.mmreview", schema)


def test_a_half_made_project_is_taken_over(folder, schema):
    for name in ("images", "features"):
        (folder / name).mkdir(parents=True)
    (folder / "project.sqlite.new").write_bytes(b"half")
    (folder / "project.sqlite.new-journal").write_bytes(b"a journal")
    (folder / "project.lock").touch()
    with pytest.raises(ProjectNotFound):
        open_store(folder)
    store = create_store(folder, schema)
    assert list(verify_trail(store)) == []
    store.close()


def test_no_project_and_no_database_are_told_apart(tmp_path, store):
    with pytest.raises(ProjectNotFound):
        open_store(tmp_path / "nothing.mmreview")
    store.close()
    database(store.folder).write_bytes(b"this is no database, it is a text of some length" * 99)
    for read_only in (False, True):
        with pytest.raises(ProjectDamaged):
            open_store(store.folder, read_only=read_only)
    database(store.folder).write_bytes(b"")
    with pytest.raises(ProjectDamaged):
        open_store(store.folder)


def test_a_damaged_project_is_not_left_locked(store):
    store.close()
    good = database(store.folder).read_bytes()
    database(store.folder).write_bytes(b"x" * 5000)
    with pytest.raises(ProjectDamaged):
        open_store(store.folder)
    database(store.folder).write_bytes(good)
    open_store(store.folder).close()


def test_a_closed_project_answers_nothing(store):
    store.close()
    with pytest.raises(ProjectClosed):
        store.cases.count()
    with pytest.raises(ProjectClosed):
        store.preferences.set("a", 1)


# --- one writer ---------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_writes(store):
    with pytest.raises(ProjectLocked) as refused:
        open_store(store.folder)
    assert f"({os.getpid()}, " in refused.value.params["holder"]
    reader = open_store(store.folder, read_only=True)
    assert reader.holder == refused.value.params["holder"]
    reader.close()
    store.close()
    reader = open_store(store.folder, read_only=True)
    assert reader.holder == ""
    open_store(store.folder).close()
    reader.close()


def test_a_killed_writer_frees_the_project(folder, schema, store):
    store.close()
    script = (
        "import sys; from pathlib import Path\n"
        "from mmreview.store.engine import open_store\n"
        "store = open_store(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout.readline() == "open\n"
        with pytest.raises(ProjectLocked) as refused:
            open_store(folder)
        assert f"({child.pid}, " in refused.value.params["holder"]
        child.kill()
        child.wait()
    again = open_store(folder)
    assert list(verify_trail(again)) == []
    again.close()


def test_a_reader_sees_what_the_writer_commits_and_writes_nothing(filled, draft, correct):
    reader = open_store(filled.folder, read_only=True)
    correct(1, "Edema", State.ABSENT)
    assert reader.cases.states(1)["Edema"].state is State.ABSENT
    assert reader.events.last_seq() == 2
    for write in (
        lambda: reader.events.append(NewEvent(EventKind.SETTING_CHANGED, "ana")),
        lambda: reader.cases.upsert([draft("z")]),
        lambda: reader.preferences.set("a", 1),
    ):
        with pytest.raises(ProjectReadOnly):
            write()
    reader.scores.serve(4)
    assert reader.scores.missing(4, 9) == [1, 2, 3]
    assert list(verify_trail(reader)) == []
    reader.close()


@pytest.mark.parametrize("name", ["per cent %20?#", "ümlaut 王", os.fsdecode(b"latin \xfc")])
def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path, schema, draft, name):
    folder = tmp_path / name / "p.mmreview"
    try:
        folder.parent.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses such a name")
    store = create_store(folder, schema)
    store.cases.upsert([draft("a")])
    store.scores.serve(1)
    store.scores.replace(1, [CaseScore(1, 0.5, 0.5, "queue.uncertain")])
    store.close()
    reader = open_store(folder, read_only=True)
    assert reader.scores.missing(1, 9) == []
    assert list(verify_trail(reader)) == []
    reader.close()


def test_a_full_disk_is_named_as_such_and_leaves_no_lock(filled, monkeypatch):
    filled.close()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(WriteFailed) as refused:
            open_store(filled.folder)
    assert "space" in refused.value.params["detail"]
    open_store(filled.folder).close()


def test_a_project_in_a_folder_nobody_may_write(filled, tmp_path):
    filled.scores.serve(1)
    filled.scores.replace(1, [CaseScore(3, 0.5, 0.5, "queue.uncertain")])
    filled.close()
    medium = tmp_path / "medium.mmreview"
    shutil.copytree(filled.folder, medium)
    folders = [medium, *(p for p in medium.iterdir() if p.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        if os.access(medium, os.W_OK):
            pytest.skip("this user may write everywhere, so no folder is read-only to it")
        with pytest.raises(ProjectReadOnly):
            open_store(medium)
        reader = open_store(medium, read_only=True)
        reader.scores.serve(1)
        assert reader.cases.worklist_keys(WorklistFilter(), WorklistSort.PRIORITY)[0] == 3
        assert list(verify_trail(reader)) == []
        reader.close()
    finally:
        for path in folders:
            path.chmod(0o755)


# --- the shape of the database ------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_code_knows(store):
    store.close()
    engine = create_engine(f"sqlite:///{database(store.folder)}", poolclass=NullPool)

    def ours(name, kind, parents):
        return kind != "table" or not name.startswith(("cases_search", "alembic"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, metadata) == []


def test_the_revisions_are_those_of_the_files():
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    found = [revision.revision for revision in script.walk_revisions()][::-1]
    assert tuple(found) == migrations.REVISIONS


def test_an_up_to_date_project_is_opened_without_alembic(store):
    store.close()
    code = (
        "import sys; from pathlib import Path\n"
        "from mmreview.store.engine import open_store\n"
        "open_store(Path(sys.argv[1])).close()\n"
        "print(json.dumps(sorted({'alembic', 'numpy', 'torch'} & sys.modules.keys())))"
    )
    found = subprocess.run(
        [sys.executable, "-c", "import json\n" + code, str(store.folder)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout) == []


def test_a_newer_project_is_refused_untouched(store):
    store.close()
    edit(store.folder, "UPDATE alembic_version SET version_num = '9999'")
    before = database(store.folder).read_bytes()
    for read_only in (False, True):
        with pytest.raises(ProjectTooNew) as refused:
            open_store(store.folder, read_only=read_only)
        assert refused.value.code == "error.project_too_new_unnamed"  # the note is of another one
        assert refused.value.params["here"] == __version__
    assert database(store.folder).read_bytes() == before


def test_a_newer_project_names_the_program_that_opens_it(filled, next_revision, monkeypatch):
    """A newer program brings it up to date and says so in it; this one refuses it by name."""
    filled.close()
    with monkeypatch.context() as newer:
        newer.setattr(engine, "__version__", "7.3.1")
        next_revision(["op.execute('CREATE TABLE extra (id INTEGER)')"])
        open_store(filled.folder).close()
    monkeypatch.setattr(migrations, "REVISIONS", migrations.REVISIONS[:-1])
    with pytest.raises(ProjectTooNew) as refused:
        open_store(filled.folder)
    said = tr(refused.value.code, **refused.value.params)
    assert "mmreview 7.3.1" in said
    assert f"mmreview {__version__}" in said
    assert "Install" in said


@pytest.fixture
def next_revision(monkeypatch, tmp_path):
    """A program whose migrations know one revision more; ``write`` says what it does."""
    place = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, place)
    monkeypatch.setattr(migrations, "__file__", str(place / "__init__.py"))
    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9998"))
    monkeypatch.setattr(migrations, "HEAD", "9998")

    def write(body):
        lines = [
            "from alembic import op",
            "revision = '9998'",
            f"down_revision = {migrations.REVISIONS[-2]!r}",
            "def upgrade():",
            *(f"    {line}" for line in body),
        ]
        (place / "versions" / "v9998_next.py").write_text("\n".join(lines))

    return write


def test_an_older_project_is_backed_up_and_brought_up_to_date(filled, next_revision):
    filled.close()
    next_revision(["op.execute('CREATE TABLE extra (id INTEGER)')"])
    with pytest.raises(ProjectReadOnly) as refused:
        open_store(filled.folder, read_only=True)
    assert refused.value.code == "error.project_needs_update"
    store = open_store(filled.folder)
    assert store.cases.count() == 3
    store.close()
    edit(filled.folder, "SELECT id FROM extra")
    [backup] = (filled.folder / "backups").iterdir()
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM cases").fetchone() == (3,)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
            migrations.REVISIONS[-2],
        )
    open_store(filled.folder).close()
    assert len(list((filled.folder / "backups").iterdir())) == 1


def test_a_failed_migration_leaves_no_trace(filled, next_revision):
    filled.close()
    next_revision(["op.execute('CREATE TABLE extra (id INTEGER)')", "op.execute('NONSENSE')"])
    for _ in range(2):
        with pytest.raises(WriteFailed):
            open_store(filled.folder)
    with closing(sqlite3.connect(database(filled.folder))) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert "extra" not in tables
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
            migrations.REVISIONS[-2],
        )
