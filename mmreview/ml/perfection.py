"""What a perfect model would show: the calibration error that is left when every opinion is right.

An expected calibration error is never zero at a finite n, however good the model (Bröcker 2007):
labels are drawn from the opinions themselves, and say what the error would be. How much that is
depends on how many labels are independent: images of one patient share an outcome, and ten of them
tell little more of it than one (the design effect, Kish 1965). So labels are drawn as alike within
a patient group as they are seen to be (``kinship``): with its square root for a chance a case takes
its label from a number that all of its group share, else from one of its own (Lunn & Davies 1998).
At 0 labels are independent, at 1 a group shares one number; groups of one case are what they are
without any of this.

Shown on labels drawn at a known kinship for the real sets' groups and opinions (60 draws, means
over findings): error of the model that is perfect / what is said here / what independent labels
would say. At 1: diagnoses .0261 / .0266 / .0208, outcomes .0904 / .0924 / .0777, ultrasound .0798 /
.0774 / .0657; at .5: .0245 / .0240, .0855 / .0856, .0723 / .0708; at 0 what is said is .0002, .0008
and .0007 above independent labels. A latent Gaussian in place of the shared number, tried with an
earlier estimate, agreed to .001, on ultrasound to .004.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.metrics import BINS, adaptive_bins, equal_bins

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: From so many labels on errors follow from the spread of a bin's labels, without a draw.
_FOLLOWED = 2000
#: Labels that tell kinship at most: patient groups beyond them are left out.
_OBSERVED = 100_000
#: Numbers that are drawn at once at most.
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Kin:
    """(n,) patient groups by number, and the ``kinship`` of their labels."""

    groups: Ints
    kinship: float

    def some(self, rows: NDArray) -> Kin:
        """Those of some of the cases."""
        return Kin(self.groups[rows], self.kinship)


def kin(
    truth: Floats, probability: Floats, groups: NDArray,
    strata: NDArray[np.integer] | None = None,
) -> Kin:
    """How alike what opinions err by is within a patient group, all findings together: (n,
    findings) truths and opinions, NaN where there is none, (n,) groups and strata.

    Kinship is the pairwise intraclass correlation of residuals (Fisher 1925; Karlin, Cameron &
    Williams 1981) of one finding in one bin of the calibration error, for these add up there; 0 to
    1, in units of the correlation that a shared number gives. What labels of different groups have
    in common there, within a stratum, is what the opinions err by as a whole, and is taken off: an
    opinion that misleads must not be excused by it. Variances are those of the labels, not those
    that the opinions claim (sure opinions would make little of theirs, and kin of all).
    """
    names, number = np.unique(groups, return_inverse=True)
    alone, count = Kin(number, 0.0), len(names)
    if count == len(number):
        return alone
    known = ~np.isnan(truth) & ~np.isnan(probability)
    known[number % (1 + int(known.sum()) // _OBSERVED) != 0] = False
    rows, findings = np.nonzero(known)
    if not len(rows):
        return alone
    said = probability[rows, findings]
    gap = truth[rows, findings] - said
    bins = findings * BINS + equal_bins(said)
    heaps, heap_bins = _joined(bins, np.zeros(len(number)) if strata is None else strata, rows)
    keys = heaps * count + number[rows]
    cells = _Cells.of(keys, np.lexsort((said, keys)))
    heap = cells.keys // count
    bin_of, width = heap_bins[heap], int(bins.max()) + 1

    def by_bin(values: Floats) -> Floats:
        return np.bincount(bin_of, weights=values, minlength=width)

    def of_others(values: Floats) -> Floats:
        """The sum of products over pairs of different groups of a stratum."""
        totals = cells.total(values)
        every = np.square(np.bincount(heap, weights=totals, minlength=len(heap_bins)))
        whole = np.bincount(heap_bins, weights=every, minlength=width)
        return (whole - by_bin(np.square(totals))) / 2

    one = np.ones(len(rows))
    pairs, others = by_bin(cells.products(one)), of_others(one)
    useful = (pairs > 0) & (others > 0)
    common = pairs * of_others(gap) / np.maximum(others, 1.0)
    claimed = np.maximum(by_bin(cells.halves(said * (1 - said))), 1e-12)
    scale = (by_bin(cells.halves(np.square(gap))) - common) / claimed
    alike = (by_bin(cells.products(gap)) - common)[useful].sum()
    most = (by_bin(cells.shared(said)) * scale)[useful].sum()
    return Kin(number, float(np.clip(alike / most, 0.0, 1.0)) if most > 0 else 0.0)


def _joined(bins: Ints, strata: NDArray, rows: Ints) -> tuple[Ints, Ints]:
    """The number of each label's bin and stratum together, and the bin of each such number."""
    stratum = np.unique(strata, return_inverse=True)[1][rows]
    count = int(stratum.max()) + 1
    return bins * count + stratum, np.arange((int(bins.max()) + 1) * count) // count


