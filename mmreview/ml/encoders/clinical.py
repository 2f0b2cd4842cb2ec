"""Clinical values as features: each value where it stands to its range of reference, and a mark
that it is there.

Nothing is learned here and no torch is needed. A value's feature is 0 where it is absent and
(value - middle) / half width of its scale where it is known, on a logarithm for what is skewed
(``domain.clinical.Quantity``). A linear head on such features and marks knows absent values from
middling ones; ``heads`` centres each value on those that are there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.clinical import NAMES, QUANTITIES, Quantity
from mmreview.ml.encoders.card import EncoderCard, Placement

#: A value further from the middle than this many half widths counts as this far.
_FARTHEST = 8.0

_BATCH = 4096


class ClinicalEncoder:
    """See the module. A unit is one case's vector."""

    batch_size = _BATCH

    def __init__(self, card: EncoderCard, placement: Placement) -> None:
        self.card = card

    def prepare(self, source: Mapping[str, float]) -> Sequence[NDArray[np.float32]]:
        """The features of one case's values, by name in their own units."""
        return [encoded(source)]

    def length(self, unit: Any) -> int:
        """All are alike."""
        return 1

    def encode(self, units: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(n, width): they are features already."""
        return np.stack(units)

    def join(
        self, rows: NDArray[np.float32], units: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """The one row."""
        return rows[0]


def encoded(values: Mapping[str, float]) -> NDArray[np.float32]:
    """(2 · values,) features: scaled values in the order of ``QUANTITIES``, then the marks."""
    row = np.zeros(2 * len(QUANTITIES), np.float32)
    for position, quantity in enumerate(QUANTITIES):
        if quantity.name in values:
            row[position] = _scaled(quantity, values[quantity.name])
            row[len(QUANTITIES) + position] = 1.0
    return row


def _scaled(quantity: Quantity, value: float) -> float:
    first, second = quantity.scale
    if quantity.skewed:  # ``scale`` is the range of reference
        low, high = (math.log1p(each / second) for each in (first, second))
        middle, half = (low + high) / 2, (high - low) / 2
        value = math.log1p(value / second)
    else:
        middle, half = first, second
    return min(_FARTHEST, max(-_FARTHEST, (value - middle) / half))


def value_parts(
    values: Mapping[str, float], weights: NDArray[np.float32], slope: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """What each value adds to each finding's calibrated logit: name to (findings,).

    ``weights`` (2 · values, findings) are the head's, ``slope`` (findings,) its calibration's.
    Together with what the head says of a case without values they add up to its logit exactly.
    """
    row, count = encoded(values).astype(np.float64), len(NAMES)
    return {
        name: slope * (row[i] * weights[i] + row[count + i] * weights[count + i])
        for i, name in enumerate(NAMES)
        if name in values
    }
