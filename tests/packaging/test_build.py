"""The real build: complete, accounted for, and the same bytes when it is made again.

    python -m pytest -m installer tests/packaging/test_build.py

builds twice (minutes each, a folder of some GB); with ``MMREVIEW_DIST=FOLDER``, a build of the same
sources that is there, once.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmreview.installer import contents, inventory

ROOT = Path(__file__).parents[2]
MANIFEST = Path("mmreview", "_resources", "installation.json")

pytestmark = [pytest.mark.installer, pytest.mark.timeout(3600)]


def built(out):
    subprocess.run(
        [
            sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
            "--distpath", str(out / "dist"), "--workpath", str(out / "work"),
            "build_installer.spec",
        ],
        cwd=ROOT, check=True,
    )  # fmt: skip
    return out / "dist" / "mmreview"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if "MMREVIEW_DIST" in os.environ:
        yield Path(os.environ["MMREVIEW_DIST"])
    else:
        out = tmp_path_factory.mktemp("build")
        yield built(out)
        shutil.rmtree(out)


def manifest(folder):
    return json.loads((inventory.inside(folder) / MANIFEST).read_text("utf-8"))


def test_its_manifest_names_every_file_and_nothing_that_stays_out(folder):
    found = manifest(folder)
    assert found["flavour"] == contents.flavour()
    root = inventory.inside(folder)
    names = {path.relative_to(folder).as_posix() for path in inventory.files(folder)}
    assert names - {(root / MANIFEST).relative_to(folder).as_posix()} <= set(found["files"])
    inside = [path.relative_to(root).as_posix() for path in inventory.files(root)]
    assert [name for name in inside if contents.left_out(name)] == []
    assert any(name.startswith("torchvision/_C") for name in inside)
    texts = root / "mmreview" / "_resources" / "licences"
    assert "torch " in (texts / "THIRD-PARTY-NOTICES.txt").read_text("utf-8")


def test_every_library_of_cuda_has_a_reason_to_stay(folder):
    libraries = inventory.cuda_libraries(folder)
    assert bool(libraries) == (contents.flavour() == "cuda")
    assert all(library.why for library in libraries)
    total, cuda = inventory.sizes(folder)
    assert total - cuda <= 1.2e9  # what the CPU flavour weighs


def test_it_is_the_same_bytes_when_it_is_made_again(folder, tmp_path):
    again = built(tmp_path)
    first, second = manifest(folder), manifest(again)
    assert first["files"].keys() == second["files"].keys()
    differing = [name for name, seen in first["files"].items() if second["files"][name] != seen]
    assert differing == []
    shutil.rmtree(tmp_path / "dist")
