"""Conflicts ranked among matched pairs, and reports that were swapped between patients."""

import numpy as np
import pytest

from mmreview.domain.predictions import jensen_shannon_bits
from mmreview.ml import pairing
from mmreview.ml.bundle import read


def paired_world(make_world, **options):
    """What both modalities show beyond the findings: the same hidden traits of the patient."""
    world = make_world(**options)
    rng = np.random.default_rng(5)
    traits = rng.standard_normal((len(world.truth), 6))
    for m in ("image", "text"):
        mixing = rng.standard_normal((6, world.matrices[m].shape[1]))
        world.matrices[m] += (2.0 * traits @ mixing).astype(np.float32)
    return world


@pytest.fixture
def trained(make_world, make_rounds):
    world = paired_world(make_world)
    rounds = make_rounds(world)
    version, result = rounds.train(world.table(rows=np.arange(200)))
    return world, rounds, version, result


def swapped(world, index, other):
    world.hashes["text"][index], kept = world.hashes["text"][other], world.hashes["text"][index]
    case = world.case(index)
    world.hashes["text"][index] = kept
    return case


def test_a_swapped_report_is_told_from_a_matched_one(trained):
    world, rounds, version, result = trained
    predictor = rounds.load(version)
    unseen = range(200, 300)
    matched = [p.wrong_pair for p in predictor.predict([world.case(i) for i in unseen])]
    strange = [swapped(world, i, 200 + (i + 10) % 100) for i in unseen]
    wrong = [p.wrong_pair for p in predictor.predict(strange)]
    assert all(0 < value < 1 for value in matched + wrong)
    assert np.mean([m < w for m in matched for w in wrong]) > 0.85
    assert np.mean(matched) == pytest.approx(pairing.PRIOR, abs=0.04)
    assert result.metrics["pairs"]["pairs"] == 200
    assert result.metrics["pairs"]["wrong_pair_auroc"] > 0.85


def test_a_pair_head_stays_until_there_are_a_tenth_more_pairs(trained):
    world, rounds, first, result = trained
    assert result.metrics["pairs"]["complete"] == 200

    def head(version):
        folder = rounds.folder / version.folder
        return read(folder, version=version.id, sha256=version.sha256).pairs.head

    near, said = rounds.train(world.table(rows=np.arange(215)), number=2, parent=first)
    assert np.array_equal(head(near).image.axes, head(first).image.axes)
    assert said.metrics["pairs"] == result.metrics["pairs"]
    further, said = rounds.train(world.table(rows=np.arange(225)), number=3, parent=near)
    assert not np.array_equal(head(further).image.axes, head(near).image.axes)
    assert said.metrics["pairs"]["complete"] == said.metrics["pairs"]["pairs"] == 225
    _, said = rounds.train(world.table(rows=np.arange(190)), number=4, parent=further)
    assert said.metrics["pairs"]["complete"] == 190


def test_pairs_of_one_patient_are_never_strangers():
    groups = np.array(["a", "a", "b", "c", "c"])
    left, right = pairing._strangers(groups, np.random.default_rng(0))
    assert (groups[left] != groups[right]).all()
    assert sorted(set(left.tolist())) == [0, 1, 2, 3, 4]
    assert len(pairing._strangers(np.array(["a", "a"]), np.random.default_rng(0))[0]) == 0


def test_a_case_without_a_pair_has_no_opinion_on_it(trained):
    world, rounds, version, _ = trained
    world.hashes["text"][0] = ()
    prediction = rounds.load(version).predict([world.case(0)])[0]
    assert prediction.wrong_pair is None
    assert prediction.conflict_rank is None


def test_few_pairs_or_one_patient_say_nothing(make_world, make_rounds):
    world = make_world(cases=50)
    rounds = make_rounds(world)
    version, result = rounds.train(world.table())
    prediction = rounds.load(version).predict([world.case(0)])[0]
    assert prediction.wrong_pair is None
    assert prediction.findings[0].conflict is not None
    assert prediction.findings[0].conflict_rank is None
    assert result.metrics["pairs"]["pairs"] == 0
    world = make_world(cases=80)
    world.groups = ("the only one",) * 80
    rounds = make_rounds(world, "one")
    version, _ = rounds.train(world.table())
    assert rounds.load(version).predict([world.case(0)])[0].wrong_pair is None


def test_a_conflict_is_ranked_among_matched_pairs(trained):
    world, rounds, version, _ = trained
    predictions = rounds.load(version).predict([world.case(i) for i in range(200, 300)])
    ranks = np.array([f.conflict_rank for p in predictions for f in p.findings])
    assert 0 <= ranks.min() <= ranks.max() <= 1
    assert ranks.mean() == pytest.approx(0.5, abs=0.1)
    largest = sorted(predictions, key=lambda p: p.conflict)
    found = [p.conflict_rank for p in largest]
    assert found == sorted(found)


def test_divergence_is_that_of_the_domain():
    rng = np.random.default_rng(0)
    first, second = rng.random(50), rng.random(50)
    expected = [jensen_shannon_bits(a, b) for a, b in zip(first, second, strict=True)]
    assert pairing.divergence(first, second) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(pairing.divergence(np.array([np.nan]), np.array([0.5])))[0]


def test_the_bundle_holds_projections_and_comes_back_the_same(trained):
    _, rounds, version, _ = trained
    bundle = read(rounds.folder / version.folder, version=1, sha256=version.sha256)
    tensors = pairing.tensors_of(bundle.pairs)
    assert all(200 not in array.shape for array in tensors.values()), "no row of a patient"
    again = pairing.evidence_of(tensors)
    assert again.head.measured == bundle.pairs.head.measured
    assert pairing.evidence_of({}) == pairing.PairEvidence()


def test_identical_reports_and_black_images_are_lived_with(make_world, make_rounds):
    world = make_world(cases=120)
    world.matrices["text"][:] = 1.0
    world.matrices["image"][:] = 0.0
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    found = rounds.load(version).predict([world.case(0)])[0].wrong_pair
    assert found == pytest.approx(pairing.PRIOR, abs=0.02)
