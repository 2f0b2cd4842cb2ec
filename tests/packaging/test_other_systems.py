"""Templates for Windows and macOS, which ran nowhere yet: whole, of one piece with the rest."""

import plistlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mmreview import __version__

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "resources" / "packaging"
SCRIPT = PACKAGING / "windows" / "mmreview.iss"

#: Sections of Inno Setup that the script may have, and what each of their lines must name.
SECTIONS = {
    "Setup": set(), "InstallDelete": {"Type", "Name"}, "Files": {"Source", "DestDir"},
    "Icons": {"Name", "Filename"}, "Registry": {"Root", "Subkey", "ValueType"},
    "Run": {"Filename"},
}


def sections():
    """{section: its lines} of the Inno Setup script, without comments."""
    found, current = {"": []}, ""
    for line in SCRIPT.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            current = heading[1]
            assert current not in found, f"[{current}] stands twice"
            found[current] = []
        else:
            found[current].append(line)
    return found


def parameters(line):
    """{name: value} of a line such as ``Name: "a;b"; Flags: c``."""
    pairs = re.findall(r'(\w+):\s*("(?:[^"]|"")*"|[^;"]*)(?:;\s*|$)', line)
    assert "".join(f"{name}: {value}; " for name, value in pairs).strip("; ") == line.strip("; ")
    return dict(pairs)


def test_the_windows_script_is_well_formed():
    found = sections()
    assert set(found) - {""} == set(SECTIONS)
    for name, needed in SECTIONS.items():
        for line in found[name]:
            if needed:
                assert needed <= parameters(line).keys(), line
            else:
                assert re.fullmatch(r"\w+=.+", line), line
    depth = 0
    for line in found[""]:
        assert line.lstrip().startswith("#"), line
        depth += line.startswith("#ifndef") - line.startswith("#endif")
    assert depth == 0


def test_the_windows_script_names_only_what_is_there():
    text = SCRIPT.read_text(encoding="utf-8")
    defined = dict(re.findall(r'#define (\w+) "(.*)"', text))
    assert set(re.findall(r"{#(\w+)}", text)) == set(defined)
    assert defined["Version"] == __version__
    dist = SCRIPT.parent.joinpath(*defined["Dist"].split("\\")).resolve()
    assert dist == ROOT / "dist" / "mmreview"
    programs = set(re.findall(r"{app}\\([\w.-]+\.exe)", text))
    assert programs == {"mmreview.exe"}
    assert 'name="mmreview"' in (ROOT / "build_installer.spec").read_text()


def test_the_windows_installer_needs_no_rights_and_leaves_what_is_a_persons():
    found = sections()
    setup = dict(line.split("=", 1) for line in found["Setup"])
    assert setup["PrivilegesRequired"] == "lowest"
    assert re.fullmatch(r"{{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}}", setup["AppId"])
    assert "UninstallDelete" not in found
    [cleared] = found["InstallDelete"]
    assert parameters(cleared)["Name"] == r'"{app}\_internal"'
    keys = [parameters(line)["Subkey"] for line in found["Registry"]]
    assert all(r"Directory\shell\{#Name}" in key for key in keys)
    assert any("*.mmreview" in line for line in found["Registry"])


def test_the_silent_flags_are_those_that_the_manual_tells():
    text = SCRIPT.read_text(encoding="utf-8")
    manual = (ROOT / "resources" / "help" / "installing.md").read_text(encoding="utf-8")
    flags = "/VERYSILENT /NORESTART /CURRENTUSER"
    assert flags in text
    assert f"mmreview-setup.exe {flags}" in manual
    assert "OutputBaseFilename={#Name}-setup" in text


def test_the_mac_bundle_takes_project_folders_as_documents():
    info = plistlib.loads((PACKAGING / "macos" / "Info.plist").read_bytes())
    [document] = info["CFBundleDocumentTypes"]
    [kind] = info["UTExportedTypeDeclarations"]
    assert document["LSItemContentTypes"] == [kind["UTTypeIdentifier"]]
    assert kind["UTTypeConformsTo"] == ["com.apple.package"]
    assert kind["UTTypeTagSpecification"] == {"public.filename-extension": ["mmreview"]}


def test_the_entitlements_are_few():
    asked = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert asked == {"com.apple.security.cs.allow-unsigned-executable-memory": True}


@pytest.mark.parametrize("name", sorted(p.name for p in PACKAGING.rglob("*.plist")))
def test_every_plist_is_well_formed_xml(name):
    [path] = PACKAGING.rglob(name)
    root = ElementTree.parse(path).getroot()
    assert (root.tag, root.get("version")) == ("plist", "1.0")
    assert [child.tag for child in root] == ["dict"]
    tags = [child.tag for child in root[0]]
    assert tags[::2] == ["key"] * (len(tags) // 2)  # a key before each value


def test_the_readme_says_what_was_never_run_and_names_files_that_are_there():
    text = (PACKAGING / "README.md").read_text(encoding="utf-8")
    assert text.count("not on any machine yet") == 2
    named = re.findall(r"`((?:linux|windows|macos)/[\w.]+)`", text)
    assert named
    assert all((PACKAGING / name).is_file() for name in named)
    for path in re.findall(r"resources/packaging/[\w./]+\w", text):
        assert (ROOT / path).exists(), path
