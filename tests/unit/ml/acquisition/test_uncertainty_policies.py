"""Random, entropy and margin do what they are said to do."""

import numpy as np
import pytest

from mmreview.ml.acquisition.choosing import best
from mmreview.ml.acquisition.entropy import most_entropy
from mmreview.ml.acquisition.margin import least_margin, question_weights
from mmreview.ml.acquisition.questions import asked
from mmreview.ml.acquisition.random import drawn
from mmreview.ml.exclusive import Group, GroupHead

ALONE = asked(2, ())


def test_lots_are_even_differ_by_seed_and_stay_with_their_case():
    keys = np.arange(20_000)
    lots = drawn(keys, seed=1)
    assert np.histogram(lots, 10, (0, 1))[0] == pytest.approx(np.full(10, 2000), abs=200)
    assert abs(np.corrcoef(lots, drawn(keys, seed=2))[0, 1]) < 0.03
    assert drawn(keys[7:9], seed=1).tolist() == lots[7:9].tolist()


def test_entropy_is_the_mean_over_what_is_known():
    fused = np.array([[0.5, 0.5], [0.9, 0.5], [np.nan, 0.5], [np.nan, np.nan], [0.01, 0.02]])
    rows, scores, at = most_entropy(fused, ALONE, 3)
    h = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert scores[:3] == pytest.approx([1, (1 + h) / 2, 1])
    assert np.isnan(scores[3])
    assert rows.tolist() == [0, 2, 1]
    assert at.tolist() == [0, 1, 1]


def test_a_group_is_one_question():
    head = GroupHead(Group((0, 1, 2), False), {})
    questions = asked(4, (head,))
    fused = np.array([[0.25, 0.25, 0.25, 0.5], [1.0, 0.0, 0.0, 0.5], [np.nan] * 4])
    entropy = questions.entropy(fused)
    assert entropy[:2] == pytest.approx(np.array([[1, 2], [1, 0]]), abs=1e-4)
    margins = questions.margin(fused)
    assert margins[:2] == pytest.approx(np.array([[0, 0], [0, 1]]), abs=1e-4)
    assert np.isnan(entropy[2]).all()
    assert np.isnan(margins[2]).all()
    assert questions.named(fused[:2], np.array([1, 0])).tolist() == [0, 3]


def test_margin_hears_rare_findings():
    fused = np.array([[0.5, 0.1], [0.1, 0.5], [0.5, 0.5]])
    weights = question_weights(ALONE, np.array([0.5, 0.05]))
    assert weights == pytest.approx([1, (0.25 / (0.05 * 0.95)) ** 0.5])
    rows, scores, at = least_margin(fused, ALONE, weights, 3)
    assert rows.tolist() == [2, 1, 0]
    assert scores[0] == pytest.approx((1 + weights[1] * 0.2) / (1 + weights[1]))
    assert at.tolist() == [1, 1, 0]


def test_the_policies_agree_with_the_version(ask):
    asking = ask(cases=300)
    predictor = asking.train(fusion="mixture")
    pool = list(asking.pool)
    cases = [asking.world.case(key) for key in pool]
    table = predictor.score({m: [c.hashes(m) for c in cases] for m in asking.world.hashes})
    expected = [pool[i] for i in np.argsort(-table.uncertainty)[:10]]
    chosen = asking.rank("entropy", top=10)
    assert [c.key for c in chosen] == expected
    assert chosen[0].reason == "queue.uncertain"
    row = pool.index(chosen[0].key)
    assert chosen[0].params["finding"] == predictor.findings[table.uncertain_at[row]]
    assert len(asking.rank("margin", top=10)) == 10


def test_the_best_are_sorted_with_ties_in_order():
    scores = np.array([1.0, np.nan, 3.0, 1.0, 1.0, 2.0])
    assert best(scores, 4).tolist() == [2, 5, 0, 3]
    assert best(scores, 99).tolist() == [2, 5, 0, 3, 4]
    assert best(scores, 0).tolist() == []


def test_entropy_need_not_ask_again_what_was_said_before(ask, monkeypatch):
    """The same cases with the same reasons, from what orders the worklist; no other is read."""
    asking = ask(labelled=60)
    predictor = asking.train()
    pool = list(asking.pool)
    cases = [asking.world.case(key) for key in pool]
    table = predictor.score({m: [c.hashes(m) for c in cases] for m in asking.world.hashes})
    doubts = dict(zip(pool, table.uncertainty.tolist(), strict=True))
    most = sorted(doubts.items(), key=lambda pair: -pair[1])[:5]
    asked = asking.rank("entropy")
    read, matrix = [], asking.world.features.matrix

    def reading(modality, hashes, out=None):
        read.append(len(hashes))
        return matrix(modality, hashes, out)

    monkeypatch.setattr(asking.world.features, "matrix", reading)
    told = asking.rank("entropy", doubts=lambda: most)
    assert [(c.key, c.params) for c in told] == [(c.key, c.params) for c in asked]
    assert [c.score for c in told] == pytest.approx([c.score for c in asked], abs=1e-5)
    assert set(read) == {5}
    assert asking.rank("entropy", doubts=lambda: []) == []
