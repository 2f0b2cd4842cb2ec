"""Findings that exclude each other share one distribution: it adds up to 1, everywhere, and is
calibrated; contributions add up, weights can be moved, a modality can be missing."""

import numpy as np
import pytest

from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.domain.queues import score, scores
from mmreview.ml import exclusive
from mmreview.ml.exclusive import Group, classes_of, fit_scale, log_odds, normalised

GROUPS = (
    ExclusiveGroup("Grade", Exclusivity.ONE_OF, ("Finding A", "Finding B", "Finding C")),
    ExclusiveGroup("Side", Exclusivity.AT_MOST_ONE, ("Finding D", "Finding E")),
)


def softened(rng, *, n=4000, width=3):
    """Logits of a known softmax and classes drawn from it."""
    logits = 1.5 * rng.standard_normal((n, width))
    chances = normalised(logits, one_of=True)
    drawn = (rng.random((n, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return logits, np.eye(width)[drawn]


def test_a_distribution_adds_up_to_one_and_none_of_them_is_the_rest():
    logits = np.array([[2.0, -1.0, 0.5], [700.0, 0.0, -700.0], [np.nan, 1.0, 1.0]])
    one = normalised(logits, one_of=True)
    np.testing.assert_allclose(np.nansum(one, axis=1), 1)
    np.testing.assert_allclose(one[2, 1:], 0.5)
    most = normalised(logits[:1], one_of=False)
    weights = np.exp(logits[:1])
    np.testing.assert_allclose(most, weights / (1 + weights.sum()))


@pytest.mark.parametrize("one_of", [True, False])
def test_log_odds_are_those_of_the_distribution(one_of):
    logits = np.random.default_rng(0).standard_normal((50, 4)) * 3
    chances = normalised(logits, one_of=one_of)
    expected = np.log(chances / (1 - chances))
    np.testing.assert_allclose(log_odds(logits, one_of=one_of), expected, atol=1e-9)
    far = log_odds(np.array([[900.0, 0.0, np.nan, -900.0]]), one_of=one_of)
    assert np.isfinite(far[0, [0, 1, 3]]).all() and np.isnan(far[0, 2])


def test_the_scale_that_made_the_classes_is_found():
    rng = np.random.default_rng(1)
    logits, truth = softened(rng)
    slope, offset = fit_scale(2 * logits + [0.5, 0, 0], truth, truth, one_of=True)
    np.testing.assert_allclose(slope, 0.5, atol=0.06)
    np.testing.assert_allclose(offset - offset.mean(), [-1 / 6, 1 / 12, 1 / 12], atol=0.1)


def test_without_cases_a_group_begins_at_its_classes_frequencies():
    targets = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    slope, offset = fit_scale(np.zeros((0, 3)), targets[:0], targets, one_of=True)
    counts = np.array([3.5, 2.5, 1.5])
    prior = np.log(counts / (counts.sum() - counts))
    chances = normalised((slope * prior + offset)[None], one_of=True)[0]
    np.testing.assert_allclose(chances, counts / counts.sum())
    np.testing.assert_allclose(slope, 2 / 3)


def test_two_classes_of_one_question_are_one_yes_or_no():
    rng = np.random.default_rng(2)
    z = rng.standard_normal(5000) * 2
    yes = (rng.random(5000) < 1 / (1 + np.exp(-z))).astype(float)
    truth = np.column_stack([yes, 1 - yes])
    scale = fit_scale(np.column_stack([z, -z]), truth, truth, one_of=True)
    chances = normalised(scale[0] * np.column_stack([z, -z]) + scale[1], one_of=True)
    np.testing.assert_allclose(chances[:, 0], 1 / (1 + np.exp(-z)), atol=0.05)


def test_the_class_of_a_case_is_known_or_not():
    nan = np.nan
    truth = np.array([[1, 0, 0], [nan, 1, nan], [0, 0, 0], [1, 1, 0], [0, 0, nan]])
    assert classes_of(truth, one_of=True).tolist() == [0, 1, -1, -1, -1]
    assert classes_of(truth, one_of=False).tolist() == [0, 1, 3, -1, -1]


def test_a_group_follows_its_findings_to_other_places():
    assert Group((0, 2), True).rearranged(np.array([2, 1, 0])).columns == (2, 0)
    assert Group((0, 2), True).rearranged(np.array([1, 0])) is None


# --- a whole round -------------------------------------------------------------------------------


@pytest.fixture(params=["mixture", "average", "concatenation"])
def trained(request, make_world, make_rounds):
    world = make_world(cases=300, findings=6)
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 3, 300)
    side = rng.integers(0, 3, 300)
    truth = world.truth.copy()
    truth[:, :3] = np.eye(3)[grade]
    truth[:, 3:5] = np.eye(3)[side][:, :2]
    for m, matrix in world.matrices.items():
        mixing = np.random.default_rng(len(m)).standard_normal((6, matrix.shape[1]))
        matrix += (3 * (truth - truth.mean(axis=0)) @ mixing).astype(np.float32) / 4
    world.truth = truth.astype(np.float32)
    rounds = make_rounds(world)
    version, result = rounds.train(
        world.table(), fusion=request.param, groups=GROUPS
    )
    return world, rounds, version, result


def fused(prediction, group):
    return [f.fused for f in prediction.findings if f.finding in group.findings]


def test_every_opinion_of_a_group_adds_up_also_with_a_modality_missing(trained):
    world, rounds, version, _ = trained
    world.hashes["text"][1] = ()
    world.hashes["image"][2] = ()
    grade, side = GROUPS
    for prediction in rounds.load(version).predict([world.case(i) for i in range(6)]):
        assert prediction.groups == GROUPS
        assert sum(fused(prediction, grade)) == pytest.approx(1, abs=1e-9)
        assert 0 < sum(fused(prediction, side)) < 1
        for m in ("image", "text"):
            own = [f.modalities[m] for f in prediction.findings[:3]]
            assert own == [None] * 3 or sum(own) == pytest.approx(1, abs=1e-9)


def test_a_case_with_one_modality_has_exactly_its_opinion(trained):
    world, rounds, version, _ = trained
    world.hashes["text"][1] = ()
    [prediction] = rounds.load(version).predict([world.case(1)])
    for finding in prediction.findings:
        assert finding.fused == finding.modalities["image"]


def test_contributions_add_up_to_the_log_odds(trained):
    world, rounds, version, _ = trained
    for prediction in rounds.load(version).predict([world.case(i) for i in range(5)]):
        for f in prediction.findings:
            assert f.fused == pytest.approx(1 / (1 + np.exp(-f.prior - f.added)), abs=1e-9)
            for m, weight in f.weights.items():
                assert f.contributions[m] == weight * f.units[m]


def test_the_slider_moves_the_whole_distribution_exactly(trained):
    world, rounds, version, _ = trained
    predictor = rounds.load(version)
    [prediction] = predictor.predict([world.case(4)])
    same = prediction.reweighted(prediction.weights)
    for before, after in zip(prediction.findings, same.findings, strict=True):
        assert after.fused == pytest.approx(before.fused, abs=1e-12)
    if not prediction.reweightable:
        return
    wished = {"image": 0.9, "text": 0.1}
    moved = prediction.reweighted(wished)
    features, present = predictor._read({m: [h[4]] for m, h in world.hashes.items()})
    raw = predictor._model.opinions(features, present).fused
    shares = {m: [f.weights[m] for f in moved.findings] for m in wished}
    logits = raw.prior + sum(shares[m] * raw.units[m] for m in wished)
    for group, columns in zip(GROUPS, ([0, 1, 2], [3, 4]), strict=True):
        expected = normalised(logits[:, columns], one_of=group.kind == "one_of")[0]
        np.testing.assert_allclose(fused(moved, group), expected, atol=1e-9)
        for f in moved.findings:
            assert f.fused == pytest.approx(1 / (1 + np.exp(-f.prior - f.added)), abs=1e-9)


def test_the_card_measures_the_classes(trained):
    *_, result = trained
    rows = {(r["group"], r["opinion"]): r for r in result.metrics["exclusive"]}
    assert set(rows) == {(g.name, o) for g in GROUPS for o in ("fused", "image", "text")}
    grade, side = rows["Grade", "fused"], rows["Side", "fused"]
    assert grade["classes"] == ["Finding A", "Finding B", "Finding C"]
    assert side["classes"] == ["Finding D", "Finding E", None]
    assert grade["n"] == side["n"] == 300 == sum(map(sum, grade["confusion"]))
    assert grade["accuracy"] > 0.6
    assert grade["log_loss"] < np.log(3)
    low, high = grade["intervals"]["accuracy"]
    assert low < grade["accuracy"] < high
    assert "log_loss" in rows["Grade", "image"]["difference"]


def test_the_worklist_asks_a_group_once(trained):
    world, rounds, version, _ = trained
    predictor = rounds.load(version)
    cases = [world.case(i) for i in range(40)]
    table = predictor.score({m: [c.hashes(m) for c in cases] for m in world.hashes})
    found = scores(table, keys=[c.key for c in cases], findings=predictor.findings)
    expected = [score(p, key=c.key) for c, p in zip(cases, predictor.predict(cases), strict=True)]
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.reason, mine.reason_params) == (theirs.reason, theirs.reason_params)
        assert mine.priority == pytest.approx(theirs.priority, abs=1e-6)


def test_evaluate_compares_the_fusions_on_the_classes(make_world, make_rounds):
    world = make_world(cases=120, findings=6)
    grade = np.random.default_rng(0).integers(0, 3, 120)
    world.truth[:, :3] = np.eye(3)[grade]
    rounds = make_rounds(world)
    from mmreview.domain.versions import LambdaChoice

    work = rounds.trainer.evaluate(
        world.table(), findings=world.findings, folds=3, seed=0, weight=LambdaChoice(),
        groups=GROUPS[:1],
    )
    while True:
        try:
            next(work)
        except StopIteration as done:
            found = done.value
            break
    opinions = {r["opinion"] for r in found["exclusive"]}
    assert {"fused", "image", "text", "fusion:average"} <= opinions
    assert all(r["n"] == 120 for r in found["exclusive"])


def test_the_same_snapshot_gives_the_same_bytes(make_world, make_rounds, bundle_digest):
    found = []
    for folder in ("one", "two"):
        world = make_world(cases=80, findings=6)
        world.truth[:, :3] = np.eye(3)[np.arange(80) % 3]
        rounds = make_rounds(world, folder)
        version, _ = rounds.train(world.table(), groups=GROUPS)
        found.append(bundle_digest(rounds.folder / version.folder))
    assert found[0] == found[1]


def test_a_class_nobody_labelled_has_no_opinion_and_leaves_the_rest(make_world, make_rounds):
    world = make_world(cases=120, findings=6)
    truth = world.truth.copy()
    truth[:, :2] = np.eye(2)[np.arange(120) % 2]
    truth[:, 2] = np.nan
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(targets=truth), groups=GROUPS[:1])
    [prediction] = rounds.load(version).predict([world.case(0)])
    first, second, third = fused(prediction, GROUPS[0])
    assert third is None
    assert first + second == pytest.approx(1, abs=1e-9)


