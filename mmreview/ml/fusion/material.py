"""What a fusion is fitted on: the held-out evidence of some modalities on cases that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """Cases with every one of ``modalities``. ``evidence[m]`` is (n, findings), 0 where the
    modality has no head for the finding; ``truth`` (n, findings) has NaN unlabelled; ``prior``
    (findings,) logits;
    ``folds`` (n,) keep patient groups together; ``taught[m]`` (findings,) says where a head is.
    ``groups`` (n,) number the patient groups, ``families`` (findings,) the kinds of findings that
    are alike (all are of one kind where the schema does not say)."""

    modalities: tuple[str, ...]
    evidence: dict[str, Floats]
    truth: Floats
    prior: Floats
    folds: NDArray[np.int8]
    taught: dict[str, NDArray[np.bool_]]
    groups: NDArray[np.intp]
    families: NDArray[np.intp]


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
