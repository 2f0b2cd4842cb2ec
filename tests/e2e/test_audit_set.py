"""The audit set by the commands: drawn, read blind, never learned from, and told in one event."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from mmreview.compose import ProjectOpener
from mmreview.domain.cases import Partition
from tests import program
from tests.program import run, said


def refused(*words):
    return program.refused(*words)["message"]


@pytest.fixture
def rows(demo):
    """What an export says of each case."""

    def read(project=demo):
        out = project.parent / f"{project.name}.jsonl"
        said("export", project, out, "--format", "jsonl")
        return {row["id"]: row for row in map(json.loads, out.read_text().splitlines())}

    return read


def test_a_set_is_drawn_and_told(demo, rows):
    before = said("audit", demo)
    assert before["drawn"] is None
    assert before["proposal"]["cases"] >= 20
    after = said("audit", demo, "--draw", 4, "--reader", "Ada")
    assert after["drawn"]["cases"] >= 4
    assert after["cases"] == before["cases"] + after["drawn"]["cases"]
    assert after["eligible"] == before["eligible"] - after["drawn"]["cases"]
    audit = [row for row in rows().values() if row["partition"] == "audit"]
    assert len(audit) == after["cases"]
    assert said("verify", demo)["ok"] is True
    code, text, _ = run("audit", demo)
    assert code == 0
    assert f"{after['cases']} cases" in text


def test_what_cannot_be_drawn_is_a_sentence(demo):
    assert "import new cases" in refused("audit", demo, "--draw", 5000)
    assert "import new cases" in refused("audit", demo, "--refresh", "--draw", 5000)
    assert "precision" in refused("audit", demo, "--precision", 2)
    assert said("audit", demo)["number"] == 0


def test_criteria_are_shown_and_changed_with_one_event(demo, rows):
    assert said("gate", demo)["rules"]["require"] == "not_worse"
    changed = said(
        "gate", demo, "--delta", 0.02, "--require", "better", "--act-by", "Ada", "--reader", "Ben"
    )["rules"]
    assert (changed["delta"], changed["superior"]) == (0.02, True)
    assert (changed["act"], changed["reader"]) == (True, "Ada")
    assert said("gate", demo)["rules"] == changed
    assert "delta" in refused("gate", demo, "--delta", 9)
    assert "better" in refused("gate", demo, "--require", "perfect")
    code, text, _ = run("gate", demo)
    assert code == 0
    assert "0.02" in text
    desk = ProjectOpener(device="cpu").open(demo, read_only=True)
    events = [e for e in desk.events.events() if e.kind == "setting_changed"]
    desk.close()
    assert [(e.actor, e.data["after"]["delta"]) for e in events][-1] == ("Ben", 0.02)


def test_an_audit_case_is_never_learned_from_nor_shown_with_an_opinion(demo, rows):
    said("audit", demo, "--draw", 5)
    audit = sorted(row["id"] for row in rows().values() if row["partition"] == "audit")
    weights = []
    for flip, state in ((False, "present"), (True, "absent")):
        copy = demo.with_name(f"flipped-{flip}.mmreview")
        shutil.copytree(demo, copy)
        for case in audit:
            said("correct", copy, case, "Edema", state, "--reader", "Ada")
        said("train", copy, "--seed", 1)
        # Heads, calibration, fusion, λ, folds and pairs: all that a version is but its measures.
        weights.append((copy / "versions" / "00002" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    desk = ProjectOpener(device="cpu").open(copy)
    try:
        for case in audit:
            found = desk.cases.find(case)
            assert found.partition is Partition.AUDIT
            view = desk.reviewing.open_case(found.key)
            assert view.prediction is None
            assert view.prediction_status.code == "prediction.audit_blind"
            assert (view.row.reason, view.row.priority, view.row.conflict) == (
                "queue.neutral", None, None,
            )
        offered = {e.case: e for e in desk.queueing.queue(top=1000)}
        for case in offered.keys() & set(audit):
            assert (offered[case].reason, offered[case].priority) == ("queue.neutral", 0.0)
    finally:
        desk.close()


def test_opinions_on_audit_cases_are_named_or_left_out(demo, rows):
    said("audit", demo, "--draw", 3)
    audit = {row["id"] for row in rows().values() if row["partition"] == "audit"}
    out = demo.parent / "opinions.jsonl"
    code, _, err = run("predict", demo, "--out", out)
    assert code == 0
    assert f"{len(audit)} of the cases are of the audit set" in err
    written = {json.loads(line)["id"] for line in out.read_text().splitlines()}
    assert written == rows().keys()
    code, _, err = run("predict", demo, "--out", out, "--without-audit")
    assert (code, "audit" in err) == (0, False)
    written = {json.loads(line)["id"] for line in out.read_text().splitlines()}
    assert written == rows().keys() - audit


def test_a_hand_that_moves_a_case_into_the_set_is_seen(demo, rows):
    said("audit", demo, "--draw", 3)
    case = next(row["id"] for row in rows().values() if row["partition"] == "train")
    with closing(sqlite3.connect(demo / "project.sqlite")) as connection:
        connection.execute("UPDATE cases SET partition = 'audit' WHERE id = ?", (case,))
        connection.commit()
    code, _, err = run("verify", demo)
    assert code == 1
    assert f"Case {case}: its patient, partition" in err
    with closing(sqlite3.connect(demo / "project.sqlite")) as connection:
        connection.execute("UPDATE cases SET partition = 'train' WHERE id = ?", (case,))
        connection.execute("DELETE FROM preferences WHERE name = 'seal'")
        connection.commit()
    assert run("verify", demo)[0] == 1  # the trail tells of a seal


def test_a_refresh_retires_and_what_it_retires_teaches(demo, rows):
    first = said("audit", demo)
    made = said("audit", demo, "--refresh", "--draw", 4)
    assert made["number"] == 1
    assert made["drawn"]["retired"] == first["cases"]
    assert made["cases"] == made["drawn"]["cases"]
    assert said("verify", demo)["ok"] is True
    before = said("versions", demo)[-1]
    assert said("train", demo, "--seed", 1)["parent"] == before["id"]


def test_rolling_back_is_one_event_and_leaves_corrections_alone(demo, rows):
    case = next(row["id"] for row in rows().values() if row["partition"] == "train")
    said("correct", demo, case, "Edema", "present", "--reader", "Ada")
    trained = said("train", demo, "--seed", 1)
    if trained["role"] != "champion":
        said("promote", demo, trained["version"])
    labels = {name: row["labels"] for name, row in rows().items()}
    seq = said("verify", demo)["events"]
    assert said("rollback", demo)["version"] == 1
    assert said("verify", demo)["events"] == seq + 1
    assert {name: row["labels"] for name, row in rows().items()} == labels
