"""The labels that hold, as one table to train and measure on. Derived from import and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmreview.domain.cases import Partition
    from mmreview.domain.reads import FindingState


@dataclass(frozen=True)
class LabelTable:
    """Every case that has at least one label, in order of ``keys``.

    ``targets`` is (cases, findings) float32: 1 present, 0 absent, NaN where nothing is known
    (unset, uncertain, not assessable). ``corrected`` is bool of the same shape: a reader said so.
    ``basis`` is int8 of the same shape: bit 0 the image may learn it, bit 1 the text may, bit 2 the
    clinical values may.
    ``hashes[m][i]`` are the content hashes of case ``i`` for modality ``m``, empty if absent.
    ``through_seq`` is the last event that the table knows of.
    ``uncertain`` is bool of the same shape, None for nowhere: the state is *uncertain*. Heads learn
    from it softly; it is no truth, so nothing is measured or calibrated on it. ``confirmed``, the
    same: the reader left the label as it was, and said so.
    """

    keys: NDArray[np.int64]
    groups: tuple[str, ...]
    partitions: tuple[Partition, ...]
    hashes: dict[str, tuple[tuple[str, ...], ...]]
    targets: NDArray[np.float32]
    corrected: NDArray[np.bool_]
    basis: NDArray[np.int8]
    through_seq: int
    uncertain: NDArray[np.bool_] | None = None
    confirmed: NDArray[np.bool_] | None = None

    @property
    def corrections(self) -> int:
        """How many labels a reader set."""
        return int(self.corrected.sum())

    def take(self, rows: Sequence[int]) -> LabelTable:
        """Some of the rows (ascending, so that keys stay in order)."""

        def taken(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: taken(each) for name, each in value.items()}
            if isinstance(value, tuple):
                return tuple(value[row] for row in rows)
            return value[list(rows)] if hasattr(value, "shape") else value

        return replace(self, **{f.name: taken(getattr(self, f.name)) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is worth a second look: the state that ``held`` when a model that has not seen
    the patient gave it no more than ``confidence`` (0 to 1)."""

    held: FindingState
    confidence: float
