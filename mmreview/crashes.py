"""Crash reports: where in the program it went wrong, and nothing of a case.

A report holds version, system, packages, the types and places of the errors, and the last lines of
the log. It never holds an exception's message, a local value or a folder of this computer: a
message can quote a report, a path can name a patient. ``logs`` writes one for an error that nobody
caught. A native crash (a library ends the process) leaves what ``faulthandler`` wrote; the next
start makes a report of it. Reports stay in the logs folder, ten at most; nothing is ever sent.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import platform
import re
import sys
import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mmreview import __version__, paths

KEPT = 10
_LOG_LINES, _LOG_BYTES = 40, 64_000
#: Of a deep recursion the outermost and the innermost places are told.
_PLACES = 40
_ERRORS = 10
_PACKAGES = (
    "PySide6-Essentials", "SQLAlchemy", "numpy", "Pillow", "torch", "torchvision", "timm",
    "transformers", "scikit-learn", "pyqtgraph",
)
#: A path from its first separator (after a drive or nothing) to its last: spaces belong to it.
_FOLDERS = re.compile(r"""(?<![\w.])(?:[A-Za-z]:|~)?[\\/](?:[^\\/\n"']*[\\/])*""")

#: Below these folders a path is the program's own.
_ROOTS = ("mmreview", "site-packages", "_internal")

_fatal: TextIO | None = None


def write(
    errors: BaseException | str, *, folder: Path | None = None, log: Path | None = None
) -> Path | None:
    """Write a report of an error (or of what ``faulthandler`` left); None where that cannot be.

    Never raises: whoever calls has an error at hand already.
    """
    with suppress(Exception):
        folder = folder or paths.logs_folder()
        told = _native(errors) if isinstance(errors, str) else _chain(errors)
        text = "\n".join([*_heading(), "", *told, "", *_log_tail(log or folder / "mmreview.log")])
        target = _free_name(folder)
        target.write_text(text + "\n", encoding="utf-8", errors="replace")
        for old in _reports(folder)[KEPT:]:
            old.unlink(missing_ok=True)
        return target
    return None


def newest(folder: Path | None = None) -> Path | None:
    """The youngest report there is."""
    return next(iter(_reports(folder or paths.logs_folder())), None)


# --- native crashes -----------------------------------------------------------------------------


def watch(folder: Path | None = None) -> None:
    """Let ``faulthandler`` write into a file of this process, which a clean end removes."""
    global _fatal
    if _fatal is not None:
        return
    with suppress(OSError):
        path = (folder or paths.logs_folder()) / f"fatal-{os.getpid()}.txt"
        _fatal = path.open("w", encoding="utf-8")
        _hold(_fatal)
        faulthandler.enable(_fatal, all_threads=True)
        atexit.register(unwatch)


def unwatch() -> None:
    """The process ends well: nothing is to be told."""
    global _fatal
    if _fatal is not None:
        faulthandler.disable()
        path = Path(_fatal.name)
        _fatal.close()
        _fatal = None
        with suppress(OSError):
            path.unlink(missing_ok=True)
        atexit.unregister(unwatch)


def take_native(folder: Path | None = None) -> Path | None:
    """Make a report of what a process that ended in a native crash left; None if none did."""
    folder = folder or paths.logs_folder()
    report = None
    with suppress(OSError):
        for left in sorted(folder.glob("fatal-*.txt")):
            text = _taken(left)
            if text.strip():
                report = write(text, folder=folder) or report
    return report


def _taken(path: Path) -> str:
    """What is in the file of a process that is gone, and remove it; empty while it is alive."""
    with suppress(OSError):
        with path.open("r+", encoding="utf-8", errors="replace") as file:
            if not _hold(file):
                return ""
            text = file.read()
        path.unlink()  # Windows removes no file that a living process has open
        return text
    return ""


def _hold(file: TextIO) -> bool:
    """Mark the file as a living process's; False if another one has."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# --- what a report says -------------------------------------------------------------------------


def _heading() -> list[str]:
    frozen = "frozen" if getattr(sys, "frozen", False) else "source"
    thread = threading.current_thread().name
    versions = [f"{name} {v}" for name in _PACKAGES if (v := _version(name))]
    return [
        f"mmreview {__version__} ({frozen}) · Python {platform.python_version()}",
        platform.platform(),
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} · thread {thread}",
        " · ".join(versions),
    ]


def _version(package: str) -> str:
    import importlib.metadata  # a fiftieth of a second that no start waits for

    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return ""


def _chain(error: BaseException | None) -> list[str]:
    """Types and places of an error and of what led to it, last first."""
    lines: list[str] = []
    seen: set[int] = set()
    link = "Error"
    while error is not None and id(error) not in seen and len(seen) < _ERRORS:
        seen.add(id(error))
        lines.append(f"{link}: {_kind(error)}")
        places = _places(error)
        if len(places) > _PLACES:
            half = _PLACES // 2
            places = [*places[:half], f"… {len(places) - 2 * half} more …", *places[-half:]]
        lines += [f"  {place}" for place in places]
        if isinstance(error, BaseExceptionGroup):
            lines += [f"  holds {_kind(one)}" for one in error.exceptions[:_ERRORS]]
        link = "Caused by" if error.__cause__ is not None else "While handling"
        shown = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or shown
    return lines


def _kind(error: BaseException) -> str:
    """The type, with what a machine said of it: an error number, one of our message codes."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return f"{kind} [{number}]"
    return f"{kind} [{error.code}]" if kind.startswith("mmreview.") else kind  # type: ignore[attr-defined]


def _places(error: BaseException) -> list[str]:
    """Where it passed, innermost first: file, line, function."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{_short(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames)]


def _short(path: str) -> str:
    """A source file without the folder that the program lies in."""
    *folders, name = re.split(r"[\\/]", path)
    at = max((n for n, folder in enumerate(folders) if folder in _ROOTS), default=len(folders))
    if folders[at:at + 1] != ["mmreview"]:
        at += 1
    return "/".join([*folders[at:], name])


def _native(text: str) -> list[str]:
    """What ``faulthandler`` wrote, with short paths."""
    lines = []
    for line in text.splitlines()[:400]:
        if found := re.match(r'(\s+File )"(.*)"(, line \d+ in .*)', line):
            line = f'{found[1]}"{_short(found[2])}"{found[3]}'
        else:
            line = _FOLDERS.sub("", line)
        lines.append(line)
    return ["Error: a library ended the program (written by the process that ended)", *lines]


def _log_tail(path: Path) -> list[str]:
    """The last lines of the log, folders left out."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return ["Log: none"]
    return ["Log:", *(f"  {_FOLDERS.sub('', line)}" for line in lines)]


# --- where they lie -----------------------------------------------------------------------------


def _reports(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.glob("crash-*.txt"), reverse=True)
    return []


def _free_name(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    names = (folder / f"crash-{stamp}Z{number}.txt" for number in ("", *range(10, 1000)))
    return next(name for name in names if not name.exists())
