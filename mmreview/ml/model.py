"""One fitted model: heads, their calibration and the fusion, as arrays. Numpy only, so that the
open case's opinion never waits for torch.

``Model.opinions`` is the whole forward pass: features → raw logits → calibrated logits of each
modality → evidence → fused logits → the distributions of exclusive groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import Calibration, sigmoid
from mmreview.ml.exclusive import GroupHead, finished, finished_alone, scales_of
from mmreview.ml.fusion.additive import Seen
from mmreview.ml.fusion.fusing import Fused, Fusing
from mmreview.ml.heads import Head

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Opinions:
    """Of n cases: the fused opinion with its explanation, and each modality's own calibrated
    log-odds (n, findings), NaN where the case lacks it or nothing ever taught it the finding.
    The fused logits are sums of contributions; in ``groups`` they are those of a softmax."""

    fused: Fused
    logits: dict[str, Floats]
    groups: tuple[GroupHead, ...] = ()

    @property
    def log_odds(self) -> Floats:
        """(n, findings) log-odds of the fused opinion: its logits, but in exclusive groups."""
        return finished(self.fused.logits, self.groups)

    @property
    def probabilities(self) -> dict[str, Floats]:
        """``fused`` and each modality as probabilities (n, findings)."""
        return {
            "fused": sigmoid(self.log_odds),
            **{m: sigmoid(z) for m, z in self.logits.items()},
        }


@dataclass(frozen=True)
class Model:
    """Heads and calibrations by modality, (findings,) prior logits (NaN: no label at all, no
    opinion), the fusion and the heads of exclusive groups."""

    modalities: tuple[str, ...]
    heads: dict[str, Head]
    calibrations: dict[str, Calibration]
    prior: Floats
    fusion: Fusing
    groups: tuple[GroupHead, ...] = ()

    def calibrated(self, modality: str, logits: Floats) -> Floats:
        """A modality's calibrated logits; the prior where it has no head for a finding."""
        head = self.heads[modality]
        return np.where(head.taught, self.calibrations[modality].apply(logits), self.prior)

    def opinions(
        self, features: Mapping[str, NDArray[np.float32]], present: Mapping[str, NDArray[np.bool_]]
    ) -> Opinions:
        """The opinions on n cases: (n, width) features and (n,) presence of each modality."""
        logits = {}
        for m in self.modalities:
            values = self.calibrated(m, self.heads[m].logits(features[m]))
            logits[m] = np.where(present[m][:, None], values, np.nan)
        return self.fuse(logits, features)

    def fuse(
        self, logits: Mapping[str, Floats], features: Mapping[str, NDArray[np.float32]]
    ) -> Opinions:
        """The opinions that follow from each modality's calibrated logits, NaN rows absent;
        ``features`` are looked at by fusions that are no weighted sum only."""
        prior = np.broadcast_to(self.prior, next(iter(logits.values())).shape)
        known = ~np.isnan(self.prior)
        # A finding nobody labelled is left out of the sums and has no opinion afterwards.
        safe = np.where(known, prior, 0.0)
        evidence = {
            m: np.where(known, z - safe, np.where(self._absent(z, known), np.nan, 0.0))
            for m, z in logits.items()
        }
        fused = self.fusion.combine(Seen(evidence, safe, {} if self.fusion.additive else features))
        lacks = {m: np.isnan(e).all(axis=1) for m, e in evidence.items()}
        alone = sum((~lack).astype(int) for lack in lacks.values()) == 1
        for m, z in logits.items():  # to the bit, which prior + (logit - prior) is not
            own = alone & ~lacks[m]
            fused.logits[own] = z[own]
        fused.logits[:, ~known] = np.nan
        self._scale(fused, {m: ~lack for m, lack in lacks.items()})
        own_logits = {m: finished_alone(z, m, self.groups) for m, z in logits.items()}
        return Opinions(fused, own_logits, self.groups)

    def _scale(self, fused: Fused, there: Mapping[str, NDArray[np.bool_]]) -> None:
        """Bring a group's logits, with all that they are a sum of, to those of its softmax."""
        for head in self.groups:
            columns = list(head.group.columns)
            slope, offset = scales_of(head, there)
            fused.logits[:, columns] = slope * fused.logits[:, columns] + offset
            fused.prior[:, columns] = slope * fused.prior[:, columns] + offset
            for unit in fused.units.values():
                unit[:, columns] *= slope

    @staticmethod
    def _absent(logits: Floats, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n, 1): rows without the modality."""
        return np.isnan(logits[:, known]).all(axis=1, keepdims=True)
