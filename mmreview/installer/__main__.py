"""``python -m mmreview.installer``: freeze the program, pack the folder, say what came of it.

Run from a checkout whose environment has the extra ``installer``. PyInstaller works by
``build_installer.spec``; on Linux the folder it leaves becomes a .deb and a relocatable archive. On
Windows and macOS the last step is a tool of that system (resources/packaging/README.md).
Progress goes to stderr, the table of what was made to stdout; exit code 0 is done, 2 refused.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mmreview.installer import archive, debian
from mmreview.installer.onefolder import CHECKOUT, PROGRAM, entries
from mmreview.installer.refusal import PackagingRefused

_SPEC = CHECKOUT / "build_installer.spec"
_NEXT = {
    "win32": "Now make the installer: iscc resources\\packaging\\windows\\mmreview.iss",
    "darwin": "Now sign and notarise dist/mmreview.app: resources/packaging/README.md says how.",
}


def main(words: list[str] | None = None) -> int:
    """Build and pack as ``words`` say (the process's own if None); returns the exit code."""
    asked = _parsed(words)
    done: list[tuple[str, int, float]] = []
    try:
        if not asked.skip_build:
            done.append(_timed(partial(_freeze, asked.dist)))
        packed: list[Callable[[Path, Path], Path]] = []
        if asked.deb:
            packed.append(debian.build)
        if asked.archive:
            packed.append(archive.build)
        for pack in packed:
            print(f"Packing with {pack.__module__} …", file=sys.stderr, flush=True)
            done.append(_timed(partial(pack, asked.dist, asked.out)))
    except (PackagingRefused, OSError) as error:
        print(f"mmreview.installer: {error}", file=sys.stderr)
        return 2
    print(_table(done))
    if sys.platform in _NEXT:
        print(_NEXT[sys.platform])
    return 0


def _parsed(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mmreview.installer", description="Build mmreview's installers."
    )
    parser.add_argument(
        "--skip-build", action="store_true", help="pack the folder that is there already"
    )
    parser.add_argument("--deb", action="store_true", help="make the .deb, and not the archive")
    parser.add_argument("--archive", action="store_true", help="make the archive, and not the .deb")
    parser.add_argument(
        "--dist", type=Path, default=CHECKOUT / "dist" / PROGRAM, help="the one-folder build"
    )
    parser.add_argument("--out", type=Path, help="where packages go; beside the build by default")
    asked = parser.parse_args(words)
    asked.out = asked.out or asked.dist.parent
    if not (asked.deb or asked.archive):
        asked.deb = asked.archive = sys.platform.startswith("linux")
    return asked


def _freeze(dist: Path) -> Path:
    """Run PyInstaller; what it says goes to stderr.

    Raises:
        PackagingRefused: it is not there, or it failed.
    """
    if importlib.util.find_spec("PyInstaller") is None:
        raise PackagingRefused(
            "PyInstaller is not there: pip install -e '.[installer]', or --skip-build."
        )
    if dist.name != PROGRAM:
        raise PackagingRefused(f"The build's folder is named {PROGRAM}, not {dist.name}.")
    frozen = subprocess.run(
        [
            sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
            "--distpath", str(dist.parent), str(_SPEC),
        ],
        cwd=CHECKOUT, stdout=sys.stderr, check=False,
    )
    if frozen.returncode:
        raise PackagingRefused(
            f"PyInstaller ended with {frozen.returncode}; its last lines above say why."
        )
    return dist


def _timed(make: Callable[[], Path]) -> tuple[str, int, float]:
    """(name, bytes, seconds) of what ``make`` makes."""
    begun = time.perf_counter()
    made = make()
    seconds = time.perf_counter() - begun
    files = entries(made) if made.is_dir() else [made]
    size = sum(path.lstat().st_size for path in files if not path.is_dir())
    return str(made), size, seconds


def _table(done: list[tuple[str, int, float]]) -> str:
    lines = [f"{'MB':>9} {'seconds':>8}  file"]
    lines += [f"{size / 1e6:9.1f} {seconds:8.1f}  {name}" for name, size, seconds in done]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
