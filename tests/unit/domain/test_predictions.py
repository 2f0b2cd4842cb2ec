import math
from dataclasses import replace

import pytest

from mmreview.domain.predictions import (
    FindingPrediction,
    Prediction,
    is_conflict,
    jensen_shannon_bits,
    sigmoid,
)
from mmreview.domain.queues import score


def prediction() -> Prediction:
    units = {"image": 2.0, "text": -1.0}
    finding = FindingPrediction(
        "Edema", 0.5, {"image": 0.9, "text": 0.2}, {}, prior=-0.5, units=units, conflict=0.3
    )
    return Prediction("a", 1, {"image": 0.5, "text": 0.5}, (finding,), reweightable=True)


def test_a_what_if_is_the_exact_sum_of_its_contributions():
    moved = prediction().reweighted({"image": 0.8, "text": 0.2})
    finding = moved.findings[0]
    assert moved.what_if
    assert finding.contributions == pytest.approx({"image": 1.6, "text": -0.2})
    assert finding.fused == pytest.approx(sigmoid(-0.5 + 1.6 - 0.2))


def test_a_finding_with_its_own_weights_keeps_its_stand_in_a_what_if():
    units = {"image": 2.0, "text": -1.0}
    known = {"image": 0.9, "text": 0.2}
    findings = tuple(
        FindingPrediction(
            name, 0.5, known, {}, prior=0.0, units=units, conflict=0.3,
            weights={"image": own, "text": 1 - own},
        )
        for name, own in (("Edema", 0.8), ("Nodule", 0.4), ("Fracture", 0.0))
    )
    whole = Prediction("a", 1, {"image": 0.4, "text": 0.6}, findings, reweightable=True)

    def moved(image: float) -> list[float]:
        weights = {"image": image, "text": 1 - image}
        found = whole.reweighted(weights).findings
        for finding in found:
            total = sum(w * units[m] for m, w in finding.weights.items())
            assert finding.fused == pytest.approx(sigmoid(total))
        return [finding.weights["image"] for finding in found]

    assert moved(0.4) == pytest.approx([0.8, 0.4, 0.0])
    edema, nodule, fracture = moved(0.6)
    assert 1 > edema > nodule > fracture
    assert edema / (1 - edema) == pytest.approx(0.8 / 0.2 * (0.6 / 0.4) / (0.4 / 0.6))
    assert moved(1.0) == pytest.approx([1.0, 1.0, 1.0])
    assert moved(0.0) == pytest.approx([0.0, 0.0, 0.0])


def test_a_finding_without_an_opinion_has_none_in_a_what_if():
    none = FindingPrediction("Edema", None, {}, {}, prior=0.0, units={}, conflict=None)
    whole = Prediction("a", 1, {"image": 0.5, "text": 0.5}, (none,), reweightable=True)
    assert whole.reweighted({"image": 1.0, "text": 0.0}).findings[0].fused is None


def test_opposite_certainties_are_one_bit_apart_and_equal_ones_none():
    assert jensen_shannon_bits(0.0, 1.0) == pytest.approx(1.0)
    assert jensen_shannon_bits(0.3, 0.3) == 0.0


def test_sigmoid_does_not_overflow():
    assert sigmoid(-1000.0) == 0.0
    assert sigmoid(1000.0) == 1.0
    assert math.isclose(sigmoid(0.0), 0.5)


@pytest.mark.parametrize(
    ("bits", "rank", "marked"),
    [
        (None, None, False), (0.25, None, True), (0.24, None, False),
        (0.15, 0.98, True), (0.4, 0.9, False), (0.05, 0.999, False),
    ],
)
def test_a_conflict_is_marked_by_its_rank_and_by_bits_where_there_is_none(bits, rank, marked):
    assert is_conflict(bits, rank) is marked


def test_a_case_is_offered_for_a_wrong_pair_first_then_for_its_conflict():
    plain = prediction()
    assert score(plain, key=1).reason == "queue.conflict"
    usual = replace(plain, conflict_rank=0.5)
    assert score(usual, key=1).reason == "queue.uncertain"
    doubted = score(replace(usual, wrong_pair=0.4), key=1)
    assert (doubted.reason, doubted.reason_params) == ("queue.wrong_pair", {})
    assert doubted.priority == pytest.approx(score(usual, key=1).priority + 0.4)
    assert score(replace(usual, wrong_pair=0.1), key=1).reason == "queue.uncertain"
