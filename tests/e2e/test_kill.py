"""Kill -9 in the middle of corrections, of training and promoting, and of making a project."""

import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmreview.store.audit import verify_trail
from mmreview.store.engine import create_store, open_store

ROOT = Path(__file__).parents[2]


def _benchmark(name):
    path = ROOT / "tests" / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mmreview_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def kill():
    yield from _benchmark("kill")


@pytest.fixture(scope="module")
def kill_training():
    yield from _benchmark("kill_training")


def test_no_acknowledged_correction_is_lost(kill, tmp_path):
    folder = tmp_path / "kill.mmreview"
    kill.make_project(folder)
    outcomes = [kill.one_round(folder, seed=seed) for seed in random.sample(range(1 << 30), 5)]
    assert sum(outcome.acknowledged for outcome in outcomes) > 20
    for outcome in outcomes:
        assert outcome.lost == 0
        assert outcome.problems == ()


def test_a_kill_of_training_promoting_and_rolling_back_leaves_a_whole_project(
    kill_training, demo, tmp_path
):
    folder = tmp_path / "killed.mmreview"
    kill_training.make_project(folder, demo)
    longest = dict.fromkeys(kill_training.ACTS, 0.5)
    for act in kill_training.ACTS:
        seed = random.randrange(1 << 30)
        outcome = kill_training.one_round(folder, seed=seed, act=act, longest=longest)
        assert outcome.told >= 4, f"seed {seed}"
        assert outcome.lost == 0, f"seed {seed}"
        assert outcome.problems == (), f"seed {seed}"


def test_a_project_that_is_killed_while_it_is_made_is_whole_or_free(kill, tmp_path):
    script = (
        "import sys, importlib; from pathlib import Path\n"
        "import alembic.command, mmreview.store.engine as engine\n"
        "from mmreview.domain.findings import Finding, FindingSchema\n"
        "print('ready', flush=True)\n"
        "engine.create_store(Path(sys.argv[1]), FindingSchema('kill', (Finding('Edema'),)))\n"
        "print('made', flush=True)\n"
        "sys.stdin.read()"
    )
    for number, wait in enumerate((0.0, 0.02, 0.05, 0.1)):
        folder = tmp_path / f"{number}.mmreview"
        with subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as child:  # fmt: skip
            assert child.stdout.readline() == b"ready\n"
            time.sleep(wait)
            child.kill()
            made = child.stdout.read() == b"made\n"
        there = (folder / "project.sqlite").exists()
        assert there or not made
        store = open_store(folder) if there else create_store(folder, kill.SCHEMA)
        assert list(verify_trail(store)) == []
        assert store.events.last_seq() == 1
        store.close()
