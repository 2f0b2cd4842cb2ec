"""The real package, installed: no network, no Python, an empty home, a program nobody can change.

    python -m pytest -m installer tests/packaging/test_installed.py

builds it first (minutes). ``MMREVIEW_DIST=FOLDER`` names a one-folder build that is there. The .deb
is installed by dpkg into a folder; a namespace of its own shows that folder as ``/opt/mmreview``,
read-only like all the rest of the system but a home and a temporary folder, with sources and
libraries of this Python covered, to a person without any rights.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmreview.cli import cli
from mmreview.installer import debian

ROOT = Path(__file__).parents[2]
NOBODY = 65534

pytestmark = [
    pytest.mark.installer,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not on this system"),
    pytest.mark.skipif(not shutil.which("unshare"), reason="unshare (util-linux) is not there"),
]

#: Arguments: the installed root, home, temporary folder; then what is to be covered, ``--``, the
#: command. What it leaves in places that every program may write to goes to stderr at the end.
SANDBOX = r"""
set -eu
root=$1 home=$2 temporary=$3
shift 3
mount -t tmpfs tmpfs /opt
mkdir /opt/mmreview
mount --bind "$root/opt/mmreview" /opt/mmreview
mount -o remount,bind,ro /opt/mmreview
mount -t tmpfs tmpfs /mnt
mkdir /mnt/bin /mnt/home /mnt/tmp
mount --bind "$root/usr/bin" /mnt/bin
mount --bind "$home" /mnt/home
mount --bind "$temporary" /mnt/tmp
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mount -t tmpfs tmpfs "$1"; fi
    shift
done
shift
for shared in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$shared"; done
mount -o remount,bind,ro /
cd /
code=0
if [ "$(id -u)" = 0 ] && [ -z "${MAPPED:-}" ]; then
    set -- setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"
fi
"$@" || code=$?
find /tmp /var/tmp /dev/shm -mindepth 1 | sed 's/^/LEFT /' >&2
exit $code
"""


def said(*words, **keywords):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **keywords
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def dpkg():
    """dpkg on a machine that is nothing but a folder: ``dpkg(folder, …)``."""
    before = ["dpkg", "--force-depends", "--force-not-root", "--force-bad-path"]
    if os.geteuid() != 0:
        before = ["unshare", "--map-root-user", *before]

    def run(root, *words):
        for name in ("updates", "info", "triggers"):
            (root / "var/lib/dpkg" / name).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").touch()
        return said(*before, f"--root={root}", *words)

    return run


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The .deb of the build that MMREVIEW_DIST names, or of a new one."""
    out = tmp_path_factory.mktemp("package")
    if "MMREVIEW_DIST" in os.environ:
        return debian.build(Path(os.environ["MMREVIEW_DIST"]), out)
    dist = tmp_path_factory.mktemp("dist") / "mmreview"
    said(
        sys.executable, "-m", "mmreview.installer", "--deb", "--dist", dist, "--out", out, cwd=ROOT
    )
    shutil.rmtree(dist.parent)
    [made] = out.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def machine(package, dpkg, tmp_path_factory):
    """A folder that the package is installed into."""
    root = tmp_path_factory.mktemp("machine")
    for part in root.parents:  # nobody must be able to walk in
        if part.stat().st_uid == os.geteuid() and part.stat().st_mode & 0o005 != 0o005:
            part.chmod(part.stat().st_mode | 0o005)
    root.chmod(0o755)
    dpkg(root, "--install", package)
    yield root
    shutil.rmtree(root)


