"""Two versions on one computer, and what a window writes: nothing outside this user's folders."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmreview import __version__
from mmreview.cli import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def newer(tmp_path):
    """A project that a program of the future brought up to date."""
    project = tmp_path / "future.mmreview"
    assert CliRunner().invoke(cli, ["init", str(project)]).exit_code == 0
    note = json.dumps({"revision": "9999", "version": "9.1.0"})
    with closing(sqlite3.connect(project / "project.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("UPDATE preferences SET value = ? WHERE name = 'program'", (note,))
    return project


@pytest.mark.parametrize("verb", ["queue", "verify", "versions", "train"])
def test_every_verb_refuses_a_newer_project_with_a_sentence(newer, verb):
    before = (newer / "project.sqlite").read_bytes()
    ended = CliRunner().invoke(cli, [verb, str(newer), "--json"])
    assert ended.exit_code == 2
    error = json.loads(ended.stdout)["error"]
    assert error["code"] == "error.project_too_new"
    assert "Install mmreview 9.1.0" in error["message"]
    assert __version__ in error["message"]
    assert (newer / "project.sqlite").read_bytes() == before


#: Opens the window as ``mmreview PROJECT`` does, shows a file dialog, closes it and itself.
SESSION = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDialog
from mmreview import app

make = app._window

def made(*words, **options):
    window = make(*words, **options)

    def leave():
        if not window.is_settled or window.session is None:
            return
        timer.stop()
        window.acts.import_cases()
        window.acts.open_project()
        window.memory.change(theme="light")
        for dialog in window.findChildren(QDialog):
            dialog.accept() if dialog.objectName() != "importDialog" else dialog.reject()
        window.close()

    timer = QTimer(window)
    timer.setInterval(50)
    timer.timeout.connect(leave)
    timer.start()
    return window

app._window = made
raise SystemExit(app.run(Path(sys.argv[1])))
"""


def test_a_session_writes_settings_and_log_and_nothing_else(tmp_path):
    home, temporary, program = tmp_path / "home", tmp_path / "temporary", tmp_path / "program"
    for folder in (home, temporary, program):
        folder.mkdir()
    project = tmp_path / "p.mmreview"
    assert CliRunner().invoke(cli, ["init", str(project)]).exit_code == 0
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "QT_QPA_PLATFORM": "offscreen",
    }
    done = subprocess.run(
        [sys.executable, "-c", SESSION, str(project)], cwd=program, env=environment,
        capture_output=True, text=True, check=False, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    written = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    elsewhere = {path for path in written if path.parts[0] != "p.mmreview"}
    names = {path.name for path in elsewhere}
    assert {"settings.json", "mmreview.log"} <= names <= {
        "settings.json", "mmreview.log", "QtProject.conf"
    }
    assert all("mmreview" in path.parts for path in elsewhere)  # in a folder of our name
    assert json.loads(next(home.rglob("settings.json")).read_text())["theme"] == "light"
