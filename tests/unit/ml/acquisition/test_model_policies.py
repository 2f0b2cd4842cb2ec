"""BALD, conflict, rare findings, wrong pairs and suspected labels."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.acquisition import PolicyNeedsSuspects
from mmreview.ml.acquisition.bald import information
from mmreview.ml.acquisition.questions import asked
from mmreview.ml.acquisition.rare import in_turn, rarer_half
from mmreview.ml.pairing import divergence


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_information_is_the_formula():
    rng = np.random.default_rng(0)
    members = [rng.uniform(0.01, 0.99, (50, 3)) for _ in range(5)]
    expected = entropy(np.mean(members, axis=0)) - np.mean([entropy(m) for m in members], axis=0)
    found = information([m.astype(np.float32) for m in members], asked(3, ()))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    agreed = information([members[0].astype(np.float32)] * 4, asked(3, ()))
    np.testing.assert_allclose(agreed, 0, atol=1e-6)


def test_bald_asks_the_models_of_the_folds(ask):
    asking = ask(cases=260)
    predictor = asking.train()
    pool = list(asking.pool)
    features, present = {}, {}
    for m, own in asking.world.hashes.items():
        features[m], present[m] = asking.world.features.matrix(m, [own[key] for key in pool])
    members = [m.opinions(features, present).probabilities["fused"] for m in predictor.models[1:]]
    assert len(members) > 2
    told = entropy(np.mean(members, axis=0)) - np.mean([entropy(m) for m in members], axis=0)
    order = np.argsort(-told.mean(axis=1))[:10]
    chosen = asking.rank("bald", top=10)
    assert [c.key for c in chosen] == [pool[i] for i in order]
    assert [c.score for c in chosen] == pytest.approx(told.mean(axis=1)[order], abs=1e-4)
    assert chosen[0].params["finding"] == predictor.findings[told[order[0]].argmax()]


def test_conflict_is_the_largest_divergence_first(ask):
    asking = ask(cases=260)
    predictor = asking.train()
    asking.world.hashes["text"][200] = ()
    pool = list(asking.pool)
    table = predictor.score(
        {m: [own[key] for key in pool] for m, own in asking.world.hashes.items()}
    )
    bits = divergence(table.modalities["image"], table.modalities["text"]).max(axis=1)
    chosen = asking.rank("conflict", top=300)
    assert len(chosen) == len(pool) - 1
    assert 200 not in {c.key for c in chosen}
    assert chosen[0].key == pool[np.nanargmax(bits)]
    assert [c.score for c in chosen] == sorted((c.score for c in chosen), reverse=True)


def test_rare_findings_take_turns():
    fused = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.1], [0.1, 0.2, 0.3], [0.7, 0.1, 0.2]])
    fused = np.hstack([fused, np.full((4, 1), np.nan)]).astype(np.float32)
    assert rarer_half(fused, [1, 3, 90, 0]) == [0, 1]
    rows, at = in_turn(fused, [0, 1], 4)
    assert rows.tolist() == [0, 1, 3, 2]
    assert at.tolist() == [0, 1, 0, 1]
    assert in_turn(fused, [0], 9)[0].tolist() == [0, 1, 3, 2]


def test_rare_says_how_often_it_was_marked(ask):
    asking = ask(cases=260)
    asking.train()
    positives = asking.table.targets.sum(axis=0).astype(int).tolist()
    chosen = asking.rank("rare", top=8)
    named = {c.params["finding"]: c.params["count"] for c in chosen}
    rarest = sorted(zip(positives, asking.world.findings, strict=True))[:2]
    assert named == {name: count for count, name in rarest}


def test_swapped_reports_are_offered(ask):
    asking = ask(cases=500, labelled=300, findings=8, signal={"image": 3.0, "text": 3.0})
    predictor = asking.train()
    assert predictor.pairs.head is not None
    text = asking.world.hashes["text"]
    swapped = range(300, 320)
    moved = [text[key] for key in swapped]
    for key, own in zip(swapped, moved[7:] + moved[:7], strict=True):
        text[key] = own
    chosen = asking.rank("wrong_pair", top=20)
    assert chosen
    assert {c.reason for c in chosen} == {"queue.wrong_pair"}
    assert all(c.score >= 0.15 for c in chosen)
    right = sum(c.key in swapped for c in chosen)
    assert right / len(chosen) > 5 * len(swapped) / 200


def test_without_a_pair_head_nobody_is_suspected(ask):
    asking = ask(cases=120, labelled=45)
    asking.train()
    assert asking.rank("wrong_pair") == []


def suspect(key, finding, confidence, state="present"):
    return {"key": key, "finding": finding, "state": state, "confidence": confidence}


def test_suspects_of_the_pool_are_offered_once_each(ask):
    asking = ask(cases=200)
    asking.train()
    suspects = [
        suspect(7, "Finding A", 0.01), suspect(9, "Finding B", 0.02, "absent"),
        suspect(7, "Finding C", 0.03), suspect(130, "Finding C", 0.04),
    ]
    metrics = {**asking.version.metrics, "suspects": suspects}
    asking.version = replace(asking.version, metrics=metrics)
    chosen = asking.rank("label_error", keys=[5, 7, 9])
    assert [(c.key, c.reason, c.params) for c in chosen] == [
        (7, "queue.doubt_present", {"finding": "Finding A"}),
        (9, "queue.doubt_absent", {"finding": "Finding B"}),
    ]
    assert [c.score for c in chosen] == pytest.approx([0.99, 0.98])
    assert len(asking.rank("label_error", keys=[7, 9], top=1)) == 1


def test_a_version_from_before_suspects_says_so(ask):
    asking = ask(cases=200)
    asking.train()
    metrics = {k: v for k, v in asking.version.metrics.items() if k != "suspects"}
    asking.version = replace(asking.version, metrics=metrics)
    with pytest.raises(PolicyNeedsSuspects) as caught:
        asking.rank("label_error")
    assert caught.value.params == {"version": asking.version.id}
