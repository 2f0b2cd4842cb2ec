"""Exports of real projects: whole or not at all, harmless to spreadsheets, outside the project."""

import csv
import json
from contextlib import contextmanager

import pytest

from mmreview.compose import furnish
from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import (
    Basis,
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)
from mmreview.domain.reads import Correction
from mmreview.services.exporting import NOTICE
from mmreview.store.engine import create_store
from tests.fakes import FakeAcquisition, FakeFeatures, FakeLikeness, FakeTrainer, draft

SCHEMA = FindingSchema("s", (Finding("Edema"), Finding("=HYPERLINK(1)")))


@contextmanager
def desk_of(folder, cases=3):
    store = create_store(folder, SCHEMA)
    store.cases.upsert([draft(n, labels={"Edema": State.PRESENT}) for n in range(1, cases + 1)])
    desk = furnish(
        store, features=FakeFeatures(), trainer=FakeTrainer(), likeness=FakeLikeness(),
        acquisition=FakeAcquisition(),
    )
    try:
        yield desk
    finally:
        desk.close()


def export(desk, out, format="jsonl"):
    work = desk.exporting.export(out, format=format)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def correct(desk, key, finding, state, reader, **fields):
    desk.reviewing.correct(
        Correction(case_key=key, finding=finding, state=state, reader=reader, **fields)
    )


def test_a_line_holds_labels_basis_and_every_event_with_reader_and_time(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        correct(desk, 1, "Edema", State.ABSENT, "Ada", basis=Basis.IMAGE)
        correct(desk, 1, "Edema", State.UNCERTAIN, "Ben")
        desk.reviewing.undo("Ben")
        desk.reviewing.commit_read(1, reader="Ada")
        out = tmp_path / "o.jsonl"
        assert export(desk, out) == 3
    first, second, _ = map(json.loads, out.read_text().splitlines())
    assert first["labels"] == {"Edema": "absent"}
    assert first["basis"] == {"Edema": "image"}
    assert first["readers"] == {"Edema": "Ada"}
    assert [(e["kind"], e["reader"]) for e in first["events"]] == [
        ("correction", "Ada"), ("correction", "Ben"), ("undo", "Ben"), ("read_committed", "Ada"),
    ]
    assert all(event["at"].endswith("Z") for event in first["events"])
    assert second["readers"] == {"Edema": "import"}
    assert second["events"] == []
    assert first["notice"] == second["notice"] == NOTICE


def test_a_spreadsheet_runs_nothing_of_it(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        correct(desk, 1, "Edema", State.ABSENT, "=cmd|'/c calc'!A1")
        export(desk, tmp_path / "o.csv", "csv")
    with (tmp_path / "o.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    assert "'=HYPERLINK(1)" in cells


@pytest.mark.parametrize(
    "place", ["project.sqlite", "images/x.jsonl", "new.jsonl", "../p.mmreview"]
)
def test_nothing_is_written_into_the_project(tmp_path, place):
    with desk_of(tmp_path / "p.mmreview") as desk:
        folder = desk.info.folder
        before = (folder / "project.sqlite").read_bytes()
        with pytest.raises(MmreviewError) as refused:
            export(desk, folder / place)
        assert refused.value.code == "error.out_inside_project"
        assert (folder / "project.sqlite").read_bytes() == before
        assert export(desk, tmp_path / "o.jsonl") == 3


def test_an_export_that_is_cancelled_or_fails_leaves_what_was_there(tmp_path, monkeypatch):
    out = tmp_path / "o.jsonl"
    out.write_text("before")
    with desk_of(tmp_path / "p.mmreview") as desk:
        work = desk.exporting.export(out, format="jsonl")
        next(work)
        work.close()
        assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["o.jsonl"]

        def full(_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as disk:
            disk.setattr("os.fsync", full)
            with pytest.raises(MmreviewError) as refused:
                export(desk, out)
    assert refused.value.params["detail"] == "No space left on device"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["o.jsonl"]
    assert out.read_text() == "before"


def test_a_folder_or_a_device_is_not_replaced(tmp_path):
    with desk_of(tmp_path / "p.mmreview") as desk:
        (tmp_path / "folder").mkdir()
        for out in (tmp_path / "folder", tmp_path / "none" / "o.jsonl"):
            with pytest.raises(MmreviewError) as refused:
                export(desk, out)
            assert refused.value.code == "error.export_failed"


def test_labels_of_a_group_and_what_was_implied_are_exported(tmp_path):
    names = ("Mild", "Severe", "Edema")
    group = ExclusiveGroup("Severity", Exclusivity.ONE_OF, ("Mild", "Severe"))
    schema = FindingSchema("g", tuple(Finding(name) for name in names), (group,))
    store = create_store(tmp_path / "p.mmreview", schema)
    store.cases.upsert([draft(1)])
    desk = furnish(
        store, features=FakeFeatures(), trainer=FakeTrainer(), likeness=FakeLikeness(),
        acquisition=FakeAcquisition(),
    )
    correct(desk, 1, "Severe", State.PRESENT, "Ada")
    assert export(desk, tmp_path / "o.jsonl") == export(desk, tmp_path / "o.csv", "csv") == 1
    desk.close()
    [line] = map(json.loads, (tmp_path / "o.jsonl").read_text().splitlines())
    assert line["labels"] == {"Mild": "absent", "Severe": "present"}
    assert line["groups"] == {"Severity": "Severe"}
    assert [(e["finding"], e.get("implied_by")) for e in line["events"]] == [
        ("Mild", "Severe"), ("Severe", None),
    ]
    [row] = csv.DictReader((tmp_path / "o.csv").read_text(encoding="utf-8").splitlines())
    assert (row["Mild"], row["Severe"], row["Edema"]) == ("absent", "present", "unset")
