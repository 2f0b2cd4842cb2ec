"""From each finding's own weights to a fitted fusion: silent modalities, gain and bias, the mean.

The fusions that weigh every finding for itself (``soft``, ``mixture``, ``stacking`` …) say only
how; what follows is the same for all and stands here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import fit_scale
from mmreview.ml.fusion.additive import AdditiveFusion, manual_weights
from mmreview.ml.fusion.material import Material

Floats = NDArray[np.float64]

#: How many observations the identity counts for when gain and bias are fitted.
_PSEUDO = 50.0


def heard(material: Material) -> NDArray[np.bool_]:
    """(modalities, findings): where a modality has a head for a finding."""
    return np.stack([material.taught[m] for m in material.modalities])


def evidence(material: Material) -> Floats:
    """(modalities, n, findings) evidence."""
    return np.stack([material.evidence[m] for m in material.modalities])


def log_losses(material: Material, signal: Floats) -> Floats:
    """(…, n, findings) log-loss of opinions that move the belief by ``signal``; NaN unlabelled."""
    logits = signal + material.prior
    # log(1 + e^z) from parts that numpy has fast versions of
    certain = np.maximum(logits, 0.0)
    return np.log1p(np.exp(-np.abs(logits))) + certain - material.truth * logits


def skill(material: Material, rows: NDArray[np.bool_]) -> Floats:
    """(…, modalities, findings): by how much each opinion's mean log-loss on ``rows`` (…, n) is
    below the prior's, as shares of their sum; even where none is."""
    known = ~np.isnan(material.truth)
    chosen = rows.astype(np.float64)
    signals = evidence(material)
    gains = log_losses(material, np.zeros(signals.shape[1:])) - log_losses(material, signals)
    gained = np.stack([chosen @ each for each in np.where(known, gains, 0.0)], axis=-2)
    gained = np.maximum(gained / np.maximum(chosen @ known, 1.0)[..., None, :], 0.0)
    total = gained.sum(axis=-2, keepdims=True)
    return np.where(total > 1e-9, gained / np.where(total > 1e-9, total, 1.0), 1 / len(signals))


def fitted(
    material: Material, shares: Floats, *, weight: LambdaChoice, sums: Floats | None = None
) -> AdditiveFusion:
    """The fusion that weighs by ``shares`` (modalities, findings), or as was set by hand.

    A modality without a head for a finding gives its share to the others. Gain and bias are fitted
    to the held-out evidence, drawn to ``sums`` (findings,; what the weights add up to; 1) and 0.
    """
    found = mean = _among_heard(shares, heard(material))
    if weight.mode == "manual" and weight.value is not None:
        values = list(manual_weights(material.modalities, weight.value).values())
        by_hand = np.repeat(np.array(values)[:, None], shares.shape[1], axis=1)
        mean, found, sums = by_hand, _among_heard(by_hand, heard(material)), None
    pooled = np.einsum("mf,mnf->nf", found, evidence(material))
    seen = (~np.isnan(material.truth)).astype(np.float64)
    gain, bias = fit_scale(
        pooled, np.nan_to_num(material.truth), seen, base=material.prior,
        centre=1.0 if sums is None else sums, pseudo=_PSEUDO,
    )
    any_head = heard(material).any(axis=0)  # without any the opinion is the prior
    serving = _mean(material, mean)
    crossed = _mean(material, _among_heard(shares, heard(material)))
    return AdditiveFusion(
        weights=serving,
        weights_cv=crossed,
        weights_learned=crossed,
        gain=np.where(any_head, np.maximum(gain, 0.0), 1.0),
        bias=np.where(any_head, bias, 0.0),
        shares=found,
    )


def _among_heard(shares: Floats, there: NDArray[np.bool_]) -> Floats:
    """Shares that add up to 1 over the modalities that have a head; as they are where none has."""
    part = np.where(there | ~there.any(axis=0), shares, 0.0)
    total = part.sum(axis=0)
    even = there / np.maximum(there.sum(axis=0), 1)
    return np.where(total > 1e-12, part / np.where(total > 1e-12, total, 1.0), even)


def _mean(material: Material, shares: Floats) -> dict[str, float]:
    """The mean over the findings with a head; over all if none has one."""
    taught = heard(material).any(axis=0)
    mean = shares[:, taught if taught.any() else slice(None)].mean(axis=1)
    mean = mean / mean.sum()
    return dict(zip(material.modalities, mean.tolist(), strict=True))
