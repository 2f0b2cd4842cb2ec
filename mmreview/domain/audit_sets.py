"""The audit set: how large it should be, which patients may still come into it, what it is now.

The audit partition judges every version, so it must hold patients that none was ever taught by and
whose readers saw no opinion. Import draws a share of all patients into it; ``services.audit_set``
draws more, or a new set in place of a used one.

Sizes are of cases of independent patients, times the design effect of several cases a patient
(Kish 1965), as if a patient's cases said the same: cautious.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Protocol

from mmreview.domain.errors import MmreviewError
from mmreview.domain.reads import Event, NewEvent

#: The preference that holds the number of the audit set's draw; a refreshed set has a new budget.
AUDIT_SET = "audit_set"

#: The half-width of the 95 % interval of a finding's AUROC that is proposed for.
PRECISION = 0.05
#: What is assumed where nothing has been measured yet: how well a finding is ranked, how frequent
#: it is, and how much the log-loss difference of two versions varies from case to case.
ASSUMED_AUROC, ASSUMED_PREVALENCE, ASSUMED_SPREAD = 0.85, 0.2, 0.25
#: With how much certainty an equally good challenger should get through.
POWER = 0.95
_LEVEL = 0.95
#: No set is proposed below this: the gate does not ask a smaller one.
LEAST = 20
_MOST = 1_000_000


class AuditSetTooFew(MmreviewError):
    """``wanted`` cases are more than the ``available`` ones."""

    code = "error.audit_too_few_eligible"


class AuditDrawInvalid(MmreviewError):
    """The number of cases or the precision makes no sense."""

    code = "error.audit_draw_invalid"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient group that may still come into the audit set: ``cases`` of it, and whether any of
    them has an image, and a report."""

    group: str
    cases: int
    has_image: bool
    has_report: bool


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """The audit partition as it is: ``sizes`` are the cases of each of its patients; ``read`` the
    cases with a committed read."""

    sizes: tuple[int, ...]
    read: int

    @property
    def cases(self) -> int:
        """How many cases it holds."""
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a draw did: set number ``number`` has ``cases`` more of ``patients`` patients;
    ``retired`` cases left it."""

    number: int
    cases: int
    patients: int
    retired: int
    seq: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many cases are wanted, and from what: ``auroc`` cases for a 95 % interval of
    ``precision`` to either side of a finding with that ``prevalence`` and ``expected_auroc``;
    ``log_loss`` cases so that a challenger that is as good is shown, in ``POWER`` of attempts, not
    to be ``delta`` worse, where differences vary by ``spread``. ``design`` is the design effect;
    ``cases`` the larger of both. ``measured`` says whether any of it was measured here."""

    precision: float
    expected_auroc: float
    prevalence: float
    delta: float
    spread: float
    design: float
    auroc: int
    log_loss: int
    measured: bool

    @property
    def cases(self) -> int:
        """How many cases the set should have."""
        return max(self.auroc, self.log_loss, LEAST)


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """The audit set. Of its ``cases`` (of ``patients``) ``read`` have a committed read,
    ``by_people`` have a label that a reader set and ``imported`` only labels of the import.
    ``judging`` cases have a label that counts at the gate. ``precision`` is the half-width of the
    95 % interval of a middling finding's AUROC that they reach, None with too few. ``attempts``
    have been judged by this set; ``wealth`` of ``first`` is left of its error budget; ``worn`` says
    that it should be refreshed. ``eligible`` cases could still be drawn. ``proposal`` is what is
    proposed; ``too_few`` says why the set cannot judge yet, a message code or empty."""

    number: int
    cases: int
    patients: int
    read: int
    by_people: int
    imported: int
    judging: int
    weak_imports: bool
    precision: float | None
    attempts: int
    wealth: float
    first: float
    worn: bool
    eligible: int
    proposal: Proposal
    too_few: str = ""

    @property
    def share_left(self) -> float:
        """How much of the first error budget is left; promotions can earn more than there was."""
        return self.wealth / self.first if self.first else 0.0

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "share_left": self.share_left,
                "proposal": {**asdict(self.proposal), "cases": self.proposal.cases}}


