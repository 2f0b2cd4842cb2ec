"""The .deb of a stand-in build: what is in it, the same bytes twice, how it comes and goes."""

import configparser
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mmreview.installer import debian
from mmreview.installer.refusal import PackagingRefused

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not on this system"),
    pytest.mark.skipif(not shutil.which("objdump"), reason="objdump (binutils) is not there"),
]


def said(*words, **keywords):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **keywords
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def field(package, name):
    return said("dpkg-deb", "--field", package, name).strip()


def names(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def package(fake, tmp_path):
    return debian.build(fake, tmp_path / "out")


@pytest.fixture
def unpacked(package, tmp_path):
    root = tmp_path / "root"
    said("dpkg", "-x", package, root)
    return root


def test_control_says_what_apt_needs(package):
    assert package.name == "mmreview_0.1.0_amd64.deb" or "arm64" in package.name
    assert field(package, "Package") == "mmreview"
    assert field(package, "Version") == "0.1.0"
    assert re.fullmatch(r".+ <\S+@\S+>", field(package, "Maintainer"))
    depends = field(package, "Depends").split(", ")
    assert "xkb-data" in depends
    assert any(re.fullmatch(r"libc6 \(>= 2\.\d+\)", name) for name in depends)
    assert len(depends) == len({name.split()[0] for name in depends})
    assert field(package, "Description").startswith("review cases")


def test_the_flavour_is_part_of_the_version(made, tmp_path):
    package = debian.build(made(tmp_path / "mmreview", flavour="cuda"), tmp_path / "out")
    assert field(package, "Version") == "0.1.0+cuda"
    assert "_0.1.0+cuda_" in package.name
    said("dpkg", "--compare-versions", "0.1.0", "lt", "0.1.0+cuda")
    said("dpkg", "--compare-versions", "0.1.0+cuda", "lt", "0.1.1")


def test_everything_of_the_build_and_the_desktop_is_in_it(fake, unpacked):
    home = unpacked / "opt" / "mmreview"
    assert names(home) == names(fake)
    assert (home / "_internal" / "libreal.so").readlink() == Path("lib/libreal.so.1")
    assert (unpacked / "usr" / "bin" / "mmreview").readlink() == Path("/opt/mmreview/mmreview")
    share = unpacked / "usr" / "share"
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(share / "applications" / "mmreview.desktop")
    icon = entry["Desktop Entry"]["Icon"]
    sizes = {path.parents[1].name for path in share.rglob(f"apps/{icon}.*")}
    assert sizes == {"16x16", "32x32", "48x48", "128x128", "256x256", "scalable"}
    assert (share / "doc" / "mmreview" / "copyright").is_file()
    assert "0.1.0" in (share / "metainfo" / "mmreview.metainfo.xml").read_text()


def test_only_root_may_change_what_is_installed(package):
    lines = said("dpkg-deb", "--contents", package).splitlines()
    assert len(lines) > 20
    for line in lines:
        mode, owner = line.split()[:2]
        assert owner == "root/root", line
        assert mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"), line
    [program] = [line for line in lines if line.endswith("./opt/mmreview/mmreview")]
    assert program.startswith("-rwx")


def test_the_sums_are_those_of_the_files(package, unpacked, tmp_path):
    said("dpkg", "-e", package, tmp_path / "control")
    lines = (tmp_path / "control" / "md5sums").read_text().splitlines()
    sums = dict(reversed(line.split("  ", 1)) for line in lines)
    files = {name for name in names(unpacked) if not (unpacked / name).is_symlink()}
    assert sums.keys() == files
    for name, sum_ in sums.items():
        assert hashlib.md5((unpacked / name).read_bytes()).hexdigest() == sum_
    size = sum((unpacked / name).stat().st_size for name in files)
    assert size / 1024 <= int(field(package, "Installed-Size")) <= size / 1024 + len(files)


def test_the_same_build_gives_the_same_bytes(made, tmp_path):
    packages = []
    for number in (1, 2):
        build = made(tmp_path / str(number) / "mmreview")
        for path in build.rglob("*"):
            os.utime(path, (number * 10**9, number * 10**9), follow_symlinks=False)
            if path.is_file() and not path.is_symlink():
                extra = stat.S_IWGRP if number == 2 else 0  # another umask
                path.chmod(path.stat().st_mode | extra)
        packages.append(debian.build(build, tmp_path / f"out{number}").read_bytes())
    assert packages[0] == packages[1]


def dpkg(root):
    """dpkg on a machine that is nothing but the folder ``root`` (in a namespace where need be)."""
    for name in ("updates", "info", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    words = ["dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--force-bad-path"]
    if os.geteuid() != 0:
        words = ["unshare", "--map-root-user", *words]
        if subprocess.run([*words[:2], "true"], check=False, capture_output=True).returncode:
            pytest.skip("neither root nor user namespaces: dpkg cannot install into a folder here")
    return words


def test_it_is_installed_upgraded_and_removed_and_the_project_stays(made, tmp_path):
    root = tmp_path / "machine"
    project = root / "home" / "ada" / "Documents" / "mine.mmreview" / "project.sqlite"
    project.parent.mkdir(parents=True)
    project.write_bytes(b"mine")
    run = dpkg(root)
    old = debian.build(
        made(tmp_path / "1" / "mmreview", extra=("old.so", "both.so")), tmp_path / "out"
    )
    said(*run, "--install", old)
    home = root / "opt" / "mmreview"
    assert (home / "_internal" / "old.so").is_file()
    assert "Version: 0.1.0" in said(*run, "--status", "mmreview")

    new = debian.build(
        made(tmp_path / "2" / "mmreview", version="0.2.0", extra=("new.so", "both.so")),
        tmp_path / "out",
    )
    said(*run, "--install", new)
    assert sorted(path.name for path in (home / "_internal").glob("*.so")) == [
        "both.so", "libreal.so", "new.so",
    ]
    assert said(home / "mmreview") == "mmreview 0.2.0\n"
    assert said(*run, "--verify", "mmreview") == ""  # md5sums hold

    said(*run, "--purge", "mmreview")
    assert project.read_bytes() == b"mine"
    left = [name for name in names(root) if not name.startswith("var/lib/dpkg")]
    assert left == ["home/ada/Documents/mine.mmreview/project.sqlite"]
    assert not (root / "opt" / "mmreview").exists()


def test_a_folder_without_a_build_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(PackagingRefused, match="build it first"):
        debian.build(tmp_path, tmp_path / "out")


def test_a_library_of_no_known_package_is_named(fake, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a library with")
    (tmp_path / "odd.c").write_text("int odd(void) { return 1; }")
    odd, user = tmp_path / "libodd.so.7", fake / "_internal" / "user.so"
    said(compiler, "-shared", "-fPIC", "-Wl,-soname,libodd.so.7", "-o", odd, tmp_path / "odd.c")
    (tmp_path / "user.c").write_text("int odd(void); int user(void) { return odd(); }")
    said(compiler, "-shared", "-fPIC", "-o", user, tmp_path / "user.c", odd)
    with pytest.raises(PackagingRefused, match=r"libodd\.so\.7"):
        debian.build(fake, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))
    shutil.copy(odd, fake / "_internal")  # now it lies in the build
    assert debian.build(fake, tmp_path / "out").is_file()


def test_no_module_of_the_program_imports_the_installer():
    code = (
        "import sys, pkgutil, mmreview.cli, mmreview.app\n"
        "print([name for name in sys.modules if name.startswith('mmreview.installer')])"
    )
    assert said(sys.executable, "-c", code, cwd=ROOT).strip() == "[]"
