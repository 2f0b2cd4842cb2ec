"""Calibration undoes over- and under-confidence and trusts few labels little."""

import numpy as np
import pytest

from mmreview.ml.calibration import calibrate, fit_scale, sigmoid
from mmreview.ml.metrics import calibration_error


def drawn(slope, n=4000, findings=3, seed=0):
    rng = np.random.default_rng(seed)
    honest = rng.standard_normal((n, findings)) * 1.5 - 0.5
    truth = (rng.random((n, findings)) < sigmoid(honest)).astype(float)
    return honest / slope, truth


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_it_finds_the_temperature(slope):
    logits, truth = drawn(slope)
    found = calibrate(logits, truth, np.ones_like(truth))
    assert found.slope == pytest.approx(np.full(3, slope), rel=0.12)
    for t in range(3):
        after = calibration_error(truth[:, t], sigmoid(found.apply(logits)[:, t]))
        assert after < 0.025
        if slope != 1.0:
            assert after < calibration_error(truth[:, t], sigmoid(logits[:, t]))


def test_few_labels_take_the_pooled_slope():
    logits, truth = drawn(2.0)
    observed = np.ones_like(truth)
    observed[8:, 2] = 0
    truth[:8, 2] = 1 - (logits[:8, 2] > 0)  # eight labels that all contradict
    found = calibrate(logits, truth, observed)
    assert found.slope[2] > 0.6
    assert found.slope[0] == pytest.approx(2.0, rel=0.12)


def test_few_sure_labels_that_contradict_do_not_silence_a_head():
    logits, truth = drawn(2.0)
    observed = np.ones_like(truth)
    observed[8:, 2] = 0
    logits[:8, 2] *= 4
    truth[:8, 2] = 1 - (logits[:8, 2] > 0)
    found = calibrate(logits, truth, observed)
    assert 0.4 < found.slope[2] < 1.6


def test_the_slope_is_drawn_as_of_opinions_between_these_and_even_ones():
    """How far slopes go from 1 to what their labels alone say: drawn as of opinions near 50 % alone
    it would be .07 for opinions that are sure and .68 for such as never are."""
    rng = np.random.default_rng(0)
    for spread, least, most in ((4.0, 0.1, 0.2), (0.4, 0.5, 0.6)):
        logits = spread * rng.standard_normal((60, 200))
        truth = (rng.random(logits.shape) < sigmoid(1.6 * logits)).astype(float)
        pulled, free = (
            fit_scale(logits, truth, np.ones_like(truth), pseudo=pseudo)[0]
            for pseudo in (20.0, 1e-6)
        )
        assert least < np.median((pulled - 1) / (free - 1)) < most


def test_the_offset_of_a_rare_finding_follows_its_labels():
    rng = np.random.default_rng(0)
    honest = rng.standard_normal((200, 1)) - 4.0
    truth = (rng.random((200, 1)) < sigmoid(honest + 1.0)).astype(float)  # e times the odds
    found = fit_scale(honest, truth, np.ones_like(truth))
    said = sigmoid(found[0] * honest + found[1])
    assert said.mean() == pytest.approx(truth.mean(), rel=0.15)


def test_a_misleading_head_is_all_but_silenced():
    logits, truth = drawn(1.0)
    found = calibrate(-logits, truth, np.ones_like(truth))
    assert np.abs(found.slope).max() < 0.05
    assert (found.slope > 0).all()


def test_unobserved_labels_do_not_count():
    logits, truth = drawn(1.0, n=200)
    observed = (np.arange(200) % 2 == 0)[:, None] * np.ones((1, 3))
    spoiled = np.where(observed > 0, truth, 1 - truth)
    assert fit_scale(logits, truth, observed)[0] == pytest.approx(
        fit_scale(logits, spoiled, observed)[0]
    )


def test_where_newton_begins_changes_nothing():
    rng = np.random.default_rng(5)
    logits = 2 * rng.standard_normal((300, 4))
    truth = (rng.random(logits.shape) < 1 / (1 + np.exp(-0.6 * logits - 0.3))).astype(float)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    near = calibrate(logits[60:], truth[60:], np.ones_like(truth[60:]))

    cold = calibrate(logits, truth, np.ones_like(truth))
    warm = calibrate(logits, truth, np.ones_like(truth), like=near)

    assert warm.slope == pytest.approx(cold.slope, abs=1e-6)
    assert warm.offset == pytest.approx(cold.offset, abs=1e-6)
