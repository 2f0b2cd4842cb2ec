"""Whose work is in the packaged program, under which licence: the third-party notices.

``build_installer.spec`` gives every collected file to ``collect``, which finds the package that
brought it: a Python distribution by its list of files, Python itself by its folder, a library of
the building system by asking ``dpkg``. A file of nobody, or a licence that may not be shipped,
stops the build. ``Notices.write`` leaves ``THIRD-PARTY-NOTICES.txt`` and a folder of texts for
each package.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mmreview.installer import licences
from mmreview.installer.inventory import Entry

#: Where the notices lie in the program.
PLACE = "mmreview/_resources/licences"

_TEXTS = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS|COPYRIGHT)", re.IGNORECASE)

#: Libraries of a Debian or Ubuntu system that may be taken along: package -> licence, read from its
#: copyright file by hand. A package that is not here stops the build until somebody has looked.
SYSTEM_PACKAGES = {
    "libbrotli1": "MIT", "libbsd0": "BSD-3-Clause", "libbz2-1.0": "bzip2-1.0.6",
    "libcap2": "BSD-3-Clause", "libcom-err2": "MIT", "libdbus-1-3": "AFL-2.1",
    "libexpat1": "MIT", "libffi8": "MIT", "libfontconfig1": "HPND", "libfreetype6": "Zlib",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libstdc++6": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgomp1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgcrypt20": "LGPL-2.1-or-later", "libgpg-error0": "LGPL-2.1-or-later",
    "libglib2.0-0": "LGPL-2.1-or-later", "libglib2.0-0t64": "LGPL-2.1-or-later",
    "libgssapi-krb5-2": "MIT", "libk5crypto3": "MIT", "libkeyutils1": "LGPL-2.1-or-later",
    "libkrb5-3": "MIT", "libkrb5support0": "MIT", "liblz4-1": "BSD-2-Clause",
    "liblzma5": "LicenseRef-Public-Domain", "libmd0": "BSD-3-Clause",
    "libpcre2-8-0": "BSD-3-Clause",
    "libpng16-16": "Zlib", "libpng16-16t64": "Zlib", "libsqlite3-0": "LicenseRef-Public-Domain",
    "libssl3": "Apache-2.0", "libssl3t64": "Apache-2.0", "libsystemd0": "LGPL-2.1-or-later",
    "libuuid1": "BSD-3-Clause", "libwayland-client0": "X11", "libwayland-cursor0": "X11",
    "libwayland-egl1": "X11", "libx11-6": "X11", "libx11-xcb1": "X11", "libxau6": "X11",
    "libxcb-cursor0": "X11", "libxcb-glx0": "X11", "libxcb-icccm4": "X11", "libxcb-image0": "X11",
    "libxcb-keysyms1": "X11", "libxcb-randr0": "X11", "libxcb-render-util0": "X11",
    "libxcb-render0": "X11", "libxcb-shape0": "X11", "libxcb-shm0": "X11", "libxcb-sync1": "X11",
    "libxcb-util1": "X11", "libxcb-xfixes0": "X11", "libxcb-xinerama0": "X11",
    "libxcb-xinput0": "X11", "libxcb-xkb1": "X11", "libxcb1": "X11", "libxdmcp6": "X11",
    "libxkbcommon-x11-0": "X11", "libxkbcommon0": "X11", "libzstd1": "BSD-3-Clause",
    "zlib1g": "Zlib", "libpython3.11": "Python-2.0", "libpython3.12t64": "Python-2.0",
    "libpython3.13": "Python-2.0",
}

_HEADER = """\
mmreview {version} is made of the work of others. Each package below is named with its version and
licence; its texts lie in the folder of its name beside this file.

Qt and PySide6 are used under the GNU Lesser General Public License 3. Their libraries are separate
files (PySide6/Qt/lib, PySide6, shiboken6) and may be replaced by others that fit: put yours in
their place. Their sources are at https://download.qt.io/official_releases/. The same holds for
every other library under an LGPL. This program may be studied and changed for that purpose.
"""


@dataclass(frozen=True, slots=True)
class Component:
    """A package in the program."""

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Notices:
    """Every package in the program, by name."""

    components: tuple[Component, ...]

    def write(self, folder: Path, *, version: str) -> None:
        """Leave the notices and the texts in ``folder``, which is made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        lines = [_HEADER.format(version=version)]
        for component in self.components:
            lines.append(f"{component.name} {component.version}: {component.licence}")
            taken: set[str] = set()
            for text in component.texts:
                place = folder / component.name / _unused(text.name, taken)
                place.parent.mkdir(exist_ok=True)
                shutil.copyfile(text, place)
        (folder / "THIRD-PARTY-NOTICES.txt").write_text("\n".join(lines) + "\n", "utf-8")

    def entries(self, folder: Path, *, version: str) -> list[Entry]:
        """``write`` to ``folder``; PyInstaller's entries that take it into the program."""
        self.write(folder, version=version)
        return [
            (f"{PLACE}/{path.relative_to(folder).as_posix()}", str(path), "DATA")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]


