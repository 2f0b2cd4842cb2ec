"""Challenger against its rivals: may the new version serve?

The criteria are written down in ``domain.gates``; ``champion`` brings the opinions. All are asked
about cases that none has seen:

* ``audit``: the audit partition, once it holds ``AUDIT_CASES`` labelled cases with
  ``AUDIT_LABELS`` labels of either kind;
* ``cross_validation`` until then: each training case is judged by the challenger's fold model that
  has not seen its patient group, and by the rival's twin of that fold, which has not either; a
  case that a rival never trained on is judged by the rival itself. Labels are those that
  hold now, less those that were changed since the champion learned them: a challenger that learned
  changed labels would look good by the change alone. New labels that are wrong everywhere cannot
  be found out this way: an audit set can.

The measure is the mean over cases of the mean log-loss of a case's labels (more sensitive than
AUROC, and it minds calibration), paired case by case. A challenger is let through if its point
estimate is not above the champion's and if, for the champion, the first version and the best so
far, an upper bound of its loss stays below ``delta``. The bound is the more cautious of two over
patient groups: Student's with the bootstrap's standard error, and the bootstrap's percentile (a
thousand draws have no tail at the small errors that a long-used set allows). Its error is paid from
the audit set's budget (``domain.gates``); cross-validation, which is no fixed set, has 10 %.

Single findings are held against a challenger only where it is certain: an AUROC that is more than
``delta_auroc`` lower and surely lower (DeLong 1988 with clusters, Obuchowski 1997; Holm over the
findings), a calibration error that is more than ``delta_ece`` higher and surely higher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.gates import Attempt, GateRules, budget_left
from mmreview.domain.ports import GateTerms
from mmreview.domain.versions import GateVerdict, Outcome
from mmreview.ml.metrics import BINS, auroc, element_log_loss, equal_bins
from mmreview.ml.ranking import auroc_influence

Floats = NDArray[np.float64]

AUDIT_CASES = 20
AUDIT_LABELS = 10
#: The one-sided error of a comparison by cross-validation.
CROSS_VALIDATED = 0.1
#: What a challenger may look worse by in cross-validation: the folds' own noise.
CROSS_VALIDATED_TOLERANCE = 0.005
#: A finding with fewer labels of either kind is told, and never held against a challenger.
_RANKED = 10
_DRAWS = 1000
_ECE_DRAWS = 200
#: The certainty with which a single finding, or the calibration, is held against a challenger.
_CERTAIN = 0.05


@dataclass(frozen=True)
class Rivalry:
    """A rival's opinions, (n, findings) probabilities, on the bout's cases. ``name`` is
    ``champion``, ``first`` or ``best``."""

    name: str
    version: int
    opinions: Floats


@dataclass(frozen=True)
class Burden:
    """What a version costs: milliseconds for one case, megabytes on disk."""

    latency_ms: float = 0.0
    size_mb: float = 0.0


@dataclass(frozen=True)
class Bout:
    """The challenger's opinions and its rivals', champion first, on cases that none has seen.
    ``read`` counts the audit cases that people have read."""

    truth: Floats
    challenger: Floats
    rivals: tuple[Rivalry, ...]
    groups: NDArray[np.str_]
    strata: NDArray[np.integer] | None
    basis: str
    findings: tuple[str, ...] = ()
    burden: Burden = field(default_factory=Burden)
    read: int | None = None


@dataclass(frozen=True)
class _Comparison:
    """Challenger less a rival, log-loss in nats per case: the mean, its standard error, the lower
    and upper bounds at the error that is allowed, on so many cases and groups."""

    rival: Rivalry
    difference: float
    error: float
    lower: float
    upper: float
    cases: int
    groups: int

    def told(self) -> dict[str, Any]:
        """For the report."""
        return {
            "role": self.rival.name,
            "version": self.rival.version,
            "difference": self.difference,
            "lower": _finite(self.lower),
            "upper": _finite(self.upper),
            "cases": self.cases,
        }


def big_enough(truth: Floats) -> bool:
    """True when the audit partition's labels can judge."""
    labelled = ~np.isnan(truth)
    return (
        int(labelled.any(axis=1).sum()) >= AUDIT_CASES
        and int((truth == 1).sum()) >= AUDIT_LABELS
        and int((truth == 0).sum()) >= AUDIT_LABELS
    )


