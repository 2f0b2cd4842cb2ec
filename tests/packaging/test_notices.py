"""Which licences may be shipped, and whose files are in the program."""

from importlib import metadata
from pathlib import Path

import pytest

from mmreview.installer import licences, notices

TOP = Path(__file__).resolve().parents[2]
SITE = Path(str(metadata.distribution("numpy").locate_file("")))


@pytest.mark.parametrize(
    "licence",
    [
        "MIT", "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", "Apache 2.0 License",
        "MPL-2.0 AND MIT", "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
        "GPL-3.0-or-later WITH GCC-exception-3.1 AND BSD-3-Clause", "Apache Software License",
    ],
)
def test_licences_that_may_be_shipped(licence):
    assert licences.verdict(licence) == ""


@pytest.mark.parametrize(
    ("licence", "named"),
    [
        ("GPL-3.0-only", "GPL-3.0-only"), ("MIT AND AGPL-3.0-or-later", "AGPL-3.0-or-later"),
        ("(MIT OR Apache-2.0) AND SSPL-1.0", "SSPL-1.0"), ("A licence of our own", "may not"),
        ("", "names no licence"), ("GNU General Public License v2 (GPLv2)", "no licence"),
        ("GPL-2.0-only OR AGPL-3.0-only", "GPL-2.0-only"), ("CC-BY-NC-4.0", "CC-BY-NC-4.0"),
    ],
)
def test_licences_that_stop_the_build(licence, named):
    assert named in licences.verdict(licence)


def entry(path):
    return ("anywhere", str(path), "DATA")


def test_each_file_leads_to_its_package_and_the_texts_of_its_licence(tmp_path):
    found = notices.collect(
        TOP,
        [entry(SITE / "numpy" / "__init__.py"), entry(SITE / "tqdm" / "__init__.py")],
        [entry(TOP / "mmreview" / "paths.py"), entry(Path(json_module()))],
        [entry(next((SITE / "PySide6").glob("QtCore.*"))), ("link", "PySide6/x.so", "SYMLINK")],
    )
    by_name = {component.name: component for component in found.components}
    assert {"numpy", "tqdm", "Python"} <= set(by_name)
    assert "mmreview" not in by_name
    assert by_name["tqdm"].licence == "MPL-2.0 AND MIT"
    qt = by_name.get("PySide6_Essentials") or by_name["pyside6_essentials"]
    assert qt.licence == "LGPL-3.0-only"
    assert [text.name for text in qt.texts] == ["LGPL-3.0.txt", "GPL-3.0.txt"]
    found.write(tmp_path / "licences", version="9.9")
    said = (tmp_path / "licences" / "THIRD-PARTY-NOTICES.txt").read_text("utf-8")
    assert f"numpy {metadata.version('numpy')}: " in said and "Lesser General Public" in said
    for component in found.components:
        assert any((tmp_path / "licences" / component.name).iterdir())


def json_module():
    import json

    return json.__file__


def test_a_file_of_nobody_and_an_unseen_licence_stop_the_build_together(tmp_path, monkeypatch):
    stranger = tmp_path / "stranger.so"
    stranger.write_bytes(b"\x7fELF")
    monkeypatch.setitem(licences.REVIEWED, "tqdm", "GPL-3.0-only")
    with pytest.raises(SystemExit) as stopped:
        notices.collect(TOP, [entry(stranger), entry(SITE / "tqdm" / "__init__.py")])
    assert "stranger.so: no installed package owns this file" in str(stopped.value)
    assert "tqdm" in str(stopped.value) and "GPL-3.0-only may not be shipped" in str(stopped.value)


def test_everything_the_program_needs_may_be_shipped():
    """The packages of this environment that mmreview requires, whatever the build takes of them."""
    from packaging.requirements import Requirement

    def needed(name, seen):
        for line in metadata.requires(name) or ():
            wanted = Requirement(line)
            holds = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
            if holds and wanted.name not in seen:
                seen.add(wanted.name)
                needed(wanted.name, seen)
        return seen

    left_out = {"sentence-transformers", "cuda-toolkit"}
    for name in needed("mmreview", set()) - left_out:
        stated = licences.stated(metadata.distribution(name))
        assert licences.verdict(stated) == "", f"{name}: {stated}"
