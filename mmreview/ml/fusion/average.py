"""The plain average of the calibrated logits: late fusion without anything to fit, a baseline."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion.additive import AdditiveFusion, even_weights, manual_weights
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material


class Average(Fusion):
    """Equal weights (or those set by hand), no gain, no bias."""

    name = "average"

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, AdditiveFusion]:
        """Nothing is learned; see ``fusion.Fusion``."""
        even = even_weights(material.modalities)
        serving = even
        if weight.mode == "manual" and weight.value is not None:
            serving = manual_weights(material.modalities, weight.value)
        findings = material.truth.shape[1]
        yield
        return AdditiveFusion(serving, even, even, np.ones(findings), np.zeros(findings))
