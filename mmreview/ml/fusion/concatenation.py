"""Concatenation: one regularised logistic regression on all features side by side (early fusion, as
in Baltrušaitis et al., *Multimodal machine learning*, 2019). The baseline of the field: on small
data it loses to the better modality nearly everywhere (first measurements)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import calibrate
from mmreview.ml.fusion.additive import Seen
from mmreview.ml.fusion.fusing import FEATURES, Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.heads import Lesson, fit_head
from mmreview.ml.relay import relay

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedConcatenation:
    """(width, findings) calibrated weights on all features, and (findings,) biases; ``taught``
    says where there were labels enough."""

    modalities: tuple[str, ...]
    matrix: NDArray[np.float32]
    bias: Floats
    taught: NDArray[np.bool_]
    weights: Mapping[str, float] = field(default_factory=dict)
    weights_cv: Mapping[str, float] = field(default_factory=dict)
    weights_learned: Mapping[str, float] = field(default_factory=dict)
    shares: Floats | None = None

    def logits(self, seen: Seen) -> Floats:
        """See ``fusing.FittedFusion``."""
        features = np.hstack([seen.features[m] for m in self.modalities])
        logits = (features @ self.matrix).astype(np.float64) + self.bias
        return np.where(self.taught, logits, np.nan)

    def rearranged(self, columns: NDArray[np.intp]) -> FittedConcatenation:
        """See ``fusing.FittedFusion``."""
        return replace(
            self, matrix=self.matrix[:, columns], bias=self.bias[columns],
            taught=self.taught[columns],
        )

    def tensors(self) -> dict[str, NDArray]:
        """See ``fusing.FittedFusion``."""
        return {
            "joint.weights": np.ascontiguousarray(self.matrix),
            "joint.bias": self.bias,
            "joint.taught": self.taught.astype(np.uint8),
        }

    @classmethod
    def restored(
        cls, modalities: tuple[str, ...], tensors: Mapping[str, NDArray]
    ) -> FittedConcatenation:
        """See ``fusing.FittedFusion``."""
        taught = tensors["joint.taught"].astype(bool)
        return cls(modalities, tensors["joint.weights"], tensors["joint.bias"], taught)


class Concatenation(Fusion):
    """One head on everything."""

    name = "concatenation"
    fitted = FittedConcatenation
    reads = FEATURES

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, FittedConcatenation]:
        """See ``fusing.Fusion``. There is no λ: ``weight`` is not looked at."""
        known = ~np.isnan(material.truth)
        weights = np.min(
            [material.inputs.weights[m][material.rows] for m in material.modalities], axis=0
        )
        lesson = Lesson(
            features=np.hstack([material.features(m) for m in material.modalities]),
            present=np.ones(len(known), bool),
            targets=material.truth.astype(np.float32),
            weights=(weights * known).astype(np.float32),
            folds=material.folds,
            fold_count=int(material.folds.max(initial=0)) + 1,
        )
        fitting = fit_head(lesson, seed=material.inputs.seed)
        head = yield from relay(fitting, lambda _: None)
        scale = calibrate(head.held_out, material.truth, known.astype(np.float64))
        whole = head.heads[0]
        return FittedConcatenation(
            material.modalities,
            (whole.weights * scale.slope).astype(np.float32),
            whole.bias * scale.slope + scale.offset,
            whole.taught,
        )
