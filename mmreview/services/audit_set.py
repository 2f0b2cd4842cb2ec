"""The audit set of a project: what it is, how large it should be, and drawing more or anew.

Whatever is drawn judges every version from then on and never teaches one. A *refresh* puts a new
set in place of a worn one. The retired cases may teach from then on: no patient of theirs is in
the new set, every rival is measured on the new set again, and no verdict of the old one counts any
more, so nothing that is judged from now on has been learned. They can never come back.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mmreview.domain.audit_sets import (
    ASSUMED_AUROC,
    ASSUMED_PREVALENCE,
    ASSUMED_SPREAD,
    AUDIT_SET,
    LEAST,
    PRECISION,
    AuditSetStore,
    AuditStatus,
    Draw,
    Proposal,
    cases_for_auroc,
    cases_for_margin,
    design_effect,
    drawn,
    half_width,
)
from mmreview.domain.cases import Partition
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import CaseStore, PreferenceStore, VersionStore
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.versions import Version
from mmreview.services.gating import Gating

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Labels of either kind below which an audit set cannot judge (see ``ml.gate``).
_LEAST_LABELS = 10
#: So many of the newest comparisons say how much two versions differ.
_COMPARED = 5


class AuditSet:
    """The audit set of one project."""

    def __init__(
        self, *, store: AuditSetStore, cases: CaseStore, versions: VersionStore,
        preferences: PreferenceStore, gating: Gating,
    ) -> None:
        self._store = store
        self._cases = cases
        self._versions = versions
        self._preferences = preferences
        self._gating = gating

    @property
    def number(self) -> int:
        """How often the set has been refreshed."""
        return int(self._preferences.get(AUDIT_SET, 0))

    @property
    def cases(self) -> int:
        """How many cases it holds."""
        return self._store.counts().cases

    # --- what it is ---------------------------------------------------------------------------

    def status(self, *, precision: float = PRECISION) -> AuditStatus:
        """The set as it is, and the size proposed for ``precision`` (see ``Proposal``).

        Raises:
            AuditDrawInvalid: no set could be so precise.
        """
        counts, table = self._store.counts(), self._cases.label_table()
        rows = [i for i, drawn_as in enumerate(table.partitions) if drawn_as is Partition.AUDIT]
        audit = table.take(rows)
        known = audit.targets == audit.targets  # all but NaN
        by_people = (known & audit.corrected).any(axis=1)
        weak = self._gating.rules().weak_imports
        judging = known & audit.corrected if weak else known
        budget = self._gating.budget()
        return AuditStatus(
            number=self.number,
            cases=counts.cases,
            patients=len(counts.sizes),
            read=counts.read,
            by_people=int(by_people.sum()),
            imported=int((known.any(axis=1) & ~by_people).sum()),
            judging=int(judging.any(axis=1).sum()),
            weak_imports=weak,
            precision=self._reached(audit, judging, design_effect(counts.sizes)),
            attempts=budget.attempts,
            wealth=budget.wealth,
            first=budget.first,
            worn=budget.is_worn,
            eligible=sum(candidate.cases for candidate in self._store.candidates()),
            proposal=self._proposal(table, counts.sizes, precision),
            too_few=_too_few(counts.cases, audit, judging),
        )

    def _reached(
        self, audit: LabelTable, judging: NDArray[np.bool_], design: float
    ) -> float | None:
        """The half-width of a middling finding's interval: the median of those that have any."""
        champion = self._versions.champion()
        found = [
            half_width(
                _auroc_of(champion, name),
                positives=positives / design,
                negatives=negatives / design,
            )
            for t, name in enumerate(self._cases.schema.names)
            if (positives := int((judging[:, t] & (audit.targets[:, t] == 1)).sum()))
            and (negatives := int((judging[:, t] & (audit.targets[:, t] == 0)).sum()))
        ]
        return min(statistics.median(found), 1.0) if found else None

    def _proposal(self, table: LabelTable, sizes: Sequence[int], precision: float) -> Proposal:
        champion = self._versions.champion()
        rules = self._gating.rules()
        spread = _spread(self._versions.versions())
        prevalences = _prevalences(table)
        prevalence = statistics.median(prevalences) if prevalences else ASSUMED_PREVALENCE
        measured = _aurocs(champion)
        expected = statistics.median(measured) if measured else ASSUMED_AUROC
        expected = min(max(expected, 0.5), 0.99)
        design = design_effect(sizes)
        auroc = cases_for_auroc(precision, auroc=expected, prevalence=prevalence)
        margin = cases_for_margin(
            delta=rules.delta, spread=spread or ASSUMED_SPREAD, alpha=self._gating.budget().alpha
        )
        return Proposal(
            precision=precision,
            expected_auroc=expected,
            prevalence=prevalence,
            delta=rules.delta,
            spread=spread or ASSUMED_SPREAD,
            design=design,
            auroc=round(auroc * design),
            log_loss=round(margin * design),
            measured=bool(prevalences or measured or spread),
        )

    # --- drawing ------------------------------------------------------------------------------

    def draw(self, cases: int, *, actor: str, refresh: bool = False) -> Draw:
        """Draw ``cases`` further cases into the set (whole patients, so it may be a few more); with
        ``refresh`` a new set of so many, in place of the one there is. One event.

        Raises:
            AuditDrawInvalid: fewer than one case.
            AuditSetTooFew: fewer may still be drawn.
            WriteFailed, ProjectReadOnly: nothing was drawn.
        """
        candidates = self._store.candidates()
        before = self._store.counts()
        number = self.number + refresh
        seed = f"{self._preferences.get('seed', 0)} audit {number} {before.cases}"
        chosen = drawn(candidates, cases, seed=seed)
        count = sum(candidate.cases for candidate in chosen)
        payload: Mapping[str, Any] = {
            "set": number,
            "refresh": refresh,
            "wanted": cases,
            "cases": count,
            "patients": len(chosen),
            "eligible": sum(candidate.cases for candidate in candidates),
            "seed": seed,
        }
        event = self._store.redraw(
            [candidate.group for candidate in chosen],
            number=number,
            refresh=refresh,
            event=NewEvent(kind=EventKind.AUDIT_DRAWN, actor=actor, payload=payload),
        )
        retired = before.cases if refresh else 0
        return Draw(number, count, len(chosen), retired, event.seq)

    def refresh(self, cases: int | None = None, *, actor: str) -> Draw:
        """A new set in place of the one there is: of ``cases`` cases, or of as many as are
        proposed. Raises as ``draw`` does."""
        return self.draw(cases or self.status().proposal.cases, actor=actor, refresh=True)


