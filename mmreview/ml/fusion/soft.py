"""The pooled soft weight: each finding trusts a modality as surely as it is the better one.

For two modalities λ = Φ(m/√v): the belief that the first has the lower log-loss. The difference in
cross-fitted log-loss of the calibrated modalities, in units of the finding's entropy, is measured
with patient groups as clusters; its standard error is widened because training folds overlap; and
it is shrunk towards what the finding's family shows by empirical Bayes (Efron & Morris 1975, the
variance of the mean as in Morris 1983), since ten labels of one finding say little, but ten
findings of one kind agree. Where neither is surely better λ is near .5: averaging and choosing are
its two ends, and it is never worse than either by much (``first measurements``, 45 targets).
Of more than two modalities each is weighed by the product of its pairwise beliefs.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.fusion.shares import evidence, fitted, heard, log_losses

Floats = NDArray[np.float64]

#: What standard errors are multiplied with: inner folds share most of their training rows, so
#: losses of different folds are not independent. On the development sets 1.25 to 2 do about the
#: same; below that a weight is too sure, above it averages too much.
_WIDEN = 1.5


class Soft(Fusion):
    """One λ a finding and modality, softly chosen within a family of findings."""

    name = "soft"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """See ``fusion.Fusion``. Every mode but ``manual`` serves the soft weights."""
        shares = soft_shares(material)
        yield
        return fitted(material, shares, weight=weight)


def soft_shares(material: Material) -> Floats:
    """(modalities, findings) weights that sum to 1 for each finding."""
    count, findings = len(material.modalities), material.truth.shape[1]
    belief = np.zeros((count, findings))  # sums of log-beliefs
    losses = log_losses(material, evidence(material))
    there = heard(material)
    for first, second in combinations(range(count), 2):
        # A silent modality is no worse one: it must not speak for the family.
        gaps = np.where(there[first] & there[second], losses[second] - losses[first], np.nan)
        middle, spread = pooled(*differences(gaps, material), material.families)
        z = middle / np.sqrt(np.maximum(spread, 1e-12))
        belief[first] += np.log(np.maximum(normal(z), 1e-300))
        belief[second] += np.log(np.maximum(normal(-z), 1e-300))
    belief = np.exp(belief - belief.max(axis=0))
    return belief / belief.sum(axis=0)


def differences(gaps: Floats, material: Material) -> tuple[Floats, Floats]:
    """The mean of (n, findings) ``gaps`` in units of each finding's entropy, and its variance.

    Groups are clusters of weight √size. What counts for the few-clusters correction is how many
    of them have the rarer kind of label: a hundred patients without a finding and two with it are
    a sample of two. NaN mean and infinite variance where that is less than two.
    """
    known = ~np.isnan(gaps)
    number, findings = int(material.groups.max(initial=-1)) + 1, gaps.shape[1]
    cell = material.groups[:, None] * findings + np.arange(findings)

    def summed(values: NDArray) -> Floats:
        """(groups, findings) sums of (n, findings) values."""
        flat = np.bincount(cell.ravel(), values.ravel(), minlength=number * findings)
        return flat.reshape(number, findings)

    present = known & (material.truth == 1)
    sizes, hits = summed(known), summed(present)
    rarer = np.minimum((hits > 0).sum(axis=0), (hits < sizes).sum(axis=0))
    enough = rarer > 1
    rarer = np.where(enough, rarer, 2)
    rate = np.where(enough, hits.sum(axis=0) / np.maximum(sizes.sum(axis=0), 1), 0.5)
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    values = np.where(known, gaps, 0.0) / entropy
    weights = 1.0 / np.sqrt(np.maximum(sizes, 1.0))
    total = np.maximum((weights * sizes).sum(axis=0), 1e-12)
    sums = summed(values)
    means = (weights * sums).sum(axis=0) / total
    squares = np.square(weights * (sums - sizes * means)).sum(axis=0)
    spread = squares / total**2 * rarer / (rarer - 1)
    variances = np.maximum(spread, 1e-12) * _WIDEN**2
    return np.where(enough, means, np.nan), np.where(enough, variances, np.inf)


def pooled(means: Floats, variances: Floats, families: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """(findings,) posterior means and variances by empirical Bayes within each family."""
    middle, spread = np.zeros(len(means)), np.ones(len(means))
    for family in np.unique(families):
        inside = np.flatnonzero(families == family)
        known = inside[np.isfinite(variances[inside])]
        if not len(known):
            continue
        middle[inside], spread[inside] = _posterior(means[inside], variances[inside])
    return middle, spread


def _posterior(means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Posterior of one family; findings of infinite variance take the family's prior."""
    known = np.isfinite(variances)
    d, se2 = means[known], variances[known]
    count = len(d)
    between = max(float(np.var(d, ddof=1) - se2.mean()), 0.0) if count > 1 else 0.0
    precision = 1.0 / (se2 + between)
    centre = float((precision * d).sum() / precision.sum())
    shrink = np.ones(len(means))
    shrink[known] = se2 / (se2 + between)
    own = np.where(known, np.where(known, means, 0.0), centre)
    middle = centre + (1 - shrink) * (own - centre)
    spread = np.where(known, (1 - shrink) * np.where(known, variances, 0.0), between)
    return middle, spread + shrink**2 * float(se2.mean()) / math.sqrt(count)


def normal(z: Floats) -> Floats:
    """Φ(z), the standard normal distribution."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in z.tolist()])
