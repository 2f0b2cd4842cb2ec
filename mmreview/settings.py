"""What this user's workstation remembers: theme, reader, window, recent projects.

A frozen value, loaded leniently (a damaged file or an unknown field costs a default, never a
start) and saved atomically. The window reads it once and replaces it as things change.

Versions share the file. What another version wrote is kept: ``save`` carries over the fields that
this one does not know. So a field never changes what its name or kind means; that takes a new name.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mmreview import paths

_RECENT = 8
_log = logging.getLogger(__name__)


def login() -> str:
    """This user's name, as the system has it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user: a container, a service
        return "reader"


@dataclass(frozen=True, slots=True)
class Settings:
    """One user's settings. ``window`` and ``splitters`` hold what Qt saved, in base 64.

    ``advance`` goes to the next finding after a state key; ``automatic`` trains by itself after
    ``automatic_after`` corrections, ``idle`` when nobody has read for ``idle_minutes``;
    ``text_size`` is the report's, in points.
    """

    theme: str = "dark"
    language: str = "en"
    reader: str = field(default_factory=login)
    advance: bool = True
    automatic: bool = True
    automatic_after: int = 25
    idle: bool = False
    idle_minutes: int = 5
    text_size: int = 11
    window: str = ""
    splitters: dict[str, str] = field(default_factory=dict)
    recent: tuple[str, ...] = ()
    last_project: str = ""
    last_cases: dict[str, str] = field(default_factory=dict)

    def with_project(self, folder: Path) -> Settings:
        """The same, with ``folder`` as the last and the most recent project."""
        path = str(folder)
        recent = (path, *(other for other in self.recent if other != path))[:_RECENT]
        return replace(self, recent=recent, last_project=path)

    def without_project(self, path: str) -> Settings:
        """The same, with ``path`` forgotten (it is not there any more)."""
        return replace(
            self,
            recent=tuple(other for other in self.recent if other != path),
            last_project="" if self.last_project == path else self.last_project,
            last_cases={k: v for k, v in self.last_cases.items() if k != path},
        )

    def with_case(self, folder: Path, case: str) -> Settings:
        """The same, with ``case`` as the one that was open last in ``folder``."""
        kept = {k: v for k, v in self.last_cases.items() if k in self.recent or k == str(folder)}
        return replace(self, last_cases={**kept, str(folder): case})


def load(path: Path | None = None) -> Settings:
    """The saved settings; what cannot be read falls back to its default."""
    found = _read(path or paths.settings_file())
    default = Settings()
    usable = {
        f.name: _fitting(found[f.name], getattr(default, f.name))
        for f in fields(Settings)
        if f.name in found
    }
    return replace(default, **usable)


def _read(path: Path) -> dict[str, Any]:
    """What the file says; nothing where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("settings unreadable: %s", type(error).__name__)
        return {}
    return found if isinstance(found, dict) else {}


def _fitting(value: Any, default: Any) -> Any:
    """``value`` if it is of the kind that ``default`` is, else ``default``."""
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        return default
    if isinstance(default, dict):
        fits = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        return value if fits else default
    return value if type(value) is type(default) else default


def save(settings: Settings, path: Path | None = None) -> None:
    """Write the settings beside their name and move them into place.

    Raises:
        OSError: the folder cannot be written; what was there before is untouched.
    """
    path = path or paths.settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    ours = asdict(settings)
    others = {name: value for name, value in _read(path).items() if name not in ours}
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            # ASCII, because a path may hold bytes that are no character.
            json.dump({**ours, **others}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
