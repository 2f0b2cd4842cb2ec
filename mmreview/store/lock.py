"""One writing process a project: a lock of the operating system, with the holder's name on it.

The lock is on ``project.lock`` in the project folder. A killed process loses it at once; the name
that is left in the file is read only while somebody holds the lock.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from mmreview.domain.errors import ProjectLocked

_NAME = "project.lock"

#: A reader that asks who writes holds the lock for an instant; a writer waits that out.
_PATIENCE = 0.3

if sys.platform == "win32":
    import msvcrt

    # The locked byte lies behind the text, which others must be able to read.
    _OFFSET = 1 << 20

    def _try_lock(handle: int, *, shared: bool) -> bool:
        os.lseek(handle, _OFFSET, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int, *, shared: bool) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class WriterLock:
    """The right to write a project, held until ``release`` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            ProjectLocked: another process (or another store in this one) writes.
            OSError: the folder is not writable.
        """
        self._handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(self._handle, shared=False):
            if time.monotonic() >= deadline:
                os.close(self._handle)
                raise ProjectLocked(path=str(folder), holder=_name(folder))
            time.sleep(0.02)
        try:
            self._sign()
        except BaseException:
            os.close(self._handle)  # a full disk: a lock that nobody can give back must not stay
            raise

    def _sign(self) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        holder = {"user": _user(), "host": socket.gethostname(), "pid": os.getpid(), "since": since}
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, json.dumps(holder).encode())

    def release(self) -> None:
        """Give the lock back. Twice is once."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.ftruncate(handle, 0)
            os.close(handle)


def holder_of(folder: Path) -> str:
    """Who writes this project now: ``user@host (process, since)``; empty if nobody does."""
    try:
        handle = os.open(folder / _NAME, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return "" if _try_lock(handle, shared=True) else _name(folder)
    finally:
        os.close(handle)


def _name(folder: Path) -> str:
    try:
        told = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return f"{told['user']}@{told['host']} ({told['pid']}, {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "?"  # between taking the lock and signing it


def _user() -> str:
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "?"
