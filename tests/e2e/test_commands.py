"""The command line is a contract: verbs, JSON on stdout, progress on stderr, exit codes 0, 1, 2."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from mmreview.compose import ProjectOpener
from tests.program import COMMAND, run, said, sources_only


def test_a_case_is_corrected_and_the_trail_holds(demo):
    case = said("queue", demo, "--top", 1)[0]["case"]
    exported = demo.parent / "labels.jsonl"
    said("export", demo, exported, "--format", "jsonl")
    rows = {row["id"]: row for row in map(json.loads, exported.read_text().splitlines())}
    before = rows[case]["labels"].get("Edema", "unset")
    code, out, _ = run("correct", demo, case, "edema", "present", "--reader", "Ada", "--basis",
                       "image")
    assert code == 0
    assert len(out.strip().splitlines()) == 1
    assert said("export", demo, exported, "--format", "jsonl")["cases"] > 40
    rows = {row["id"]: row for row in map(json.loads, exported.read_text().splitlines())}
    assert rows[case]["labels"]["Edema"] == "present"
    assert rows[case]["basis"]["Edema"] == "image"
    [event] = [e for e in rows[case]["events"] if e["kind"] == "correction"]
    assert (event["reader"], event["before"], event["after"]) == ("Ada", before, "present")
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
            own = [finding[m] for m in ("image", "text", "clinical") if finding[m] is not None]
            if len(own) == 1:
                assert finding["fused"] == pytest.approx(own[0], abs=1e-9)
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


@pytest.fixture
def bare(tmp_path):
    """A project of one case, without a model."""
    project = tmp_path / "bäre pröject.mmreview"
    assert run("init", project, "--audit", 0, "--control", 0)[0] == 0
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"id": "a", "report": "Clear.", "labels": ["Edema"]}\n')
    assert run("import", project, manifest)[0] == 0
    return project


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("impotr", "{bare}", "x"), "import"),
        (("{bare}", "verify"), "mmreview verify"),
        (("zzz", "{bare}"), "export"),
        (("correct", "{bare}", "a", "Edema", "perhaps"), "not_assessable"),
        (("correct", "{bare}", "a", "Edema", "present", "--basis", "guess"), "report"),
        (("export", "{bare}"), "OUT"),
        (("verify", "{bare}", "--bogus"), "--bogus"),
        (("correct", "{bare}", "a", "Edema", "present", "--reader", "A\nB"), "plain text"),
        (("export", "{bare}", "{bare}/project.sqlite"), "outside"),
        (("export", "{bare}", "{bare}/../nowhere/x.jsonl"), "untouched"),
        (("export", "{bare}", "{bare}/.."), "directory"),
        (("export", "{bare}", "/dev/null"), "Could not write"),
        (("rollback", "{bare}"), "before it"),
        (("promote", "{bare}", "first"), "VERSION"),
    ],
)
def test_what_is_not_understood_is_refused_in_words_and_in_json(bare, words, expected):
    words = [word.format(bare=bare) for word in words]
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert expected in err
    code, out, _ = run(*words, "--json")
    assert code == 2
    assert json.loads(out)["error"]["message"]
    assert said("verify", bare)["ok"] is True


def test_predictions_do_not_go_where_they_cannot(demo):
    database = (demo / "project.sqlite").read_bytes()
    for out in (demo / "project.sqlite", demo.parent / "nowhere" / "p.jsonl", demo.parent):
        code, _, err = run("predict", demo, "--out", out)
        assert code == 2
        assert str(out) in err
    assert (demo / "project.sqlite").read_bytes() == database


def test_what_only_reads_works_beside_a_writer_and_says_so(demo):
    lines = run("predict", demo)[1]
    before = said("queue", demo, "--top", 3)
    writer = ProjectOpener(device="cpu").open(demo)
    try:
        code, out, err = run("predict", demo)
        assert (code, out) == (0, lines)
        assert "only read" in err
        assert said("queue", demo, "--top", 3) == before
        case = before[0]["case"]
        code, out, err = run("correct", demo, case, "Edema", "present", "--json")
        assert code == 2
        assert json.loads(out)["error"]["code"] == "error.project_locked"
        assert str(os.getpid()) in err
    finally:
        writer.close()


def test_an_audit_case_is_not_said_to_have_been_read_with_an_opinion(tmp_path, bare):
    manifest = tmp_path / "audit.jsonl"
    manifest.write_text('{"id": "b", "report": "Clear."}\n')
    with sqlite3.connect(bare / "project.sqlite") as database:
        database.execute("update preferences set value = '1.0' where name = 'audit_share'")
    database.close()
    said("import", bare, manifest)
    for case in "ab":
        said("correct", bare, case, "Edema", "absent", "--reader", "Ada")
    said("export", bare, tmp_path / "o.jsonl")
    rows = map(json.loads, (tmp_path / "o.jsonl").read_text().splitlines())
    found = {row["id"]: (row["partition"], row["events"][0]["stage"]) for row in rows}
    assert found == {"a": ("train", "model"), "b": ("audit", "report")}


def test_verify_names_a_database_that_cannot_be_opened(bare):
    with (bare / "project.sqlite").open("r+b") as file:
        file.truncate(5000)
    code, out, _ = run("verify", bare, "--json")
    assert code == 1
    [problem] = json.loads(out)["problems"]
    assert problem["code"] == "error.project_damaged"


def test_verify_names_each_problem_once(bare):
    assert run("correct", bare, "a", "Edema", "absent")[0] == 0
    with sqlite3.connect(bare / "project.sqlite") as database:
        database.execute("update corrections set state = 'present'")
    database.close()
    code, _, err = run("verify", bare)
    assert code == 1
    assert err.count("correction 3") == 1


@sources_only
def test_an_unexpected_error_is_a_refusal_without_patient_text(bare, tmp_path, monkeypatch):
    monkeypatch.setattr("mmreview.paths.logs_folder", lambda: tmp_path / "logs")

    def broken(*_, **__):
        raise RuntimeError("Mrs Miller, born 1950")

    monkeypatch.setattr("mmreview.services.reviewing.Reviewing.correct", broken)
    code, out, err = run("correct", bare, "a", "Edema", "absent", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "error.unexpected"
    logged = (tmp_path / "logs" / "mmreview.log").read_text()
    assert "RuntimeError at test_commands.py" in logged
    [report] = (tmp_path / "logs").glob("crash-*.txt")
    assert str(report) in err
    logged += report.read_text()
    assert "Miller" not in out + err + logged


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_is_utf8_for_programs_whatever_the_terminal_lacks(bare, encoding):
    words = ["correct", str(bare), "a", "Edema", "absent", "--reader", "Löve 王"]
    program = [*COMMAND, *words]
    surroundings = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(program, env=surroundings, capture_output=True, check=True)
    assert "Löve 王" in done.stdout.decode()
    assert "present → absent" in done.stdout.decode()
    done = subprocess.run(
        [*program, "--json"], env=surroundings, capture_output=True, check=True
    )
    assert json.loads(done.stdout.decode())["reader"] == "Löve 王"


def test_the_demo_never_goes_into_a_project_of_somebody(tmp_path):
    project = tmp_path / "mine.mmreview"
    assert run("init", project)[0] == 0
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"id": "mine", "report": "FINDINGS: Clear."}\n')
    assert run("import", project, manifest)[0] == 0
    code, _, err = run("demo", project, "--headless")
    assert code == 2
    assert "another folder" in err
    exported = tmp_path / "out.jsonl"
    assert said("export", project, exported)["cases"] == 1


def test_a_word_that_is_neither_verb_nor_project_opens_no_window(tmp_path):
    code, _, err = run("exprot")
    assert code == 2
    assert "export" in err
    code, _, err = run(tmp_path / "nosuch")
    assert code == 2
    assert "mmreview init" in err


def test_without_a_display_the_window_is_refused_in_words(demo, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = run(demo)
    assert code == 2
    assert "--screenshot" in err


def test_the_ending_of_the_file_says_which_format_is_meant(demo, tmp_path):
    said("export", demo, tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_text().startswith("id,patient_id,partition,")


def test_training_without_labels_is_refused_before_minutes_of_encoding(tmp_path):
    project = tmp_path / "bare.mmreview"
    assert run("init", project)[0] == 0
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"id": "a", "report": "FINDINGS: Clear."}\n')
    assert run("import", project, manifest)[0] == 0
    code, _, err = run("train", project)
    assert code == 2
    assert "--labels-complete" in err
    assert not list((project / "features").rglob("*.npy"))


def test_a_search_and_a_named_fusion_do_not_go_together(tmp_path):
    project = tmp_path / "p.mmreview"
    assert run("init", project)[0] == 0
    code, out, _ = run("train", project, "--search", "--fusion", "soft", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "error.search_with_fusion"
