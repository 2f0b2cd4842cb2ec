"""Low-rank bilinear pooling with attention over parts (MLB; Kim et al., *Hadamard product for
low-rank bilinear pooling*, 2017).

A bilinear form of two vectors has a weight for each pair of their numbers; at rank d it is the
elementwise product of two projections. As in the paper one modality's vector asks: the product
with each part of the other gives the attention over these parts, and the product with what is
attended is the joint vector that the findings are read off. Every modality asks every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, ClassVar

import numpy as np

from mmreview.ml.fusion.fusing import PARTED
from mmreview.ml.fusion.network import (
    COMPONENTS,
    Array,
    FittedNetwork,
    NetworkFusion,
    attended,
    layer,
    weighed,
)

_RANK = 16


class FittedBilinear(FittedNetwork):
    """See the module."""

    parts: ClassVar[bool] = True

    @classmethod
    def start(
        cls, modalities: Sequence[str], findings: int, rng: np.random.Generator
    ) -> dict[str, Array]:
        """See ``FittedNetwork``."""
        pairs = list(permutations(modalities, 2))
        params: dict[str, Array] = {"out": np.zeros((_RANK * len(pairs), findings), np.float32)}
        for asking, answering in pairs:
            pair = f"{asking}<{answering}"
            params[f"in.{pair}"] = layer(rng, COMPONENTS + findings, _RANK)
            params[f"part.{pair}"] = layer(rng, COMPONENTS, _RANK)
            params[f"score.{pair}"] = layer(rng, _RANK, 1)
            params[f"joint.{pair}"] = layer(rng, COMPONENTS, _RANK)
        return params

    @classmethod
    def forward(
        cls, xp: Any, modalities: Sequence[str], params: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Any:
        """See ``FittedNetwork``."""
        joints = []
        for asking, answering in permutations(modalities, 2):
            pair = f"{asking}<{answering}"
            other = inputs[f"{answering}.parts"]
            question = xp.tanh(inputs[asking] @ params[f"in.{pair}"])
            product = question[:, None, :] * xp.tanh(other @ params[f"part.{pair}"])
            scores = (product @ params[f"score.{pair}"])[:, :, 0]
            weights = attended(xp, scores, inputs[f"{answering}.there"])
            answer = (weights[:, :, None] * other).sum(1)
            joints.append(question * xp.tanh(answer @ params[f"joint.{pair}"]))
        learned = xp.concatenate(joints, -1) @ params["out"] + params["out_bias"]
        return weighed(xp, params, inputs, modalities) + learned


class Bilinear(NetworkFusion):
    """Products of each modality with the attended parts of the others."""

    name = "bilinear"
    fitted = FittedBilinear
    reads = PARTED
