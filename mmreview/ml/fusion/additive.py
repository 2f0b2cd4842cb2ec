"""What an additive fusion is once fitted: an exact sum of one contribution a modality.

*Evidence* of a modality is its calibrated logit less the finding's prior logit: how far it moves
the belief. Fused logit = prior + bias + Σ λ_m · gain · evidence_m, so a contribution is λ_m times a
*unit* that does not depend on λ, and a what-if on λ is plain arithmetic. λ, gain and bias may be
each finding's own; the λ of a project as a whole is then the mean over its findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fused:
    """Fused opinions of n cases. ``logits`` (n, findings) is NaN without any modality; ``units``
    and ``shares`` (modality -> (n, findings)) and ``prior`` (n, findings) explain them: logit =
    prior + Σ share · unit. ``weights`` (n, modalities) are the mean shares; ``complete`` (n,) says
    where every modality took part, so that λ matters."""

    logits: Floats
    units: dict[str, Floats]
    shares: dict[str, Floats]
    prior: Floats
    weights: Floats
    complete: NDArray[np.bool_]


@dataclass(frozen=True)
class AdditiveFusion:
    """Weights of the modalities (they sum to 1), and (findings,) gains and biases.

    ``weights`` serve; ``weights_cv`` and ``weights_learned`` are what cross-validation and the
    joint fit would choose. ``shares`` (modalities, findings) are each finding's own weights, of
    which ``weights`` are the mean; None where one weight serves all findings.
    """

    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    gain: Floats
    bias: Floats
    shares: Floats | None = None

    def combine(self, evidence: Mapping[str, Floats], prior: Floats) -> Fused:
        """Fuse (n, findings) evidence, rows of NaN where a modality is absent.

        A case that lacks a modality is no zero-filled case: gain and bias belong to complete
        cases, and what is left is weighed among itself, so that one modality alone gives exactly
        its own calibrated opinion.
        """
        names = tuple(self.weights)
        there = np.column_stack([~np.isnan(evidence[m]).all(axis=1) for m in names])
        complete = there.all(axis=1)
        own = self.own_shares()
        parts = np.repeat(own[None], len(there), axis=0)  # (n, modalities, findings)
        lacking = np.flatnonzero(~complete)
        parts[lacking] = _among(own, there[lacking])
        weights = parts.mean(axis=2)
        weights[complete] = [self.weights[m] for m in names]
        gain = np.where(complete[:, None], self.gain, 1.0)
        base = prior + np.where(complete[:, None], self.bias, 0.0)
        units = {m: gain * evidence[m] for m in names}
        shares = {m: parts[:, position] for position, m in enumerate(names)}
        logits = base.copy()
        for position, m in enumerate(names):
            logits += np.where(there[:, position, None], shares[m] * units[m], 0.0)
        logits[~there.any(axis=1)] = np.nan
        return Fused(logits, units, shares, base, weights, complete)

    def own_shares(self) -> Floats:
        """(modalities, findings) weights that serve."""
        if self.shares is not None:
            return self.shares
        values = np.array(list(self.weights.values()), np.float64)
        return np.repeat(values[:, None], len(self.gain), axis=1)


def _among(own: Floats, there: NDArray[np.bool_]) -> Floats:
    """(n, modalities, findings): weights shared among the modalities that are there, evenly where
    these have none."""
    share = own[None] * there[:, :, None]
    total = share.sum(axis=1, keepdims=True)
    even = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    return np.where(total > 0, share / np.where(total > 0, total, 1), even[:, :, None])


def even_weights(modalities: tuple[str, ...]) -> dict[str, float]:
    """The same weight for each modality."""
    return {m: 1.0 / len(modalities) for m in modalities}


def manual_weights(modalities: tuple[str, ...], first: float) -> dict[str, float]:
    """``first`` for the first modality, the rest shared by the others."""
    rest = (1.0 - first) / max(len(modalities) - 1, 1)
    return {m: (first if i == 0 else rest) for i, m in enumerate(modalities)}
