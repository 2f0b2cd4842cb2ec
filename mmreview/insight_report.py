"""The insights as the ``insights`` verb prints them: one JSON value, or a few short tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mmreview.console import table
from mmreview.domain.insights import Comparison, Insights, Share
from mmreview.translation import tr


def insights_object(found: Insights) -> dict[str, Any]:
    """All of it, ready for JSON; shares carry their value."""
    whole = asdict(found)
    for told, agreement in zip(whole["agreements"], found.agreements, strict=True):
        told["imported"]["value"] = agreement.imported.value
        told["model"]["value"] = agreement.model.value
    whole["readiness"]["ready"] = found.readiness.ready
    return whole


def insights_text(found: Insights) -> str:
    """All of it, for a person: what is not known yet is said, never guessed."""
    return "\n\n".join(_parts(found))


def _parts(found: Insights) -> Iterator[str]:
    if found.comparison is not None:
        yield comparison_text(found.comparison)
    elif found.readiness.ready:
        yield tr("cli.insights.ready")
    else:
        yield tr("error.too_few_to_compare", **found.readiness.missing)
    if found.attempts:
        yield tr("cli.insights.versions") + "\n" + _versions(found)
    if any(a.model.judged or a.imported.judged for a in found.agreements):
        yield tr("cli.insights.changed") + "\n" + _changed(found)
    if found.paces and (found.paces[0].reads or found.paces[0].corrections):
        yield tr("cli.insights.pace") + "\n" + _pace(found)


def comparison_text(comparison: Comparison) -> str:
    """The verdict, and a line for each number of cases."""
    found = comparison.found
    rows = [
        (point["cases"], *(_interval(point[arm]) for arm in ("queue", "control", "difference")))
        for point in found["points"]
    ]
    header = (tr("cli.insights.cases"), *(tr(f"cli.insights.{name}")
                                          for name in ("queue", "control", "difference")))
    return tr(found["verdict"], **found["params"]) + "\n" + table(header, rows)


def _versions(found: Insights) -> str:
    rows = [
        (
            f"v{a.version}", tr(f"cli.insights.{a.outcome}"), a.reads, a.corrections,
            a.audit_cases, None if a.auroc is None else _interval(a.auroc),
            None if a.ece is None else f"{a.ece:.3f}",
            None if a.difference is None else f"{a.difference:+.4f}",
        )
        for a in found.attempts
    ]
    header = ("", tr("cli.insights.gate"), *(tr(f"cli.insights.{name}") for name in (
        "reads", "corrections", "audit")), "AUROC", "ECE", "log_loss")
    return table(header, rows)


def _changed(found: Insights) -> str:
    rows = [
        (
            a.finding or (tr("cli.insights.all") if a.version is None else f"v{a.version}"),
            *_share(a.model), *_share(a.imported),
        )
        for a in found.agreements
    ]
    counted = tr("cli.insights.counted")
    header = ("", tr("cli.insights.model"), counted, tr("cli.insights.import"), counted)
    return table(header, rows)


def _pace(found: Insights) -> str:
    rows = [
        (
            pace.reader or pace.day or tr("cli.insights.everybody"), f"{pace.hours:.1f}",
            pace.reads, _rate(pace.reads_per_hour), pace.corrections,
            _rate(pace.corrections_per_hour),
        )
        for pace in found.paces
    ]
    header = ("", *(tr(f"cli.insights.{name}") for name in (
        "hours", "reads", "per_hour", "corrections", "per_hour")))
    return table(header, rows)


def _interval(found: Sequence[float | None]) -> str:
    value, low, high = found
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.3f} – {high:.3f})"


def _share(share: Share) -> tuple[str | None, str]:
    counted = f"{share.changed} / {share.judged}"
    if share.value is None:
        return None, counted
    if share.low is None or share.high is None:
        return f"{share.value:.1%}", counted
    return f"{share.value:.1%} ({share.low:.1%} – {share.high:.1%})", counted


def _rate(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}"
