"""What tells a Linux desktop of the program: menu entry, icons, MIME type, software centre.

Both Linux packages lay the same tree: the .deb under ``/usr/share``, the archive's install script
under the person's own ``~/.local/share``.
"""

from __future__ import annotations

import shutil
import struct
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from mmreview.installer.onefolder import ICONS, PROGRAM, TEMPLATES, OneFolder

LINUX = TEMPLATES / "linux"


def lay(share: Path, build: OneFolder) -> None:
    """Write the tree into the folder ``share``."""
    _copy(LINUX / "mmreview.desktop", share / "applications" / "mmreview.desktop")
    _copy(LINUX / "mmreview.xml", share / "mime" / "packages" / "mmreview.xml")
    for icon in sorted(ICONS.glob(f"{PROGRAM}-*.png")):
        width, height = _size(icon)
        _copy(icon, share / f"icons/hicolor/{width}x{height}/apps/{PROGRAM}.png")
    _copy(ICONS / f"{PROGRAM}.svg", share / f"icons/hicolor/scalable/apps/{PROGRAM}.svg")
    _write(
        share / "metainfo" / "mmreview.metainfo.xml",
        filled(
            LINUX / "mmreview.metainfo.xml",
            version=build.version,
            date=datetime.fromtimestamp(build.epoch, UTC).date().isoformat(),
        ),
    )


def filled(template: Path, **values: str) -> str:
    """The template's text with each ``$name`` in it replaced."""
    return Template(template.read_text(encoding="utf-8")).substitute(values)


def _size(icon: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    with icon.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return width, height


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
