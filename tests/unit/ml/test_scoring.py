"""Opinions on many cases as columns say what the opinions on each case say."""

import numpy as np
import pytest

from mmreview.domain.queues import score, scores


@pytest.fixture(params=["pooling", "mixture"])
def world_and_predictor(request, make_world, make_rounds):
    world = make_world(cases=260)
    targets = world.truth.copy()
    targets[:, 3] = np.nan  # nobody labelled it
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(targets=targets), fusion=request.param)
    return world, rounds.load(version)


def both_ways(world, predictor):
    cases = [world.case(i) for i in range(len(world.truth))]
    table = predictor.score({m: [c.hashes(m) for c in cases] for m in world.hashes})
    return cases, predictor.predict(cases), table


def numbers(values):
    return np.array(values, np.float64)


def test_columns_are_the_predictions(world_and_predictor, monkeypatch):
    monkeypatch.setattr("mmreview.ml.predictor.BLOCK", 64)
    world, predictor = world_and_predictor
    world.hashes["text"][3] = ()
    world.hashes["image"][70] = ()
    world.hashes["image"][71] = world.hashes["text"][71] = ()
    world.matrices["image"][5] = np.nan
    world.matrices["text"][6, 2] = np.inf
    _, predictions, table = both_ways(world, predictor)
    expected = numbers([[f.fused for f in p.findings] for p in predictions])
    np.testing.assert_allclose(table.fused, expected, atol=1e-6)
    assert np.isnan(table.fused[71]).all()
    assert np.isnan(table.fused[:, 3]).all()
    for m in world.hashes:
        expected = numbers([[f.modalities[m] for f in p.findings] for p in predictions])
        np.testing.assert_allclose(table.modalities[m], expected, atol=1e-6)
    for name in ("conflict", "conflict_rank", "wrong_pair"):
        expected = numbers([getattr(p, name) for p in predictions])
        np.testing.assert_allclose(getattr(table, name), expected, atol=1e-6)
        assert np.isnan(expected).sum() == 5


def test_the_worklist_is_sorted_by_the_same_keys(world_and_predictor):
    world, predictor = world_and_predictor
    world.hashes["text"][3] = ()
    world.hashes["image"][71] = world.hashes["text"][71] = ()
    cases, predictions, table = both_ways(world, predictor)
    found = scores(table, keys=[c.key for c in cases], findings=predictor.findings)
    expected = [score(p, key=c.key) for c, p in zip(cases, predictions, strict=True)]
    assert [(s.key, s.reason, s.reason_params) for s in found] == [
        (s.key, s.reason, s.reason_params) for s in expected
    ]
    assert len({s.reason for s in found}) >= 3
    for name in ("priority", "conflict"):
        np.testing.assert_allclose(
            numbers([getattr(s, name) for s in found]),
            numbers([getattr(s, name) for s in expected]), atol=1e-6,
        )


def test_no_case_is_an_empty_table(world_and_predictor):
    world, predictor = world_and_predictor
    table = predictor.score({m: [] for m in world.hashes})
    assert table.fused.shape == (0, 4)
    assert table.conflict.shape == table.wrong_pair.shape == (0,)


def test_a_version_that_knows_no_pairs_marks_conflicts_by_their_size(make_world, make_rounds):
    world = make_world(cases=50)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    cases, predictions, table = both_ways(world, rounds.load(version))
    assert np.isnan(table.conflict_rank).all()
    found = scores(table, keys=range(50), findings=world.findings)
    expected = [score(p, key=c.key) for c, p in zip(cases, predictions, strict=True)]
    assert [s.reason_params for s in found] == [s.reason_params for s in expected]

