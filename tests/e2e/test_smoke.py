"""``mmreview --smoke`` in a process of its own: every step, no network, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmreview import smoke as smoking
from mmreview.cli import cli
from mmreview.console import Console
from mmreview.domain.errors import WriteFailed
from mmreview.imaging.decoding import FORMATS
from mmreview.ui.actions import DIALOGS
from tests.program import COMMAND, PROGRAM

ROOT = Path(__file__).parents[2]
STEPS = [
    "window", "model", "create", "draw cohort", "import", "encode", "fit", "predict", "correct",
    "fine-tune", "save", "open in window", "correct in window", "dialogs", "picture",
    "close window", "reopen", "export", "verify", "imports", "image formats", "offline",
]


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(finished process, home, temporary folder, out) of one run with nothing but these."""
    home, temporary, out = (tmp_path_factory.mktemp(n) for n in ("home", "temporary", "out"))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    done = subprocess.run(
        [*COMMAND, "--smoke", "--json", "--out", str(out)],
        cwd=out, env=environment, capture_output=True, text=True, check=False, timeout=280,
    )
    return done, home, temporary, out


def test_every_step_is_done_and_told_with_its_time(run):
    done, _, _, out = run
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert [step["step"] for step in found["steps"]] == STEPS
    facts = {step["step"]: step for step in found["steps"]}
    assert all(step["seconds"] >= 0 for step in found["steps"])
    assert facts["predict"]["cases"] == facts["export"]["cases"] == 40
    assert facts["correct"]["corrections"] > 50
    assert facts["fine-tune"]["version"] == 2
    assert len(facts["dialogs"]["dialogs"]) in (len(DIALOGS) - 1, len(DIALOGS))
    assert facts["image formats"]["formats"] == list(FORMATS)
    assert found["model"]["device_kind"] in ("cpu", "cuda")
    assert found["frozen"] is bool(PROGRAM)
    if sys.platform == "linux":
        assert 0 < facts["window"]["since_start"] < found["seconds"]
    assert json.loads((out / "smoke.json").read_text("utf-8")) == found
    assert (out / "window.png").read_bytes().startswith(b"\x89PNG")


def test_no_other_computer_is_asked(run):
    found = json.loads(run[0].stdout)
    assert found["steps"][-1] == {"step": "offline", "seconds": 0.0, "attempts": 0} | {
        "seconds": found["steps"][-1]["seconds"]
    }


def test_nothing_is_left_behind_and_nothing_written_elsewhere(run):
    _, home, temporary, out = run
    assert files(home) == set()
    assert files(temporary) == set()
    assert files(out) == {"smoke.json", "window.png", "mmreview.log"}


@pytest.fixture
def broken(monkeypatch):
    """A job whose second step cannot write; the rest is real."""

    def refuse(job, folder, scratch):
        with job._stepping("model"):
            raise WriteFailed(detail="full")

    monkeypatch.setattr(smoking._Job, "_make", refuse)
    monkeypatch.setattr(smoking._Job, "_watch_network", lambda job: None)


def test_a_step_that_fails_is_named_and_those_before_it_are_told(broken, tmp_path, qapp):
    found = smoking.smoke(Console(as_json=True), out=tmp_path / "kept")
    assert found["ok"] is False
    assert [step["step"] for step in found["steps"]] == ["window"]
    assert found["failed"]["step"] == "model"
    assert found["failed"]["code"] == "error.write_failed"
    assert "WriteFailed at test_smoke.py" in found["failed"]["where"]
    assert json.loads((tmp_path / "kept" / "smoke.json").read_text("utf-8")) == found


def test_an_error_in_a_slot_fails_the_step_too(broken, monkeypatch, tmp_path, qapp):
    def crash(job, folder, scratch):
        with job._stepping("model"):
            try:
                raise KeyError("Mrs Miller")
            except KeyError as error:
                sys.excepthook(KeyError, error, error.__traceback__)

    monkeypatch.setattr(smoking._Job, "_make", crash)
    found = smoking.smoke(Console(as_json=True))
    assert found["failed"]["step"] == "model"
    assert "Error: KeyError" in found["failed"]["report"]
    assert "Miller" not in json.dumps(found)


def test_a_failed_run_ends_with_2_and_its_json(broken, qapp):
    ended = CliRunner().invoke(cli, ["--smoke"])
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["failed"]["step"] == "model"
