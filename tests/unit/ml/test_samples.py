"""What a label may teach: its basis says whom, its state how."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.ml.samples import CORRECTION_WEIGHT, UNCERTAIN_WEIGHT, gather


def gathered(world, table):
    work = gather(world.features, table, Partition.TRAIN)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


@pytest.fixture
def world(make_world):
    return make_world(cases=40, findings=3)


def some(world, *cells):
    marks = np.zeros(world.truth.shape, bool)
    for cell in cells:
        marks[cell] = True
    return marks


def test_a_basis_teaches_its_own_modality_only(world):
    basis = np.full(world.truth.shape, 0b11, np.int8)
    basis[0, 0], basis[1, 0] = 0b01, 0b10
    samples = gathered(world, world.table(basis=basis, corrected=some(world, (0, 0))))
    assert samples.teaching("image")[:3, 0].tolist() == [CORRECTION_WEIGHT, 0, 1]
    assert samples.teaching("text")[:3, 0].tolist() == [0, 1, 1]
    assert np.isnan(samples.judged[:2, 0]).all()
    assert not np.isnan(samples.judged[2, 0])


def test_uncertain_teaches_softly_by_its_basis_and_is_no_truth(world):
    targets, basis = world.truth.copy(), np.full(world.truth.shape, 0b11, np.int8)
    targets[:2, 1], basis[1, 1] = np.nan, 0b10
    table = replace(
        world.table(targets=targets, basis=basis), uncertain=some(world, (0, 1), (1, 1))
    )
    samples = gathered(world, table)
    assert samples.doubting("image")[:3, 1].tolist() == [UNCERTAIN_WEIGHT, 0, 0]
    assert samples.doubting("text")[:3, 1].tolist() == [UNCERTAIN_WEIGHT] * 2 + [0]
    assert not samples.teaching("image")[:2, 1].any()
    for truth in (samples.judged, samples.truth("image"), samples.truth("text")):
        assert np.isnan(truth[:2, 1]).all()
    assert samples.take(np.arange(1, 40)).doubting("text")[0, 1] == UNCERTAIN_WEIGHT


def test_without_uncertain_labels_there_is_nothing_soft(world):
    assert gathered(world, world.table()).doubting("image") is None
    table = replace(world.table(), uncertain=some(world))
    assert gathered(world, table).doubting("image") is None


def test_uncertain_labels_change_no_measure_but_through_the_model(world, make_rounds, make_world):
    world = make_world(cases=200, findings=3)
    targets = world.truth.copy()
    doubted = np.random.default_rng(0).random(targets.shape) < 0.15
    targets[doubted] = np.nan
    table = world.table(targets=targets)
    rounds = make_rounds(world)
    _, firm = rounds.train(table)
    _, soft = rounds.train(replace(table, uncertain=doubted), number=2)
    assert soft.metrics["cases"] == firm.metrics["cases"]
    for finding in world.findings:
        one, other = (r.metrics["per_finding"][finding]["fused"] for r in (soft, firm))
        assert (one["n"], one["positives"]) == (other["n"], other["positives"])
    assert soft.metrics["auroc"]["image"] != firm.metrics["auroc"]["image"]
    assert soft.metrics["auroc"]["image"] == pytest.approx(firm.metrics["auroc"]["image"], abs=0.05)
