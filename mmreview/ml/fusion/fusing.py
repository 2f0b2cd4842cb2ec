"""A fusion at work: every case gets the fit of exactly what it has.

A missing modality is no modality full of zeros. A fusion is fitted once for all modalities and once
for each smaller set of two or more that enough labelled cases have (those that have more count
too), and a case is fused by the fit of the modalities that it has. One modality alone is its own
calibrated opinion, bit for bit; nothing at all is no opinion. A set that too few cases have shares
the weights of the whole among its own modalities.

Some fusions are weighted sums of evidence (``additive``) and explain themselves; what the others
say is divided among the modalities by their Shapley values over these very fits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion.additive import AdditiveFusion, Seen
from mmreview.ml.fusion.material import Material

Floats = NDArray[np.float64]
Subset = tuple[str, ...]

#: What a fusion looks at: each modality's opinion alone, the features behind it, or its parts too.
EVIDENCE, FEATURES, PARTED = "evidence", "features", "parts"


class FittedFusion(Protocol):
    """One fit of a fusion. ``weights`` and its alternatives are empty where there is no λ."""

    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    shares: Floats | None

    def logits(self, seen: Seen) -> Floats:
        """(n, findings) fused logits of cases that have all its modalities; NaN where it has
        learned nothing of a finding."""
        ...

    def rearranged(self, columns: NDArray[np.intp]) -> FittedFusion:
        """The same with its findings in the order of ``columns``."""
        ...

    def tensors(self) -> dict[str, NDArray]:
        """What a bundle keeps of it."""
        ...

    @classmethod
    def restored(
        cls, modalities: Subset, tensors: Mapping[str, NDArray]
    ) -> FittedFusion:
        """What ``tensors`` kept (KeyError, ValueError: they are another's)."""
        ...


class Fusion(Protocol):
    """One way to make one opinion of several. ``fitted`` is what ``fit`` makes; ``reads`` says
    what it looks at beside the evidence; ``slow`` ones are left out where every fusion is tried
    unless asked for."""

    name: str
    fitted: type[FittedFusion] = AdditiveFusion
    reads: str = EVIDENCE
    slow: bool = False

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, FittedFusion]:
        """Fit on held-out evidence; yields often, so that a person can cancel."""
        ...


@dataclass(frozen=True)
class Fused:
    """Fused opinions of n cases. ``logits`` (n, findings) is NaN without any modality; ``units``
    and ``shares`` (modality -> (n, findings)) and ``prior`` (n, findings) explain them: logit =
    prior + Σ share · unit (NaN unit and share 0 where the case lacks the modality). ``weights``
    (n, modalities) are the mean shares; ``complete`` (n,) says where every modality took part in a
    weighted sum, so that λ matters. A fusion that is no such sum is explained by Shapley values:
    these are the units then, and every share is 1."""

    logits: Floats
    units: dict[str, Floats]
    shares: dict[str, Floats]
    prior: Floats
    weights: Floats
    complete: NDArray[np.bool_]


