"""What a Linux desktop is told: valid for its own tools, and a project is known by its database."""

import configparser
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mmreview import paths
from mmreview.compose import ProjectOpener
from mmreview.installer import desktop, onefolder


@pytest.fixture
def share(fake, tmp_path):
    desktop.lay(tmp_path / "share", onefolder.opened(fake))
    return tmp_path / "share"


def tool(name):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this system")
    return found


def test_the_menu_entry_opens_a_project_and_names_the_windows_own_id(share):
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(share / "applications" / "mmreview.desktop", encoding="utf-8")
    words = entry["Desktop Entry"]
    assert words["Exec"] == "mmreview %f"
    mime = ElementTree.parse(share / "mime" / "packages" / "mmreview.xml").getroot()
    [kind] = [element.get("type") for element in mime if element.tag.endswith("mime-type")]
    assert words["MimeType"] == f"{kind};"
    # Not every folder: mmreview would become what opens folders where nothing else is set.
    assert "inode/directory" not in words["MimeType"]
    info = ElementTree.parse(share / "metainfo" / "mmreview.metainfo.xml").getroot()
    assert info.findtext("launchable") == "mmreview.desktop"
    assert info.findtext("provides/mediatype") == kind
    assert info.find("releases/release").get("version") == "0.1.0"


def test_the_menu_entry_is_valid(share):
    done = subprocess.run(
        [tool("desktop-file-validate"), share / "applications" / "mmreview.desktop"],
        capture_output=True, text=True, check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_software_centre_understands_it(share):
    done = subprocess.run(
        [
            tool("appstreamcli"), "validate", "--no-net", "--no-color",
            share / "metainfo" / "mmreview.metainfo.xml",
        ],
        capture_output=True, text=True, check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))]
    # The project has no domain of its own that could stand in front of its name.
    assert all("cid-desktopapp-is-not-rdns" in line for line in found), done.stdout


def test_a_project_is_known_by_its_database(share, tmp_path):
    subprocess.run(
        [tool("update-mime-database"), share / "mime"], check=True, capture_output=True
    )
    project = tmp_path / "p.mmreview"
    ProjectOpener(device="cpu").create(project).close()
    other = tmp_path / "project.sqlite"
    other.write_bytes(b"SQLite format 3\0" + bytes(84))
    kinds = {}
    for path in (project / "project.sqlite", other):
        asked = subprocess.run(
            [tool("gio"), "info", "-a", "standard::content-type", path],
            env={**os.environ, "XDG_DATA_HOME": str(share), "LC_ALL": "C.UTF-8"},
            capture_output=True, text=True, check=True,
        )
        kinds[path] = asked.stdout.rpartition("content-type: ")[2].strip()
    assert kinds[project / "project.sqlite"] == "application/x-mmreview-project"
    assert kinds[other] != "application/x-mmreview-project"


def test_the_database_in_a_project_means_the_project(tmp_path, monkeypatch):
    project = tmp_path / "p.mmreview"
    desk = ProjectOpener(device="cpu").create(project)
    desk.close()
    assert paths.as_project(project / "project.sqlite") == project
    monkeypatch.chdir(project)
    opened = ProjectOpener(device="cpu").open(Path("project.sqlite"))
    assert opened.info.folder == project
    opened.close()
