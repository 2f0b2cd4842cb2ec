"""Clinical values by the command line: from a manifest to opinions, and joining a project later."""

import json

import pytest

from tests.program import run as mmreview


def rows(*, values):
    made = []
    for number in range(60):
        ill = number % 2 == 0
        row = {
            "id": f"c{number:02d}",
            "report": f"FINDINGS: Study {number}. " + (
                "Heart is large." if number % 3 == 0 else "Nothing to add."
            ),
            "labels": {"Edema": "present" if ill else "absent"},
            "patient_id": f"p{number}",
        }
        if values and number % 6 != 5:
            row |= {"age": f"{30 + number:03d}Y", "SpO2": 86 + number % 4 if ill else "97 %"}
        made.append(row)
    if values:
        made[1]["temperature"] = 101.3  # °F that nobody named
    return made


def write(path, made):
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "p.mmreview"
    assert mmreview("init", folder)[0] == 0
    assert mmreview("import", folder, write(tmp_path / "m.jsonl", rows(values=False)))[0] == 0
    return folder


def predicted(folder):
    code, out, _ = mmreview("predict", folder)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def test_values_join_a_project_and_teach_a_version_of_their_own(project, tmp_path):
    assert mmreview("train", project)[0] == 0
    before = predicted(project)[0]["findings"]["Edema"]
    assert "clinical" not in before
    code, out, err = mmreview("import", project, write(tmp_path / "v.jsonl", rows(values=True)))
    assert code == 1  # one value is not believed; the rest is in
    assert "101.3" in out + err
    still = predicted(project)[0]["findings"]["Edema"]
    assert still.keys() == before.keys()
    assert mmreview("encode", project)[0] == 0
    assert mmreview("train", project)[0] == 0
    found = {row["id"]: row["findings"]["Edema"] for row in predicted(project)}
    ill, well = found["c00"], found["c01"]
    assert ill["clinical"] > 0.5 > well["clinical"]
    assert ill["contributions"]["clinical"] is not None
    assert found["c05"]["clinical"] is None  # it has none
    assert found["c05"]["fused"] is not None
    code, out, _ = mmreview("versions", project)
    assert code == 0
    assert "clinical" in out
