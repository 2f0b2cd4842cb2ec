"""``python -m mmreview.installer``: packs what is there, says what it made, refuses in words."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from mmreview.installer.__main__ import main

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="both packages are for Linux"
)


def test_a_build_that_is_there_is_packed_and_a_table_printed(fake, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["--skip-build", "--archive", "--dist", str(fake), "--out", str(out)]) == 0
    said = capsys.readouterr()
    [made] = out.iterdir()
    [line] = said.out.splitlines()[1:]
    megabytes, seconds, name = line.split()
    assert (Path(name), made.suffix) == (made, ".gz")
    assert float(megabytes) == pytest.approx(made.stat().st_size / 1e6, abs=0.06)
    assert re.fullmatch(r"\d+\.\d", seconds)
    assert "archive" in said.err


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not on this system")
@pytest.mark.skipif(not shutil.which("objdump"), reason="objdump (binutils) is not there")
def test_both_packages_lie_beside_the_build(fake, capsys):
    assert main(["--skip-build", "--dist", str(fake)]) == 0
    assert sorted(path.suffix for path in fake.parent.iterdir()) == ["", ".deb", ".gz"]
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_no_build_is_refused_in_a_sentence(tmp_path, capsys):
    assert main(["--skip-build", "--dist", str(tmp_path / "mmreview")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "--skip-build" in said.err.splitlines()[-1]


def test_the_time_of_the_sources_must_be_known(fake, monkeypatch, capsys):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert main(["--skip-build", "--archive", "--dist", str(fake)]) == 2
    assert "SOURCE_DATE_EPOCH" in capsys.readouterr().err


def test_the_commit_is_the_time_of_the_sources(monkeypatch):
    from mmreview.installer import onefolder

    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    if not (onefolder.CHECKOUT / ".git").exists():
        pytest.skip("these sources are not a git checkout")
    assert onefolder.source_date() > 1_600_000_000
