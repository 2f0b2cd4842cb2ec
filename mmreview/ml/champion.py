"""The champion as a round of training sees it: where to start from, and whom to be better than.

``trainer`` reads it once. Its columns are put in the order of today's findings; on cases of
patients that it learned from, its fold models stand in, so that neither side of the comparison
(``gate``) is asked about what it knows by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import Rival, TrainingRequest
from mmreview.domain.versions import GateVerdict
from mmreview.ml import gate
from mmreview.ml.bundle import Bundle
from mmreview.ml.model import Model
from mmreview.ml.recipe import Ancestor, Fitted
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

#: Cross-validation asks about no more cases than this.
_ASKED = 10_000
_TRIES = 5
#: Cases whose features are copied at once.
_BLOCK = 512


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
    champion: Champion | None, rivals: Sequence[tuple[Rival, Champion]] = (),
) -> GateVerdict:
    """Challenger against champion, first and best version, on the audit partition or across
    folds."""
    known_of_audit = truth_of_audit(request, audit)
    on_audit = gate.big_enough(known_of_audit)
    basis = "audit" if on_audit else "cross_validation"
    cases = len(audit) if on_audit else len(samples)
    if on_audit:
        truth = known_of_audit
        mine = _said(fitted.models[0], audit)
    else:
        assert fitted.held_out is not None
        truth, mine = samples.judged, fitted.held_out.probabilities["fused"]
    if request.parent is None:
        loss = gate.log_loss_of(truth, mine)
        return gate.first(basis, cases, log_loss=loss, audit_set=request.terms.audit_set)
    if champion is None:
        return gate.incomparable(basis, cases)
    known = [("champion", request.parent.id, champion)]
    known += [(rival.name, rival.version.id, version) for rival, version in rivals]
    burden = _burden(fitted, samples)
    if on_audit:
        theirs = [_said(version.ancestor.models[0], audit) for *_, version in known]
        bout = gate.Bout(
            truth, mine, _named(known, theirs), audit.groups, None, basis, request.findings,
            burden, int(audit.corrected.any(axis=1).sum()),
        )
    else:
        truth = _unchanged(samples, request.parent_table)
        rows = _asked(len(samples), request.seed)
        bout = gate.Bout(
            truth[rows], mine[rows],
            _named(known, [unseen(version.ancestor, samples, rows) for *_, version in known]),
            samples.groups[rows], fitted.folds[rows], basis, request.findings, burden,
        )
    return gate.judge(bout, seed=request.seed, terms=request.terms)


def truth_of_audit(request: TrainingRequest, audit: Samples) -> Floats:
    """(n, findings) labels of the audit cases that may judge, NaN elsewhere."""
    if request.terms.rules.weak_imports:
        return np.where(audit.corrected, audit.judged, np.nan)
    return audit.judged


def _said(model: Model, cases: Samples) -> Floats:
    return model.opinions(cases.features, cases.present).probabilities["fused"]


def _named(
    known: Sequence[tuple[str, int, Champion]], opinions: Sequence[Floats]
) -> tuple[gate.Rivalry, ...]:
    return tuple(
        gate.Rivalry(name, version, said)
        for (name, version, _), said in zip(known, opinions, strict=True)
    )


def _asked(count: int, seed: int) -> NDArray[np.intp]:
    """The cases that are asked about: all, or a sample where there are so many that more of them
    tell nothing more."""
    if count <= _ASKED:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, _ASKED, replace=False))


def _burden(fitted: Fitted, samples: Samples) -> gate.Burden:
    """What an opinion on one case takes (the least of several tries: the machine does other things
    too), and how large the weights are."""
    model, one = fitted.models[0], samples.take(np.arange(1))
    taken = []
    for _ in range(_TRIES):
        begun = perf_counter()
        model.opinions(one.features, one.present)
        taken.append(perf_counter() - begun)
    size = sum(head.weights.nbytes for m in fitted.models for head in m.heads.values())
    return gate.Burden(latency_ms=1e3 * min(taken), size_mb=size / 1e6)


def _unchanged(samples: Samples, known: LabelTable | None) -> Floats:
    """The truths that judge, less the labels that are not what the champion learned."""
    if known is None:
        return samples.judged
    before = _before(samples, known)
    changed = ~np.isnan(before) & (before != samples.targets)
    return np.where(changed, np.nan, samples.judged)


def changed_share(
    samples: Samples, known: LabelTable | None, learned: Mapping[int, int]
) -> float:
    """The share of the labels that a version has not learned as they are, where it learned those
    of ``known`` of the cases whose keys are ``learned`` (a table of the past has imported labels as
    they are now)."""
    labelled = ~np.isnan(samples.targets)
    if known is None or not labelled.any():
        return 1.0
    there = np.isin(samples.keys, np.fromiter(learned, np.int64, len(learned)))
    same = (_before(samples, known) == samples.targets) & there[:, None]
    return float(1 - same[labelled].mean())


def _before(samples: Samples, known: LabelTable) -> NDArray[np.float32]:
    """(n, findings): the labels that stood in ``known``, NaN where there were none."""
    if not len(known.keys):
        return np.full(samples.targets.shape, np.nan, np.float32)
    rows = np.minimum(np.searchsorted(known.keys, samples.keys), len(known.keys) - 1)
    there = known.keys[rows] == samples.keys
    return np.where(there[:, None], known.targets[rows], np.float32(np.nan))


def unseen(
    ancestor: Ancestor, samples: Samples, rows: NDArray[np.intp] | None = None
) -> Floats:
    """(rows, findings) fused probabilities of the parent, on all samples or some, by a model of it
    that never saw the case's patient: the twin of the patient's fold, the whole for new patients.
    Features are copied a block at a time."""
    rows = np.arange(len(samples)) if rows is None else rows
    known = ancestor.folds_by_group(samples)
    asked = zip(samples.keys[rows].tolist(), samples.groups[rows].tolist(), strict=True)
    fold = np.array([ancestor.fold_of.get(key, known.get(group, -1)) for key, group in asked])
    result = np.full((len(rows), samples.targets.shape[1]), np.nan)
    for value in np.unique(fold):
        inside = np.flatnonzero(fold == value)
        for begin in range(0, len(inside), _BLOCK):
            places = inside[begin : begin + _BLOCK]
            block = rows[places]
            features = {m: own[block] for m, own in samples.features.items()}
            present = {m: own[block] for m, own in samples.present.items()}
            opinions = ancestor.models[1 + int(value)].opinions(features, present)
            result[places] = opinions.probabilities["fused"]
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
