import json
import os
import sys
from pathlib import Path

import pytest

from mmreview import __version__, diagnosis, installation
from mmreview.installation import MANIFEST, Origin, check, checking, write_manifest


@pytest.fixture
def program(tmp_path):
    """A one-folder program as a build leaves it, its library linked to as PyInstaller does."""
    folder = tmp_path / "mmreview"
    libraries = folder / "_internal" / "torch" / "lib"
    libraries.mkdir(parents=True)
    (folder / MANIFEST).parent.mkdir(parents=True)
    (folder / "mmreview").write_bytes(b"\x7fELF")
    (libraries / "libtorch.so").write_bytes(bytes(9 << 20))
    if os.name == "posix":
        (folder / "_internal" / "libtorch.so").symlink_to("torch/lib/libtorch.so")
    (folder / "_internal" / "größe.txt").write_text("ä", encoding="utf-8")
    return folder


@pytest.fixture
def whole(program):
    write_manifest(program, flavour="cpu")
    return program


def test_what_was_just_built_is_whole(whole):
    state = check(whole)
    assert state.is_whole
    assert (state.origin, state.flavour, state.version) == (Origin.FROZEN, "cpu", __version__)
    assert state.files == len(json.loads((whole / MANIFEST).read_text("utf-8"))["files"])
    assert installation.flavour(whole) == "cpu"
    assert 9 << 20 < state.bytes < 10 << 20  # what links lead to is there once


def test_the_same_program_gives_the_same_manifest(whole):
    first = (whole / MANIFEST).read_bytes()
    os.utime(whole / "mmreview", (0, 0))
    assert write_manifest(whole, flavour="cpu").read_bytes() == first
    assert b"size.txt" not in first
    assert MANIFEST.as_posix().encode() not in first


def test_a_byte_a_gap_and_a_stranger_are_named(whole):
    library = whole / "_internal" / "torch" / "lib" / "libtorch.so"
    with library.open("r+b") as file:
        file.seek(5 << 20)
        file.write(b"\x01")
    (whole / "_internal" / "größe.txt").unlink()
    (whole / "_internal" / "evil.so").write_bytes(b"x")
    (whole / "unins000.exe").write_bytes(b"the installer's own")
    state = check(whole)
    assert not state.is_whole
    assert "_internal/torch/lib/libtorch.so" in state.changed
    assert state.missing == ("_internal/größe.txt",)
    assert state.unexpected == ("_internal/evil.so",)


def test_a_copy_that_resolves_links_is_the_same_program(whole, tmp_path):
    link = whole / "_internal" / "libtorch.so"
    if not link.is_symlink():
        pytest.skip("this system makes no links here")
    target = link.resolve().read_bytes()
    link.unlink()
    link.write_bytes(target)
    assert check(whole).is_whole


def test_progress_is_told_and_can_be_left(whole):
    steps = []
    check(whole, steps.append)
    assert len(steps) > 2
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done <= steps[-1].total
    work = checking(whole)
    next(work)
    work.close()


def test_a_program_without_a_manifest_says_so(program, whole):
    (whole / MANIFEST).write_text("{")
    assert check(whole).origin is Origin.UNLISTED
    assert installation.flavour(whole) == ""


def test_a_macos_bundle_is_left_to_its_signature(tmp_path):
    assert check(tmp_path / "mmreview.app" / "Contents" / "MacOS").origin is Origin.BUNDLE


def test_the_source_tree_has_nothing_to_check():
    state = check()
    assert state.origin is Origin.SOURCE
    assert Path(state.folder) == Path(installation.__file__).parent


def report(work):
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.fixture
def light_diagnosis(monkeypatch):
    """A diagnosis that does not wait for the model's libraries."""
    monkeypatch.setattr(diagnosis, "_model", lambda problems: {})


def test_doctor_says_that_a_frozen_program_is_whole(whole, monkeypatch, light_diagnosis):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(whole / "mmreview"))
    found = report(diagnosis.diagnose())
    assert found["installation"]["whole"] is True
    assert "complete and unchanged" in diagnosis.diagnosis_text(found)
    assert json.dumps(found)
    (whole / "mmreview").write_bytes(b"\x7fELG")
    found = report(diagnosis.diagnose())
    text = diagnosis.diagnosis_text(found)
    assert "complete and unchanged" not in text
    assert "not what was built (mmreview)" in text
    assert found["installation"]["changed"] == ("mmreview",)
    assert any("Install mmreview again" in problem for problem in found["problems"])


def test_doctor_says_that_it_runs_from_source(light_diagnosis):
    found = report(diagnosis.diagnose())
    assert found["installation"]["origin"] == "source"
    assert "from source" in diagnosis.diagnosis_text(found)
