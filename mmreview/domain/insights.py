"""What a project's own trail says of the learning loop: is it worth its clicks?

Numbers of people and versions, never of single cases. ``services.insights`` derives them; window
and command line show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmreview.domain.repeats import Consistency

#: The two ways in which a case came to be read: offered by the queue, or drawn at random.
ARMS = QUEUE, CONTROL = ("queue", "control")
#: Cases that each arm, and the audit set, must have before they are compared.
LEAST_READ = LEAST_AUDIT = 20


@dataclass(frozen=True, slots=True)
class Share:
    """``changed`` of ``judged``, with a 95 % interval (None with next to nothing judged)."""

    changed: int
    judged: int
    low: float | None = None
    high: float | None = None

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.changed / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly somebody worked: ``hours`` are those between acts, without the pauses;
    ``corrections`` and ``reads`` are all there were. ``day`` is UTC, empty for all days, ``reader``
    empty for all readers. Rates are None with less than a minute of work."""

    reader: str
    day: str
    reads: int
    corrections: int
    hours: float
    corrections_per_hour: float | None
    reads_per_hour: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often readers saw a finding otherwise than the import (``imported``) and than the
    model whose opinion they were shown (``model``). ``finding`` and ``version`` say of which;
    empty and None: of all."""

    finding: str
    version: int | None
    imported: Share
    model: Share


@dataclass(frozen=True, slots=True)
class Attempt:
    """One version at the gate. ``reads`` and ``corrections`` are the readers' work that it knew
    (train cases read; states set, less those taken back). ``auroc`` is (macro AUROC of the fused
    opinion on audit cases, low, high), ``ece`` its calibration error there and ``ece_perfect``
    what a perfect model would show (low, high); None where there are no audit labels.
    ``difference`` is the gate's log-loss against the champion, negative is better, ``bounds`` its
    interval where the gate told one. ``outcome`` is ``accepted``, ``refused`` or ``waiting`` (for a
    reader's act); ``served`` says that it has served at some time."""

    version: int
    at: str
    outcome: str
    served: bool
    reason: str
    params: Mapping[str, Any]
    basis: str
    reads: int
    corrections: int
    audit_cases: int
    auroc: tuple[float, float | None, float | None] | None
    ece: float | None
    ece_perfect: tuple[float, float] | None
    difference: float | None
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the comparison with the control arm has, and still needs: cases by ``queue``,
    ``control`` and ``audit``."""

    have: Mapping[str, int]
    missing: Mapping[str, int]

    @property
    def ready(self) -> bool:
        """Whether it can be measured."""
        return not any(self.missing.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """The queue against the control arm as it was last measured (``found`` is what
    ``ports.Trainer.control_arm`` returned), beside version ``version`` at ``at``; None if never.
    ``due`` says that enough was read since to measure again."""

    version: int
    at: str
    found: Mapping[str, Any]
    due: bool = False


@dataclass(frozen=True, slots=True)
class Insights:
    """All of it. ``paces`` begin with all readers and days; then by reader, then by day;
    ``agreements`` with all, then by finding, then by version. ``unknown`` counts reads whose
    version cannot be asked any more. ``consistency`` is each reader's agreement with themselves."""

    paces: tuple[Pace, ...]
    agreements: tuple[Agreement, ...]
    attempts: tuple[Attempt, ...]
    readiness: Readiness
    comparison: Comparison | None
    unknown: int = 0
    consistency: tuple[Consistency, ...] = ()
