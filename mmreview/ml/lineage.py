"""What a version is made of, so that it can be understood, and made again: part of card and result.

Nothing here depends on when or where a round ran, only on the snapshot, the settings and the
programs that computed; the same snapshot gives the same card, byte for byte.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview import __version__
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import TrainingRequest
from mmreview.ml.device import product_threads

#: The card's own entries that say what it was made of.
_OF_CARD = (
    "parent", "since_seq", "through_seq", "corrections", "believed", "seed", "fusion", "plan",
    "weight", "environment",
)


def origins(request: TrainingRequest) -> dict[str, Any]:
    """What the card says of the snapshot and of the programs."""
    return {
        "since_seq": request.parent.through_seq if request.parent else 0,
        "through_seq": request.table.through_seq,
        "corrections": changes(request.table, request.parent_table),
        "seed": request.seed,
        "environment": {
            "mmreview": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
            "threads": product_threads(),
        },
    }


def lineage(card: Mapping[str, Any]) -> dict[str, Any]:
    """The lineage that a card tells (see ``domain.versions.Version``)."""
    return {name: card[name] for name in _OF_CARD}


def changes(now: LabelTable, before: LabelTable | None) -> dict[str, int]:
    """How many labels of readers came in since the parent's snapshot (``added``), are in both with
    another state (``changed``) and went out, because they were undone (``undone``)."""
    if before is None:
        return {"added": now.corrections, "changed": 0, "undone": 0}
    old = _at(before, now.keys, before.corrected, False)
    was = _at(before, now.keys, before.targets, np.nan)
    same = (now.targets == was) | (np.isnan(now.targets) & np.isnan(was))
    kept = int((old & now.corrected).sum())
    return {
        "added": int((now.corrected & ~old).sum()),
        "changed": int((now.corrected & old & ~same).sum()),
        "undone": before.corrections - kept,
    }


def _at(table: LabelTable, keys: NDArray[np.int64], values: NDArray, missing: Any) -> NDArray:
    """The rows of ``values`` (one a case of ``table``) that belong to ``keys``, which ascend."""
    found = np.full((len(keys), values.shape[1]), missing, values.dtype)
    if len(table.keys):
        rows = np.minimum(np.searchsorted(table.keys, keys), len(table.keys) - 1)
        there = table.keys[rows] == keys
        found[there] = values[rows[there]]
    return found
