import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmreview.demo.cohort import PREVALENCE, demo_schema, plan_cohort, write_cohort
from mmreview.demo.darkroom import mark_box
from mmreview.demo.lesions import DEVICES
from mmreview.domain.progress import Progress
from mmreview.formats import open_source


def made(folder: Path, *, cases: int, seed: int) -> tuple[Path, list[Progress]]:
    steps = []
    work = write_cohort(folder, cases=cases, seed=seed)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            return end.value, steps


def rows_of(manifest: Path) -> list[dict]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    manifest, steps = made(folder, cases=24, seed=5)
    return manifest, steps, rows_of(manifest)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first, _ = made(tmp_path / "a", cases=4, seed=9)
    second, _ = made(tmp_path / "b", cases=4, seed=9)

    assert first.read_bytes() == second.read_bytes()
    pictures = sorted((tmp_path / "a" / "images").iterdir())
    assert pictures
    for path in pictures:
        assert path.read_bytes() == (tmp_path / "b" / "images" / path.name).read_bytes()


def test_another_seed_gives_other_cases(tmp_path):
    first, _ = made(tmp_path / "a", cases=3, seed=1)
    second, _ = made(tmp_path / "b", cases=3, seed=2)

    reports = [{row.get("report") for row in rows_of(path)} for path in (first, second)]
    assert not (reports[0] & reports[1]) - {None}
    for row in rows_of(first):
        for name in row.get("images", ()):
            twin = tmp_path / "b" / name
            assert not twin.exists() or twin.read_bytes() != (tmp_path / "a" / name).read_bytes()


def test_progress_counts_every_case(cohort):
    _, steps, rows = cohort
    assert [step.done for step in steps] == list(range(1, len(rows) + 1))
    assert {(step.stage, step.total) for step in steps} == {("progress.draw", len(rows))}


def test_closing_the_work_leaves_no_manifest(tmp_path):
    work = write_cohort(tmp_path, cases=5, seed=0)
    next(work)
    work.close()
    assert not (tmp_path / "manifest.jsonl").exists()


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_prevalences_differ_and_hold(seed):
    plans = plan_cohort(cases=60, seed=seed)
    shares = {
        name: sum(plan.truth[name] for plan in plans) / len(plans) for name in PREVALENCE
    }
    for name, (wanted, _) in PREVALENCE.items():
        assert shares[name] == pytest.approx(wanted, abs=0.01)
    assert min(shares.values()) < 0.12
    assert max(shares.values()) >= 0.45


@pytest.mark.parametrize("seed", range(6))
def test_the_labelled_part_can_teach_every_finding(seed):
    plans = plan_cohort(cases=60, seed=seed)
    labelled = [plan for plan in plans if plan.labelled]
    assert 0.45 <= len(labelled) / len(plans) <= 0.5
    for name in PREVALENCE:
        positives = sum(plan.truth[name] for plan in labelled)
        assert 2 <= positives <= len(labelled) - 2


def test_some_lack_an_image_some_a_report_some_come_twice():
    plans = plan_cohort(cases=100, seed=4)
    assert sum(not plan.with_image for plan in plans) == 8
    assert sum(not plan.with_report for plan in plans) == 8
    assert all(plan.with_image or plan.with_report for plan in plans)
    assert 5 <= len(plans) - len({plan.patient for plan in plans}) <= 25
    assert 3 <= sum(plan.lateral for plan in plans) <= 15
    assert sum(bool(plan.contradicted) for plan in plans) == 9


def test_a_follow_up_is_of_the_same_person_and_later():
    plans = plan_cohort(cases=100, seed=4)
    pairs = [(a, b) for a, b in itertools.pairwise(plans) if a.patient == b.patient]
    assert pairs
    for first, second in pairs:
        assert (first.age, first.female) == (second.age, second.female)
        assert first.study_date < second.study_date
        assert second.previous_date == first.study_date


def test_a_contradicting_report_says_the_opposite_of_the_truth(cohort):
    turned = [row for row in cohort[2] if row["truth"]["contradicted"]]

    assert len(turned) == 2
    for row in turned:
        assert row["images"]
        assert row["report"]
        for finding in row["truth"]["contradicted"]:
            there = row["truth"]["findings"][finding]
            assert row["truth"]["report"][finding] == ("absent" if there else "present")


def test_other_reports_never_assert_what_is_not_there(cohort):
    for row in cohort[2]:
        for finding, stance in row["truth"]["report"].items():
            if finding not in row["truth"]["contradicted"]:
                there = row["truth"]["findings"][finding]
                assert stance in (("present", "uncertain", "omitted") if there else
                                  ("absent", "uncertain", "omitted"))


def test_labels_are_the_truth_and_complete(cohort):
    labelled = [row for row in cohort[2] if "labels" in row]
    assert labelled
    assert len(labelled) < len(cohort[2])
    for row in labelled:
        truth = {
            name: "present" if there else "absent"
            for name, there in row["truth"]["findings"].items()
        }
        assert row["labels"] == truth
        assert row["labels_complete"] is True


def test_the_importer_reads_every_row(cohort):
    manifest, _, rows = cohort
    schema = demo_schema()
    read = list(open_source(manifest, format="auto").rows())

    assert len(read) == len(rows)
    for row, source in zip(rows, read, strict=True):
        assert source.problem is None
        assert source.id == row["id"]
        assert source.images == tuple(row.get("images", ()))
        assert len(source.views) == len(source.images)
        assert source.patient_id.startswith("SYN-")
        assert source.metadata["synthetic"] is True
        assert set(source.metadata["truth"]["findings"]) == set(schema.names)
        assert set(source.labels or {}) <= set(schema.names)


def test_synthetic_is_burnt_into_every_picture_below_the_anatomy(cohort):
    manifest, _, rows = cohort
    strips = []
    for row in rows:
        for name in row.get("images", ()):
            with Image.open(manifest.parent / name) as picture:
                assert picture.mode == "L"
                assert 700 <= picture.width <= 1024
                assert picture.height == 960
                grey = np.asarray(picture)
            left, top, right, bottom = mark_box(*grey.shape[::-1])
            strip = grey[top:bottom, left:right]
            middle = strip[:, strip.shape[1] // 2 - 70 : strip.shape[1] // 2 + 70]
            assert (middle > 180).sum() > 300, "letters"
            assert strip[:, :200].max() < 40, "nothing but the mark in the strip"
            strips.append((middle > 128).sum())
    assert np.std(strips) < 0.05 * np.mean(strips)


def test_lesions_lie_where_the_metadata_says(cohort):
    manifest, _, rows = cohort
    seen = 0
    for row in rows:
        if not row.get("images"):
            assert row["truth"]["positions"] == {}
            continue
        with Image.open(manifest.parent / row["images"][0]) as picture:
            width, height = picture.size
        present = {name for name, there in row["truth"]["findings"].items() if there}
        assert set(row["truth"]["positions"]) == present
        for x, y, radius in row["truth"]["positions"].values():
            assert 0 < x < width
            assert 0 < y < height
            assert 5 < radius < width / 2
            seen += 1
    assert seen > 10


def test_the_schema_is_a_part_of_chexpert_and_can_be_taught():
    schema = demo_schema()
    assert 8 <= len(schema.names) <= 10
    assert DEVICES in schema
    assert all(finding.abbreviation and finding.phrases for finding in schema.findings)
