"""Do intervals hold what they claim? Coverage on simulated cases whose probabilities are known.

    python tests/benchmarks/intervals.py [--seeds N]

Synthetic: two modalities of Gaussian features (40 and 24 numbers) add up on the logit scale, four
findings of 18 to 50 %. Each line is a number of labelled cases: the share of 90 % intervals that
hold the frequency of the finding among the cases that the model finds alike (the mean of the 401
nearest in its opinion, of 8,000 fresh cases), and the mean width.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import sigmoid
from mmreview.ml.intervals import intervals
from mmreview.ml.recipe import Fitted, Recipe, fit
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

_WIDTHS = {"image": 40, "text": 24}
_FINDINGS = 4
_FRESH = 8000
_NEIGHBOURS = 401


def world(cases: int, seed: int) -> tuple[dict[str, NDArray[np.float32]], Floats]:
    """Features by modality and the (cases, findings) probabilities that they stand for."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(999)
    features, logits = {}, np.linspace(-1.5, 0.0, _FINDINGS) + np.zeros((cases, _FINDINGS))
    for m, width in _WIDTHS.items():
        features[m] = rng.standard_normal((cases, width)).astype(np.float32)
        logits += features[m] @ (fixed.standard_normal((width, _FINDINGS)) * 1.2 / np.sqrt(width))
    return features, sigmoid(logits)


def samples_of(features: dict[str, NDArray[np.float32]], truth: Floats) -> Samples:
    """All labelled, every case a patient of its own."""
    n = len(truth)
    return Samples(
        modalities=tuple(features),
        features=features,
        present={m: np.ones(n, bool) for m in features},
        keys=np.arange(n),
        groups=np.arange(n).astype(str),
        targets=truth.astype(np.float32),
        corrected=np.zeros(truth.shape, bool),
        basis=np.full(truth.shape, 3, np.int8),
        blocks={m: (width,) for m, width in _WIDTHS.items()},
    )


def among_alike(opinion: Floats, probability: Floats) -> Floats:
    """(n, findings) mean true probability of the cases nearest in opinion."""
    found = np.empty(opinion.shape)
    half, weights = _NEIGHBOURS // 2, np.ones(_NEIGHBOURS) / _NEIGHBOURS
    for column in range(opinion.shape[1]):
        order = np.argsort(opinion[:, column])
        padded = np.pad(probability[order, column], half, mode="reflect")
        found[order, column] = np.convolve(padded, weights, "valid")
    return found


def measured(cases: int, seed: int) -> dict[str, tuple[float, float]]:
    """Coverage and mean width by opinion."""
    features, probability = world(cases, seed)
    truth = (np.random.default_rng(seed + 1).random(probability.shape) < probability) * 1.0
    fitted = _run(fit(samples_of(features, truth), Recipe(seed=seed)))
    fresh, known = world(_FRESH, 1000 + seed)
    present = {m: np.ones(_FRESH, bool) for m in fresh}
    full, *twins = (model.opinions(fresh, present) for model in fitted.models)
    found = {}
    for name, (low, high) in intervals(full, twins).items():
        alike = among_alike(full.probabilities[name], known)
        held = (alike >= low) & (alike <= high)
        found[name] = float(held.mean()), float((high - low).mean())
    return found


def _run(work: Generator[Any, None, Fitted]) -> Fitted:
    while True:
        try:
            next(work)
        except StopIteration as done:
            fitted: Fitted = done.value
            return fitted


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    seeds = range(parser.parse_args().seeds)
    print("cases  " + "".join(f"{name + ' held / wide':>24}" for name in ("fused", *_WIDTHS)))
    for cases in (60, 150, 400, 1500):
        rows = [measured(cases, seed) for seed in seeds]
        line = f"{cases:<7}"
        for name in ("fused", *_WIDTHS):
            held, wide = np.mean([row[name] for row in rows], axis=0)
            line += f"{held:>17.2f} / {wide:.2f}"
        print(line)


if __name__ == "__main__":
    main()