@dataclass(frozen=True)
class _Cells:
    """Labels in an ``order`` by their cells (a bin's labels of one group) and within a cell by
    opinion: the ``keys`` of the cells, where each begins, how many it has."""

    order: Ints
    keys: Ints
    begins: Ints
    counts: Ints

    @classmethod
    def of(cls, keys: Ints, order: Ints) -> _Cells:
        """From (labels,) keys and such an order."""
        ordered = keys[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=-1))
        return cls(order, ordered[begins], begins, np.diff(begins, append=len(order)))

    def total(self, values: Floats) -> Floats:
        """(cells,) sums."""
        return np.add.reduceat(values[self.order], self.begins)

    def products(self, values: Floats) -> Floats:
        """(cells,) sums over pairs of the product of their values."""
        return (np.square(self.total(values)) - self.total(np.square(values))) / 2

    def halves(self, values: Floats) -> Floats:
        """(cells,) sums over pairs of the mean of their values."""
        return self.total(values) * (self.counts - 1) / 2

    def shared(self, probability: Floats) -> Floats:
        """(cells,) sums over pairs of the covariance of labels that come from one number: the
        lower of their probabilities less the product."""
        behind = np.repeat(self.begins + self.counts, self.counts) - 1 - np.arange(len(self.order))
        lower = np.add.reduceat(probability[self.order] * behind, self.begins)
        return lower - self.products(probability)


def spreads(probability: Floats, bins: Ints, of: Kin | None) -> Floats:
    """(bins,) variances of the number of labels present, if every opinion is right; the higher the
    bin, the higher the opinions must be."""
    alone = np.bincount(bins, weights=probability * (1 - probability))
    if of is None or not of.kinship:
        return alone
    several = np.bincount(of.groups)[of.groups] > 1
    if not several.any():
        return alone
    groups, p, count = of.groups[several], probability[several], len(alone)
    # By group, then opinion, in one sort.
    cells = _Cells.of(groups * count + bins[several], np.argsort(groups + 0.999 * p))
    shared = np.bincount(cells.keys % count, weights=cells.shared(p), minlength=count)
    return alone + 2 * of.kinship * shared


def perfect_errors(
    probability: Floats, of: Kin | None = None, *, seed: int
) -> dict[str, float | None]:
    """The mean calibration errors, ``ece_perfect`` and ``ece_adaptive_perfect``, if these (n,)
    opinions were exactly right, with labels as alike as ``of`` says (independent without); of many,
    what that comes to (a bin's gap is normal, and its mean size known)."""
    n = len(probability)
    if not n:
        return {"ece_perfect": None, "ece_adaptive_perfect": None}
    each = {
        "ece_perfect": equal_bins(probability),
        "ece_adaptive_perfect": adaptive_bins(probability),
    }
    if n >= _FOLLOWED:
        return {
            name: float(np.sqrt(2 / np.pi * spreads(probability, bins, of)).sum() / n)
            for name, bins in each.items()
        }
    count = int(np.clip(400_000 // n, 40, 400))
    found: dict[str, list[Floats]] = {name: [] for name in each}
    for gaps in _gaps(probability, of, count, seed):
        for name, bins in each.items():
            member = np.eye(BINS, dtype=np.float32)[bins]
            found[name].append(np.abs(gaps @ member).sum(axis=1) / n)
    return {name: float(np.concatenate(errors).mean()) for name, errors in found.items()}


def perfect_band(
    probability: Floats, of: Kin | None = None, *, seed: int
) -> list[float] | None:
    """The middle 95 % of the calibration errors (equal bins) that these opinions would show if
    they were exactly right: within it, a model cannot be told from a perfect one."""
    n = len(probability)
    if not n:
        return None
    member = np.eye(BINS, dtype=np.float32)[equal_bins(probability)]
    drawn = _gaps(probability, of, int(np.clip(400_000 // n, 100, 400)), seed)
    errors = np.concatenate([np.abs(gaps @ member).sum(axis=1) / n for gaps in drawn])
    low, high = np.quantile(errors, [0.025, 0.975])
    return [float(low), float(high)]


def _gaps(probability: Floats, of: Kin | None, count: int, seed: int) -> Iterator[NDArray]:
    """(draws, n) opinions less labels drawn from them, in blocks of little memory."""
    rng = np.random.default_rng(seed)
    n = len(probability)
    size = max(1, _AT_ONCE // n)
    kinship = 0.0 if of is None else of.kinship
    names, member = np.unique(() if of is None else of.groups, return_inverse=True)
    for begin in range(0, count, size):
        numbers = rng.random((min(size, count - begin), n))
        if kinship and len(names) < n:
            shared = rng.random((len(numbers), len(names)))[:, member]
            numbers = np.where(rng.random(numbers.shape) < np.sqrt(kinship), shared, numbers)
        yield (probability - (numbers < probability)).astype(np.float32)