class AuditSetStore(Protocol):
    """The audit partition and who may still come into it."""

    def candidates(self) -> list[Candidate]:
        """The patients that may still be drawn, in order of their names."""
        ...

    def counts(self) -> AuditCounts:
        """The audit partition as it is."""
        ...

    def redraw(
        self, groups: Sequence[str], *, number: int, refresh: bool, event: NewEvent
    ) -> Event:
        """Draw these patients into set ``number`` (with ``refresh`` in place of those it had), with
        the event, in one transaction. Raises WriteFailed, ProjectReadOnly, and AuditDrawOutdated
        where one of them may no longer be drawn."""
        ...


# --- sizes ----------------------------------------------------------------------------------------


def half_width(auroc: float, *, positives: float, negatives: float) -> float:
    """Half the width of the 95 % interval of an AUROC (Hanley & McNeil 1982)."""
    if min(positives, negatives) <= 0:
        return math.inf
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = (
        auroc * (1 - auroc)
        + max(positives - 1, 0) * (q1 - auroc**2)
        + max(negatives - 1, 0) * (q2 - auroc**2)
    ) / (positives * negatives)
    return NormalDist().inv_cdf((1 + _LEVEL) / 2) * math.sqrt(variance)


def cases_for_auroc(precision: float, *, auroc: float, prevalence: float) -> int:
    """The least number of cases whose interval is no wider than ``precision`` to either side.

    Raises:
        AuditDrawInvalid: the precision is not between .005 and .3.
    """
    if not 0.005 <= precision <= 0.3:
        raise AuditDrawInvalid("error.audit_precision_invalid", precision=precision)

    def wide(cases: int) -> bool:
        found = half_width(
            auroc, positives=cases * prevalence, negatives=cases * (1 - prevalence)
        )
        return found > precision

    low, high = 1, 2
    while wide(high) and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


def cases_for_margin(*, delta: float, spread: float, alpha: float) -> int:
    """Cases with which a paired comparison shows, at the error ``alpha`` and with ``POWER``, that
    an equally good challenger is not ``delta`` worse (Julious 2004, non-inferiority of paired
    measurements: ``((z(1-alpha) + z(power)) spread / delta)**2``)."""
    reach = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(POWER)
    return math.ceil((reach * spread / delta) ** 2)


def design_effect(sizes: Iterable[int]) -> float:
    """How many cases count as one where patients have ``sizes`` cases: the mean square over the
    mean (Kish 1965, with a patient's cases alike)."""
    known = [size for size in sizes if size > 0]
    return sum(size**2 for size in known) / sum(known) if known else 1.0


# --- the draw -------------------------------------------------------------------------------------


def drawn(candidates: Sequence[Candidate], cases: int, *, seed: str) -> list[Candidate]:
    """Whole patients with at least ``cases`` cases between them, at random.

    Patients are put in order of what they have (image, report) and of how many cases, in random
    order within, and taken at even steps (systematic sampling): each has the same chance, and
    every kind comes in as often as it is there.

    Raises:
        AuditDrawInvalid: fewer than one case is wished for.
        AuditSetTooFew: the candidates have fewer.
    """
    available = sum(candidate.cases for candidate in candidates)
    if cases < 1:
        raise AuditDrawInvalid(count=cases)
    if cases > available:
        raise AuditSetTooFew(wanted=cases, available=available)
    chance = random.Random(seed)
    mixed = sorted(candidates, key=lambda c: c.group)
    chance.shuffle(mixed)
    mixed.sort(key=lambda c: (c.has_image, c.has_report, c.cases))
    step, place = cases / available, chance.random()
    taken: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in mixed:
        place += step
        (taken if place >= 1 else rest).append(candidate)
        place -= place >= 1
    chance.shuffle(rest)
    count = sum(candidate.cases for candidate in taken)
    while count < cases:
        taken.append(rest.pop())
        count += taken[-1].cases
    return taken