def test_a_next_round_starts_from_a_version_with_groups(trained, make_world):
    world, rounds, version, _ = trained
    _, result = rounds.train(
        world.table(seq=2), number=2, parent=version, groups=GROUPS, fusion=version.fusion
    )
    assert result.gate.accepted


def test_sets_of_modalities_are_all_there():
    assert exclusive.sets_of(("a", "b", "c")) == [
        ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")
    ]


def test_any_set_of_three_modalities_has_one_distribution(make_world, make_rounds):
    signal = {"image": 1.0, "text": 1.0, "values": 1.0}
    world = make_world(cases=200, findings=6, signal=signal, widths=dict.fromkeys(signal, 12))
    world.truth[:, :3] = np.eye(3)[np.random.default_rng(0).integers(0, 3, 200)]
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion="mixture", groups=GROUPS[:1])
    rng = np.random.default_rng(1)
    present = {m: rng.random(200) < 0.6 for m in signal}
    opinions = rounds.load(version)._model.opinions(world.matrices, present)
    chances = opinions.probabilities
    total = chances["fused"][:, :3].sum(axis=1)
    count = np.sum(list(present.values()), axis=0)
    assert np.isnan(total[count == 0]).all()
    np.testing.assert_allclose(total[count > 0], 1, atol=1e-9)
    for m, there in present.items():
        alone = there & (count == 1)
        assert alone.any()
        np.testing.assert_array_equal(chances["fused"][alone], chances[m][alone])
