"""What every version promises of its three opinions, on random worlds and random weights."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.ml.metrics import auroc
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import gather


def log_odds(probability):
    return math.log(probability) - math.log1p(-probability)


@pytest.mark.parametrize("fusion", ["mixture", "soft", "pooling"])
@pytest.mark.parametrize("seed", range(4))
def test_contributions_sum_to_the_logit_of_any_case_and_any_what_if(
    make_world, make_rounds, fusion, seed
):
    rng = np.random.default_rng(seed)
    signal = {"image": rng.uniform(0, 1.5), "text": rng.uniform(0, 1.5)}
    world = make_world(cases=int(rng.integers(60, 160)), signal=signal, seed=seed)
    for m in signal:  # some cases lack it
        for case in rng.choice(len(world.truth), 8, replace=False):
            world.hashes[m][case] = ()
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion=fusion, seed=seed)
    predictions = rounds.load(version).predict([world.case(i) for i in range(60)])
    shares = rng.random(60)
    moved = [
        p.reweighted({"image": share, "text": 1 - share})
        for p, share in zip(predictions, shares.tolist(), strict=True)
    ]
    told = 0
    for prediction in (*predictions, *moved):
        for finding in prediction.findings:
            if finding.fused is None:
                continue
            told += 1
            total = finding.prior + math.fsum(finding.contributions.values())
            assert log_odds(finding.fused) == pytest.approx(total, abs=1e-6)
    assert told > 400


@pytest.mark.parametrize(("there", "gone"), [("image", "text"), ("text", "image")])
def test_a_case_with_one_modality_gets_exactly_its_opinion(
    make_world, make_rounds, there, gone
):
    world = make_world(cases=120)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion="mixture")
    predictor = rounds.load(version)
    whole = predictor.predict([world.case(i) for i in range(120)])
    world.hashes[gone] = [()] * 120
    alone = predictor.predict([world.case(i) for i in range(120)])
    for before, after in zip(whole, alone, strict=True):
        for one, two in zip(before.findings, after.findings, strict=True):
            assert two.fused == two.modalities[there] == one.modalities[there]  # to the bit


@pytest.mark.parametrize("there", ["image", "text"])
def test_with_a_modality_taken_away_it_is_as_good_as_a_model_of_the_other(make_world, there):
    world = make_world(cases=900, signal={"image": 0.7, "text": 0.7}, seed=5)
    samples = returned(gather(world.features, world.table(), Partition.TRAIN))
    taught, asked = samples.take(np.arange(300)), samples.take(np.arange(300, 900))
    lacking = {m: p & (m == there) for m, p in asked.present.items()}
    both = returned(fit(taught, Recipe())).models[0].opinions(asked.features, lacking)
    only = replace(
        taught, modalities=(there,), basis=np.ones_like(taught.basis),
        features={there: taught.features[there]}, present={there: taught.present[there]},
    )
    dedicated = returned(fit(only, Recipe())).models[0].opinions(asked.features, lacking)
    for t in range(len(world.findings)):
        truth = asked.targets[:, t].astype(float)
        mine = auroc(truth, both.probabilities["fused"][:, t])
        theirs = auroc(truth, dedicated.probabilities["fused"][:, t])
        assert theirs > 0.6
        assert abs(mine - theirs) <= 0.005


def returned(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value
