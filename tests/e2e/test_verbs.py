"""Every verb does its work, one after the other on one project: whatever starts the program."""

import json

import pytest

from mmreview.cli import cli
from tests.program import run, said

#: What opens a window for a person to stay in is asked for its picture instead.
_WINDOWS = {"open"}


def verbs():
    """The names of all verbs, hidden ones too."""
    return {verb.name or verb.callback.__name__ for verb in cli.registered_commands}


class Steps:
    """Runs commands and keeps which verbs had their turn."""

    def __init__(self):
        self.done = set()

    def __call__(self, verb, *words, code=0):
        found = said(verb, *words, code=code)
        self.done.add(verb)
        return found


@pytest.mark.slow  # the others test the verbs one by one; this is for a packaged program
def test_every_verb_does_its_work(tmp_path):
    step, project = Steps(), tmp_path / "demo.mmreview"
    made = step("demo", project, "--cases", 40, "--headless")
    assert (made["cases"], made["version"]) == (40, 2)
    other = tmp_path / "other.mmreview"
    assert len(step("init", other)["findings"]) == 14
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"id": "a", "report": "FINDINGS: Clear lungs."}\n')
    assert step("import", other, manifest)["added"] == 1
    assert step("encode", other)["cases"] == 1
    predicted = tmp_path / "predictions.jsonl"
    assert step("predict", project, "--out", predicted)["cases"] == 40
    assert len(predicted.read_text().splitlines()) == 40
    case = step("queue", project, "--top", 1)[0]["case"]
    corrected = step("correct", project, case, "Edema", "present", "--reader", "Ada")
    assert corrected["after"] == "present"
    assert step("evaluate", project, "--folds", 2)["rows"]
    assert step("insights", project)["paces"]
    out = tmp_path / "simulated"
    words = ("--policy", "margin", "--seeds", 1, "--batch", 5, "--budget", 5, "--out", out)
    assert step("simulate", project, *words)["policies"]
    assert step("audit", project)["proposal"]
    assert step("gate", project)
    assert step("train", project, "--reader", "Ada")["version"] == 3
    assert step("promote", project, 2, "--reader", "Ada")["version"] == 2
    assert step("rollback", project, 1, "--reader", "Ada")["version"] == 1
    assert step("refuse", project, "--reader", "Ada", code=2)["error"]["message"]  # none waits
    assert [version["id"] for version in step("versions", project)] == [1, 2, 3]
    exported = tmp_path / "labels.jsonl"
    assert step("export", project, exported)["cases"] == 40
    assert {json.loads(line)["id"] for line in exported.read_text().splitlines()} >= {case}
    assert step("verify", project)["ok"] is True
    assert step("doctor")["problems"] == []
    picture = tmp_path / "window.png"
    code, _, err = run(project, "--screenshot", picture, "--size", "1280x720")
    assert code == 0, err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert step.done == verbs() - _WINDOWS


def test_every_verb_has_its_help():
    for verb in sorted(verbs()):
        code, out, err = run(verb, "--help")
        assert (code, err) == (0, "")
        assert "Usage" in out
