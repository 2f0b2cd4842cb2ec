"""What an additive fusion is once fitted: an exact sum of one contribution a modality.

*Evidence* of a modality is its calibrated logit less the finding's prior logit: how far it moves
the belief. Fused logit = prior + bias + Σ λ_m · gain · evidence_m, so a contribution is λ_m times a
*unit* that does not depend on λ, and a what-if on λ is plain arithmetic. λ, gain and bias may be
each finding's own; the λ of a project as a whole is then the mean over its findings. Evidence that
is added up rather than weighed may be doubted a little first (``soften``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import sigmoid

Floats = NDArray[np.float64]

#: Log-odds further out are certainty in any case.
_FAR = 300.0


@dataclass(frozen=True)
class Seen:
    """What is known of n cases: (n, findings) evidence of each modality (NaN rows where it is
    absent) and prior, and the features (n, width) where the fusion reads them."""

    evidence: Mapping[str, Floats]
    prior: Floats
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> Seen:
        """Some of the cases."""
        return Seen(
            {m: e[rows] for m, e in self.evidence.items()},
            self.prior[rows],
            {m: x[rows] for m, x in self.features.items()},
        )


@dataclass(frozen=True)
class AdditiveFusion:
    """Weights of the modalities (they sum to 1), and (findings,) gains and biases.

    ``weights`` serve; ``weights_cv`` and ``weights_learned`` are what cross-validation and the
    joint fit would choose. ``shares`` (modalities, findings) are each finding's own weights, of
    which ``weights`` are the mean; None where one weight serves all findings. ``doubt`` (findings,)
    is what evidence is softened by; None: it is not.
    """

    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    gain: Floats
    bias: Floats
    shares: Floats | None = None
    doubt: Floats | None = None

    def units(self, evidence: Floats, prior: Floats) -> Floats:
        """(n, findings) contributions of one modality at weight 1."""
        if self.doubt is not None:
            evidence = soften(evidence, prior, self.doubt)
        return self.gain * evidence

    def logits(self, seen: Seen) -> Floats:
        """(n, findings) fused logits of cases with every modality."""
        shares = dict(zip(self.weights, self.own_shares(), strict=True))
        moved = sum(shares[m] * self.units(seen.evidence[m], seen.prior) for m in self.weights)
        return seen.prior + self.bias + moved

    def own_shares(self) -> Floats:
        """(modalities, findings) weights that serve."""
        if self.shares is not None:
            return self.shares
        values = np.array(list(self.weights.values()), np.float64)
        return np.repeat(values[:, None], len(self.gain), axis=1)

    def shares_among(self, there: NDArray[np.bool_]) -> Floats:
        """(modalities, findings) weights shared among the modalities that are ``there``
        (modalities,), evenly where these have none."""
        share = self.own_shares() * there[:, None]
        total = share.sum(axis=0)
        even = there / max(int(there.sum()), 1)
        return np.where(total > 0, share / np.where(total > 0, total, 1), even[:, None])

    def rearranged(self, columns: NDArray[np.intp]) -> AdditiveFusion:
        """The same with its findings in the order of ``columns``."""
        return replace(
            self,
            gain=self.gain[columns],
            bias=self.bias[columns],
            shares=None if self.shares is None else self.shares[:, columns],
            doubt=None if self.doubt is None else self.doubt[columns],
        )

    def tensors(self) -> dict[str, NDArray]:
        """What a bundle keeps of it."""
        kept: dict[str, NDArray] = {
            "gain": self.gain,
            "fusion_bias": self.bias,
            # Rows: those that serve, the cross-validated and the learned ones.
            "lambda": np.array(
                [
                    [each[m] for m in self.weights]
                    for each in (self.weights, self.weights_cv, self.weights_learned)
                ]
            ),
        }
        if self.shares is not None:
            kept["shares"] = np.ascontiguousarray(self.shares)
        if self.doubt is not None:
            kept["doubt"] = self.doubt
        return kept

    @classmethod
    def restored(
        cls, modalities: tuple[str, ...], tensors: Mapping[str, NDArray]
    ) -> AdditiveFusion:
        """What ``tensors`` kept (KeyError, ValueError: they are another's)."""
        rows = tensors["lambda"].tolist()
        weights = [dict(zip(modalities, row, strict=True)) for row in rows]
        return cls(
            *weights,
            gain=tensors["gain"],
            bias=tensors["fusion_bias"],
            shares=tensors.get("shares"),
            doubt=tensors.get("doubt"),
        )


def soften(evidence: Floats, prior: Floats, doubt: Floats) -> Floats:
    """(n, findings) evidence of opinions that speak of something else with probability ``doubt``
    (findings,): ``(1 - doubt) · opinion + doubt · prior``, as evidence. It leaves weak evidence
    nearly as it is and bounds what is strong; where there is no doubt it is the same."""
    if not doubt.any():
        return evidence
    # Both chances times (1 + odds): one exponential and one logarithm a number.
    odds = np.exp(np.clip(prior + evidence, -_FAR, _FAR))
    blank = sigmoid(prior)
    up = (1 - doubt) * odds + doubt * blank * (1 + odds)
    down = (1 - doubt) + doubt * sigmoid(-prior) * (1 + odds)
    softened = np.log(up / down) - prior
    return np.where(doubt > 0, softened, evidence)


def even_weights(modalities: tuple[str, ...]) -> dict[str, float]:
    """The same weight for each modality."""
    return {m: 1.0 / len(modalities) for m in modalities}


def manual_weights(modalities: tuple[str, ...], first: float) -> dict[str, float]:
    """``first`` for the first modality, the rest shared by the others."""
    rest = (1.0 - first) / max(len(modalities) - 1, 1)
    return {m: (first if i == 0 else rest) for i, m in enumerate(modalities)}
