"""The queue by the command line: streams and shares, leases, repeats, refusals that help."""

import json
from collections import Counter

import pytest

from mmreview.compose import ProjectOpener
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction
from tests.fakes import make_project
from tests.program import refused, said
from tests.program import run as mmreview

_NONE = "audit=0,control=0,conflict=0,label_error=0,repeats=0"


def test_the_queue_mixes_its_streams_and_says_why(demo):
    rows = said("queue", demo, "--top", 40)
    assert set(rows[0]) == {"case", "priority", "reason", "why", "stream"}
    assert len({row["case"] for row in rows}) == len(rows)
    streams = Counter(row["stream"] for row in rows)
    assert streams["policy"] > 15
    assert streams["audit"]
    for row in rows:
        assert row["why"] and not row["why"].startswith("queue.")
        if row["stream"] == "audit":
            assert (row["reason"], row["priority"]) == ("queue.neutral", 0.0)
    assert said("queue", demo, "--top", 40) == rows
    code, out, _ = mmreview("queue", demo, "--top", 5)
    assert code == 0
    assert rows[0]["case"] in out


def test_shares_are_kept_by_the_project(demo):
    before = Counter(row["stream"] for row in said("queue", demo, "--top", 60))
    assert before["audit"]
    quota = "audit=0,control=20,conflict=0,label_error=0"
    rows = said("queue", demo, "--quota", quota, "--top", 6, "--reader", "Ada")
    assert {row["stream"] for row in rows} <= {"policy", "control"}
    again = said("queue", demo, "--top", 6)
    assert [row["case"] for row in again] == [row["case"] for row in rows]
    exported = demo.parent / "labels.jsonl"
    said("export", demo, exported)
    assert said("verify", demo)["ok"] is True
    rows = said("queue", demo, "--quota", "none", "--top", 30)
    assert {row["stream"] for row in rows} <= {"policy", "priority"}


def test_the_order_by_priority_asks_no_policy_and_keeps_no_share(demo):
    rows = said("queue", demo, "--policy", "priority", "--top", 10)
    priorities = [row["priority"] for row in rows]
    assert priorities == sorted(priorities, reverse=True)


@pytest.mark.parametrize(
    ("words", "code", "helps"),
    [
        (("--quota", "audit=90,control=20"), "error.quota_sum", "122"),
        (("--quota", "luck=3"), "error.quota_stream", "audit"),
        (("--quota", "audit=a lot"), "error.quota_share", "audit"),
        (("--policy", "luck"), "error.policy_not_found", "random"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(demo, words, code, helps):
    error = refused("queue", demo, *words)
    assert error["code"] == code
    assert helps in error["message"]


def test_two_readers_lease_different_cases(demo):
    said("queue", demo, "--quota", _NONE)
    ada = said("queue", demo, "--reader", "Ada", "--lease", 5)
    ben = said("queue", demo, "--reader", "Ben", "--lease", 5)
    assert len({row["case"] for row in ada + ben}) == 10
    assert all(row["leased_until"].endswith("Z") for row in ada)
    assert said("queue", demo, "--reader", "Ada", "--top", 5) == [
        {k: v for k, v in row.items() if k != "leased_until"} for row in ada
    ]
    assert said("queue", demo, "--reader", "Ada", "--give-back") == {"given_back": 5}
    third = said("queue", demo, "--reader", "Ben", "--top", 10)
    assert {row["case"] for row in third} == {row["case"] for row in ada + ben}


def test_beside_a_writer_the_queue_is_read_and_nothing_leased(demo):
    writer = ProjectOpener(device="cpu").open(demo)
    try:
        assert said("queue", demo, "--top", 3)
        error = refused("queue", demo, "--reader", "Ada", "--lease", 3)
        assert error["code"] == "error.lease_read_only"
    finally:
        writer.close()


def test_a_reader_s_agreement_with_themselves(demo):
    assert said("queue", demo, "--agreement") == []
    code, out, _ = mmreview("queue", demo, "--agreement")
    assert code == 0
    assert "second time" in out
    desk = ProjectOpener(device="cpu").open(demo)
    case = first_unread(desk)
    answers = {
        "Edema": (State.PRESENT, State.PRESENT),
        "Pneumothorax": (State.ABSENT, State.ABSENT),
        "Fracture": (State.ABSENT, State.PRESENT),
    }
    for repeat in (False, True):
        for finding, states in answers.items():
            desk.reviewing.correct(
                Correction(case.key, finding, states[repeat], "Ada", repeat=repeat)
            )
        desk.reviewing.commit_read(case.key, reader="Ada", repeat=repeat)
    desk.close()
    whole, *_ = said("queue", demo, "--agreement")
    assert (whole["reader"], whole["finding"], whole["pairs"], whole["agreed"]) == (
        "Ada", None, 3, 2
    )
    assert whole["kappa"] == pytest.approx(0.4)
    assert said("verify", demo)["ok"] is True


def first_unread(desk):
    [key, *_] = desk.queueing._queue.pool("train")
    return desk.cases.get(key)


def test_an_empty_project_and_one_that_is_read_say_what_to_do(tmp_path):
    assert mmreview("init", tmp_path / "empty")[0] == 0
    code, out, err = mmreview("queue", tmp_path / "empty", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert "Import" in err
    folder = make_project(tmp_path / "small.mmreview", cases=3)
    desk = ProjectOpener(device="cpu").open(folder)
    for key in (1, 2, 3):
        desk.reviewing.commit_read(key, reader="Ada")
    desk.close()
    code, out, err = mmreview("queue", folder, "--json")
    assert (code, json.loads(out)) == (0, [])
    assert "has been read" in err


def test_before_any_label_typical_cases_are_offered(tmp_path):
    folder = make_project(tmp_path / "new.mmreview", cases=6)
    code, out, err = mmreview("queue", folder, "--json")
    assert code == 0
    assert len(json.loads(out)) == 6
    assert "No version serves yet" in err


@pytest.mark.parametrize("policy", ["hybrid", "coreset"])
def test_labels_that_teach_nothing_still_leave_a_queue(tmp_path, policy):
    """One class only, all of one patient, and findings that nobody ever labels."""
    manifest = tmp_path / "cases.jsonl"
    rows = [
        {"id": f"c{n}", "report": f"FINDINGS: Report number {n}.", "patient_id": "p",
         **({"labels": {"Edema": "present"}} if n < 5 else {})}
        for n in range(12)
    ]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "one.mmreview"
    assert mmreview("init", folder, "--audit", "0", "--control", "0")[0] == 0
    assert mmreview("import", folder, manifest)[0] == 0
    code, out, err = mmreview("queue", folder, "--policy", policy, "--json")
    assert code == 0, err
    assert len({row["case"] for row in json.loads(out)}) == 12
    assert "No version serves yet" in err


@pytest.mark.parametrize("policy", ["entropy", "label_error"])
def test_a_policy_that_asks_the_model_says_that_there_is_none(tmp_path, policy):
    folder = make_project(tmp_path / "new.mmreview", cases=4)
    error = refused("queue", folder, "--policy", policy)
    assert error["code"] in ("error.policy_needs_version", "error.policy_needs_suspects")
    assert "rain" in error["message"]
