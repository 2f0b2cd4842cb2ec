"""How heads are made: which parts of the features they look at, and how freely they may move.

The search for the best model (``search``) tries these beside the fusions. What it finds stays with
the version (its card) and its descendants. A part that is left out has weights of zero, so that a
version answers on whole features whatever its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.encoders.card import Weighing
from mmreview.ml.heads import Head, HeadFit, Lesson

#: By modality: the name and width of each part of its features, in order.
Pieces = Mapping[str, tuple[tuple[str, int], ...]]

#: Factors on the searched spread of the heads that are tried: held tighter, left freer.
_FREEDOMS = (1 / 3, 3.0)


@dataclass(frozen=True)
class HeadPlan:
    """``freedom`` multiplies the spread that cross-validation finds for the heads (see ``heads``);
    ``without`` are parts that they do not look at, as ``modality.part``."""

    freedom: float = 1.0
    without: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a card."""
        return {"freedom": self.freedom, "without": list(self.without)}

    @classmethod
    def of_json(cls, found: Mapping[str, Any] | None) -> HeadPlan:
        """From a card; the usual plan where it has none."""
        found = found or {}
        return cls(float(found.get("freedom", 1.0)), tuple(found.get("without", ())))


def plans_of(pieces: Pieces) -> tuple[HeadPlan, ...]:
    """The plans worth a trial, the usual one first: each differs from it in one respect."""
    left_out = [
        HeadPlan(without=(f"{m}.{name}",))
        for m, named in pieces.items()
        if len(named) > 1
        for name, _ in named
    ]
    return (HeadPlan(), *(HeadPlan(freedom) for freedom in _FREEDOMS), *left_out)


def columns_of(
    pieces: Iterable[tuple[str, int]], modality: str, plan: HeadPlan
) -> NDArray[np.bool_] | None:
    """(width,) which features a head looks at; None for all of them."""
    seen = [(f"{modality}.{name}" not in plan.without, width) for name, width in pieces]
    if all(wanted for wanted, _ in seen) or not any(wanted for wanted, _ in seen):
        return None
    return np.concatenate([np.full(width, wanted) for wanted, width in seen])


def narrowed(lesson: Lesson, columns: NDArray[np.bool_]) -> Lesson:
    """The lesson on some of the features only; what was joined to a part that is gone stands for
    itself."""
    widths = [int(columns[block].sum()) for block in lesson.slices]
    weighing: list[Weighing] = []
    alone = True
    for width, each in zip(widths, lesson.weighing or (Weighing(),) * len(widths), strict=True):
        alone = alone or not each.joined
        if width:
            weighing.append(replace(each, joined=not alone))
            alone = False
    return replace(
        lesson, features=lesson.features[:, columns], blocks=tuple(w for w in widths if w),
        weighing=tuple(weighing), contents=None,
    )


def narrowed_head(head: Head, columns: NDArray[np.bool_]) -> Head:
    """What a head on all features says of some of them."""
    return replace(head, weights=head.weights[columns])


def widened(fitted: HeadFit, columns: NDArray[np.bool_]) -> HeadFit:
    """A fit on some of the features as one on all, with zeros for those left out."""
    heads = []
    for head in fitted.heads:
        weights = np.zeros((len(columns), head.weights.shape[1]), np.float32)
        weights[columns] = head.weights
        heads.append(replace(head, weights=weights))
    return replace(fitted, heads=tuple(heads))