def _too_few(cases: int, audit: LabelTable, judging: NDArray[np.bool_]) -> str:
    """Why the set cannot judge yet, as a message code."""
    if not cases:
        return "audit.empty"
    labelled = [row for row in range(len(audit.groups)) if judging[row].any()]
    if len(labelled) < LEAST:
        return "audit.few_labels" if cases >= LEAST else "audit.few_cases"
    if len({audit.groups[row] for row in labelled}) < 2:
        return "audit.one_patient"
    kinds = [int((judging & (audit.targets == value)).sum()) for value in (0, 1)]
    return "audit.one_class" if min(kinds) < _LEAST_LABELS else ""


def _prevalences(table: LabelTable) -> list[float]:
    """How frequent each finding is, of those with labels of both kinds."""
    found = []
    for column in table.targets.T:
        known = column[column == column]  # all but NaN
        if len(known) and 0 < (share := float(known.mean())) < 1:
            found.append(share)
    return found


def _aurocs(champion: Version | None) -> list[float]:
    if champion is None:
        return []
    rows = champion.metrics.get("per_finding") or {}
    found = [row.get("fused", {}).get("auroc") for row in rows.values()]
    return [float(value) for value in found if value is not None]


def _auroc_of(champion: Version | None, finding: str) -> float:
    rows = champion.metrics.get("per_finding") or {} if champion else {}
    value = rows.get(finding, {}).get("fused", {}).get("auroc")
    return ASSUMED_AUROC if value is None else min(max(float(value), 0.5), 0.99)


def _spread(versions: Sequence[Version]) -> float | None:
    """How much the difference to the champion varied from case to case when the newest versions
    were judged: its bound's reach, in standard errors, times the root of the cases. The largest of
    a few: a round that learned next to nothing hardly differs, and the next one may."""
    found: list[float] = []
    for version in reversed(versions):
        report = version.gate.get("report") or {}
        rivals = report.get("rivals") or []
        alpha = (report.get("budget") or {}).get("alpha")
        if not rivals or alpha is None or rivals[0].get("upper") is None:
            continue
        rival = rivals[0]
        reach = float(rival["upper"]) - float(rival["difference"])
        error = reach / NormalDist().inv_cdf(1 - float(alpha))
        found.append(max(error * math.sqrt(float(rival["cases"])), 1e-3))
        if len(found) == _COMPARED:
            break
    return max(found, default=None)
