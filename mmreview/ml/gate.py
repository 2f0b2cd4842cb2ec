"""Challenger against champion: may the new version serve?

Both are measured on cases that neither has seen, by the mean over cases of the mean log-loss of a
case's labels (more sensitive than AUROC, and it minds calibration):

* ``audit``: the audit partition, once it holds ``AUDIT_CASES`` labelled cases with
  ``AUDIT_LABELS`` labels of either kind;
* ``cross_validation`` until then: each training case is judged by the challenger's fold model that
  has not seen its patient group, and by the champion's twin of that fold, which has not either; a
  case that the champion never trained on is judged by the champion itself. Labels are those that
  hold now, less those that were changed since the champion learned them: a challenger that learned
  changed labels would look good by the change alone. New labels that are wrong everywhere cannot
  be found out this way: an audit set can.

The challenger is accepted if it is not worse by more than ``TOLERANCE`` and the bootstrap over
patient groups says with 90 % confidence that it is not worse by more than ``MARGIN``. The margin is
wide on purpose: it stops gross harm. Proof of superiority is another rule for another day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import GateVerdict
from mmreview.ml.metrics import auroc, element_log_loss

Floats = NDArray[np.float64]

AUDIT_CASES = 20
AUDIT_LABELS = 10
#: Nats by which a challenger may look worse: noise of a refit.
TOLERANCE = 0.005
#: Nats that the one-sided 90 % bootstrap bound must stay below.
MARGIN = 0.05
_DRAWS = 1000


@dataclass(frozen=True)
class Bout:
    """Both opinions, (n, findings) probabilities, on cases that neither has seen."""

    truth: Floats
    challenger: Floats
    champion: Floats
    groups: NDArray[np.str_]
    strata: NDArray[np.integer] | None
    basis: str


def big_enough(truth: Floats) -> bool:
    """True when the audit partition's labels can judge."""
    labelled = ~np.isnan(truth)
    return (
        int(labelled.any(axis=1).sum()) >= AUDIT_CASES
        and int((truth == 1).sum()) >= AUDIT_LABELS
        and int((truth == 0).sum()) >= AUDIT_LABELS
    )


def first(basis: str, cases: int) -> GateVerdict:
    """No champion to compare with: the first version serves."""
    return GateVerdict(True, basis, cases, None, None, "gate.first", {"count": cases})


def incomparable(basis: str, cases: int) -> GateVerdict:
    """The champion cannot answer (damaged, or other encoders): the new version replaces it."""
    return GateVerdict(True, basis, cases, None, None, "gate.incomparable", {"count": cases})


def judge(bout: Bout, *, seed: int) -> GateVerdict:
    """The verdict on a bout; differences are challenger less champion."""
    known = ~np.isnan(bout.truth) & ~np.isnan(bout.challenger) & ~np.isnan(bout.champion)
    rows = known.any(axis=1)
    truth = np.nan_to_num(bout.truth)
    gap = element_log_loss(truth, np.nan_to_num(bout.challenger, nan=0.5))
    gap = gap - element_log_loss(truth, np.nan_to_num(bout.champion, nan=0.5))
    per_case = (gap * known).sum(axis=1)[rows] / known.sum(axis=1)[rows]
    cases = int(rows.sum())
    if not cases:
        return incomparable(bout.basis, 0)
    difference = float(per_case.mean())
    lower, upper = _bounds(per_case, bout.groups[rows], seed)
    if difference > TOLERANCE:
        accepted, reason = False, "gate.worse"
    elif upper > MARGIN:
        accepted, reason = False, "gate.too_few"
    elif upper < 0:
        accepted, reason = True, "gate.better"
    else:
        accepted, reason = True, "gate.not_worse"
    params = {
        "count": cases,
        "difference": f"{difference:+.3f}",
        "lower": f"{lower:+.3f}",
        "upper": f"{upper:+.3f}",
        "margin": f"{MARGIN:.2f}",
    }
    return GateVerdict(
        accepted=accepted,
        basis=bout.basis,
        cases=cases,
        log_loss_difference=difference,
        auroc_difference=_auroc_difference(bout),
        reason=f"{reason}.{bout.basis}",
        params=params,
    )


def _bounds(per_case: Floats, groups: NDArray[np.str_], seed: int) -> tuple[float, float]:
    """The 10th and 90th percentile of the mean difference when patient groups are redrawn."""
    _, member = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(member, weights=per_case), np.bincount(member)
    drawn = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=_DRAWS
    )
    means = (drawn @ sums) / (drawn @ sizes)
    return float(np.quantile(means, 0.1)), float(np.quantile(means, 0.9))


def _auroc_difference(bout: Bout) -> float | None:
    """The mean over findings, of those where both are defined."""
    gaps = []
    for t in range(bout.truth.shape[1]):
        truth, a, b = bout.truth[:, t], bout.challenger[:, t], bout.champion[:, t]
        rows = ~np.isnan(truth) & ~np.isnan(a) & ~np.isnan(b)
        strata = None if bout.strata is None else bout.strata[rows]
        mine, theirs = (auroc(truth[rows], p[rows], strata) for p in (a, b))
        if mine is not None and theirs is not None:
            gaps.append(mine - theirs)
    return float(np.mean(gaps)) if gaps else None
