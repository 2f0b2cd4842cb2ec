"""Cross-attention over image patches and report tokens (Tsai et al., *Multimodal transformer for
unaligned multimodal language sequences*, 2019: their crossmodal attention, one head, one layer).

For each modality and each other, the parts of the first ask (queries), the parts of the second
answer (keys, values): ``softmax(Q Kᵀ / √d) V``. The answers' mean over the asking parts is one
vector a direction; the findings are read off all of them."""

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

_WIDTH = 16


class FittedAttention(FittedNetwork):
    """See the module."""

    parts: ClassVar[bool] = True

    @classmethod
    def start(
        cls, modalities: Sequence[str], findings: int, rng: np.random.Generator
    ) -> dict[str, Array]:
        """See ``FittedNetwork``."""
        pairs = list(permutations(modalities, 2))
        params: dict[str, Array] = {"out": np.zeros((_WIDTH * len(pairs), findings), np.float32)}
        for asking, answering in pairs:
            for role in ("query", "key", "value"):
                params[f"{role}.{asking}<{answering}"] = layer(rng, COMPONENTS, _WIDTH)
        return params

    @classmethod
    def forward(
        cls, xp: Any, modalities: Sequence[str], params: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Any:
        """See ``FittedNetwork``."""
        answers = []
        for asking, answering in permutations(modalities, 2):
            pair = f"{asking}<{answering}"
            other = inputs[f"{answering}.parts"]
            query = inputs[f"{asking}.parts"] @ params[f"query.{pair}"]
            key = xp.swapaxes(other @ params[f"key.{pair}"], 1, 2)
            there = inputs[f"{answering}.there"][:, None, :]
            weights = attended(xp, query @ key / _WIDTH**0.5, there)
            answer = weights @ (other @ params[f"value.{pair}"])
            mask = inputs[f"{asking}.there"][:, :, None]
            answers.append(xp.tanh((answer * mask).sum(1) / mask.sum(1)))
        learned = xp.concatenate(answers, -1) @ params["out"] + params["out_bias"]
        return weighed(xp, params, inputs, modalities) + learned


class CrossAttention(NetworkFusion):
    """The parts of each modality ask those of the others."""

    name = "attention"
    fitted = FittedAttention
    reads = PARTED
