"""Runs an encoder over many items: like with like, as many as memory holds.

When memory runs out the batch is halved and the work goes on; the smaller size stays, because the
next batch would meet the same limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmreview.ml import device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmreview.ml.encoders.card import Encoder


class Batcher:
    """Encodes prepared items with one encoder. ``size`` is the number of units in a batch."""

    def __init__(self, encoder: Encoder) -> None:
        self.size = encoder.batch_size
        self.encoder = encoder

    def encode(self, items: Sequence[Sequence[Any]]) -> list[NDArray[np.float32] | None]:
        """The feature (width,) of each item, given as its units. None where memory does not even
        hold one unit of it alone."""
        units = [unit for item in items for unit in item]
        rows, fitted = self._encode_units(units)
        features: list[NDArray[np.float32] | None] = []
        start = 0
        for item in items:
            mine = slice(start, start + len(item))
            start += len(item)
            features.append(self.encoder.join(rows[mine], item) if fitted[mine].all() else None)
        return features

    def _encode_units(
        self, units: Sequence[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, width), and (n,) False where a unit alone was too much."""
        rows = np.zeros((len(units), self.encoder.card.width), dtype=np.float32)
        fitted = np.zeros(len(units), dtype=bool)
        order = sorted(range(len(units)), key=lambda i: self.encoder.length(units[i]))
        at = 0
        while at < len(order):
            batch = order[at : at + self.size]
            found = self._attempt([units[i] for i in batch])
            if found is not None:
                rows[batch] = found
                fitted[batch] = True
            elif len(batch) > 1:
                self.size = len(batch) // 2
                continue
            at += len(batch)
        return rows, fitted

    def _attempt(self, units: Sequence[Any]) -> NDArray[np.float32] | None:
        """The rows of one batch; None if memory ran out."""
        try:
            return self.encoder.encode(units)
        except (RuntimeError, MemoryError) as error:
            if not device.is_out_of_memory(error):
                raise
        # Only here, outside the handler, has the failed attempt let go of its tensors.
        device.release_memory()
        return None
