"""What a fusion is fitted on: the held-out evidence of some modalities on cases that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """What lies behind the evidence of all samples of a round, for fusions that read it:
    ``features[name]`` (samples, width), ``weights`` (samples, findings) with which labels teach
    each modality's head, the round's seed, and the length of a part of those that have parts.
    Nothing is copied before a fusion asks."""

    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    seed: int = 0
    part_widths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """Cases with every one of ``modalities``. ``evidence[m]`` is (n, findings), 0 where the
    modality has no head for the finding; ``truth`` (n, findings) has NaN unlabelled; ``prior``
    (findings,) logits;
    ``folds`` (n,) keep patient groups together; ``taught[m]`` (findings,) says where a head is.
    ``groups`` (n,) number the patient groups, ``families`` (findings,) the kinds of findings that
    are alike (all are of one kind where the schema does not say). ``rows`` (n,) are the cases'
    numbers in ``inputs``."""

    modalities: tuple[str, ...]
    evidence: dict[str, Floats]
    truth: Floats
    prior: Floats
    folds: NDArray[np.int8]
    taught: dict[str, NDArray[np.bool_]]
    groups: NDArray[np.intp]
    families: NDArray[np.intp]
    rows: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    inputs: Inputs = field(default_factory=Inputs)

    def features(self, name: str) -> NDArray[np.float32]:
        """(n, width) features of these cases."""
        return self.inputs.features[name][self.rows]


#: A family of fewer findings than this says too little of its kind: it joins the others.
_LEAST_FAMILY = 3


def families_of(names: Sequence[str], findings: int) -> NDArray[np.intp]:
    """(findings,) numbers of families from their names; small families and findings without one
    are one family together. ``names`` may be empty: then all are."""
    if not names:
        return np.zeros(findings, np.intp)
    counts = Counter(names)
    large = sorted(n for n, count in counts.items() if n and count >= _LEAST_FAMILY)
    number = {name: index + 1 for index, name in enumerate(large)}
    return np.array([number.get(name, 0) for name in names], np.intp)
