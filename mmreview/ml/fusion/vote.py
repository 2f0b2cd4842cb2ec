"""Voting: the mean of the modalities' calibrated probabilities (the sum rule of Kittler et al., *On
combining classifiers*, 1998). Late fusion without anything to fit, a baseline; the mean of logits
(``average``) is the geometric counterpart."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import sigmoid
from mmreview.ml.fusion.additive import Seen
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.fusion.shares import heard

Floats = NDArray[np.float64]
_EDGE = 1e-12


@dataclass(frozen=True)
class FittedVote:
    """``voices`` (modalities, findings) says who votes on what: those that have a head."""

    modalities: tuple[str, ...]
    voices: NDArray[np.bool_]
    weights: Mapping[str, float] = field(default_factory=dict)
    weights_cv: Mapping[str, float] = field(default_factory=dict)
    weights_learned: Mapping[str, float] = field(default_factory=dict)
    shares: Floats | None = None

    def logits(self, seen: Seen) -> Floats:
        """See ``fusing.FittedFusion``."""
        total = np.zeros(seen.prior.shape)
        for m, speaks in zip(self.modalities, self.voices, strict=True):
            total += speaks * sigmoid(seen.prior + seen.evidence[m])
        count = self.voices.sum(axis=0)
        mean = np.clip(total / np.maximum(count, 1), _EDGE, 1 - _EDGE)
        return np.where(count > 0, np.log(mean) - np.log1p(-mean), np.nan)

    def rearranged(self, columns: NDArray[np.intp]) -> FittedVote:
        """See ``fusing.FittedFusion``."""
        return replace(self, voices=self.voices[:, columns])

    def tensors(self) -> dict[str, NDArray]:
        """See ``fusing.FittedFusion``."""
        return {"voices": self.voices.astype(np.uint8)}

    @classmethod
    def restored(
        cls, modalities: tuple[str, ...], tensors: Mapping[str, NDArray]
    ) -> FittedVote:
        """See ``fusing.FittedFusion``."""
        return cls(modalities, tensors["voices"].astype(bool))


class Vote(Fusion):
    """One vote for every modality with a head for the finding."""

    name = "vote"
    fitted = FittedVote

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, FittedVote]:
        """Nothing is learned; see ``fusing.Fusion``."""
        yield
        return FittedVote(material.modalities, heard(material))
