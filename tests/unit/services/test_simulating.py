"""Simulated reading: through the real services in scratch projects, and nothing of the source."""

import json
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mmreview.domain.acquisition import PolicyNeedsVersion, PolicyNotFound
from mmreview.domain.cases import Partition
from mmreview.domain.findings import ExclusiveGroup, Exclusivity, Finding, FindingSchema, State
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.domain.simulations import Curve, SimulationOptions, mean_of, policy_rows, saving_of
from mmreview.ml.trainer import FusionTrainer
from mmreview.services.simulating import TooLittleToSimulate, spoken
from mmreview.store.engine import create_store
from tests.fakes import FakeOpener, draft

CASES = 150
SCHEMA = FindingSchema("two", (Finding("Rare"), Finding("Common")))


class RowFeatures:
    """A report's hash is the number of its row."""

    modalities = ("text",)
    marked = frozenset()
    part_widths = {}

    def __init__(self, rows):
        self.rows = rows

    def join(self, modality):
        raise AssertionError(modality)

    def width(self, modality):
        return self.rows.shape[1]

    def blocks(self, modality):
        return (self.width(modality),)

    def weighing(self, modality):
        return ()

    def pieces(self, modality):
        return ()

    def fingerprint(self, modality):
        return "rows"

    def parts_cached(self):
        return False

    def missing(self, cases):
        return []

    def describe(self):
        return {}

    def cached(self, modality):
        return len(self.rows)

    def matrix(self, modality, hashes, out=None):
        there = np.array([bool(own) for own in hashes])
        return np.stack([self.rows[int(own[0])] for own in hashes], out=out), there


class Offering:
    """``random``; ``cheat``, which knows who has the rare finding; ``late``, which offers them last
    and needs a version."""

    policies = ("random", "cheat", "late")

    def __init__(self, truth):
        self.truth = truth
        self.offered = []

    def rank(self, request):
        yield Progress("progress.acquire", 0, len(request.keys))
        rows = [int(own[0]) for own in request.hashes["text"]]
        self.offered += rows
        drawn = random.Random(request.seed)
        if request.policy == "late" and request.version is None:
            raise PolicyNeedsVersion(policy="late")
        order = drawn.sample(range(len(rows)), len(rows))
        rare = [i for i in order if self.truth[rows[i], 0]]
        if request.policy == "cheat":  # half of what it offers
            rest = iter(i for i in order if i not in rare)
            order = [i for pair in zip(rare, rest, strict=False) for i in pair] + list(rest)
        elif request.policy == "late":
            order = [i for i in order if i not in rare] + rare
        return [Choice(request.keys[i], 1.0, "queue.random") for i in order[: request.top]]


class World:
    def __init__(self, folder):
        rng = np.random.default_rng(4)
        self.truth = (rng.random((CASES, 2)) < (0.15, 0.4)).astype(np.float32)
        signal = np.hstack([self.truth, np.zeros((CASES, 6), np.float32)])
        self.rows = (1.6 * signal + rng.standard_normal((CASES, 8))).astype(np.float32)
        self.offering = Offering(self.truth)
        opener = FakeOpener()
        opener.features = RowFeatures(self.rows)
        opener.trainer = FusionTrainer(opener.features)
        opener.acquisition = self.offering
        store = create_store(folder, SCHEMA)
        store.cases.upsert([self._draft(row) for row in range(CASES)])
        store.close()
        self.desk = opener.open(folder)

    def _draft(self, row):
        from dataclasses import replace

        labels = {name: State.PRESENT if there else State.ABSENT
                  for name, there in zip(SCHEMA.names, self.truth[row], strict=True)}
        made = draft(row, partition=Partition.AUDIT if row >= 140 else Partition.TRAIN,
                     labels=labels)
        # Two cases a patient: a split by case would tear patients apart.
        return replace(made, report_sha256=str(row), group=f"patient-{row // 2}")

    def run(self, keep=None, **wish):
        chosen = {"policies": ("cheat",), "seeds": 1, "batch": 10, "budget": 30, **wish}
        working = self.desk.simulating.run(SimulationOptions(**chosen), keep=keep)
        while True:
            try:
                next(working)
            except StopIteration as done:
                return done.value


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "source.mmreview")
    yield made
    made.desk.close()


def test_a_policy_that_knows_the_answer_wins(world):
    found = world.run(seeds=2, policies=("cheat", "late"), budget=50)
    by_name = {row.policy: row for row in found.rows()}
    assert by_name["cheat"].gain.mean > 0.02
    assert by_name["late"].gain.mean < by_name["cheat"].gain.mean
    assert by_name["cheat"].cases.mean < by_name["random"].cases.mean
    for curve in found.curves:
        assert [cases for cases, _ in curve.points] == [0, 10, 20, 30, 40, 50]
        assert curve.points[0][1] == 0.5
        assert curve.points[-1][1] > 0.6


def test_the_source_is_only_read(world, tmp_path):
    before = world.desk.events.last_seq(), world.desk.learning.labels().targets.tolist()
    world.run()
    assert (world.desk.events.last_seq(), world.desk.learning.labels().targets.tolist()) == before
    assert world.desk.learning.champion() is None


