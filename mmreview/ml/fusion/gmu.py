"""The gated multimodal unit (Arevalo et al., *Gated multimodal units for information fusion*,
2017).

Each modality is a hidden vector ``h_m = tanh(W_m x_m)``; its gate, ``z_m = σ(U_m [x_1 … x_M])``,
looks at all of them and says, unit by unit, how much of it passes; the findings are read off the
sum ``Σ z_m h_m``. With two modalities the paper ties the gates (z and 1 - z); its form for more is
used throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmreview.ml.fusion.fusing import FEATURES
from mmreview.ml.fusion.network import (
    COMPONENTS,
    Array,
    FittedNetwork,
    NetworkFusion,
    layer,
    sigmoid,
    weighed,
)

_HIDDEN = 24


class FittedGmu(FittedNetwork):
    """See the module."""

    @classmethod
    def start(
        cls, modalities: Sequence[str], findings: int, rng: np.random.Generator
    ) -> dict[str, Array]:
        """See ``FittedNetwork``."""
        width = COMPONENTS + findings
        params: dict[str, Array] = {"out": np.zeros((_HIDDEN, findings), np.float32)}
        for m in modalities:
            params[f"in.{m}"] = layer(rng, width, _HIDDEN)
            params[f"bias.{m}"] = np.zeros(_HIDDEN, np.float32)
            params[f"gate_bias.{m}"] = np.zeros(_HIDDEN, np.float32)
            for other in modalities:
                params[f"in.{m}<{other}"] = layer(rng, width * len(modalities), _HIDDEN)[:width]
        return params

    @classmethod
    def forward(
        cls, xp: Any, modalities: Sequence[str], params: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Any:
        """See ``FittedNetwork``."""
        passed = 0.0
        for m in modalities:
            hidden = xp.tanh(inputs[m] @ params[f"in.{m}"] + params[f"bias.{m}"])
            gate = params[f"gate_bias.{m}"]
            for other in modalities:
                gate = gate + inputs[other] @ params[f"in.{m}<{other}"]
            passed = passed + sigmoid(xp, gate) * hidden
        learned = passed @ params["out"] + params["out_bias"]
        return weighed(xp, params, inputs, modalities) + learned


class Gmu(NetworkFusion):
    """Gates that look at all modalities."""

    name = "gmu"
    fitted = FittedGmu
    reads = FEATURES
