import math

import pytest

from mmreview.domain.predictions import (
    FindingPrediction,
    Prediction,
    jensen_shannon_bits,
    sigmoid,
)


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


def test_opposite_certainties_are_one_bit_apart_and_equal_ones_none():
    assert jensen_shannon_bits(0.0, 1.0) == pytest.approx(1.0)
    assert jensen_shannon_bits(0.3, 0.3) == 0.0


def test_sigmoid_does_not_overflow():
    assert sigmoid(-1000.0) == 0.0
    assert sigmoid(1000.0) == 1.0
    assert math.isclose(sigmoid(0.0), 0.5)
