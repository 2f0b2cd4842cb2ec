"""The packaged program: size against PyInstaller's default, build time, start, smoke; in one run.

    python tests/benchmarks/installer.py [--dist DIST/mmreview] [--skip-naive] [--out FOLDER]

Needs the extra ``installer``. Without ``--dist`` it builds first (and times the build). The naive
build is PyInstaller's default, one folder, no spec: its size is the baseline, and its first import
is tried. Starts are timed under Xvfb from the process's start until the X server shows the window
(``xwininfo``, every 5 ms): warm is the median after one start, cold after the page cache was
dropped, where that is allowed. The smoke runs with the network cut, an empty home and the program's
folder mounted read-only. The compressed size is that of a tar with zstd level 6 (as the .deb has)
of everything but CUDA's files: what the packages of the CPU flavour would weigh.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmreview.console import table
from mmreview.installer import contents, inventory

TOP = Path(__file__).resolve().parents[2]
MB = 1e6


def built(out: Path, *words: str) -> float:
    """Run PyInstaller; seconds."""
    begun = time.perf_counter()
    subprocess.run(
        [
            sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
            "--distpath", str(out / "dist"), "--workpath", str(out / "build"), *words,
        ],
        cwd=TOP, check=True,
    )
    return time.perf_counter() - begun


def naive(out: Path) -> tuple[int, float, str]:
    """(bytes, seconds, what its smoke says) of PyInstaller's default."""
    words = ["--name", "naive", "--specpath", str(out), str(TOP / "mmreview" / "__main__.py")]
    took = built(out, *words)
    folder = out / "dist" / "naive"
    size = inventory.sizes(folder)[0]
    tried = subprocess.run(
        [str(folder / "naive"), "--smoke"], capture_output=True, text=True, check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(out)},
    )
    shutil.rmtree(folder)
    said = (tried.stderr.strip().splitlines() or [""])[-1][:80]
    return size, took, f"exit {tried.returncode}" + (f": {said}" if tried.returncode else "")


def start(program: Path, home: str) -> float:
    """Seconds until the X server shows a window of the program."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [str(program)],
        env={"HOME": home, "DISPLAY": os.environ["DISPLAY"], "PATH": "/usr/bin:/bin"},
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - begun < 60:
            seen = subprocess.run(
                ["xwininfo", "-name", "mmreview"], capture_output=True, text=True, check=False
            )
            if "IsViewable" in seen.stdout:
                return time.perf_counter() - begun
            time.sleep(0.005)
    finally:
        process.terminate()
        process.wait()
    raise SystemExit("no window within a minute")


def starts(program: Path) -> tuple[float | None, float]:
    """(cold, warm) seconds; cold is None where the page cache cannot be dropped."""
    with tempfile.TemporaryDirectory() as home:
        start(program, home)
        warm = statistics.median(start(program, home) for _ in range(7))
        try:
            os.sync()
            Path("/proc/sys/vm/drop_caches").write_text("3")
        except OSError:
            return None, warm
        return start(program, home), warm


def smoke(folder: Path) -> tuple[int, float]:
    """(exit code, seconds) without network, with an empty home and a read-only program."""
    script = (
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && '
        'exec env -i HOME="$2" TMPDIR="$2" PATH=/usr/bin:/bin QT_QPA_PLATFORM=offscreen '
        '"$1/mmreview" --smoke'
    )
    with tempfile.TemporaryDirectory() as home:
        begun = time.perf_counter()
        done = subprocess.run(
            ["unshare", "-rmn", "sh", "-c", script, "sh", str(folder), home],
            capture_output=True, text=True, check=False,
        )
        took = time.perf_counter() - begun
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
    else:
        for step in json.loads(done.stdout)["steps"]:
            print(f"  {step['step']:<28}{step['seconds']:>8.2f} s", file=sys.stderr)
    return done.returncode, took


def compressed(folder: Path) -> tuple[int, float]:
    """(bytes, seconds) of everything but CUDA's files as tar and zstd -6."""
    root = inventory.inside(folder)
    names = [
        str(path.relative_to(folder))
        for path in inventory.files(folder)
        if not (
            path.is_relative_to(root) and contents.is_cuda(path.relative_to(root).as_posix())
        )
    ]
    begun = time.perf_counter()
    with tempfile.NamedTemporaryFile("w") as listed, tempfile.NamedTemporaryFile() as packed:
        listed.write("\0".join(names))
        listed.flush()
        tar = subprocess.Popen(
            ["tar", "-c", "-C", str(folder), "--null", "-T", listed.name], stdout=subprocess.PIPE
        )
        subprocess.run(
            ["zstd", "-6", "-T0", "-q", "-c"], stdin=tar.stdout, stdout=packed, check=True
        )
        tar.wait()
        return Path(packed.name).stat().st_size, time.perf_counter() - begun


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dist", type=Path)
    parser.add_argument("--skip-naive", action="store_true")
    parser.add_argument("--out", type=Path, help="where to build (a folder of several GB)")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="mmreview-installer-"))
    rows = []
    folder = chosen.dist
    if folder is None:
        took = built(out, "build_installer.spec")
        rows.append(("build", f"{took / 60:.1f} min", "≤ 8 min"))
        folder = out / "dist" / "mmreview"
    total, cuda = inventory.sizes(folder.resolve())
    rows.append(("installed", f"{total / MB:,.0f} MB", ""))
    if not chosen.skip_naive:
        size, took, said = naive(out)
        rows += [
            ("naive build", f"{size / MB:,.0f} MB, {took / 60:.1f} min, {said}", ""),
            ("installed / naive", f"{total / size:.0%}", "≤ 80 %"),
        ]
    rows.append(("without CUDA's files", f"{(total - cuda) / MB:,.0f} MB", "≤ 1,200 MB"))
    if shutil.which("zstd"):
        size, took = compressed(folder)
        rows.append(("… compressed", f"{size / MB:,.0f} MB in {took:.0f} s", "≤ 450 MB"))
    if os.environ.get("DISPLAY"):
        cold, warm = starts(folder / "mmreview")
        rows.append(("start, cold", f"{cold:.2f} s" if cold else "not allowed here", "≤ 3 s"))
        rows.append(("start, warm", f"{warm:.2f} s", "≤ 1.2 s"))
    code, took = smoke(folder.resolve())
    rows.append(("--smoke", f"exit {code}, {took:.0f} s", "exit 0, ≤ 120 s"))
    print(table(("what", "seen", "target"), rows))


if __name__ == "__main__":
    main()