def collect(top: Path, *tables: Iterable[Entry]) -> Notices:
    """The packages that the files of ``tables`` come from. ``top`` is the checkout.

    Raises:
        SystemExit: a file of nobody, or a licence that may not be shipped; all are named.
    """
    owners = _Owners(top)
    problems: list[str] = []
    packages: dict[str, metadata.Distribution | None] = {"Python": None}
    system: dict[str, None] = {}
    for _, source, kind in (entry for table in tables for entry in table):
        if source in ("", "-", None) or kind == "SYMLINK":
            continue
        owner = owners.of(Path(source))
        if isinstance(owner, metadata.Distribution):
            packages[owner.metadata["Name"]] = owner
        elif owner.startswith("system:"):
            system[owner.removeprefix("system:")] = None
        elif not owner:
            problems.append(f"{source}: no installed package owns this file")
    packages |= {  # its loader is the program
        found.metadata["Name"]: found for found in metadata.distributions(name="pyinstaller")
    }
    components = [
        _python() if package is None else _of_distribution(package)
        for package in packages.values()
    ] + [_of_system(name) for name in system]
    for component in components:
        reason = licences.verdict(component.licence)
        if reason:
            problems.append(f"{component.name} {component.version}: {reason}")
        elif not component.texts:
            problems.append(f"{component.name} {component.version}: its licence has no text")
    if problems:
        raise SystemExit("Licences stop this build:\n  " + "\n  ".join(sorted(set(problems))))
    return Notices(tuple(sorted(components, key=lambda component: component.name.lower())))


class _Owners:
    """Finds who brought a file: a distribution, ``ours``, ``python``, ``system:PACKAGE`` or ''."""

    def __init__(self, top: Path) -> None:
        self._top = top.resolve()
        self._python = [
            Path(sysconfig.get_path("stdlib")).resolve(), Path(sys.base_prefix).resolve(),
        ]
        self._files: dict[Path, metadata.Distribution] = {}
        for distribution in metadata.distributions():
            for file in distribution.files or ():
                self._files[Path(str(distribution.locate_file(file)))] = distribution
        self._files = {Path(*_tidy(path)): owner for path, owner in self._files.items()}

    def of(self, path: Path) -> metadata.Distribution | str:
        """Who brought ``path``."""
        place = Path(*_tidy(path))
        if place in self._files:
            return self._files[place]
        real = path.resolve()
        if real.is_relative_to(self._top) and "site-packages" not in real.parts:
            return "ours"
        if real.name == "base_library.zip" or any(map(real.is_relative_to, self._python)):
            return "python"
        return self._of_system(real)

    @staticmethod
    def _of_system(path: Path) -> str:
        if sys.platform.startswith("linux"):
            for spelling in (path, Path("/") / path.relative_to("/usr") if
                             path.is_relative_to("/usr") else path):
                asked = subprocess.run(
                    ["dpkg", "-S", str(spelling)], capture_output=True, text=True, check=False
                )
                if asked.returncode == 0:
                    return "system:" + asked.stdout.split(":")[0]
        return "python" if sys.platform == "win32" and path.suffix == ".dll" else ""


def _tidy(path: Path) -> tuple[str, ...]:
    """The parts of an absolute path without ``..`` (a script is listed as ``../../../bin/x``)."""
    parts: list[str] = []
    for part in path.absolute().parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return tuple(parts)


def _python() -> Component:
    places = [Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)]
    texts = [place / "LICENSE.txt" for place in places if (place / "LICENSE.txt").is_file()]
    texts += sorted(Path("/usr/share/doc").glob(f"python3.{sys.version_info.minor}*/copyright"))
    return Component("Python", sys.version.split()[0], "Python-2.0", tuple(texts[:1]))


def _of_distribution(package: metadata.Distribution) -> Component:
    licence = licences.stated(package)
    texts = [
        Path(str(package.locate_file(file)))
        for file in package.files or ()
        if _TEXTS.search(file.name) and file.suffix not in (".py", ".pyc", ".js", ".h", ".pyi")
    ]
    present = tuple(sorted(path for path in texts if path.is_file()))
    return Component(
        package.metadata["Name"], package.version, licence, present or _standard(licence)
    )


def _of_system(name: str) -> Component:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}\n", name], capture_output=True, text=True, check=True
    )
    text = Path("/usr/share/doc") / name / "copyright"
    texts = (text,) if text.is_file() else ()
    return Component(name, asked.stdout.split("\n")[0], SYSTEM_PACKAGES.get(name, ""), texts)


def _standard(licence: str) -> tuple[Path, ...]:
    """The texts of a licence that a package names and does not bring: those in the tree."""
    folder = Path(__file__).resolve().parents[2] / "resources" / "packaging" / "licences"
    return tuple(
        folder / f"{name}.txt"
        for name in _TEXTS_OF.get(licence, (licences.canonical(licence),))
        if (folder / f"{name}.txt").is_file()
    )


#: The LGPL is a set of permissions added to the GPL: both texts go along.
_TEXTS_OF = {"LGPL-3.0-only": ("LGPL-3.0", "GPL-3.0")}


def _unused(name: str, taken: set[str]) -> str:
    """``name``, numbered if the package brings several texts of that name."""
    number, chosen = 1, name
    while chosen.lower() in taken:
        number += 1
        chosen = f"{number}-{name}"
    taken.add(chosen.lower())
    return chosen
