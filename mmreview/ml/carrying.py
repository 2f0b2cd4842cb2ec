"""What a routine round carries over: the calibration and the fusion of findings whose labels are
as the parent learned them.

Findings share things: slopes of calibration are drawn to a common one, soft weights to what a
family of findings shows, the sum of evidence has one gain a family. So correcting one finding used
to move the fused opinion of all others, though nothing new was known of them. Over twenty rounds
that touched one finding (covid pairs, 20 seeds, ``tests/benchmarks/rounds.py``) the image's and the
report's own AUROC of the others did not move (.0000), the fused one by +.004 ± .002 in the mean and
by -.005 to +.021 for single findings: chance of few positive labels, for or against. Now a finding
is weighed anew when its own labels change; all are in a search, and when the heads' regularisation
is searched again since the labels have grown. On other seeds (0-9) the others' mean went from
-.0025 to +.0005 and the worst of them from -.0141 to -.0002; on ultrasound the worst from -.0038 to
.0000, on made features (3 seeds) from -.0047 to -.0003. Rounds that touch all findings, twenty of
them against one training, are as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.labels import LabelTable
from mmreview.ml.calibration import Calibration
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.fusion.fusing import FittedFusion, Fusing
from mmreview.ml.samples import Samples

if TYPE_CHECKING:
    from mmreview.ml.recipe import Recipe

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


def carries(card: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a round by this recipe is a routine one after a parent with this card: the same
    fusion and weight, no regularisation searched anew, and heads that labels alone taught."""
    believed = (card["metrics"].get("unlabelled") or {}).get("used", False)
    same = (card["fusion"], card["weight"]) == (recipe.fusion, str(recipe.weight))
    return same and recipe.spreads is not None and not believed


def changes(samples: Samples, known: LabelTable, learned: Mapping[int, int]) -> Ints:
    """(findings,): how many labels are not the very ones that ``known`` has of the cases that the
    parent ``learned`` (their keys): new, gone, on another basis or by another kind of hand."""
    there = np.isin(known.keys, np.fromiter(learned, np.int64, len(learned)))
    keys = np.union1d(samples.keys, known.keys[there])
    mine, theirs = (np.zeros((len(keys), samples.targets.shape[1]), np.int16) for _ in range(2))
    mine[np.searchsorted(keys, samples.keys)] = _coded(samples)
    theirs[np.searchsorted(keys, known.keys[there])] = _coded(known)[there]
    return np.count_nonzero(mine != theirs, axis=0)


def _coded(table: Samples | LabelTable) -> NDArray[np.int16]:
    """(n, findings): one number for a label with all that bears on how it teaches; 0: none."""
    kind = np.nan_to_num(table.targets + 1).astype(np.int16)  # 1 absent, 2 present
    if table.uncertain is not None:
        kind[table.uncertain] = 3
    said = kind + 4 * table.corrected + 8 * table.basis.astype(np.int16)
    return np.where(kind > 0, said, 0)


def carried_calibration(found: Calibration, before: Calibration, columns: Bools) -> Calibration:
    """The calibration with these ``columns`` as they were."""
    return Calibration(
        np.where(columns, before.slope, found.slope),
        np.where(columns, before.offset, found.offset),
    )


def carried_fusion(found: Fusing, before: Fusing, columns: Bools, taught: Bools) -> Fusing:
    """The fusion with these ``columns`` as they were, where it weighs each finding for itself.
    ``taught`` (findings,) are those with a head: the weights that are told are their mean."""
    fits: dict[tuple[str, ...], FittedFusion] = {}
    for names, fit in found.fits.items():
        old = before.fits.get(names)
        if isinstance(fit, AdditiveFusion) and isinstance(old, AdditiveFusion):
            fit = _carried(fit, old, columns, taught)
        fits[names] = fit
    return Fusing(found.modalities, fits)


def _carried(
    fit: AdditiveFusion, old: AdditiveFusion, columns: Bools, taught: Bools
) -> AdditiveFusion:
    if fit.shares is None or old.shares is None:
        return fit
    shares = np.where(columns, old.shares, fit.shares)
    mean = shares[:, taught if taught.any() else slice(None)].mean(axis=1)
    means = dict(zip(fit.weights, (mean / mean.sum()).tolist(), strict=True))
    none = np.zeros(len(fit.gain))
    before, now = (none if each.doubt is None else each.doubt for each in (old, fit))
    undoubted = fit.doubt is None and old.doubt is None
    return replace(
        fit, weights=means, weights_cv=means, weights_learned=means, shares=shares,
        gain=np.where(columns, old.gain, fit.gain), bias=np.where(columns, old.bias, fit.bias),
        doubt=None if undoubted else np.where(columns, before, now),
    )