def first(
    basis: str, cases: int, *, log_loss: float | None = None, audit_set: int = 0
) -> GateVerdict:
    """No champion to compare with: the first version serves."""
    report = {"log_loss": log_loss, "audit_set": audit_set, "rivals": []}
    return _verdict("gate.first", basis, cases, report=report)


def incomparable(basis: str, cases: int) -> GateVerdict:
    """The champion cannot answer (damaged, or other encoders): the new version replaces it."""
    return _verdict("gate.incomparable", basis, cases, report={})


def log_loss_of(truth: Floats, opinions: Floats) -> float | None:
    """The mean over cases of the mean log-loss of a case's labels; None where nothing is known."""
    known = ~np.isnan(truth) & ~np.isnan(opinions)
    rows = known.any(axis=1)
    if not rows.any():
        return None
    loss = element_log_loss(np.nan_to_num(truth), np.nan_to_num(opinions, nan=0.5)) * known
    return float((loss.sum(axis=1)[rows] / known.sum(axis=1)[rows]).mean())


def judge(bout: Bout, *, seed: int, terms: GateTerms | None = None) -> GateVerdict:
    """The verdict on a bout; differences are challenger less rival."""
    terms = terms or GateTerms()
    rules, on_audit = terms.rules, bout.basis == "audit"
    budget = budget_left(terms.attempts, budget=rules.budget)
    alpha = budget.alpha if on_audit else CROSS_VALIDATED
    draws: dict[int, Floats] = {}
    compared = [_compared(bout, rival, alpha, seed, draws) for rival in bout.rivals]
    champion = compared[0]
    if not champion.cases:
        return incomparable(bout.basis, 0)
    findings = _per_finding(bout)
    calibration = _calibration(bout, seed)
    reason, params = _reason(bout, rules, compared, findings, calibration, alpha)
    needed = _needed(compared, rules, alpha)
    passed = reason in _PASSES
    params = {
        "count": champion.cases,
        "difference": _signed(champion.difference),
        "lower": _signed(champion.lower),
        "upper": _signed(champion.upper),
        "margin": f"{rules.delta:g}",
        "needed": needed or 0,
        **params,
    }
    after = budget_left(
        (*terms.attempts, Attempt(alpha, passed)) if on_audit else terms.attempts,
        budget=rules.budget,
    )
    report = {
        "rivals": [comparison.told() for comparison in compared],
        "findings": findings,
        "calibration": calibration,
        "log_loss": log_loss_of(bout.truth, bout.challenger),
        "audit_set": terms.audit_set,
        "read": bout.read,
        "latency_ms": bout.burden.latency_ms,
        "size_mb": bout.burden.size_mb,
        "needed": needed,
        "rules": rules.as_json(),
        "left_out": list(terms.left_out),
    }
    if on_audit:
        report["budget"] = {
            "alpha": alpha, "passed": passed, "attempts": after.attempts,
            "wealth": after.wealth, "first": after.first, "worn": after.is_worn,
        }
    return _verdict(
        f"{reason}.{bout.basis}" if reason in _BY_BASIS else reason, bout.basis, champion.cases,
        passed=passed, act=rules.act, difference=champion.difference,
        auroc_difference=_macro(findings), params=params, report=report,
    )


#: Reasons that let a challenger through, and those whose sentence names what was measured on.
_PASSES = ("gate.better", "gate.not_worse")
_BY_BASIS = (*_PASSES, "gate.worse", "gate.too_few", "gate.not_superior")


def _verdict(
    reason: str, basis: str, cases: int, *, passed: bool = True, act: bool = False,
    difference: float | None = None, auroc_difference: float | None = None,
    params: Mapping[str, Any] | None = None, report: Mapping[str, Any],
) -> GateVerdict:
    outcome = Outcome.REFUSED if not passed else Outcome.WAITING if act else Outcome.ACCEPTED
    return GateVerdict(
        accepted=outcome is Outcome.ACCEPTED,
        basis=basis,
        cases=cases,
        log_loss_difference=difference,
        auroc_difference=auroc_difference,
        reason=reason,
        params=params or {"count": cases},
        outcome=outcome,
        report=report,
    )


