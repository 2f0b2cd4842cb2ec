"""A bundle that somebody edited, and a disk that is full in the middle of a round.

By the real commands, store, trainer and files: what serves goes on, corrections stay, and the
reader is told.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmreview.compose import ProjectOpener
from mmreview.services.learning import TrainingOptions
from mmreview.translation import tr
from tests.program import run

ROOT = Path(__file__).parents[2]


def roles(project):
    return {v["id"]: v["role"] for v in json.loads(run("versions", project, "--json")[1])}


def edit(project, number, name="model.safetensors"):
    path = project / "versions" / f"{number:05d}" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.fixture
def two(demo):
    """A project whose second version serves."""
    desk = ProjectOpener(device="cpu").open(demo)
    training = desk.learning.train(actor="Ada", options=TrainingOptions(seed=1))
    list(training)
    if desk.learning.champion().id != 2:
        desk.learning.promote(2, actor="Ada")
    desk.close()
    return demo


def test_for_an_edited_version_the_one_before_serves_and_the_reader_is_told(two):
    edit(two, 2)
    code, out, err = run("predict", two)
    assert code == 1
    assert {json.loads(line)["version"] for line in out.splitlines()} == {1}
    notice = tr("version.stands_in", version=1, damaged=2)
    assert notice in err
    assert roles(two) == {1: "champion", 2: "retired"}
    code, _, err = run("predict", two)  # it serves from now on: nothing more to tell
    assert (code, notice in err) == (0, False)
    code, out, _ = run("verify", two, "--json")
    problems = json.loads(out)["problems"]
    assert [(p["code"], p["version"]) for p in problems] == [("error.bundle_edited", 2)]
    code, _, err = run("promote", two, 2)
    assert code == 2
    assert tr("error.bundle_edited", version=2) in err
    desk = ProjectOpener(device="cpu").open(two)
    event = list(desk.events.events())[-1]
    desk.close()
    assert (event.kind, event.actor) == ("version_rolled_back", "mmreview")
    assert event.data["reason"] == "error.bundle_edited"


def test_a_round_is_compared_with_the_version_that_stands_in(two):
    edit(two, 2, "card.json")
    code, out, err = run("train", two, "--json", "--reader", "Ada")
    assert code == 1
    assert tr("version.stands_in", version=1, damaged=2) in err
    trained = json.loads(out)
    assert (trained["version"], trained["parent"]) == (3, 1)
    assert trained["gate"]["reason"] != "gate.incomparable"
    assert sum(role == "champion" for role in roles(two).values()) == 1


def test_a_round_does_not_wait_for_a_version_that_nobody_can_stand_in_for(demo):
    edit(demo, 1)
    code, out, _ = run("train", demo, "--json", "--reader", "Ada")
    assert code == 0
    assert json.loads(out)["gate"]["reason"] == "gate.incomparable"
    assert roles(demo) == {1: "retired", 2: "champion"}


def test_a_version_stands_in_without_an_event_where_nothing_may_be_written(two):
    edit(two, 2)
    before = (two / "project.sqlite").read_bytes()
    desk = ProjectOpener(device="cpu").open(two, read_only=True)
    assert desk.predicting.serve().version == 1
    assert desk.predicting.notice.params == {"version": 1, "damaged": 2}
    desk.close()
    assert (two / "project.sqlite").read_bytes() == before
    assert roles(two)[2] == "champion"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_full_disk_while_a_version_is_saved_leaves_everything_as_it_was(demo):
    """Files may grow to less than a version needs: the system says so in the middle of a write."""
    bundle = demo / "versions" / "00001" / "model.safetensors"
    room = bundle.stat().st_size // 2
    script = (
        "import resource, signal, sys\n"
        "from mmreview.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)\n"
        "main()\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(room), "train", str(demo), "--reader", "Ada"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 2, child.stderr
    assert "File too large" in child.stderr
    assert "Traceback" not in child.stderr
    assert [p.name for p in (demo / "versions").iterdir()] == ["00001"]
    assert roles(demo) == {1: "champion"}
    desk = ProjectOpener(device="cpu").open(demo)
    newest = desk.learning.rounds()[0]
    desk.close()
    assert newest.state in ("failed", "cancelled")
    assert newest.version is None
    assert run("verify", demo)[0] == 0
    _, out, _ = run("train", demo, "--json")  # with room again
    assert json.loads(out)["version"] == 2


def test_the_same_snapshot_gives_the_same_sha256_in_another_process(demo, made_demo, tmp_path):
    twin = Path(shutil.copytree(made_demo, tmp_path / "twin.mmreview"))
    words = ["--seed", "5", "--reader", "Ada", "--json"]
    child = subprocess.run(
        [sys.executable, "-m", "mmreview", "train", str(twin), *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = json.loads(run("train", demo, *words)[1])
    there = json.loads(child.stdout)
    assert here["sha256"] == there["sha256"]
    assert here["lineage"] == there["lineage"]
    assert here["lineage"]["seed"] == 5
    for name in ("model.safetensors", "card.json"):
        files = [p / "versions" / "00002" / name for p in (demo, twin)]
        assert files[0].read_bytes() == files[1].read_bytes()