class Person:
    """Somebody without rights on that machine: a home, and nothing else that can be written."""

    def __init__(self, machine, folder):
        self.machine = machine
        self.home, self.temporary = folder / "home", folder / "tmp"
        for made in (self.home, self.temporary):
            made.mkdir()
            if os.geteuid() == 0:
                os.chown(made, NOBODY, NOBODY)

    def starts(self, *words):
        """(exit code, stdout, stderr) of ``mmreview`` with these words."""
        namespaces = ["unshare", "--net", "--mount"]
        if os.geteuid() != 0:
            namespaces.append("--map-root-user")
        python = Path(sys.base_prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}")
        done = subprocess.run(
            [
                *namespaces, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                *(["MAPPED=1"] if os.geteuid() else []),
                "sh", "-c", SANDBOX, "sandbox", self.machine, self.home, self.temporary,
                ROOT, sys.prefix, python, "--",
                "env", "-i", "HOME=/mnt/home", "TMPDIR=/mnt/tmp", "QT_QPA_PLATFORM=offscreen",
                "/mnt/bin/mmreview", *map(str, words),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def files(self):
        """What lies in home and the temporary folder."""
        return {
            path.relative_to(folder.parent).as_posix()
            for folder in (self.home, self.temporary)
            for path in folder.rglob("*")
            if not path.is_dir()
        }


@pytest.fixture
def ada(machine, tmp_path):
    folder = tmp_path / "ada"
    folder.mkdir()
    for part in (folder, *folder.parents):
        if part.stat().st_uid == os.geteuid() and part.stat().st_mode & 0o005 != 0o005:
            part.chmod(part.stat().st_mode | 0o005)
    person = Person(machine, folder)
    code, _, err = person.starts("--version")
    if code and "mount" in err:
        pytest.skip(f"this system lets nobody make such a namespace: {err.strip()}")
    return person


def test_it_does_the_whole_job_without_network_python_or_rights(ada):
    code, out, err = ada.starts("--smoke", "--json", "--out", "/mnt/home/out")
    assert code == 0, out[-4000:] + err[-4000:]
    found = json.loads(out)
    assert found["ok"] is True
    assert found["frozen"] is True
    steps = {step["step"]: step for step in found["steps"]}
    assert steps["offline"]["attempts"] == 0
    assert steps["dialogs"]["dialogs"]
    assert {"import", "encode", "fine-tune", "export", "verify"} <= steps.keys()
    print(json.dumps(found["steps"], indent=1), found["seconds"])
    assert ada.files() == {f"home/out/{name}" for name in ("smoke.json", "window.png",
                                                          "mmreview.log")}
    assert "LEFT" not in err


def test_it_says_of_itself_that_it_is_whole(ada):
    code, out, err = ada.starts("doctor", "--json")
    found = json.loads(out)
    assert (code, found["problems"]) == (0, []), err
    assert ada.files() == set()


def test_its_window_opens_on_an_x_server(machine, tmp_path):
    """The platform plugin and all that it takes from the system, on a screen that nobody sees."""
    server = shutil.which("xvfb-run")
    if server is None:
        pytest.skip("xvfb-run is not on this system")
    done = said(
        "env", "-i", f"HOME={tmp_path}", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
        server, "--auto-servernum", machine / "opt/mmreview/mmreview", "--smoke", "--json",
    )  # fmt: skip
    steps = {step["step"]: step for step in json.loads(done)["steps"]}
    assert steps["window"]["qt_platform"] == "xcb"
    assert steps["picture"]["colours"] > 100


def test_nothing_can_be_written_into_the_program(machine):
    for path in (machine / "opt").rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o022 == 0, path
            if os.geteuid() == 0:
                assert path.stat().st_uid == path.stat().st_gid == 0, path


def test_every_verb_is_there(ada):
    code, out, _ = ada.starts("--help")
    assert code == 0
    for verb in cli.registered_commands:
        if not verb.hidden:
            assert f"  {verb.name or verb.callback.__name__} " in out


def test_the_end_to_end_tests_pass_with_it(machine):
    """What the commands do in the sources, they do in the package; ``MMREVIEW_E2E`` names files."""
    driven = [
        path for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py"))
        if re.search(r"^from tests(\.program)? import", path.read_text("utf-8"), re.M)
    ]
    chosen = os.environ.get("MMREVIEW_E2E", "").split() or map(str, driven)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not services",
            "--timeout", "1200", *chosen,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "MMREVIEW_PROGRAM": str(machine / "opt/mmreview/mmreview")},
    )  # fmt: skip
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-8000:]


def test_it_is_removed_and_what_people_made_stays(ada, machine, dpkg):
    code, out, err = ada.starts("init", "/mnt/home/mine.mmreview", "--json")
    assert code == 0, out + err
    before = ada.files()
    dpkg(machine, "--purge", "mmreview")
    assert not (machine / "opt" / "mmreview").exists()
    left = {path for path in machine.rglob("*") if not path.is_dir()}
    assert all("var/lib/dpkg" in str(path) for path in left)
    assert ada.files() == before
    assert "home/mine.mmreview/project.sqlite" in before
    verified = said(
        sys.executable, "-m", "mmreview", "verify", ada.home / "mine.mmreview", "--json", cwd=ROOT
    )
    assert json.loads(verified)["ok"] is True
