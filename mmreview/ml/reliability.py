"""Does 80 % happen eight times in ten? Reliability curves, with the band of a perfect model.

Cases are sorted by an opinion into bins of nearly equal numbers (Nixon 2019); of each bin the mean
probability stands against the share that really is present. Even a perfect model is off the
diagonal by chance: the band holds 95 % of what it would show with so many cases (Bröcker 2007).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.uncertainty import Trial

Floats = NDArray[np.float64]

#: The name of the curve over all findings' labels together.
TOGETHER = "all"
#: Bins at most, and cases in a bin at least.
_BINS, _LEAST = 10, 10
_DRAWS = 1000
_DIGITS = 4


def curves(
    trial: Trial, findings: Sequence[str], *, seed: int
) -> Generator[None, None, dict[str, dict[str, list[list[float]]]]]:
    """By finding (and ``all`` together) and opinion: the bins, ready for JSON, each
    ``[mean probability, share present, band low, band high, cases]``; none where nothing is
    measured."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    columns = {TOGETHER: slice(None)} | {f: slice(t, t + 1) for t, f in enumerate(findings)}
    for finding, column in columns.items():
        found[finding] = {}
        for name, values in trial.opinions.items():
            truth, probability = trial.truth[:, column].ravel(), values[:, column].ravel()
            known = ~np.isnan(truth) & ~np.isnan(probability)
            found[finding][name] = curve(truth[known], probability[known], seed=seed)
            yield
    return found


def curve(truth: Floats, probability: Floats, *, seed: int) -> list[list[float]]:
    """The bins of one opinion (see ``curves``)."""
    n = len(truth)
    if not n:
        return []
    count = int(np.clip(n // _LEAST, 1, _BINS))
    order = np.argsort(probability, kind="stable")
    # Opinions that are the same share a bin.
    _, first, inverse = np.unique(probability[order], return_index=True, return_inverse=True)
    bins = (first * count // n)[inverse]
    cases = np.bincount(bins)
    bins, cases = np.unique(bins, return_inverse=True)[1], cases[cases > 0]
    means = np.bincount(bins, weights=probability[order]) / cases
    present = np.bincount(bins, weights=truth[order]) / cases
    drawn = np.random.default_rng(seed).binomial(cases, np.clip(means, 0, 1), (_DRAWS, len(cases)))
    low, high = np.quantile(drawn / cases, [0.025, 0.975], axis=0)
    numbers = np.round(np.column_stack([means, present, low, high]), _DIGITS).tolist()
    return [[*each, count] for each, count in zip(numbers, cases.tolist(), strict=True)]
