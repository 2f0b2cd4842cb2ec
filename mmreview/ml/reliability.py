"""Does 80 % happen eight times in ten? Reliability curves, with the band of a perfect model.

Cases are sorted by an opinion into bins of nearly equal numbers (Nixon 2019); of each bin the mean
probability stands against the share that really is present. Even a perfect model is off the
diagonal by chance: the band holds 95 % of what it would show with so many cases (Bröcker 2007).
Where a patient's labels are alike (``perfection``), a bin has as many as are independent: the cases
over their design effect (Rao & Scott 1992).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.perfection import Kin, kin, spreads
from mmreview.ml.uncertainty import Trial

Floats = NDArray[np.float64]

#: The name of the curve over all findings' labels together.
TOGETHER = "all"
#: Bins at most, and cases in a bin at least.
_BINS, _LEAST = 10, 10
_DRAWS = 1000
_DIGITS = 4
#: Labels that tell a bin's design effect at most: patient groups beyond them are left out.
_OBSERVED = 20_000


def curves(
    trial: Trial, findings: Sequence[str], *, seed: int
) -> Generator[None, None, dict[str, dict[str, list[list[float]]]]]:
    """By finding (and ``all`` together) and opinion: the bins, ready for JSON, each
    ``[mean probability, share present, band low, band high, cases]``; none where nothing is
    measured."""
    columns = {TOGETHER: slice(None)} | {f: slice(t, t + 1) for t, f in enumerate(findings)}
    found: dict[str, dict[str, list[list[float]]]] = {finding: {} for finding in columns}
    for name, values in trial.opinions.items():
        each = kin(trial.truth, values, trial.groups, trial.strata)
        yield
        for finding, column in columns.items():
            truth, probability = trial.truth[:, column], values[:, column]
            known = ~np.isnan(truth) & ~np.isnan(probability)
            rows, truth, probability = np.nonzero(known)[0], truth[known], probability[known]
            alike = each.some(rows)
            if finding == TOGETHER:
                strata = None if trial.strata is None else trial.strata[rows]
                alike = kin(truth[:, None], probability[:, None], alike.groups, strata)
            found[finding][name] = curve(truth, probability, alike, seed=seed)
            yield
    return found


def curve(
    truth: Floats, probability: Floats, of: Kin | None = None, *, seed: int
) -> list[list[float]]:
    """The bins of one opinion (see ``curves``), with labels as alike as ``of`` says."""
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
    alone = _alone(probability[order], bins, cases, None if of is None else of.some(order))
    drawn = np.random.default_rng(seed).binomial(alone, np.clip(means, 0, 1), (_DRAWS, len(cases)))
    low, high = np.quantile(drawn / alone, [0.025, 0.975], axis=0)
    numbers = np.round(np.column_stack([means, present, low, high]), _DIGITS).tolist()
    return [[*each, count] for each, count in zip(numbers, cases.tolist(), strict=True)]


def _alone(
    probability: Floats, bins: NDArray[np.intp], cases: NDArray[np.intp], of: Kin | None
) -> NDArray[np.intp]:
    """How many independent labels each bin's ``cases`` are worth."""
    if of is None or not of.kinship:
        return cases
    some = of.groups % (1 + len(bins) // _OBSERVED) == 0
    probability, bins = probability[some], bins[some]
    share = np.ones(len(cases))
    once, spread = (spreads(probability, bins, each) for each in (None, of.some(some)))
    np.divide(once, spread, out=share[: len(once)], where=spread > 0)
    return np.maximum(np.round(cases * share), 1).astype(np.intp)