@dataclass(frozen=True)
class Fusing:
    """The fits of one fusion by the modalities that they join; that of all is always there."""

    modalities: Subset
    fits: Mapping[Subset, FittedFusion]

    @property
    def whole(self) -> FittedFusion:
        """The fit that cases with every modality get."""
        return self.fits[self.modalities]

    @property
    def additive(self) -> bool:
        """Whether a fused logit is a weighted sum, so that there is a λ."""
        return isinstance(self.whole, AdditiveFusion)

    def combine(self, seen: Seen) -> Fused:
        """Fuse cases that each have any of the modalities."""
        there = np.column_stack([~np.isnan(seen.evidence[m]).all(axis=1) for m in self.modalities])
        shape = seen.prior.shape
        fused = Fused(
            logits=np.full(shape, np.nan),
            units={m: np.full(shape, np.nan) for m in self.modalities},
            shares={m: np.zeros(shape) for m in self.modalities},
            prior=np.array(seen.prior),
            weights=np.zeros(there.shape),
            complete=there.all(axis=1) & self.additive,
        )
        kinds = there @ (1 << np.arange(len(self.modalities)))
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            if kind:
                names = tuple(
                    m for m, has in zip(self.modalities, there[rows[0]], strict=True) if has
                )
                explain = self._weigh if self.additive else self._divide
                explain(fused, seen, rows, names)
        return fused

    def _weigh(self, fused: Fused, seen: Seen, rows: NDArray[np.intp], names: Subset) -> None:
        """Fill in ``rows`` that have exactly ``names``, by a sum of weighted evidence."""
        fit = self.fits.get(names) if len(names) > 1 else None
        if isinstance(fit, AdditiveFusion):
            fused.prior[rows] += fit.bias
            shares = dict(zip(names, fit.own_shares(), strict=True))
            means = dict(fit.weights)
        else:
            shares = self._shares_among(names)
            means = {m: float(share.mean()) for m, share in shares.items()}
        logits = fused.prior[rows]
        for m in names:
            unit = seen.evidence[m][rows]
            if isinstance(fit, AdditiveFusion):
                unit = fit.units(unit, seen.prior[rows])
            fused.units[m][rows] = unit
            fused.shares[m][rows] = shares[m]
            fused.weights[rows, self.modalities.index(m)] = means[m]
            logits = logits + shares[m] * unit
        fused.logits[rows] = logits

    def _divide(self, fused: Fused, seen: Seen, rows: NDArray[np.intp], names: Subset) -> None:
        """Fill in ``rows`` that have exactly ``names``, divided by Shapley values."""
        part = seen.take(rows)
        values = self._values(names, part)
        fused.logits[rows] = values[names]
        for m, unit in _divided(names, values).items():
            fused.units[m][rows] = unit
            fused.shares[m][rows] = 1.0

    def value(self, names: Subset, seen: Seen) -> Floats:
        """(n, findings) fused logits by ``names`` alone, which all cases have: the prior by none,
        a modality's own opinion by one, else the fit of these or what stands in for it."""
        if not names:
            return np.array(seen.prior)
        if len(names) == 1:
            return seen.prior + seen.evidence[names[0]]
        shares = self._shares_among(names)
        shared = seen.prior + sum(shares[m] * seen.evidence[m] for m in names)
        if names not in self.fits:
            return shared
        logits = self.fits[names].logits(seen)
        return np.where(np.isnan(logits), shared, logits)

    def shapley(self, names: Subset, seen: Seen) -> dict[str, Floats]:
        """Each modality's (n, findings) part in the logits' way from the prior: the mean over all
        orders in which the modalities could join (Shapley 1953). They add up exactly."""
        return _divided(names, self._values(names, seen))

    def _values(self, names: Subset, seen: Seen) -> dict[Subset, Floats]:
        """The logits by each of the sets that ``names`` have, the empty one too."""
        return {
            chosen: self.value(chosen, seen)
            for size in range(len(names) + 1)
            for chosen in combinations(names, size)
        }

    def _shares_among(self, names: Subset) -> dict[str, Floats]:
        """(findings,) weights of ``names`` without a fit of their own: as the whole weighs them
        among each other, evenly where it has no weights."""
        if not isinstance(self.whole, AdditiveFusion):
            return {m: np.array(1.0 / len(names)) for m in names}
        among = self.whole.shares_among(np.array([m in names for m in self.modalities]))
        return {m: among[self.modalities.index(m)] for m in names}

    def rearranged(self, columns: NDArray[np.intp]) -> Fusing:
        """The same with its findings in the order of ``columns``."""
        fits = {names: fit.rearranged(columns) for names, fit in self.fits.items()}
        return Fusing(self.modalities, fits)

    def tensors(self) -> dict[str, NDArray]:
        """What a bundle keeps of it."""
        return {
            self._prefix(names) + name: tensor
            for names, fit in self.fits.items()
            for name, tensor in fit.tensors().items()
        }

    @classmethod
    def restored(
        cls, kind: type[FittedFusion], modalities: Subset, tensors: Mapping[str, NDArray]
    ) -> Fusing:
        """What ``tensors`` kept; bundles from before there were smaller sets have the whole only.

        Raises:
            KeyError, ValueError: they are another's.
        """
        empty = cls(modalities, {})
        fits = {}
        for names in subsets(modalities):
            prefix = empty._prefix(names)
            own = {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
            if own or names == modalities:
                fits[names] = kind.restored(names, own)
        return cls(modalities, fits)

    def _prefix(self, names: Subset) -> str:
        return "" if names == self.modalities else f"only.{'+'.join(names)}."


def _divided(names: Subset, values: Mapping[Subset, Floats]) -> dict[str, Floats]:
    """Each modality's Shapley value, from what every set of them says."""
    parts = {}
    for m in names:
        part = np.zeros(values[()].shape)
        for without, value in values.items():
            if m not in without:
                having = tuple(n for n in names if n in without or n == m)
                orders = factorial(len(without)) * factorial(len(names) - len(having))
                part += (values[having] - value) * (orders / factorial(len(names)))
        parts[m] = part
    return parts


def subsets(modalities: Subset) -> list[Subset]:
    """All modalities first, then each smaller set of two or more, in their order."""
    sizes = range(len(modalities) - 1, 1, -1)
    return [modalities, *(names for size in sizes for names in combinations(modalities, size))]


def fit_each(
    fusion: Fusion, materials: Mapping[Subset, Material], *, weight: LambdaChoice
) -> Generator[None, None, Fusing]:
    """Fit a fusion on each set's material (that of all modalities is the first)."""
    everything = next(iter(materials))
    fits = {}
    for names, material in materials.items():
        chosen = weight
        if weight.mode == "manual" and names[0] != everything[0]:
            # The weight by hand is the first modality's; the others share the rest evenly.
            chosen = LambdaChoice("manual", 1.0 / len(names))
        fits[names] = yield from fusion.fit(material, weight=chosen)
    return Fusing(everything, fits)
