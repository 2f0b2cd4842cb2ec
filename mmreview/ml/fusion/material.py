"""What a fusion is fitted on: the held-out evidence of each modality on complete cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """Cases with every modality. ``evidence[m]`` is (n, findings), 0 where the modality has no
    head for the finding; ``truth`` (n, findings) has NaN unlabelled; ``prior`` (findings,) logits;
    ``folds`` (n,) keep patient groups together; ``taught[m]`` (findings,) says where a head is."""

    modalities: tuple[str, ...]
    evidence: dict[str, Floats]
    truth: Floats
    prior: Floats
    folds: NDArray[np.int8]
    taught: dict[str, NDArray[np.bool_]]
