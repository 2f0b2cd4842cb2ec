"""Cases without a label teach the heads, if that is proved to help, and never anything else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import BELIEF_WEIGHT, gather
from mmreview.ml.unlabelled import LEAST_CASES, try_unlabelled
from tests.unit.ml.conftest import World


def ended(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


@pytest.fixture(scope="module")
def world():
    """The report is nearly certain, the image sees little: there is much to teach it."""
    return World(cases=500, signal={"image": 0.5, "text": 2.5}, seed=3)


def parts_of(world, labelled):
    """The first cases with their labels, the rest with labels that are all wrong."""
    wrong = 1 - world.truth
    rows = np.arange(labelled), np.arange(labelled, len(world.truth))
    tables = world.table(rows=rows[0]), world.table(rows=rows[1], targets=wrong)
    return [ended(gather(world.features, table, world.partitions[0])) for table in tables]


def test_much_to_be_learned_is_learned_and_makes_unseen_patients_better(world):
    samples, spare = parts_of(world, 60)
    recipe = Recipe("mixture")
    fitted = ended(fit(samples, recipe))
    tried = ended(try_unlabelled(samples, spare, recipe, fitted))
    assert tried.told["used"]
    assert tried.told["difference"][2] < 0
    assert tried.told["cases"] == len(spare)
    assert len(tried.fitted.models) == len(fitted.models)
    truth = world.truth[60:]

    def loss(fit):
        said = fit.models[0].opinions(spare.features, spare.present).probabilities["fused"]
        return -np.mean(np.log(np.where(truth == 1, said, 1 - said)))

    assert loss(tried.fitted) < loss(fitted)


def test_no_label_of_a_spare_case_is_looked_at(world):
    samples, spare = parts_of(world, 60)
    recipe = Recipe("mixture")
    fitted = ended(fit(samples, recipe))
    one = ended(try_unlabelled(samples, spare, recipe, fitted))
    blank = replace(spare, targets=np.full_like(spare.targets, np.nan))
    other = ended(try_unlabelled(samples, blank, recipe, fitted))
    assert one.told == other.told
    for mine, theirs in zip(one.fitted.models, other.fitted.models, strict=True):
        for m, head in mine.heads.items():
            np.testing.assert_array_equal(head.weights, theirs.heads[m].weights)


def test_what_is_not_surely_better_leaves_the_fit_as_it_was():
    world = World(cases=300, signal={"image": 0.0, "text": 0.0}, seed=1)
    samples, spare = parts_of(world, 150)
    recipe = Recipe("mixture")
    fitted = ended(fit(samples, recipe))
    # Beliefs of models that know nothing, and a bound that a chance gain does not pass.
    tried = ended(try_unlabelled(samples, spare, recipe, fitted))
    assert tried.told["used"] == (tried.told["difference"][2] < 0)
    if not tried.told["used"]:
        assert tried.fitted is fitted


def test_too_few_cases_or_a_lacking_modality_change_nothing(world):
    samples, spare = parts_of(world, 60)
    recipe = Recipe("mixture")
    fitted = ended(fit(samples, recipe))
    few = ended(try_unlabelled(samples, spare.take(np.arange(LEAST_CASES - 1)), recipe, fitted))
    assert few.fitted is fitted
    assert few.told == {"cases": LEAST_CASES - 1, "used": False, "difference": None}
    blind = replace(spare, present={**spare.present, "image": np.zeros(len(spare), bool)})
    assert ended(try_unlabelled(samples, blind, recipe, fitted)).told["cases"] == 0


def test_beliefs_stand_where_no_label_does_and_count_little(world):
    samples, spare = parts_of(world, 60)
    believed = replace(spare, beliefs=np.full(spare.targets.shape, 0.3))
    both = samples.joined(believed)
    targets, weights = both.with_beliefs("image")
    np.testing.assert_array_equal(targets[:60], samples.targets)
    np.testing.assert_array_equal(weights[:60], samples.teaching("image"))
    assert (targets[60:] == np.float32(0.3)).all()
    assert (weights[60:] == BELIEF_WEIGHT).all()
    assert np.isnan(both.judged[60:]).all()  # they measure nothing, calibrate nothing
    assert np.isnan(both.truth("text")[60:]).all()


def test_a_round_with_unlabelled_cases_says_so_and_makes_the_same_bytes_twice(
    world, make_rounds, bundle_digest
):
    table, spare = world.table(rows=np.arange(60)), world.table(rows=np.arange(60, 500))
    digests, told = [], []
    for name in ("a", "b"):
        rounds = make_rounds(world, name)
        request = replace(rounds.request(table, fusion="mixture"), unlabelled=spare)
        told.append(rounds.run(request).metrics["unlabelled"])
        digests.append(bundle_digest(request.folder))
    assert digests[0] == digests[1]
    assert told[0] == told[1]
    assert told[0]["used"]
    card = json.loads((request.folder / "card.json").read_text())
    assert card["believed"] == list(range(60, 500))  # they must never come to audit it
    rounds = make_rounds(world, "c")
    assert "unlabelled" not in rounds.run(rounds.request(table, fusion="mixture")).metrics
