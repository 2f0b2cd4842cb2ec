"""Where things lie: the resources that travel with the program, and this user's folders.

In a wheel the resources are ``mmreview/_resources``; in a checkout (and an editable install)
they are ``resources`` beside the package; in a frozen program the first holds too.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def resources() -> Path:
    """The folder of icons, schemas, translations, theme and help."""
    packed = _PACKAGE / "_resources"
    return packed if packed.is_dir() else _PACKAGE.parent / "resources"


def settings_file() -> Path:
    """This user's settings."""
    return platformdirs.user_config_path("mmreview", appauthor=False) / "settings.json"


def logs_folder() -> Path:
    """Where logs rotate."""
    return platformdirs.user_log_path("mmreview", appauthor=False)


def default_projects_folder() -> Path:
    """Where new projects go unless a person says otherwise."""
    return platformdirs.user_documents_path() / "mmreview"


def as_project(path: Path) -> Path:
    """The project folder a person means by ``path`` (``.mmreview`` may be left off, and a file
    manager opens the database in it)."""
    path = path.expanduser()
    if path.name == "project.sqlite" and path.is_file():
        return path.parent
    if path.suffix == ".mmreview" or (path / "project.sqlite").exists():
        return path
    return path.with_name(path.name + ".mmreview")
