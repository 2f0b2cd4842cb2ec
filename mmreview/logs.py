"""The log file, without patient text, and what happens to an error nobody caught.

Modules log codes, counts and types; never reports, ids, paths of images or messages of exceptions
from outside (a decoder's message may quote a file). Files rotate: three of one megabyte.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from mmreview import __version__, crashes, paths

_BYTES, _FILES = 1_000_000, 3
_LINE = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
_log = logging.getLogger("mmreview")
_on_crash: list[Callable[[Path], None]] = []
_told: set[str] = set()


class _LogFile(RotatingFileHandler):
    """Several programs may log into it at once; their numbers stand in the lines."""

    def doRollover(self) -> None:
        """Windows renames no file that another program has open: go on in it then."""
        with suppress(OSError):
            super().doRollover()


def start(folder: Path | None = None) -> Path | None:
    """Log into ``folder`` (this user's by default) and catch what nobody caught; the log's path,
    None where it cannot be written (the program runs all the same). Calling it twice is once."""
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    existing = _file()
    if existing is not None:
        return existing
    path = (folder or paths.logs_folder()) / "mmreview.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(
            path, maxBytes=_BYTES, backupCount=_FILES - 1, encoding="utf-8", delay=True
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(_LINE))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    _log.info("mmreview %s starts", __version__)
    return path


def stop() -> None:
    """Close the log file; tests and the end of the program call it."""
    for handler in list(_log.handlers):
        _log.removeHandler(handler)
        handler.close()
    _log.propagate = True
    sys.excepthook = sys.__excepthook__
    threading.excepthook = threading.__excepthook__
    _on_crash.clear()
    _told.clear()


def when_crashed(tell: Callable[[Path], None]) -> None:
    """Call ``tell`` with the report when an error reached the top (the window does), on the thread
    that it happened on."""
    _on_crash.append(tell)


def report(error: BaseException, *, where: str = "") -> Path | None:
    """Log an error that nobody expected, and write a crash report, one for each place; the
    report's path, None where it stands in an earlier one or nothing can be written."""
    said = describe(error)
    _log.error("uncaught%s: %s", f" in {where}" if where else "", said)
    if said in _told:
        return None
    _told.add(said)
    log = _file()
    path = crashes.write(error, folder=log.parent if log is not None else None, log=log)
    if path is not None:
        for tell in _on_crash:
            tell(path)
    return path


def _file() -> Path | None:
    handler = next((h for h in _log.handlers if isinstance(h, RotatingFileHandler)), None)
    return Path(handler.baseFilename) if handler is not None else None


def describe(error: BaseException) -> str:
    """Type and places of an error, without its message: messages can quote a report."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {places or 'unknown place'}"


def _crashed(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    sys.__excepthook__(kind, error, trace)
    report(error)


def _thread_crashed(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None:
        threading.__excepthook__(arguments)
        report(arguments.exc_value, where="a thread")
