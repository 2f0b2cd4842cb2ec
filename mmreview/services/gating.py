"""The gate's rules of a project, and what a round must be told of the past: which versions the
challenger has to stand up to, and how often the audit set has been asked already.

``Learning`` asks for the ``terms`` of each round; ``ml.gate`` judges by them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmreview.domain.audit_sets import AUDIT_SET
from mmreview.domain.gates import Attempt, Budget, GateRules, budget_left
from mmreview.domain.ports import EventStore, GateTerms, PreferenceStore, Rival, VersionStore
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.versions import Role, Version

#: The preference that holds the rules.
RULES = "gate"
#: Versions that have served; only they are rivals.
_SERVED = (Role.CHAMPION, Role.RETIRED)
#: So many versions are asked in turn for one that cannot answer any more.
_INSTEAD = 4


class Gating:
    """The rules and the budget of one project's gate."""

    def __init__(
        self, *, versions: VersionStore, events: EventStore, preferences: PreferenceStore,
        folder: Path,
    ) -> None:
        self._versions = versions
        self._events = events
        self._preferences = preferences
        self._folder = folder

    def rules(self) -> GateRules:
        """What holds now."""
        return GateRules.of_json(self._preferences.get(RULES))

    def change(self, *, actor: str, **changed: Any) -> GateRules:
        """Change some of the rules; one event.

        Raises:
            RulesInvalid: a value is out of its bounds; nothing is changed.
            WriteFailed: nothing was stored.
        """
        before = self.rules()
        after = replace(before, **changed)
        after.check()
        if after != before:
            self._preferences.set(RULES, after.as_json())
            payload = {"setting": RULES, "before": before.as_json(), "after": after.as_json()}
            self._events.append(
                NewEvent(kind=EventKind.SETTING_CHANGED, actor=actor, payload=payload)
            )
        return after

    def audit_set(self) -> int:
        """The number of the audit set's draw."""
        return int(self._preferences.get(AUDIT_SET, 0))

    def attempts(self) -> tuple[Attempt, ...]:
        """The challengers that the present audit set has judged, oldest first."""
        return tuple(
            Attempt(float(spent["alpha"]), bool(spent["passed"]))
            for version in self._versions.versions()
            if (spent := self._spent(version)) is not None
        )

    def _spent(self, version: Version) -> dict[str, Any] | None:
        """What judging a version cost, if the present audit set did."""
        report = version.gate.get("report") or {}
        if version.gate.get("basis") != "audit" or report.get("audit_set") != self.audit_set():
            return None
        spent: dict[str, Any] | None = report.get("budget")
        return spent if spent is not None and "alpha" in spent else None

    def budget(self) -> Budget:
        """What is left of the present audit set's error budget."""
        return budget_left(self.attempts(), budget=self.rules().budget)

    def terms(self, champion: Version | None) -> GateTerms:
        """What the next challenger is judged by, and against whom besides the champion."""
        served = [v for v in self._versions.versions() if v.role in _SERVED]
        rivals: list[Rival] = []
        oldest = sorted(served, key=lambda version: version.id)
        for name, ordered in (("first", oldest), ("best", self._best(served))):
            known = {champion.id if champion else None, *(r.version.id for r in rivals)}
            if ordered and ordered[0].id not in known:
                (version, folder), *others = [
                    (v, self._folder / v.folder) for v in ordered[: 1 + _INSTEAD]
                ]
                rivals.append(Rival(name, version, folder, tuple(others)))
        return GateTerms(
            rules=self.rules(), rivals=tuple(rivals), attempts=self.attempts(),
            audit_set=self.audit_set(),
        )

    def _best(self, served: list[Version]) -> list[Version]:
        """Those with a log-loss on the present audit set, as measured when they were made, the
        least first; without any that was measured there, on the newest set before it, then by
        cross-validation."""
        measured = next(
            (
                known
                for number in range(self.audit_set(), -1, -1)
                if (
                    known := [
                        (float(loss), version)
                        for version in served
                        if (loss := _log_loss(version, "audit", number)) is not None
                    ]
                )
            ),
            None,
        ) or [
            (float(loss), version)
            for version in served
            if (loss := _log_loss(version, "cross_validation", None)) is not None
        ]
        return [each[1] for each in sorted(measured, key=lambda each: (each[0], each[1].id))]


def _log_loss(version: Version, basis: str, audit_set: int | None) -> float | None:
    report = version.gate.get("report") or {}
    if version.gate.get("basis") != basis or report.get("log_loss") is None:
        return None
    if audit_set is not None and report.get("audit_set") != audit_set:
        return None
    return float(report["log_loss"])
