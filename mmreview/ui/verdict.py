"""What a round came to, in a few words: the numbers of a version and what they were measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui.wording import fraction

#: Decimals of a log-loss.
_SHOWN = 3


def auroc(version: Version) -> float | None:
    """The fused opinion's mean AUROC, where it was measured."""
    value = dict(version.metrics.get("auroc") or {}).get("fused")
    return float(value) if isinstance(value, int | float) else None


def auroc_change(version: Version, parent: Version | None) -> str:
    """``AUROC .866 → .871``. What was before is measured on the same cases by the gate; the
    parent's own number stands in where the gate has none."""
    after = auroc(version)
    if after is None:
        return ""
    difference = version.gate.get("auroc_difference")
    before = auroc(parent) if parent is not None else None
    if isinstance(difference, int | float):
        before = after - float(difference)
    now = fraction(after, 3)
    return f"AUROC {fraction(before, 3)} → {now}" if before is not None else f"AUROC {now}"


def measured_on(gate: Mapping[str, Any]) -> str:
    """How many cases of which kind the gate measured on; empty where it says nothing."""
    cases = int(gate.get("cases") or 0)
    if not cases:
        return ""
    audit = gate.get("basis") == "audit"
    if audit:
        return tr("ui.learning.on_audit", count=cases)
    return tr("ui.learning.on_cross_validation", count=cases)


def on_old_labels(version: Version) -> str:
    """What the round did to the labels that the version before it knew; empty where that was not
    measured."""
    rows = dict(version.metrics.get("old_labels") or {})
    if not rows:
        return ""
    gaps = {finding: row["difference"][0] for finding, row in rows.items()}
    worst = max(gaps, key=lambda finding: gaps[finding])
    lost = [finding for finding, row in rows.items() if lost_on(row["difference"])]
    mean = _signed(sum(gaps.values()) / len(gaps))
    if lost:
        return tr("ui.versions.old_labels_lost", mean=mean, findings=", ".join(lost))
    return tr("ui.versions.old_labels", mean=mean, finding=worst, worst=_signed(gaps[worst]))


def lost_on(difference: Sequence[float | None]) -> bool:
    """Whether a mean and its bounds on old labels are worse for certain, by as much as is shown:
    on thousands of cases a ten-thousandth of a nat is certain too."""
    low = difference[1]
    return low is not None and round(low, _SHOWN) > 0


def _signed(value: float) -> str:
    return f"{value:+.{_SHOWN}f}".replace("-", "−") if round(value, _SHOWN) else "0.000"


def verdict(version: Version) -> str:
    """What the gate said of it; empty where it said nothing. One that serves though it was refused
    does so by a person's decision; one that waited for a reader passed the gate."""
    reason = str(version.gate.get("reason") or "")
    if not reason:
        return ""
    refused = version.gate.get("accepted") is False and version.gate.get("outcome") != "waiting"
    if version.role is Role.CHAMPION and refused:
        reason = "ui.learning.by_hand"
    return tr(reason, **version.gate.get("params", {}))


def taught_unlabelled(version: Version) -> str:
    """Whether cases without a label taught anything, in a sentence; empty where none were tried."""
    told = version.metrics.get("unlabelled")
    if told is None:
        return ""
    if told["difference"] is None:
        return tr("unlabelled.too_few", count=told["cases"])
    mean, low, high = (f"{value:+.4f}".replace("-", "−") for value in told["difference"])
    code = "unlabelled.used" if told["used"] else "unlabelled.unused"
    return tr(code, count=told["cases"], difference=mean, low=low, high=high)


def compared(found: Mapping[str, Any]) -> str:
    """What the comparison of the queue with the control arm came to, as a sentence."""
    params = dict(found["params"])
    if "auroc" in params:
        params["auroc"] = fraction(float(params["auroc"]), 3)
    return tr(found["verdict"], **params)


def can_compare(version: Version | None) -> bool:
    """Whether the gate has left anything to show of a version beside its verdict."""
    return version is not None and bool((version.gate.get("report") or {}).get("rivals"))
