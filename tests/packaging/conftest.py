"""A stand-in for a build: a few files in the shape of PyInstaller's one-folder."""

import json
import shutil
from pathlib import Path

import pytest

EPOCH = 1_700_000_000

#: Finds its own folder as the frozen program does, whatever link it is started through.
PROGRAM = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
cat "$here/_internal/mmreview/_resources/word.txt"
"""


def make_build(folder, *, version="0.1.0", flavour="cpu", extra=()):
    """The stand-in in the new folder ``folder``; ``extra`` names more files in it."""
    resources = folder / "_internal" / "mmreview" / "_resources"
    resources.mkdir(parents=True)
    (folder / "mmreview").write_text(PROGRAM)
    (folder / "mmreview").chmod(0o755)
    (resources / "word.txt").write_text(f"mmreview {version}\n")
    (resources / "Größe mit Leerzeichen.txt").write_text("x")
    for name in extra:
        (folder / "_internal" / name).write_text(name)
    library = folder / "_internal" / "lib" / "libreal.so.1"
    library.parent.mkdir()
    shutil.copy("/bin/true", library)  # any ELF file; it needs libc
    (folder / "_internal" / "libreal.so").symlink_to("lib/libreal.so.1")
    (resources / "installation.json").write_text(
        json.dumps({"version": version, "python": "3.11", "flavour": flavour, "files": {}})
    )
    return folder


@pytest.fixture(autouse=True)
def source_date(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))


@pytest.fixture
def fake(tmp_path):
    return make_build(tmp_path / "dist" / "mmreview")


@pytest.fixture
def made():
    """``make_build``, for tests that need several."""
    return make_build


@pytest.fixture
def project(own_folders):
    """A person's project, settings and log, which no uninstalling may touch."""
    folder = own_folders / "Documents" / "mmreview" / "mine.mmreview"
    folder.mkdir(parents=True)
    (folder / "project.sqlite").write_bytes(b"SQLite format 3\0")
    settings = Path(own_folders, "xdg_config_home", "mmreview", "settings.json")
    settings.parent.mkdir(parents=True)
    settings.write_text("{}")
    return folder
