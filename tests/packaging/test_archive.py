"""The relocatable archive of a stand-in build, and its install script in an empty home."""

import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from mmreview.installer import archive, onefolder

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the archive and its script are for Linux"
)


def unpack(package, folder):
    """The archive unpacked by tar, as a person would."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", package, "-C", folder], check=True)
    [top] = folder.iterdir()
    return top


@pytest.fixture
def top(fake, tmp_path):
    return unpack(archive.build(fake, tmp_path / "out"), tmp_path / "unpacked")


@pytest.fixture
def script(own_folders):
    """Runs an install script with an empty home; returns (exit code, stdout, stderr)."""
    home = {"HOME": str(own_folders), "PATH": os.environ["PATH"]}

    def run(folder, *words, **more):
        done = subprocess.run(
            [folder / "install.sh", *words],
            env=home | more, capture_output=True, text=True, check=False, cwd=own_folders,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def names(root):
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def started(program):
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def versions(made, tmp_path):
    """Two versions, unpacked."""
    tops = []
    for version in ("0.9.0", "0.10.0"):
        build = made(tmp_path / version / "mmreview", version=version)
        package = archive.build(build, tmp_path / "out")
        tops.append(unpack(package, tmp_path / f"unpacked-{version}"))
    return tops


def test_it_starts_from_where_it_was_unpacked(fake, top, tmp_path):
    assert started(top / "program" / "mmreview") == "mmreview 0.1.0"
    moved = top.rename(tmp_path / "somewhere else")
    assert started(moved / "program" / "mmreview") == "mmreview 0.1.0"
    assert names(moved / "program") == names(fake)
    assert set((moved / "files.txt").read_text().splitlines()) == names(moved)


def test_the_same_build_gives_the_same_bytes_and_nothing_of_this_machine(made, tmp_path):
    packages = []
    for number in (1, 2):
        build = made(tmp_path / str(number) / "mmreview")
        for path in build.rglob("*"):
            os.utime(path, (number * 10**9, number * 10**9), follow_symlinks=False)
        packages.append(archive.build(build, tmp_path / f"out{number}"))
    assert packages[0].read_bytes() == packages[1].read_bytes()
    with tarfile.open(packages[0]) as tar:
        for member in tar:
            assert (member.uid, member.gid, member.uname) == (0, 0, "root")
            assert member.mtime == onefolder.source_date()
            assert member.name.startswith("mmreview-0.1.0-linux-")


def test_many_members_are_one_archive(made, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MEMBER_BYTES", 1000)
    build = made(tmp_path / "mmreview")
    noise = os.urandom(64_321)
    (build / "_internal" / "noise.bin").write_bytes(noise)
    top = unpack(archive.build(build, tmp_path / "out"), tmp_path / "unpacked")
    assert (top / "program" / "_internal" / "noise.bin").read_bytes() == noise


def test_it_installs_for_one_person_and_goes_without_a_trace(top, script, own_folders, project):
    before = names(own_folders)
    code, out, err = script(top)
    assert (code, err) == (0, "")
    shutil.rmtree(top)  # it was only unpacked to be installed
    installed = own_folders / ".local" / "opt" / "mmreview-0.1.0"
    assert str(installed) in out
    share = own_folders / ".local" / "share"
    entry = (share / "applications" / "mmreview.desktop").read_text()
    assert f'Exec="{installed}/program/mmreview" %f' in entry
    assert (share / "icons/hicolor/48x48/apps/mmreview.png").is_file()
    assert (share / "mime/packages/mmreview.xml").is_file()
    for command in ("mmreview", "mmreview-0.1.0"):
        assert started(own_folders / ".local" / "bin" / command) == "mmreview 0.1.0"

    code, out, err = script(installed, "--uninstall")
    assert (code, err) == (0, "")
    left = {name for name in names(own_folders) - before if "/share/mime/" not in f"/{name}"}
    assert left <= {".local/share/applications/mimeinfo.cache"}  # the desktop's own
    assert not list(share.rglob("*mmreview*"))
    assert not installed.exists()
    assert project.is_dir()
    assert before <= names(own_folders)


def test_installing_twice_is_installing_once(top, script, own_folders):
    assert script(top)[0] == 0
    installed = own_folders / ".local" / "opt" / "mmreview-0.1.0"
    once = names(own_folders)
    (installed / "program" / "_internal" / "broken.so").write_text("not of this version")
    (installed / "program" / "mmreview").write_text("damaged")
    code, _, err = script(top)
    assert (code, err) == (0, "")
    assert started(installed / "program" / "mmreview") == "mmreview 0.1.0"
    extra = {".local/opt/mmreview-0.1.0/program/_internal/broken.so"}
    assert names(own_folders) - extra == once


def test_an_upgrade_in_place_leaves_no_old_file(made, tmp_path, script, own_folders):
    tops = []
    for version, extra in (("0.1.0", ("old.so", "both.so")), ("0.2.0", ("new.so", "both.so"))):
        build = made(tmp_path / version / "mmreview", version=version, extra=extra)
        package = archive.build(build, tmp_path / "out")
        tops.append(unpack(package, tmp_path / f"unpacked-{version}"))
    folder = own_folders / "programs with space" / "mmreview"
    for top in tops:
        code, _, err = script(top, "--prefix", folder)
        assert (code, err) == (0, "")
    libraries = {path.name for path in (folder / "program" / "_internal").glob("*.so")}
    assert libraries == {"both.so", "libreal.so", "new.so"}
    assert started(own_folders / ".local" / "bin" / "mmreview") == "mmreview 0.2.0"
    assert script(folder, "--uninstall")[0] == 0
    assert not folder.exists()


def test_two_versions_side_by_side_do_not_break_each_other(made, tmp_path, script, own_folders):
    old, new = versions(made, tmp_path)
    bin_ = own_folders / ".local" / "bin"
    share = own_folders / ".local" / "share"
    assert script(new)[0] == script(old)[0] == 0
    assert started(bin_ / "mmreview") == "mmreview 0.9.0"  # the one installed last
    assert started(bin_ / "mmreview-0.10.0") == "mmreview 0.10.0"
    assert script(old, "--uninstall")[0] == 0
    assert started(bin_ / "mmreview") == "mmreview 0.10.0"
    assert "mmreview-0.10.0/" in (share / "applications" / "mmreview.desktop").read_text()
    assert script(old)[0] == script(new)[0] == 0
    assert script(old, "--uninstall")[0] == 0  # not the one that the menu starts
    assert started(bin_ / "mmreview") == "mmreview 0.10.0"
    assert (share / "icons/hicolor/48x48/apps/mmreview.png").is_file()
    code, _, err = script(old, "--uninstall")
    assert code == 2
    assert "not installed" in err
    assert script(new, "--uninstall")[0] == 0
    assert not list(bin_.iterdir())


def test_what_somebody_put_into_the_folder_stays(top, script, own_folders):
    assert script(top)[0] == 0
    installed = own_folders / ".local" / "opt" / "mmreview-0.1.0"
    project = installed / "mine.mmreview" / "project.sqlite"
    project.parent.mkdir()
    project.write_bytes(b"mine")
    assert script(top)[0] == 0
    code, out, _ = script(top, "--uninstall")
    assert code == 0
    assert str(installed) in out
    assert names(installed) == {"mine.mmreview/project.sqlite"}


def test_it_can_stay_where_it_is(top, script, own_folders):
    assert script(top, "--prefix", top)[0] == 0
    assert (own_folders / ".local" / "bin" / "mmreview").readlink() == top / "program" / "mmreview"
    assert script(top, "--uninstall")[0] == 0
    assert not top.exists()


def test_another_command_of_that_name_is_left_alone(top, script, own_folders):
    other = own_folders / ".local" / "bin" / "mmreview"
    other.parent.mkdir(parents=True)
    other.write_text("#!/bin/sh\necho pip\n")
    code, out, _ = script(top)
    assert code == 0
    assert "left alone" in out
    assert script(top, "--uninstall")[0] == 0
    assert "pip" in other.read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--prefix", "{home}/taken"), "another folder"),
        (("--prefix", "{home}/file/below"), "cannot be written"),
        (("--prefix", '{home}/a"b'), "character"),
        (("--prefix",), "wants a folder"),
        (("--uninstal",), "--help"),
        (("--uninstall",), "not installed"),
    ],
)
def test_a_refusal_is_a_sentence_and_changes_nothing(top, script, own_folders, words, expected):
    (own_folders / "taken").mkdir()
    (own_folders / "taken" / "thesis.txt").write_text("mine")
    (own_folders / "file").write_text("x")
    before = names(own_folders)
    code, out, err = script(top, *(word.format(home=own_folders) for word in words))
    assert (code, out) == (2, "")
    assert expected in err
    assert err.startswith("mmreview: ")
    assert names(own_folders) == before


def test_too_little_room_is_told_before_anything_is_copied(top, script, own_folders, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho 'Filesystem x'\necho '/dev/full 9 9 7 99% /'\n")
    (tools / "df").chmod(0o755)
    code, _, err = script(top, PATH=f"{tools}:{os.environ['PATH']}")
    assert code == 2
    assert "MB free" in err
    assert not list(own_folders.rglob("mmreview*"))


def test_a_program_that_does_not_start_here_is_not_installed(top, script, own_folders):
    program = top / "program" / "mmreview"
    program.write_text("#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2\nexit 1\n")
    code, out, err = script(top)
    assert (code, out) == (2, "")
    assert "GLIBC_2.99" in err
    assert not list(own_folders.rglob("*mmreview*"))


def test_a_torn_archive_is_refused(top, script):
    (top / "files.txt").unlink()
    code, _, err = script(top)
    assert code == 2
    assert "unpack the archive again" in err


def test_help_says_both_ways(top, script):
    code, out, _ = script(top, "--help")
    assert code == 0
    assert "--prefix" in out
    assert "--uninstall" in out


def test_the_script_is_clean():
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("shellcheck is not on this system")
    script = onefolder.TEMPLATES / "linux" / "install.sh"
    done = subprocess.run([checker, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
