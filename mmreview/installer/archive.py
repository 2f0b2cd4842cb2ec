"""The relocatable archive, for a Linux without dpkg and for people without administrator rights.

``mmreview-VERSION-linux-MACHINE.tar.gz`` unpacks anywhere and starts from there
(``program/mmreview``); ``install.sh`` in it copies the folder into the person's own home and tells
the desktop of it. gzip and not zstd, because every tar reads it; in independent members of a few
megabytes, so that all cores compress (concatenated members are one gzip file, RFC 1952, 2.2).
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mmreview.installer import desktop, onefolder
from mmreview.installer.onefolder import PROGRAM, OneFolder

#: Of the unpacked folder, beside the program itself.
_SCRIPT, _LIST = "install.sh", "files.txt"

_MEMBER_BYTES = 16 << 20
_LEVEL = 6


def build(dist: Path, out: Path) -> Path:
    """Pack the one-folder build ``dist`` into the folder ``out``; returns the archive.

    The same build and the same ``SOURCE_DATE_EPOCH`` give the same bytes.

    Raises:
        PackagingRefused: there is no build.
        OSError: it cannot be written.
    """
    found = onefolder.opened(dist)
    top = f"{PROGRAM}-{found.label}-linux-{found.machine}"
    archive = out / f"{top}.tar.gz"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".archive-", dir=out) as scratch:
        beside = Path(scratch, top)
        _lay(beside, found)
        partial = Path(scratch, archive.name)
        with (
            partial.open("wb") as file,
            _compressed(file) as stream,
            tarfile.open(mode="w|", fileobj=stream, format=tarfile.GNU_FORMAT) as tar,
        ):
            for name, path in _members(beside, found):
                tar.add(path, f"{top}/{name}", recursive=False, filter=_fixed(found.epoch))
        partial.replace(archive)
    return archive


def _lay(beside: Path, found: OneFolder) -> None:
    """What lies beside the program; last the list of all files, by which they are removed."""
    desktop.lay(beside / "share", found)
    for name in (_SCRIPT, "README.txt"):
        text = (desktop.LINUX / name).read_text(encoding="utf-8")
        (beside / name).write_text(text, encoding="utf-8")
    (beside / _SCRIPT).chmod(0o755)
    (beside / "VERSION").write_text(f"{found.label}\n", encoding="utf-8")
    (beside / _LIST).touch()
    files = [
        name for name, path in _members(beside, found) if path.is_symlink() or not path.is_dir()
    ]
    (beside / _LIST).write_text("".join(f"{name}\n" for name in files), encoding="utf-8")


def _members(beside: Path, found: OneFolder) -> Iterator[tuple[str, Path]]:
    """Names in the archive's folder and where each lies now, folders before their content."""
    for path in onefolder.entries(beside):
        yield path.relative_to(beside).as_posix(), path
    yield "program", found.folder
    for path in onefolder.entries(found.folder):
        yield f"program/{path.relative_to(found.folder).as_posix()}", path


def _fixed(epoch: int) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    """Nothing of the machine that packs: owner root, a fixed time, only whether it can be run."""

    def fix(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        runs = member.isdir() or member.mode & 0o111
        member.mode = 0o777 if member.issym() else 0o755 if runs else 0o644
        return member

    return fix


@contextmanager
def _compressed(file: BinaryIO) -> Iterator[BinaryIO]:
    """A stream whose bytes go gzipped into ``file``, a member at a time on every core."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stream = _Members(file, pool)
        yield cast(BinaryIO, stream)
        stream.finish()


class _Members(io.RawIOBase):
    """Cuts what is written into members, has them compressed and writes them in order."""

    def __init__(self, file: BinaryIO, pool: ThreadPoolExecutor) -> None:
        self._file = file
        self._pool = pool
        self._block = bytearray()
        self._coming: deque[Future[bytes]] = deque()

    def writable(self) -> bool:
        """True: bytes go in."""
        return True

    def write(self, data: object, /) -> int:
        """Take ``data`` in."""
        view = memoryview(cast(bytes, data))
        self._block += view
        while len(self._block) >= _MEMBER_BYTES:
            self._compress(bytes(self._block[:_MEMBER_BYTES]))
            del self._block[:_MEMBER_BYTES]
        return len(view)

    def _compress(self, block: bytes) -> None:
        self._coming.append(self._pool.submit(gzip.compress, block, _LEVEL, mtime=0))
        while len(self._coming) > 2 * (os.cpu_count() or 1):  # memory stays small
            self._file.write(self._coming.popleft().result())

    def finish(self) -> None:
        """Write what is still coming."""
        if self._block:
            self._compress(bytes(self._block))
            self._block.clear()
        while self._coming:
            self._file.write(self._coming.popleft().result())
