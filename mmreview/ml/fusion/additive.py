"""What an additive fusion is once fitted: an exact sum of one contribution a modality.

*Evidence* of a modality is its calibrated logit less the finding's prior logit: how far it moves
the belief. Fused logit = prior + bias + Σ λ_m · gain · evidence_m, so a contribution is λ_m times a
*unit* that does not depend on λ, and a what-if on λ is plain arithmetic.
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
    (modality -> (n, findings)), ``prior`` (n, findings) and ``weights`` (n, modalities) explain
    them; ``complete`` (n,) says where every modality took part, so that λ matters."""

    logits: Floats
    units: dict[str, Floats]
    prior: Floats
    weights: Floats
    complete: NDArray[np.bool_]


@dataclass(frozen=True)
class AdditiveFusion:
    """Weights of the modalities (they sum to 1), and (findings,) gains and biases.

    ``weights`` serve; ``weights_cv`` and ``weights_learned`` are what cross-validation and the
    joint fit would choose.
    """

    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    gain: Floats
    bias: Floats

    def combine(self, evidence: Mapping[str, Floats], prior: Floats) -> Fused:
        """Fuse (n, findings) evidence, rows of NaN where a modality is absent.

        A case that lacks a modality is no zero-filled case: gain and bias belong to complete
        cases, and what is left is weighed among itself, so that one modality alone gives exactly
        its own calibrated opinion.
        """
        names = tuple(self.weights)
        there = np.column_stack([~np.isnan(evidence[m]).all(axis=1) for m in names])
        complete = there.all(axis=1)
        share = np.array([self.weights[m] for m in names]) * there
        total = share.sum(axis=1, keepdims=True)
        even = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
        weights = np.where(total > 0, share / np.where(total > 0, total, 1), even)
        weights[complete] = [self.weights[m] for m in names]
        gain = np.where(complete[:, None], self.gain, 1.0)
        base = prior + np.where(complete[:, None], self.bias, 0.0)
        units = {m: gain * evidence[m] for m in names}
        logits = base.copy()
        for position, m in enumerate(names):
            part = weights[:, position, None] * units[m]
            logits += np.where(there[:, position, None], part, 0.0)
        logits[~there.any(axis=1)] = np.nan
        return Fused(logits, units, base, weights, complete)


def even_weights(modalities: tuple[str, ...]) -> dict[str, float]:
    """The same weight for each modality."""
    return {m: 1.0 / len(modalities) for m in modalities}


def manual_weights(modalities: tuple[str, ...], first: float) -> dict[str, float]:
    """``first`` for the first modality, the rest shared by the others."""
    rest = (1.0 - first) / max(len(modalities) - 1, 1)
    return {m: (first if i == 0 else rest) for i, m in enumerate(modalities)}