def _reason(
    bout: Bout, rules: GateRules, compared: Sequence[_Comparison],
    findings: Sequence[Mapping[str, Any]], calibration: Mapping[str, Any], alpha: float,
) -> tuple[str, dict[str, Any]]:
    """The first criterion that is not met, or that all are."""
    champion, *others = compared
    tolerance = rules.tolerance if bout.basis == "audit" else CROSS_VALIDATED_TOLERANCE
    if champion.groups < 2:
        return "gate.one_patient", {}
    if champion.difference > tolerance:
        return "gate.worse", {}
    for other in others:
        if other.lower > 0 and other.difference > rules.delta:
            told = {"version": other.rival.version, "rival": f"{other.difference:+.3f}"}
            return f"gate.worse_than_{other.rival.name}", told
    if (worse := next((f for f in findings if f["held"] and _far(f, rules)), None)) is not None:
        return "gate.finding_worse", {
            "finding": worse["finding"],
            "before": f"{worse['auroc_before']:.3f}",
            "after": f"{worse['auroc']:.3f}",
        }
    if calibration["held"] and calibration["difference"] > rules.delta_ece:
        return "gate.calibration_worse", {
            "before": f"{calibration['before']:.3f}", "after": f"{calibration['after']:.3f}"
        }
    if bout.burden.latency_ms > rules.latency_ms:
        return "gate.too_slow", {
            "latency": f"{bout.burden.latency_ms:.1f}", "bound": f"{rules.latency_ms:g}"
        }
    if bout.burden.size_mb > rules.size_mb:
        return "gate.too_large", {
            "size": f"{bout.burden.size_mb:.0f}", "bound": f"{rules.size_mb:g}"
        }
    if any(comparison.upper > rules.delta for comparison in compared):
        return "gate.too_few", {}
    if champion.upper < 0:
        return "gate.better", {}
    return ("gate.not_superior" if rules.superior else "gate.not_worse"), {}


def _far(finding: Mapping[str, Any], rules: GateRules) -> bool:
    return bool(finding["difference"] < -rules.delta_auroc)


# --- log-loss against each rival -----------------------------------------------------------------


def _compared(
    bout: Bout, rival: Rivalry, alpha: float, seed: int, draws: dict[int, Floats]
) -> _Comparison:
    """``draws`` keeps those of so many groups for the next rival."""
    known = ~np.isnan(bout.truth) & ~np.isnan(bout.challenger) & ~np.isnan(rival.opinions)
    rows = known.any(axis=1)
    cases = int(rows.sum())
    if not cases:
        return _Comparison(rival, 0.0, math.inf, -math.inf, math.inf, 0, 0)
    truth = np.nan_to_num(bout.truth)
    gap = element_log_loss(truth, np.nan_to_num(bout.challenger, nan=0.5))
    gap = gap - element_log_loss(truth, np.nan_to_num(rival.opinions, nan=0.5))
    per_case = (gap * known).sum(axis=1)[rows] / known.sum(axis=1)[rows]
    _, member = np.unique(bout.groups[rows], return_inverse=True)
    sums, sizes = np.bincount(member, weights=per_case), np.bincount(member)
    count = len(sizes)
    mean = float(per_case.mean())
    if count < 2:
        return _Comparison(rival, mean, math.inf, -math.inf, math.inf, cases, count)
    if count not in draws:
        rng, each = np.random.default_rng(seed), np.full(count, 1 / count)
        draws[count] = rng.multinomial(count, each, size=_DRAWS).astype(np.float64)
    drawn = draws[count]
    means = (drawn @ sums) / (drawn @ sizes)
    error = float(means.std())
    reach = student(alpha, count - 1) * error
    tail = max(alpha, 10 / _DRAWS)
    return _Comparison(
        rival, mean, error,
        lower=min(mean - reach, float(np.quantile(means, tail))),
        upper=max(mean + reach, float(np.quantile(means, 1 - tail))),
        cases=cases, groups=count,
    )


def student(alpha: float, freedom: int) -> float:
    """The upper ``alpha`` quantile of Student's t (Abramowitz & Stegun 26.7.5: an expansion about
    the normal one; within .5 % from five degrees of freedom on, cautious below)."""
    z = NormalDist().inv_cdf(1.0 - alpha)
    z3, z5, z7 = z**3, z**5, z**7
    v = float(freedom)
    return (
        z
        + (z3 + z) / (4 * v)
        + (5 * z5 + 16 * z3 + 3 * z) / (96 * v**2)
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v**3)
    )


