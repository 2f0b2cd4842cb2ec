"""The command line is a contract: verbs, JSON on stdout, progress on stderr, exit codes 0, 1, 2."""

import json
import math
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmreview.cli import cli


def run(*words):
    """(exit code, stdout, stderr) of one command."""
    found = CliRunner().invoke(cli, [str(word) for word in words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


def said(*words):
    """The JSON that a command printed, having ended well."""
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_case_is_corrected_and_the_trail_holds(demo):
    case = said("queue", demo, "--top", 1)[0]["case"]
    code, out, _ = run("correct", demo, case, "edema", "present", "--reader", "Ada", "--basis",
                       "image")
    assert code == 0
    assert len(out.strip().splitlines()) == 1
    exported = demo.parent / "labels.jsonl"
    assert said("export", demo, exported, "--format", "jsonl")["cases"] > 40
    rows = {row["id"]: row for row in map(json.loads, exported.read_text().splitlines())}
    assert rows[case]["labels"]["Edema"] == "present"
    assert rows[case]["basis"]["Edema"] == "image"
    [event] = [e for e in rows[case]["events"] if e["kind"] == "correction"]
    assert (event["reader"], event["before"], event["after"]) == ("Ada", "unset", "present")
    assert "not for diagnosis" in rows[case]["notice"]
    assert said("verify", demo)["ok"] is True


def test_predictions_say_every_opinion_and_an_exact_sum(demo):
    out = demo.parent / "predictions.jsonl"
    assert said("predict", demo, "--out", out)["cases"] > 40
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    absent = {"image": 0, "text": 0}
    for row in rows:
        assert row["version"] == 1
        for finding in row["findings"].values():
            for modality in absent:
                absent[modality] += finding[modality] is None
            if finding["fused"] is None:
                continue
            total = math.fsum(v for v in finding["contributions"].values() if v is not None)
            assert finding["fused"] == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-6)
            if finding["text"] is None and finding["image"] is not None:
                assert finding["fused"] == pytest.approx(finding["image"], abs=1e-9)
                assert finding["conflict"] is None
    assert absent["image"]
    assert absent["text"]


def test_a_round_of_training_makes_a_version_that_can_be_rolled_back(demo):
    for case in [entry["case"] for entry in said("queue", demo, "--top", 6)]:
        for finding, state in (("Edema", "present"), ("Pleural Effusion", "absent")):
            assert run("correct", demo, case, finding, state, "--reader", "Ada")[0] == 0
    trained = said("train", demo, "--seed", 1)
    assert trained["version"] == 2
    assert trained["role"] in ("champion", "refused")
    assert trained["gate"]["reason"].startswith("gate.")
    versions = said("versions", demo)
    assert [v["id"] for v in versions] == [1, 2]
    assert versions[1]["parent"] == 1
    if trained["role"] == "refused":
        said("promote", demo, 2, "--reader", "Ada")
    said("rollback", demo, "--reader", "Ada")
    roles = {v["id"]: v["role"] for v in said("versions", demo)}
    assert roles[1] == "champion"
    assert said("verify", demo)["ok"] is True


def test_training_the_same_snapshot_twice_gives_the_same_bytes(demo, made_demo, tmp_path):
    twin = Path(shutil.copytree(made_demo, tmp_path / "twin.mmreview"))
    trained = [said("train", p, "--seed", 5, "--lambda", "manual:0.6") for p in (demo, twin)]
    assert trained[0]["version"] == trained[1]["version"] == 2
    assert trained[0]["sha256"] == trained[1]["sha256"]
    for name in ("model.safetensors", "card.json"):
        files = [p / "versions" / "00002" / name for p in (demo, twin)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_evaluation_reports_every_opinion_by_patient(demo):
    found = said("evaluate", demo, "--folds", 3)
    assert {row["opinion"] for row in found["rows"]} >= {"fused", "image", "text"}
    macro = {row["opinion"]: row for row in found["rows"] if row["finding"] == "macro"}
    for opinion in ("fused", "image", "text"):
        assert 0.0 <= macro[opinion]["auroc"] <= 1.0
        assert set(macro[opinion]) >= {"auroc", "ap", "f1", "recall", "accuracy", "ece"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("correct", "{demo}", "nobody", "Edema", "present"), "nobody"),
        (("correct", "{demo}", "{case}", "Gout", "present"), "Edema"),
        (("train", "{demo}", "--lambda", "manual:7"), "manual"),
        (("promote", "{demo}", "77"), "77"),
        (("queue", "{demo}", "--policy", "luck"), "priority"),
        (("export", "{demo}", "x.out", "--format", "xlsx"), "jsonl"),
        (("verify", "{demo}/nowhere"), "nowhere"),
        (("init", "{demo}"), "demo"),
        (("import", "{demo}", "{demo}/none.jsonl"), "none.jsonl"),
    ],
)
def test_a_refusal_is_exit_code_2_and_a_sentence_that_helps(demo, words, expected):
    case = said("queue", demo, "--top", 1)[0]["case"]
    code, out, err = run(*(word.format(demo=demo, case=case) for word in words))
    assert code == 2
    assert expected in err
    assert "Traceback" not in out + err
    assert len(err.strip().splitlines()[-1].split()) > 3


def test_bad_rows_are_named_and_the_rest_goes_in(demo):
    manifest = demo.parent / "more.jsonl"
    manifest.write_text(
        '{"id": "good", "report": "FINDINGS: Clear lungs.", "labels": {"Edema": "absent"}}\n'
        '{"id": "bad", "report": "x", "labels": ["Gout"]}\n'
        "{broken\n"
    )
    code, out, err = run("import", demo, manifest, "--json")
    found = json.loads(out)
    assert code == 1
    assert (found["added"], found["problem_count"]) == (1, 2)
    assert [p["line"] for p in found["problems"]] == [2, 3]
    assert "Gout" in err
    again = json.loads(run("import", demo, manifest, "--json")[1])
    assert (again["added"], again["updated"], again["unchanged"]) == (0, 0, 1)


def test_verify_names_a_changed_image_and_a_changed_event(demo):
    image = next(path for path in (demo / "images").rglob("*") if path.is_file())
    image.write_bytes(image.read_bytes() + b"x")
    with sqlite3.connect(demo / "project.sqlite") as database:
        triggers = database.execute("select name from sqlite_master where type='trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f'drop trigger "{name}"')
        database.execute("update events set actor='Eve' where seq=1")
    database.close()
    code, out, _ = run("verify", demo, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["ok"] is False
    codes = {problem["code"] for problem in found["problems"]}
    assert "verify.image_changed" in codes
    assert any(code.startswith("verify.") and code != "verify.image_changed" for code in codes)


def test_doctor_finds_device_encoders_and_resources():
    code, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert code == 0, found["problems"]
    assert found["packages"]["torch"]
    assert found["model"]["device"]
    assert found["model"]["device_kind"] in ("cpu", "cuda")


def test_a_bare_project_says_what_is_missing(tmp_path):
    project = tmp_path / "empty.mmreview"
    assert run("init", project)[0] == 0
    code, _, err = run("predict", project)
    assert code == 2
    assert "mmreview train" in err
    code, _, err = run("train", project)
    assert code == 2
    assert any(word.isdigit() for word in err.replace(".", " ").split())
