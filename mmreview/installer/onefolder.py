"""The finished one-folder build, as the packagers see it: who it is, its files in fixed order.

PyInstaller leaves ``dist/mmreview`` with the executable ``mmreview`` and ``_internal``. The
manifest that the build writes at its end says version and flavour; the executable's header says
for which machine it is. Times, owners and modes of a build mean nothing, so packages get fixed
ones: the commit's time, root, 0755 for what can be run and 0644 for the rest.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmreview import __version__
from mmreview.installation import MANIFEST
from mmreview.installer.refusal import PackagingRefused

PROGRAM = "mmreview"
CHECKOUT = Path(__file__).resolve().parents[2]
#: Desktop entry, MIME type and the like, as templates.
TEMPLATES = CHECKOUT / "resources" / "packaging"
ICONS = CHECKOUT / "resources" / "icons"

#: ``e_machine`` of an ELF header, as the kernel names the machine.
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}


@dataclass(frozen=True, slots=True)
class OneFolder:
    """A build that can be packed. ``epoch`` is the time in seconds that its files shall have."""

    folder: Path
    version: str
    flavour: str
    machine: str
    epoch: int

    @property
    def label(self) -> str:
        """The version of a package: the flavour is part of it where it is not the plain one."""
        return self.version if self.flavour == "cpu" else f"{self.version}+{self.flavour}"


def opened(folder: Path) -> OneFolder:
    """The build in ``folder``.

    Raises:
        PackagingRefused: there is none, or its manifest cannot be read.
    """
    program = folder / PROGRAM
    if not program.is_file():
        raise PackagingRefused(
            f"{folder} holds no program named {PROGRAM}: build it first, without --skip-build."
        )
    facts = {"version": __version__, "flavour": "cpu"}
    if (folder / MANIFEST).is_file():
        try:
            facts |= json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except ValueError as error:
            raise PackagingRefused(
                f"{folder / MANIFEST} is no manifest ({error}): build anew."
            ) from error
    return OneFolder(
        folder=folder,
        version=str(facts["version"]),
        flavour=str(facts["flavour"]),
        machine=_machine(program),
        epoch=source_date(),
    )


def _machine(program: Path) -> str:
    with program.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        return platform.machine()  # a script stands in for it, or it is not Linux
    number = struct.unpack("<H" if header[5] == 1 else ">H", header[18:20])[0]
    if number not in _MACHINES:
        raise PackagingRefused(f"{program} is for a machine that has no name here ({number}).")
    return _MACHINES[number]


def source_date() -> int:
    """``SOURCE_DATE_EPOCH`` if it is set, else the time of the commit that is checked out.

    Raises:
        PackagingRefused: neither is there.
    """
    said, why = os.environ.get("SOURCE_DATE_EPOCH", ""), "it is not a number"
    if not said:
        try:
            asked = subprocess.run(
                ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"],
                capture_output=True, text=True, check=False,
            )
            said, why = asked.stdout.strip(), asked.stderr.strip()
        except OSError as error:
            why = str(error)
    if not said.isdigit():
        raise PackagingRefused(
            f"The time of the sources is not known ({why}): build from a git checkout, or set "
            "SOURCE_DATE_EPOCH to seconds since 1970."
        )
    return int(said)


def entries(folder: Path) -> Iterator[Path]:
    """Every folder, file and link under ``folder`` in one order on every machine, folders before
    what lies in them. Links are never followed."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name.encode()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from entries(path)


def mode_of(path: Path) -> int:
    """The mode that ``path`` gets in a package: only whether it can be run is kept."""
    found = path.lstat().st_mode
    if stat.S_ISDIR(found) or found & 0o111:
        return 0o755
    return 0o644


def stage(source: Path, target: Path) -> None:
    """Put the build at ``source`` into the new folder ``target`` without a second copy of its
    gigabytes: files are hard links where the file system has them."""
    target.mkdir(parents=True)
    for path in entries(source):
        to = target / path.relative_to(source)
        if path.is_symlink():
            to.symlink_to(path.readlink())
        elif path.is_dir():
            to.mkdir()
        else:
            try:
                to.hardlink_to(path)
            except OSError:  # another file system, or somebody else's file
                shutil.copyfile(path, to)
                to.chmod(mode_of(path))


def settle(folder: Path, epoch: int) -> None:
    """Give all under ``folder`` their fixed modes and the time ``epoch``. Hard links share both
    with what they were linked from: the build itself is settled with its package."""
    for path in (*entries(folder), folder):
        if not path.is_symlink():
            path.chmod(mode_of(path))
        os.utime(path, (epoch, epoch), follow_symlinks=False)
