"""The champion as a round of training sees it: where to start from, and whom to be better than.

``trainer`` reads it once. Its columns are put in the order of today's findings; on cases of
patients that it learned from, its fold models stand in, so that neither side of the comparison
(``gate``) is asked about what it knows by heart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import TrainingRequest
from mmreview.domain.versions import GateVerdict
from mmreview.ml import gate
from mmreview.ml.bundle import Bundle
from mmreview.ml.model import Model
from mmreview.ml.recipe import Ancestor, Fitted
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Champion:
    """The champion's bundle with its columns in the order of the request's findings."""

    bundle: Bundle
    ancestor: Ancestor
    sha256: str


def champion_of(bundle: Bundle, findings: tuple[str, ...], *, sha256: str) -> Champion:
    """A version, ready to be compared on these findings."""
    order = {name: t for t, name in enumerate(bundle.card["findings"])}
    columns = np.array([order.get(name, -1) for name in findings])
    models = tuple(_rearranged(model, columns) for model in bundle.models)
    return Champion(bundle, Ancestor(models, bundle.fold_of), sha256)


def judged(
    request: TrainingRequest, samples: Samples, fitted: Fitted, audit: Samples,
    champion: Champion | None,
) -> GateVerdict:
    """Challenger against champion on the audit partition, or across folds."""
    on_audit = gate.big_enough(audit.judged)
    basis = "audit" if on_audit else "cross_validation"
    cases = len(audit) if on_audit else len(samples)
    if request.parent is None:
        return gate.first(basis, cases)
    if champion is None:
        return gate.incomparable(basis, cases)
    models = champion.ancestor.models
    if on_audit:
        mine, theirs = (
            model.opinions(audit.features, audit.present).probabilities["fused"]
            for model in (fitted.models[0], models[0])
        )
        bout = gate.Bout(audit.judged, mine, theirs, audit.groups, None, basis)
    else:
        assert fitted.held_out is not None
        mine = fitted.held_out.probabilities["fused"]
        theirs = unseen(champion.ancestor, samples)
        truth = _unchanged(samples, request.parent_table)
        bout = gate.Bout(truth, mine, theirs, samples.groups, fitted.folds, basis)
    return gate.judge(bout, seed=request.seed)


def _unchanged(samples: Samples, known: LabelTable | None) -> Floats:
    """The truths that judge, less the labels that are not what the champion learned."""
    if known is None:
        return samples.judged
    row_of = {key: row for row, key in enumerate(known.keys.tolist())}
    rows = np.array([row_of.get(key, -1) for key in samples.keys.tolist()])
    before = np.where((rows >= 0)[:, None], known.targets[rows], np.nan)
    changed = ~np.isnan(before) & (before != samples.targets)
    return np.where(changed, np.nan, samples.judged)


def unseen(ancestor: Ancestor, samples: Samples) -> Floats:
    """(n, findings) fused probabilities of the parent, by a model of it that never saw the case's
    patient: the twin of the patient's fold, the whole for new patients."""
    known = ancestor.folds_by_group(samples)
    rows = zip(samples.keys.tolist(), samples.groups.tolist(), strict=True)
    fold = np.array([ancestor.fold_of.get(key, known.get(group, -1)) for key, group in rows])
    result = np.full(samples.targets.shape, np.nan)
    for value in np.unique(fold):
        inside = fold == value
        part = samples.take(inside)
        opinions = ancestor.models[1 + int(value)].opinions(part.features, part.present)
        result[inside] = opinions.probabilities["fused"]
    return result


def _rearranged(model: Model, columns: NDArray[np.intp]) -> Model:
    """A model with its findings in another order; one it does not know (-1) has no opinion."""
    known = columns >= 0
    heads = {
        m: replace(
            head,
            weights=np.where(known, head.weights[:, columns], 0).astype(np.float32),
            bias=np.where(known, head.bias[columns], 0.0),
            taught=known & head.taught[columns],
        )
        for m, head in model.heads.items()
    }
    calibrations = {
        m: replace(c, slope=c.slope[columns], offset=c.offset[columns])
        for m, c in model.calibrations.items()
    }
    fusion = model.fusion.rearranged(columns)
    prior = np.where(known, model.prior[columns], np.nan)
    groups = tuple(
        replace(head, group=moved)
        for head in model.groups
        if (moved := head.group.rearranged(columns)) is not None
    )
    return Model(model.modalities, heads, calibrations, prior, fusion, groups)
