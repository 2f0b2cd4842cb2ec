"""Which libraries a build leaves to the system, and the Debian packages that have them.

PyInstaller collects the libraries that were there when it ran and leaves some to the system on
purpose (libc, the graphics driver's side, Wayland). So what a package must depend on is read from
the build itself: what its files say they need, less what lies in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mmreview.installer.onefolder import entries
from mmreview.installer.refusal import PackagingRefused

#: Debian packages by the library's file name. Where Debian 13 and Ubuntu 24.04 renamed one for
#: 64-bit times, both names stand.
_PACKAGES = {
    "ld-linux-aarch64.so.1": "libc6",
    "ld-linux-x86-64.so.2": "libc6",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libbrotlicommon.so.1": "libbrotli1",
    "libbrotlidec.so.1": "libbrotli1",
    "libc.so.6": "libc6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libdl.so.2": "libc6",
    "libdrm.so.2": "libdrm2",
    "libexpat.so.1": "libexpat1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgbm.so.1": "libgbm1",
    "libgcc_s.so.1": "libgcc-s1",
    "libgio-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libgthread-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "libresolv.so.2": "libc6",
    "librt.so.1": "libc6",
    "libstdc++.so.6": "libstdc++6",
    "libutil.so.1": "libc6",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}

#: Wanted only by a part that is passed over where they are missing: the plugin that gives Qt the
#: look and file dialogs of GTK, printing, CUDA's driver and its parts for several machines.
_OPTIONAL = re.compile(
    r"lib(gtk-3|gdk-3|gdk_pixbuf-2\.0|atk-1\.0|pango(cairo|ft2)?-1\.0|cairo(-gobject)?|harfbuzz"
    r"|cups|cuda|nvidia-ml|ibverbs|rdmacm|mlx5|mpi|oshmem|pmix|fabric|uc[pst])\.so\..*"
)

#: A library is looked for in so many files with one call.
_BATCH = 200


@dataclass(frozen=True, slots=True)
class SystemLibraries:
    """What a build takes from the system: Debian packages, sorted, and the least glibc."""

    packages: tuple[str, ...]
    glibc: str

    @property
    def depends(self) -> tuple[str, ...]:
        """The packages as a control file names them."""
        least = f"libc6 (>= {self.glibc})" if self.glibc else "libc6"
        return tuple(least if name == "libc6" else name for name in self.packages)


def system_libraries(folder: Path) -> SystemLibraries:
    """What the programs and libraries in ``folder`` need that does not lie there.

    Raises:
        PackagingRefused: one comes from no package that is known here, or objdump is missing.
    """
    there = {path.name for path in entries(folder)}
    files = [path for path in entries(folder) if _is_elf(path)]
    if files and not shutil.which("objdump"):
        raise PackagingRefused("objdump is not there: sudo apt-get install binutils.")
    needed: dict[str, str] = {}
    glibc = (0, 0)
    for start in range(0, len(files), _BATCH):
        asked = subprocess.run(
            ["objdump", "-p", *map(str, files[start : start + _BATCH])],
            capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
        )
        file = ""
        for line in asked.stdout.splitlines():
            if ": " in line and line.partition(": ")[2].lstrip().startswith("file format"):
                file = line.partition(": ")[0]
            elif (found := re.match(r"\s+NEEDED\s+(\S+)", line)) and found[1] not in there:
                needed.setdefault(found[1], file)
            elif found := re.search(r" GLIBC_(\d+)\.(\d+)", line):
                glibc = max(glibc, (int(found[1]), int(found[2])))
    return SystemLibraries(_packages(needed), "{}.{}".format(*glibc) if glibc[0] else "")


def _packages(needed: dict[str, str]) -> tuple[str, ...]:
    unknown = sorted(
        f"{name} (for {file})"
        for name, file in needed.items()
        if name not in _PACKAGES and not _OPTIONAL.fullmatch(name)
    )
    if unknown:
        raise PackagingRefused(
            "No Debian package is known for " + ", ".join(unknown) + ": leave out what needs it, "
            "or name its package in mmreview/installer/libraries.py."
        )
    return tuple(sorted({_PACKAGES[name] for name in needed if name in _PACKAGES}))


def _is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
