"""A fusion at work: every case gets the fit of exactly what it has.

A missing modality is no modality full of zeros. A fusion is fitted once for all modalities and once
for each smaller set of two or more that enough labelled cases have (those that have more count
too), and a case is fused by the fit of the modalities that it has. One modality alone is its own
calibrated opinion, bit for bit; nothing at all is no opinion. A set that too few cases have shares
the weights of the whole among its own modalities.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.fusion.material import Material

Floats = NDArray[np.float64]
Subset = tuple[str, ...]


class Fusion(Protocol):
    """One way to make one opinion of several."""

    name: str

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """Fit on held-out evidence; yields often, so that a person can cancel."""
        ...


@dataclass(frozen=True)
class Fused:
    """Fused opinions of n cases. ``logits`` (n, findings) is NaN without any modality; ``units``
    and ``shares`` (modality -> (n, findings)) and ``prior`` (n, findings) explain them: logit =
    prior + Σ share · unit (NaN unit and share 0 where the case lacks the modality). ``weights``
    (n, modalities) are the mean shares; ``complete`` (n,) says where every modality took part, so
    that λ matters."""

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
    fits: Mapping[Subset, AdditiveFusion]

    @property
    def whole(self) -> AdditiveFusion:
        """The fit that cases with every modality get."""
        return self.fits[self.modalities]

    def combine(self, evidence: Mapping[str, Floats], prior: Floats) -> Fused:
        """Fuse (n, findings) evidence, rows of NaN where a modality is absent."""
        there = np.column_stack([~np.isnan(evidence[m]).all(axis=1) for m in self.modalities])
        fused = Fused(
            logits=np.full(prior.shape, np.nan),
            units={m: np.full(prior.shape, np.nan) for m in self.modalities},
            shares={m: np.zeros(prior.shape) for m in self.modalities},
            prior=np.array(prior),
            weights=np.zeros(there.shape),
            complete=there.all(axis=1),
        )
        kinds = there @ (1 << np.arange(len(self.modalities)))
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            if kind:
                self._fuse_alike(fused, evidence, rows, there[rows[0]])
        return fused

    def _fuse_alike(
        self, fused: Fused, evidence: Mapping[str, Floats], rows: NDArray[np.intp],
        there: NDArray[np.bool_],
    ) -> None:
        """Fill in the ``rows`` that have exactly the modalities that are ``there``."""
        names = tuple(m for m, has in zip(self.modalities, there, strict=True) if has)
        fit = self.fits.get(names) if len(names) > 1 else None
        gain: Floats | float = 1.0
        if fit is not None:
            gain = fit.gain
            fused.prior[rows] += fit.bias
            shares = dict(zip(names, fit.own_shares(), strict=True))
            means = dict(fit.weights)
        else:
            among = self.whole.shares_among(there)
            shares = dict(zip(self.modalities, among, strict=True))
            means = {m: float(share.mean()) for m, share in shares.items()}
        logits = fused.prior[rows]
        for position, m in enumerate(self.modalities):
            if m in names:
                unit = fused.units[m][rows] = gain * evidence[m][rows]
                fused.shares[m][rows] = shares[m]
                fused.weights[rows, position] = means[m]
                logits = logits + shares[m] * unit
        fused.logits[rows] = logits

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
    def restored(cls, modalities: Subset, tensors: Mapping[str, NDArray]) -> Fusing:
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
                fits[names] = AdditiveFusion.restored(names, own)
        return cls(modalities, fits)

    def _prefix(self, names: Subset) -> str:
        return "" if names == self.modalities else f"only.{'+'.join(names)}."


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
