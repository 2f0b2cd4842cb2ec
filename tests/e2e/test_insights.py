"""The insights of a real project by the command line, and a round written for TensorBoard."""

import json

import pytest

from tests.program import run, said


def test_the_insights_of_a_project_that_was_read_a_little(demo):
    case = said("queue", demo, "--top", 1)[0]["case"]
    assert run("correct", demo, case, "Edema", "present", "--reader", "Ada")[0] == 0
    found = said("insights", demo)
    assert found["paces"][0]["corrections"] == 1
    assert [attempt["version"] for attempt in found["attempts"]] == [1]
    assert found["attempts"][0]["outcome"] == "accepted"
    assert found["comparison"] is None
    assert found["readiness"]["ready"] is False
    assert found["readiness"]["missing"]["control"] == 20
    code, out, _ = run("insights", demo)
    assert code == 0
    assert "cannot be compared with chance yet" in out


def test_a_comparison_that_cannot_be_made_is_refused_in_a_sentence(demo):
    code, out, _ = run("insights", demo, "--control-arm", "--json")
    assert code == 2
    problem = json.loads(out)["error"]
    assert problem["code"] == "error.too_few_to_compare"
    assert "20 control cases" in problem["message"]


def test_a_round_is_written_for_tensorboard(demo, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra mmreview[tensorboard] is not installed")
    trained = said("train", demo, "--tensorboard", tmp_path / "logs")
    assert trained["version"] == 2
    written = sorted(path.parent.name for path in (tmp_path / "logs").glob("*/events.*"))
    assert written == ["version-00002", "versions"]


def test_a_log_inside_the_project_is_refused_before_the_round(demo):
    code, _, err = run("train", demo, "--tensorboard", demo / "logs")
    assert code == 2
    assert "Traceback" not in err
    assert [v["id"] for v in said("versions", demo)] == [1]
