"""A diagnosis of which exactly one holds, from the schema file to the export, by the commands."""

import json
import math

import pytest

from tests.program import run, said

SCHEMA = """
name: chest
findings: [{name: Effusion}, {name: Normal}, {name: COVID-19}, {name: Edema}, {name: Left},
           {name: Right}]
one_of: [{name: Diagnosis, findings: [Normal, COVID-19, Edema]}]
at_most_one: [{name: Side, findings: [Left, Right]}]
"""
WORDS = {
    "Normal": "The lungs are clear. Heart size is normal. No acute disease.",
    "COVID-19": "Bilateral peripheral ground glass opacities, typical of viral pneumonia.",
    "Edema": "Enlarged heart with vascular congestion and interstitial edema.",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("groups")
    (folder / "schema.yaml").write_text(SCHEMA)
    rows = []
    for n in range(60):
        name = list(WORDS)[n % 3]
        side = ("Left", "Right", None)[n // 3 % 3]
        report = f"Patient {n}. {WORDS[name]}" + (f" Effusion {side.lower()}." if side else "")
        states = {name: "present", "Effusion": "present" if side else "absent"}
        states |= {side: "present"} if side else {"Left": "absent", "Right": "absent"}
        rows.append({"id": f"c{n}", "report": report, "labels": states, "patient_id": f"p{n}"})
    rows.append({"id": "two", "report": "x", "labels": ["Normal", "Edema"]})
    rows.append({"id": "none", "report": "x", "labels": [], "labels_complete": True})
    rows.append({"id": "open", "report": WORDS["Edema"] + " Effusion left."})
    manifest = folder / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said("init", folder / "p", "--schema", folder / "schema.yaml")
    imported = said("import", folder / "p", manifest, code=1)
    assert (imported["added"], len(imported["problems"])) == (61, 2)
    said("train", folder / "p")
    return folder / "p"


def test_opinions_of_a_diagnosis_add_up(project):
    out = project.parent / "predictions.jsonl"
    said("predict", project, "--out", out)
    for line in out.read_text().splitlines():
        findings = json.loads(line)["findings"]
        for finding in findings.values():
            total = math.fsum(v for v in finding["contributions"].values() if v is not None)
            assert finding["fused"] == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-9)
        for opinion in ("fused", "text"):
            chances = [findings[name][opinion] for name in WORDS]
            assert sum(chances) == pytest.approx(1, abs=1e-9)
            assert 0 < findings["Left"][opinion] + findings["Right"][opinion] < 1


def test_evaluate_tells_the_classes(project):
    rows = said("evaluate", project, "--folds", "3")["exclusive"]
    assert {row["group"] for row in rows} == {"Diagnosis", "Side"}
    fused = next(r for r in rows if (r["group"], r["opinion"]) == ("Diagnosis", "fused"))
    assert fused["accuracy"] > 0.8
    assert sum(map(sum, fused["confusion"])) >= 50
    _, table, _ = run("evaluate", project, "--folds", "3")
    assert "none of them" in table
    assert "Diagnosis, fused" in table


def test_one_command_sets_the_group_and_the_export_tells_it(project):
    changed = said("correct", project, "open", "Edema", "present", "--reader", "Ada")
    assert changed["implied"] == {"Normal": "absent", "COVID-19": "absent"}
    code, out, _ = run("correct", project, "open", "Left", "present", "--reader", "Ada")
    assert code == 0
    assert len(out.strip().splitlines()) == 1
    assert "so absent: Right" in out
    exported = project.parent / "labels.jsonl"
    said("export", project, exported, "--format", "jsonl")
    rows = {row["id"]: row for row in map(json.loads, exported.read_text().splitlines())}
    assert rows["open"]["labels"] == {
        "Normal": "absent", "COVID-19": "absent", "Edema": "present", "Left": "present",
        "Right": "absent",
    }
    assert rows["open"]["groups"] == {"Diagnosis": "Edema", "Side": "Left"}
    assert said("verify", project)["ok"] is True
    # What the reader says fits the report: nothing is lost by learning it. (*Left* of a report that
    # names no side would cost ten times as much, cold or warm, and be refused.)
    round_two = said("train", project)
    assert round_two["version"] == 2
    assert round_two["gate"]["accepted"] is True
    assert round_two["gate"]["cases"] >= 50
    assert abs(round_two["gate"]["log_loss_difference"]) < 0.002
