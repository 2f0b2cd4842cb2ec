"""The wheel carries what the program reads at run time, and works where it was not built."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that the wheel was installed into, as pip would, without what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [
            sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
            str(ROOT),
        ],
        capture_output=True, text=True, check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = folder.glob("*.whl")
    target = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(target, code, tmp_path):
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(target), "HOME": str(tmp_path)},
    )


def test_resources_travel_in_the_wheel(installed):
    there = {
        str(path.relative_to(ROOT / "resources"))
        for path in (ROOT / "resources").rglob("*")
        if path.is_file()
    }
    packed = installed / "mmreview" / "_resources"
    assert there
    assert {str(p.relative_to(packed)) for p in packed.rglob("*") if p.is_file()} == there
    assert list((installed / "mmreview" / "store" / "migrations").rglob("*.py"))


def test_an_installed_copy_makes_a_project_and_says_sentences(installed, tmp_path):
    done = run(
        installed,
        "import sys, mmreview; sys.argv = ['mmreview', 'init', 'p', '--json'];"
        "print(mmreview.__file__, file=sys.stderr);"
        "from mmreview.cli import main; main()",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert str(installed) in done.stderr
    assert len(json.loads(done.stdout)["findings"]) == 14
    again = run(
        installed,
        "import sys; sys.argv = ['mmreview', 'init', 'p']; from mmreview.cli import main; main()",
        tmp_path,
    )
    assert again.returncode == 2
    assert "error." not in again.stderr
