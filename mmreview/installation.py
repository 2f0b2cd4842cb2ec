"""Is what is installed complete and unchanged? The manifest of a frozen program, and its check.

The build's last step calls ``write_manifest``: the sha256 of every file of the one-folder program,
sorted and without times, so that the same inputs give the same bytes. ``mmreview doctor`` and the
window's system report walk ``checking``. A program that runs from source or from a Python
environment has no manifest; there the environment's own tools answer (``pip check``).
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mmreview import __version__
from mmreview.domain.progress import Progress

#: Where the manifest lies in a one-folder program.
MANIFEST = Path("_internal", "mmreview", "_resources", "installation.json")

#: What an installer puts beside the program after the build (Inno Setup's uninstaller).
_INSTALLERS_OWN = re.compile(r"unins\d{3}\.(exe|dat|msg)")

_BLOCK = 4 << 20
_STAGE = "doctor.checking"


class Origin(StrEnum):
    """What runs: a frozen program with its manifest, one without, the source (or a wheel), or a
    macOS bundle, whose signature seals it (signing changes files after the build)."""

    FROZEN = "frozen"
    UNLISTED = "unlisted"
    SOURCE = "source"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class InstallationState:
    """What ``check`` found. Names are relative to the program's folder, with slashes; ``bytes``
    are those of different contents, as they lie on the disk."""

    origin: Origin
    folder: str
    version: str = __version__
    flavour: str = ""
    files: int = 0
    bytes: int = 0
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True where there is a manifest and everything is as it says."""
        wrong = self.missing or self.changed or self.unexpected
        return self.origin is Origin.FROZEN and not wrong


def is_frozen() -> bool:
    """True in the program that PyInstaller made."""
    return bool(getattr(sys, "frozen", False))


def program_folder() -> Path:
    """The folder of the frozen program; of the package where it is not frozen."""
    return (Path(sys.executable) if is_frozen() else Path(__file__)).resolve().parent


def flavour(folder: Path | None = None) -> str:
    """``cpu`` or ``cuda``, as the build noted it; empty where nothing was noted."""
    try:
        return str(_read(folder or program_folder())["flavour"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_manifest(folder: Path, *, flavour: str) -> Path:
    """List every file below ``folder`` in its manifest; the build's last step.

    Raises:
        OSError: a file cannot be read, or the manifest not written.
    """
    target = folder / MANIFEST
    target.unlink(missing_ok=True)
    known: dict[tuple[int, int], str] = {}
    files = {}
    for name, path in sorted(_files(folder)):
        digest = _whole_digest(path, known)
        files[name] = {"sha256": digest, "bytes": path.stat().st_size}
    manifest = {
        "version": __version__,
        "python": platform.python_version(),
        "flavour": flavour,
        "files": files,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8", newline="\n")
    return target


def check(
    folder: Path | None = None, progress: Callable[[Progress], None] | None = None
) -> InstallationState:
    """``checking`` from end to end; ``progress`` is told each step."""
    work = checking(folder)
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            state: InstallationState = end.value
            return state
        if progress is not None:
            progress(step)


def checking(folder: Path | None = None) -> Generator[Progress, None, InstallationState]:
    """Hash every file below ``folder`` (this program's by default) and hold it against the
    manifest. Steps count MiB; what cannot be read counts as changed. Raises nothing."""
    if folder is None and not is_frozen():
        return InstallationState(Origin.SOURCE, str(program_folder()))
    folder = folder or program_folder()
    if any(part.suffix == ".app" for part in (folder, *folder.parents)):
        return InstallationState(Origin.BUNDLE, str(folder))
    try:
        manifest = _read(folder)
        listed: dict[str, dict[str, Any]] = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return InstallationState(Origin.UNLISTED, str(folder))
    found = dict(_files(folder))
    found.pop(MANIFEST.as_posix(), None)
    # A library that several links lead to is one on the disk, and is read once.
    sizes = {str(entry["sha256"]): int(entry["bytes"]) for entry in listed.values()}
    total = sum(sizes.values())
    changed: list[str] = []
    known: dict[tuple[int, int], str] = {}
    done = 0
    for name in sorted(listed.keys() & found.keys()):
        comparing = _is_as_listed(found[name], listed[name], known=known)
        while True:
            try:
                read = next(comparing)
            except StopIteration as end:
                if not end.value:
                    changed.append(name)
                break
            yield Progress(_STAGE, (done + read) >> 20, total >> 20)
        done += sizes.pop(str(listed[name]["sha256"]), 0)
    unexpected = [
        name for name in sorted(found.keys() - listed.keys()) if not _INSTALLERS_OWN.fullmatch(name)
    ]
    return InstallationState(
        Origin.FROZEN,
        str(folder),
        version=str(manifest.get("version", "")),
        flavour=str(manifest.get("flavour", "")),
        files=len(listed),
        bytes=total,
        missing=tuple(sorted(listed.keys() - found.keys())),
        changed=tuple(changed),
        unexpected=tuple(unexpected),
    )


def _read(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative name, path) of everything that can be read as a file; links are followed to files
    (PyInstaller links shared libraries), so that a copy which resolves them is the same."""
    for path in folder.rglob("*"):
        if path.is_file() or (path.is_symlink() and not path.is_dir()):
            yield path.relative_to(folder).as_posix(), path


def _whole_digest(path: Path, known: dict[tuple[int, int], str]) -> str:
    work = _digest(path, known)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return str(end.value)


def _digest(path: Path, known: dict[tuple[int, int], str]) -> Generator[int, None, str]:
    """The sha256 of a file, read in blocks; yields the bytes read so far. ``known`` remembers by
    inode, because several links lead to one library."""
    with path.open("rb") as file:
        status = path.stat()
        inode = (status.st_dev, status.st_ino)
        if status.st_ino and inode in known:
            return known[inode]
        sha, read = hashlib.sha256(), 0
        while block := file.read(_BLOCK):
            sha.update(block)
            read += len(block)
            yield read
    known[inode] = sha.hexdigest()
    return known[inode]


def _is_as_listed(
    path: Path, entry: dict[str, Any], *, known: dict[tuple[int, int], str]
) -> Generator[int, None, bool]:
    """True if the file is what ``entry`` says; yields the bytes read so far."""
    try:
        if path.stat().st_size != int(entry["bytes"]):
            return False
        digest = yield from _digest(path, known)
        return digest == str(entry["sha256"])
    except OSError:
        return False