def _needed(compared: Sequence[_Comparison], rules: GateRules, alpha: float) -> int | None:
    """How many more cases would show it, were it as good as it looks; None where none would, 0
    where there are enough."""
    wanted = 0
    for comparison in compared:
        room = rules.delta - comparison.difference
        if room <= 0 or not math.isfinite(comparison.error):
            return None
        reach = NormalDist().inv_cdf(1.0 - alpha) * comparison.error
        enough = comparison.cases * (reach / room) ** 2
        if comparison.upper > rules.delta:
            wanted = max(wanted, math.ceil(enough) - comparison.cases, 1)
    return wanted


# --- single findings and calibration -------------------------------------------------------------


def _per_finding(bout: Bout) -> list[dict[str, Any]]:
    """Each finding's AUROC against the champion's on the same cases, with 90 % bounds; ``held``
    where it is surely lower (Holm over the findings that have enough labels)."""
    rows: list[dict[str, Any]] = []
    champion = bout.rivals[0].opinions
    for t in range(bout.truth.shape[1]):
        truth, mine, theirs = bout.truth[:, t], bout.challenger[:, t], champion[:, t]
        known = ~np.isnan(truth) & ~np.isnan(mine) & ~np.isnan(theirs)
        strata = None if bout.strata is None else bout.strata[known]
        after, before = (auroc(truth[known], p[known], strata) for p in (mine, theirs))
        if after is None or before is None:
            continue
        positives = int((truth[known] == 1).sum())
        gap = auroc_influence(truth[known], mine[known], after, strata) - auroc_influence(
            truth[known], theirs[known], before, strata
        )
        _, member = np.unique(bout.groups[known], return_inverse=True)
        error = float(np.sqrt(np.square(np.bincount(member, weights=gap)).sum()))
        reach = NormalDist().inv_cdf(0.95) * error
        rows.append(
            {
                "finding": bout.findings[t] if bout.findings else str(t),
                "cases": int(known.sum()),
                "positives": positives,
                "auroc": after,
                "auroc_before": before,
                "difference": after - before,
                "lower": after - before - reach,
                "upper": after - before + reach,
                "error": error,
                "enough": min(positives, int(known.sum()) - positives) >= _RANKED,
                "held": False,
            }
        )
    _hold(rows)
    return [{name: value for name, value in row.items() if name != "error"} for row in rows]


def _hold(rows: Sequence[dict[str, Any]]) -> None:
    """Mark the findings that are surely lower: Holm's step-down over those with enough labels."""
    tested = [row for row in rows if row["enough"] and row["error"] > 0]
    tested.sort(key=lambda row: row["difference"] / row["error"])
    for place, row in enumerate(tested):
        chance = NormalDist().cdf(row["difference"] / row["error"])
        if chance > _CERTAIN / (len(tested) - place):
            break
        row["held"] = True


def _calibration(bout: Bout, seed: int) -> dict[str, Any]:
    """The calibration error (15 bins, all labels together) before and after; ``held`` where it is
    surely higher."""
    champion = bout.rivals[0].opinions
    known = ~np.isnan(bout.truth) & ~np.isnan(bout.challenger) & ~np.isnan(champion)
    truth = bout.truth[known]
    group = np.broadcast_to(bout.groups[:, None], known.shape)[known]
    _, member = np.unique(group, return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_ECE_DRAWS).astype(np.float64)
    errors = []
    for said in (champion[known], bout.challenger[known]):
        cell = member * BINS + equal_bins(said)
        gaps = np.bincount(cell, weights=truth - said, minlength=count * BINS)
        gaps = gaps.reshape(count, BINS)
        sizes = np.bincount(member, minlength=count)
        redrawn = np.abs(drawn @ gaps).sum(axis=1) / np.maximum(drawn @ sizes, 1)
        errors.append((float(np.abs(gaps.sum(axis=0)).sum() / len(said)), redrawn))
    (before, theirs), (after, mine) = errors
    low, high = np.quantile(mine - theirs, [_CERTAIN, 1 - _CERTAIN])
    return {
        "before": before, "after": after, "difference": after - before, "lower": float(low),
        "upper": float(high), "held": bool(low > 0),
    }


def _macro(findings: Sequence[Mapping[str, Any]]) -> float | None:
    gaps = [row["difference"] for row in findings]
    return float(np.mean(gaps)) if gaps else None


def _signed(value: float) -> str:
    """Three decimals; nothing has no sign."""
    said = f"{value:+.3f}"
    return said if float(said) else "0.000"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