def test_patients_that_measure_and_audit_cases_are_never_offered(world):
    found = world.run()
    offered = set(world.offering.offered)
    assert offered
    assert not offered & set(range(140, CASES))
    held_out = set(range(140)) - offered
    assert len(held_out) == found.facts["held_out"]
    assert 30 <= len(held_out) <= 55
    assert not {row // 2 for row in held_out} & {row // 2 for row in offered}
    assert found.facts["audit"] == 10


def test_the_same_seed_gives_the_same_curve(world):
    assert world.run(noise=0.1).curves == world.run(noise=0.1).curves


def test_a_reader_who_errs_teaches_less(world):
    careful, careless = world.run(policies=()), world.run(policies=(), noise=0.35)
    assert careless.curves[0].points[-1][1] < careful.curves[0].points[-1][1]


def test_noise_flips_at_the_given_rate():
    truth = [1.0, 0.0]
    wrong = 0
    for case in range(2000):
        said = spoken(SCHEMA, truth, noise=0.2, chance=random.Random(case))
        wrong += (said["Rare"] is State.ABSENT) + (said["Common"] is State.PRESENT)
    assert 0.18 < wrong / 4000 < 0.22
    assert spoken(SCHEMA, [1.0, float("nan")], noise=0.0, chance=random.Random(0)) == {
        "Rare": State.PRESENT
    }


def test_noise_in_an_exclusive_group_is_another_answer():
    names = ("A", "B", "C")
    group = ExclusiveGroup("one", Exclusivity.ONE_OF, names)
    schema = FindingSchema("g", tuple(map(Finding, names)), (group,))
    wrong = 0
    for case in range(600):
        said = spoken(schema, [0.0, 1.0, 0.0], noise=0.3, chance=random.Random(case))
        assert sum(state is State.PRESENT for state in said.values()) == 1
        wrong += said["B"] is State.ABSENT
    assert 0.25 < wrong / 600 < 0.35


def test_cancelling_leaves_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    working = world.desk.simulating.run(SimulationOptions(("cheat",), 1, batch=10, budget=30))
    while not list(tmp_path.glob("mmreview-simulation-*/scratch/versions/*")):
        next(working)
    working.close()
    assert not list(tmp_path.glob("mmreview-simulation-*"))


def test_what_is_finished_is_kept_and_gone_on_with(world, tmp_path):
    keep = tmp_path / "kept"
    working = world.desk.simulating.run(
        SimulationOptions(("cheat",), 1, batch=10, budget=30), keep=keep
    )
    while '"policy":"random"' not in _text(keep / "runs.jsonl"):
        next(working)
    working.close()
    world.offering.offered.clear()
    again = world.run(keep=keep)
    assert len(world.offering.offered) < 350  # one policy's batches, not two
    assert again.curves == world.run().curves
    lines = [json.loads(line) for line in _text(keep / "runs.jsonl").splitlines()]
    assert len(lines) == 3
    assert world.run(keep=keep, noise=0.2).curves != again.curves  # other options, other runs


def _text(path: Path):
    return path.read_text() if path.exists() else ""


def test_nonsense_is_refused(world, tmp_path):
    with pytest.raises(PolicyNotFound):
        world.run(policies=("clairvoyance",))
    store = create_store(tmp_path / "bare.mmreview", SCHEMA)
    store.cases.upsert([draft(1, labels={"Rare": State.PRESENT})])
    store.close()
    opener = FakeOpener()
    desk = opener.open(tmp_path / "bare.mmreview")
    try:
        with pytest.raises(TooLittleToSimulate):
            list(desk.simulating.run(SimulationOptions(("hybrid",))))
    finally:
        desk.close()


# --- counting ------------------------------------------------------------------------------------


def test_a_target_is_reached_between_two_points():
    curve = Curve("x", 0, ((0, 0.5), (10, 0.7), (20, 0.9)), full=0.8 / 0.95)
    assert curve.reached() == pytest.approx(15)
    assert curve.area() == pytest.approx(0.7)
    assert Curve("x", 0, ((0, 0.5), (10, 0.7)), full=1.0).reached() is None


def test_savings_are_paired_and_missed_targets_claim_nothing():
    def curves(name, ends):
        return [Curve(name, seed, ((0, 0.5), (100, end)), full=0.8)
                for seed, end in enumerate(ends)]

    rows = policy_rows({"random": curves("random", (0.8, 0.78, 0.8)),
                        "good": curves("good", (0.9, 0.9, 0.95)),
                        "bad": curves("bad", (0.8, 0.6, 0.8))})
    by_name = {row.policy: row for row in rows}
    assert by_name["random"].saving is None
    assert by_name["good"].saving.low > 0
    assert by_name["bad"].saving is None
    assert by_name["bad"].reached == 2
    assert by_name["good"].gain.mean > 0


def test_intervals_need_three_seeds():
    assert mean_of([1.0, 2.0]).low is None
    found = mean_of([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.high - found.mean == pytest.approx(4.303 / 3**0.5, rel=1e-3)
    saved = saving_of([50, 60, 70], [100, 120, 140])
    assert saved.mean == pytest.approx(0.5)
    assert saved.low == pytest.approx(0.5)
