"""The .deb: a one-folder build under ``/opt/mmreview``, known to the desktop, on offline machines.

No maintainer script is needed: Debian's own triggers renew the menu, the MIME database and the icon
cache when files of theirs come or go, and dpkg removes what an older version had and a newer one
has not. What belongs to a person (projects, settings, logs) is not the package's and stays.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmreview.installer import desktop, onefolder
from mmreview.installer.libraries import system_libraries
from mmreview.installer.onefolder import PROGRAM, OneFolder
from mmreview.installer.refusal import PackagingRefused

#: Where the program lies: a package from outside Debian goes to /opt (FHS 3.13), all in one folder.
_HOME = f"opt/{PROGRAM}"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}

#: What no file says that it needs. The libraries that PyInstaller collects look for these files of
#: theirs on the system: keyboard layouts, X11's locales, the list of font folders.
_DATA = ("fontconfig-config", "libx11-data", "xkb-data")

#: zstd's level. Of 1.06 GB (the CPU flavour), 3 left 417 MB in 4 s of processor time, 6 398 MB in
#: 10 s, 9 389 MB in 23 s and 15 386 MB in 223 s.
_LEVEL = 6

_WHAT = {
    "cpu": "the model computes on the processor.",
    "cuda": "an NVIDIA card is used where there is one.",
}


def build(dist: Path, out: Path) -> Path:
    """Pack the one-folder build ``dist`` into the folder ``out``; returns the .deb.

    The same build and the same ``SOURCE_DATE_EPOCH`` give the same bytes. The files of ``dist`` get
    fixed modes and times (they are linked, not copied).

    Raises:
        PackagingRefused: there is no build, dpkg-deb is not there, or it could not write.
    """
    if not shutil.which("dpkg-deb"):
        raise PackagingRefused(
            "dpkg-deb is not there: build the .deb on Debian or Ubuntu, or only the archive "
            "(--archive)."
        )
    found = onefolder.opened(dist)
    architecture = _ARCHITECTURES[found.machine]
    package = out / f"{PROGRAM}_{found.label}_{architecture}.deb"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".deb-", dir=out) as scratch:
        tree = Path(scratch, "tree")
        _lay(tree, found)
        _control(tree, found, architecture)
        onefolder.settle(tree, found.epoch)
        partial = Path(scratch, package.name)
        _pack(tree, partial, epoch=found.epoch)
        partial.replace(package)
    return package


def _lay(tree: Path, found: OneFolder) -> None:
    """Everything that the package installs."""
    onefolder.stage(found.folder, tree / _HOME)
    command = tree / "usr" / "bin" / PROGRAM
    command.parent.mkdir(parents=True)
    command.symlink_to(f"/{_HOME}/{PROGRAM}")
    desktop.lay(tree / "usr" / "share", found)
    document = tree / "usr" / "share" / "doc" / PROGRAM / "copyright"
    document.parent.mkdir(parents=True)
    shutil.copyfile(desktop.LINUX / "copyright", document)


def _control(tree: Path, found: OneFolder, architecture: str) -> None:
    """``DEBIAN/``: what dpkg knows of the package."""
    files = [path for path in onefolder.entries(tree) if path.is_file() and not path.is_symlink()]
    kilobytes = sum(-(-path.stat().st_size // 1024) for path in files)
    depends = {*_DATA, *system_libraries(found.folder).depends}
    folder = tree / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(
        desktop.filled(
            desktop.LINUX / "control",
            version=found.label,
            architecture=architecture,
            maintainer=_maintainer(),
            kilobytes=str(kilobytes),
            depends=", ".join(sorted(depends)),
            flavour=found.flavour,
            what=_WHAT.get(found.flavour, ""),
        ),
        encoding="utf-8",
    )
    with ThreadPoolExecutor() as pool:
        sums = pool.map(_md5, files)
        lines = [
            f"{md5}  {path.relative_to(tree).as_posix()}\n"
            for path, md5 in zip(files, sums, strict=True)
        ]
    (folder / "md5sums").write_text("".join(lines), encoding="utf-8")


def _maintainer() -> str:
    """Who stands for the package: as Debian's own tools ask, in the environment."""
    name = os.environ.get("DEBFULLNAME") or PROGRAM
    return f"{name} <{os.environ.get('DEBEMAIL') or 'nobody@invalid.invalid'}>"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()


def _pack(tree: Path, package: Path, *, epoch: int) -> None:
    packed = subprocess.run(
        [
            "dpkg-deb", "--root-owner-group", "-Zzstd", f"-z{_LEVEL}", "--build", str(tree),
            str(package),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=False,
    )
    if packed.returncode:
        raise PackagingRefused(f"dpkg-deb could not write {package.name}: {packed.stderr.strip()}")
