"""Imports into a project that is held in memory: what goes in, what is refused, what resumes."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmreview.domain.cases import Case, Partition
from mmreview.domain.errors import CaseNotFound, WriteFailed
from mmreview.domain.findings import (
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)
from mmreview.domain.ports import UpsertCounts
from mmreview.domain.reads import Event, EventKind
from mmreview.formats import open_source
from mmreview.imaging.decoding import probe
from mmreview.services import image_shelf, importing
from mmreview.services.importing import Importing, ImportOptions
from mmreview.translation import catalogue

SCHEMA = FindingSchema("small", (Finding("Edema"), Finding("Mass"), Finding("Rib")))


class Cases:
    """A case store in memory that counts its transactions."""

    schema = SCHEMA

    def __init__(self):
        self.drafts = {}
        self.batches = []
        self.fail_after = None

    def fingerprints(self, ids):
        return {i: self.drafts[i].fingerprint for i in ids if i in self.drafts}

    def partitions(self, groups):
        return {d.group: d.partition for d in self.drafts.values() if d.group in groups}

    def find(self, case_id):
        if case_id not in self.drafts:
            raise CaseNotFound(case=case_id)
        draft = self.drafts[case_id]
        return Case(
            key=1, id=draft.id, group=draft.group, partition=draft.partition,
            images=draft.images, report=draft.report,
        )

    def upsert(self, drafts):
        if self.fail_after is not None and len(self.batches) >= self.fail_after:
            raise WriteFailed(detail="disk full")
        assert len({draft.id for draft in drafts}) == len(drafts)
        known = [self.drafts.get(draft.id) for draft in drafts]
        same = sum(
            old is not None and old.fingerprint == new.fingerprint
            for old, new in zip(known, drafts, strict=True)
        )
        added = sum(old is None for old in known)
        self.drafts.update({draft.id: draft for draft in drafts})
        self.batches.append([draft.id for draft in drafts])
        return UpsertCounts(added, len(drafts) - added - same, same)


class Events:
    def __init__(self):
        self.made = []

    def append(self, event):
        self.made.append(event)
        return Event(len(self.made), event.kind, event.actor, "", "", 0, "", "{}", "", "")


class Preferences(dict):
    def set(self, name, value):
        self[name] = value


class World:
    """A project folder, a manifest folder and an importer between them."""

    def __init__(self, folder):
        self.project = folder / "p.mmreview"
        self.project.mkdir()
        self.root = folder / "source"
        self.root.mkdir()
        self.cases, self.events, self.preferences = Cases(), Events(), Preferences(seed=5)
        self.probed = []
        self.steps = []

    def image(self, name, value=0, *, shape=(8, 10)):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(shape, value, np.uint8)).save(path)
        return path

    def manifest(self, *rows, name="m.jsonl"):
        path = self.root / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def begin(self, source, *, reference=False, labels_complete=False):
        def probe_and_note(path):
            self.probed.append(path)
            return probe(path)

        service = Importing(
            cases=self.cases, events=self.events, preferences=self.preferences,
            folder=self.project, probe=probe_and_note,
        )
        reader = open_source(source, labels_complete=labels_complete)
        return service.run(reader, options=ImportOptions(reference=reference), actor="ann")

    def run(self, source, **options):
        work = self.begin(source, **options)
        self.steps = []
        try:
            while True:
                self.steps.append(next(work))
        except StopIteration as end:
            return end.value

    def files(self):
        return {p for p in (self.project / "images").rglob("*") if p.is_file()}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def counts(report):
    return report.added, report.updated, report.unchanged, report.problem_count


def test_a_row_becomes_a_case(world):
    one, two = world.image("a.png", 1), world.image("sub/b.PNG", 2, shape=(6, 4))
    report = world.run(
        world.manifest(
            {"id": "c", "images": ["a.png", "sub/b.PNG"], "report": "Größe", "patient_id": "p",
             "view": ["PA", "LL"], "labels": {"edema": "present", "MASS": "uncertain"},
             "accession": "A", "study_date": "2020", "sex": "F"}
        )
    )
    assert counts(report) == (1, 0, 0, 0)
    draft = world.cases.drafts["c"]
    shas = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, two)]
    assert [i.sha256 for i in draft.images] == shas
    assert [i.path for i in draft.images] == [f"images/{s[:2]}/{s}.png" for s in shas]
    assert [(i.width, i.height, i.view) for i in draft.images] == [(10, 8, "PA"), (4, 6, "LL")]
    assert (world.project / draft.images[1].path).read_bytes() == two.read_bytes()
    assert draft.report_sha256 == hashlib.sha256("Größe".encode()).hexdigest()
    assert draft.labels == {"Edema": State.PRESENT, "Mass": State.UNCERTAIN}
    assert (draft.group, draft.patient_id, draft.accession) == ("p", "p", "A")
    assert draft.metadata == {"sex": "F"}
    assert len(world.files()) == 2  # nothing half written beside them


def test_clinical_values_make_a_modality_and_what_is_not_believed_is_named(world):
    source = world.manifest(
        {"id": "a", "report": "x", "age": "old", "spo2": 91},
        {"id": "b", "report": "x", "temperature": 101.3},
        {"id": "c", "report": "x", "ward": "3"},
    )
    for again in (False, True):
        report = world.run(source)
        assert counts(report) == ((0, 0, 3, 2) if again else (3, 0, 0, 2))
        said = [(p.code, p.params["line"], p.params["case"]) for p in report.problems]
        assert said == [
            ("import.clinical_unreadable", 1, "a"), ("import.clinical_out_of_range", 2, "b")
        ]
        assert {p.code for p in report.problems} <= catalogue("en").keys()
    assert world.preferences["clinical"] is True
    assert world.cases.drafts["a"].metadata == {"age": "old", "spo2": 91}


def test_a_project_without_believable_values_has_no_such_modality(world):
    world.run(world.manifest({"id": "b", "report": "x", "temperature": 101.3, "ward": "3"}))
    assert "clinical" not in world.preferences


def test_labels_are_absent_only_where_the_list_is_complete(world):
    path = world.manifest(
        {"id": "a", "report": "r", "labels": ["Mass"]},
        {"id": "b", "report": "r", "labels": ["Mass"], "labels_complete": True},
        {"id": "c", "report": "r", "labels": []},
        {"id": "d", "report": "r"},
        {"id": "e", "report": "r", "labels": {"Rib": None}, "labels_complete": True},
    )
    world.run(path)
    labels = {name: draft.labels for name, draft in world.cases.drafts.items()}
    present, absent = State.PRESENT, State.ABSENT
    assert labels["a"] == {"Mass": present}
    assert labels["b"] == {"Edema": absent, "Mass": present, "Rib": absent}
    assert labels["c"] == labels["d"] == {}
    assert labels["e"] == {"Edema": absent, "Mass": absent}
    report = world.run(path, labels_complete=True)
    assert counts(report) == (0, 2, 3, 0)  # a and c; d says nothing of labels at all
    assert world.cases.drafts["a"].labels == labels["b"]
    assert world.cases.drafts["c"].labels == dict.fromkeys(SCHEMA.names, absent)
    assert world.cases.drafts["d"].labels == {}


def test_importing_twice_adds_nothing_and_opens_no_image(world):
    for n in range(3):
        world.image(f"{n}.png", n)
    path = world.manifest(*({"id": str(n), "image": f"{n}.png"} for n in range(3)))
    assert counts(world.run(path)) == (3, 0, 0, 0)
    before = {p: p.stat().st_mtime_ns for p in world.files()}
    world.probed.clear()
    assert counts(world.run(path)) == (0, 0, 3, 0)
    assert not world.probed
    assert {p: p.stat().st_mtime_ns for p in world.files()} == before
    assert len(world.cases.batches) == 1


def test_changed_rows_and_changed_images_update(world):
    world.image("a.png", 1)
    world.image("b.png", 2)
    rows = [{"id": name, "image": f"{name}.png"} for name in "ab"] + [{"id": "c", "report": "x"}]
    world.run(world.manifest(*rows))
    old = world.cases.drafts["b"].images[0].sha256
    world.image("b.png", 200)
    rows[2]["report"] = "y"
    assert counts(world.run(world.manifest(*rows))) == (0, 2, 1, 0)
    assert world.cases.drafts["b"].images[0].sha256 != old
    assert world.cases.drafts["c"].report == "y"


def test_a_lost_image_of_the_project_is_copied_again(world):
    world.image("a.png")
    path = world.manifest({"id": "a", "image": "a.png"})
    world.run(path)
    [kept] = world.files()
    kept.unlink()
    assert counts(world.run(path)) == (0, 0, 1, 0)
    assert world.files() == {kept}


def test_equal_images_are_kept_once(world):
    world.image("a.png", 7)
    world.image("b.png", 7)
    world.run(world.manifest({"id": "a", "image": "a.png"}, {"id": "b", "image": "b.png"}))
    assert len(world.files()) == 1


def bad_rows(world):
    world.image("good.png")
    (world.root / "empty.png").touch()
    (world.root / "text.png").write_text("no image")
    whole = world.image("whole.png", shape=(200, 200)).read_bytes()
    (world.root / "cut.png").write_bytes(whole[: len(whole) // 2])
    world.image("../outside.png")
    (world.root / "link.png").symlink_to(world.root.parent / "outside.png")
    (world.root / "loop.png").symlink_to(world.root / "loop.png")
    return {
        "import.image.missing": {"image": "none.png"},
        "import.image.empty": {"image": "empty.png"},
        "import.image.not_an_image": {"image": "text.png"},
        "import.image.damaged": {"images": ["good.png", "cut.png"]},
        "import.image.outside": {"image": "../outside.png"},
        "import.image.outside ": {"image": "link.png"},
        "import.image.outside  ": {"image": str(world.root.parent / "outside.png")},
        "import.image.missing ": {"image": "loop.png"},
        "import.image.missing  ": {"image": "n" * 5000},
        "import.nothing_to_read": {"labels": ["Edema"]},
        "import.finding_not_found": {"report": "r", "labels": ["Tumour"]},
        "import.not_text": {"report": 5},
    }


def test_every_bad_row_is_named_and_the_rest_go_in(world):
    expected = bad_rows(world)
    rows = []
    for n, values in enumerate(expected.values()):
        rows += [{"id": f"bad{n}", **values}, {"id": f"good{n}", "image": "good.png"}]
    report = world.run(world.manifest(*rows))
    assert counts(report) == (len(expected), 0, 0, len(expected))
    found = list(report.problems)  # in the order of the rows, however they were found
    assert [p.code for p in found] == [code.strip() for code in expected]
    assert [p.params["line"] for p in found] == list(range(1, len(rows), 2))
    assert found[3].params["image"] == "cut.png"
    assert not any(name.startswith("bad") for name in world.cases.drafts)
    for problem in found:
        sentence = catalogue("en")[problem.code].format(**problem.params)
        assert str(problem.params["line"]) in sentence
    streamed = [problem for step in world.steps for problem in step.problems]
    assert sorted(streamed, key=lambda problem: problem.params["line"]) == found


def test_every_reason_of_the_decoder_has_a_sentence_for_rows():
    sentences = catalogue("en")
    reasons = [code for code in sentences if code.startswith("image.")]
    assert len(reasons) >= 7
    assert all(f"import.{code}" in sentences for code in reasons)


def test_the_second_row_with_an_id_is_a_problem(world):
    path = world.manifest({"id": "a", "report": "1"}, {"id": "b", "report": "2"},
                          {"id": "a", "report": "3"})
    report = world.run(path)
    assert counts(report) == (2, 0, 0, 1)
    [problem] = report.problems
    assert problem.code == "import.id_repeated"
    assert (problem.params["line"], problem.params["first"]) == (3, 1)
    assert world.cases.drafts["a"].report == "1"


def test_reference_leaves_images_in_place(world):
    outside = world.image("../elsewhere/a.png")
    path = world.manifest({"id": "a", "image": "../elsewhere/a.png"})
    assert counts(world.run(path, reference=True)) == (1, 0, 0, 0)
    [image] = world.cases.drafts["a"].images
    assert image.path == str(outside.resolve())
    assert not (world.project / "images").exists()
    assert counts(world.run(path, reference=True)) == (0, 0, 1, 0)


def test_images_are_looked_for_in_the_images_folder_and_with_either_slash(world):
    world.image("images/a.png")
    world.image("sub/b.png")
    report = world.run(
        world.manifest({"id": "a", "image": "a.png"}, {"id": "b", "image": "sub\\b.png"})
    )
    assert counts(report) == (2, 0, 0, 0)


# --- partitions -------------------------------------------------------------------------------


def test_partitions_follow_the_shares_and_keep_groups_together(world):
    rows = [{"id": f"{p}-{n}", "report": "r", "patient_id": f"p{p}"}
            for p in range(1500) for n in range(2)]
    world.run(world.manifest(*rows))
    drafts = world.cases.drafts.values()
    by_group = {}
    for draft in drafts:
        by_group.setdefault(draft.group, set()).add(draft.partition)
    assert all(len(found) == 1 for found in by_group.values())
    share = Counter(draft.partition for draft in drafts)
    assert 0.08 < share[Partition.AUDIT] / len(rows) < 0.12
    assert 0.035 < share[Partition.CONTROL] / len(rows) < 0.065


def test_the_draw_depends_on_the_seed_and_nothing_else(tmp_path):
    rows = [{"id": str(n), "report": "r"} for n in range(300)]

    def drawn(name, seed, rows):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        world.preferences["seed"] = seed
        world.run(world.manifest(*rows))
        return {name: draft.partition for name, draft in world.cases.drafts.items()}

    assert drawn("a", 1, rows) == drawn("b", 1, rows[::-1])
    assert drawn("c", 2, rows) != drawn("d", 1, rows)


def test_cases_and_groups_keep_their_partition_when_the_shares_change(world):
    world.preferences.update(audit_share=1.0)
    world.run(world.manifest({"id": "a", "report": "r", "split_group": "g"}))
    world.preferences.update(audit_share=0.0, control_share=0.0)
    world.run(
        world.manifest(
            {"id": "a", "report": "changed", "split_group": "other"},
            {"id": "b", "report": "r", "split_group": "other"},
        )
    )
    drafts = world.cases.drafts
    assert drafts["a"].partition is Partition.AUDIT
    assert drafts["b"].partition is Partition.AUDIT  # the group that "a" has moved to
    world.run(world.manifest({"id": "c", "report": "r", "patient_id": "g"},
                             {"id": "d", "report": "r", "patient_id": "new"}))
    assert drafts["d"].partition is Partition.TRAIN


def test_cases_that_turn_out_to_be_one_patient_come_into_one_partition(world):
    count = 300
    world.run(world.manifest(*({"id": str(n), "report": "r"} for n in range(count))))
    assert {d.partition for d in world.cases.drafts.values()} == set(Partition)
    # Later the patients are known: three cases each, some of them in other batches.
    world.run(
        world.manifest(
            *({"id": str(n), "report": "r", "patient_id": f"p{n % 100}"} for n in range(count))
        )
    )
    by_group = {}
    for draft in world.cases.drafts.values():
        by_group.setdefault(draft.group, set()).add(draft.partition)
    assert len(by_group) == 100
    assert all(len(found) == 1 for found in by_group.values())


def test_what_may_have_trained_does_not_come_to_audit_a_new_group(world):
    world.preferences.update(audit_share=1.0)
    world.run(world.manifest({"id": "a", "report": "r"}))
    world.preferences.update(audit_share=0.0, control_share=0.0)
    world.run(world.manifest({"id": "b", "report": "r"}))
    world.run(world.manifest(*({"id": i, "report": "r", "patient_id": "p"} for i in "ab")))
    assert {d.partition for d in world.cases.drafts.values()} == {Partition.TRAIN}


def test_a_new_case_of_a_known_group_joins_its_partition(world):
    world.preferences.update(audit_share=1.0)
    world.run(world.manifest({"id": "a", "report": "r", "patient_id": "g"}))
    world.preferences.update(audit_share=0.0, control_share=0.0)
    world.run(world.manifest({"id": "b", "report": "r", "split_group": "g"}))
    assert world.cases.drafts["b"].partition is Partition.AUDIT


def test_a_manifest_whose_name_is_no_text_is_imported_all_the_same(world):
    report = world.run(world.manifest({"id": "a", "report": "r"}, name="m\udcff.jsonl"))
    assert counts(report) == (1, 0, 0, 0)
    [event] = world.events.made
    assert event.payload["source"] == "m?.jsonl"


# --- cancel, kill, failure --------------------------------------------------------------------


def many(world, count):
    world.image("a.png")
    return world.manifest(*({"id": str(n), "image": "a.png"} for n in range(count)))


def test_batches_are_transactions_and_progress_counts_rows(world, monkeypatch):
    monkeypatch.setattr(importing, "_BATCH_ROWS", 10)
    report = world.run(many(world, 35))
    assert [len(batch) for batch in world.cases.batches] == [10, 10, 10, 5]
    assert counts(report) == (35, 0, 0, 0)
    assert all(step.stage == "progress.import" for step in world.steps)
    done = [step.done for step in world.steps]
    assert done == sorted(done) and (done[0], done[-1]) == (0, 35)
    assert world.steps[-1].total == 35


def test_cancelling_keeps_whole_batches_and_importing_again_goes_on(world, monkeypatch):
    monkeypatch.setattr(importing, "_BATCH_ROWS", 10)
    path = many(world, 35)
    work = world.begin(path)
    while next(work).done < 20:
        pass
    work.close()
    assert len(world.cases.drafts) == 20
    assert not world.events.made
    assert counts(world.run(path)) == (15, 0, 20, 0)
    [event] = world.events.made
    assert event.kind is EventKind.IMPORT_FINISHED


def test_slow_images_are_stored_and_shown_inside_a_batch(world, monkeypatch):
    monkeypatch.setattr(importing, "_BATCH_SECONDS", -1.0)
    monkeypatch.setattr(importing, "_STEP_SECONDS", -1.0)
    world.run(many(world, 5))
    assert [len(batch) for batch in world.cases.batches] == [1] * 5
    assert [step.done for step in world.steps] == [0, 1, 2, 3, 4, 5, 5, 5]


def test_a_full_disk_stops_the_import_with_what_is_in(world, monkeypatch):
    monkeypatch.setattr(importing, "_BATCH_ROWS", 10)
    world.cases.fail_after = 2
    path = many(world, 35)
    with pytest.raises(WriteFailed):
        world.run(path)
    assert len(world.cases.drafts) == 20 and not world.events.made
    world.cases.fail_after = None
    assert counts(world.run(path)) == (15, 0, 20, 0)


def test_an_image_that_cannot_be_written_is_not_half_there(world, monkeypatch):
    path = many(world, 1)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(image_shelf.os, "fsync", fail)
        with pytest.raises(WriteFailed) as caught:
            world.run(path)
    assert caught.value.params["detail"] == "No space left on device"
    assert not world.files() and not world.cases.drafts
    assert counts(world.run(path)) == (1, 0, 0, 0)


def test_what_a_kill_left_half_written_is_removed(world):
    left = world.project / "images" / ".incoming" / "x.png"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    world.run(many(world, 1))
    assert not left.exists()


def test_the_event_says_what_was_imported_without_patient_text(world):
    path = many(world, 2)
    world.run(path)
    [event] = world.events.made
    assert (event.kind, event.actor) == (EventKind.IMPORT_FINISHED, "ann")
    assert event.payload == {
        "source": "m.jsonl", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "reference": False, "added": 2, "updated": 0, "unchanged": 0, "problems": 0,
    }


def test_only_the_first_thousand_problems_are_kept_but_all_are_counted(world):
    report = world.run(world.manifest(*({"id": str(n)} for n in range(1200))))
    assert (report.problem_count, len(report.problems)) == (1200, 1000)
    assert sum(len(step.problems) for step in world.steps) == 1200


def test_tables_come_in_too(world):
    world.image("a.png")
    path = world.root / "t.csv"
    path.write_text("id,image,labels\n1,a.png,Edema\n2,a.png,Tumour\n")
    report = world.run(path)
    assert counts(report) == (1, 0, 0, 1)
    assert report.problems[0].params["line"] == 3


def test_rows_that_contradict_a_group_are_named_and_the_rest_is_completed(world):
    group = ExclusiveGroup("Which", Exclusivity.ONE_OF, ("Edema", "Mass"))
    world.cases.schema = FindingSchema("g", SCHEMA.findings, (group,))
    rows = [
        {"id": "both", "report": "x", "labels": ["Edema", "Mass"]},
        {"id": "none", "report": "x", "labels": ["Rib"], "labels_complete": True},
        {"id": "one", "report": "x", "labels": ["Mass"]},
        {"id": "open", "report": "x", "labels": {"Mass": "uncertain", "Rib": "present"}},
    ]
    report = world.run(world.manifest(*rows))
    assert counts(report) == (2, 0, 0, 2)
    assert [(p.code, p.params["line"], p.params["case"]) for p in report.problems] == [
        ("import.states_exclusive", 1, "both"), ("import.states_none", 2, "none"),
    ]
    assert all(catalogue("en")[p.code].format(**p.params) for p in report.problems)
    labels = {name: draft.labels for name, draft in world.cases.drafts.items()}
    assert labels == {
        "one": {"Edema": State.ABSENT, "Mass": State.PRESENT},
        "open": {"Mass": State.UNCERTAIN, "Rib": State.PRESENT},
    }


SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
def test_real_cases_come_in(world):
    world.cases.schema = FindingSchema("covid", ())
    with (SHARED / "covid_chestxray" / "pairs.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(40), file, strict=False)]
    for row in rows:
        row.pop("labels")
        (world.root / "images").mkdir(exist_ok=True)
        (world.root / row["image"]).symlink_to(SHARED.resolve() / "covid_chestxray" / row["image"])
    report = world.run(world.manifest(*rows), reference=True)
    assert counts(report) == (40, 0, 0, 0)
    assert all(d.images[0].width > 100 for d in world.cases.drafts.values())
