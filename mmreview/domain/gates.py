"""The written criteria by which a challenger may serve, and the error budget they are paid from.

``services.gating`` keeps a project's rules and counts its attempts, ``ml.gate`` judges by them.

A challenger is compared with several rivals: the champion, the first version and the best so far,
so that many small losses cannot add up (Feng, Emerson & Simon 2019, arXiv 1912.12413: "bio-creep").
It serves only if, against each of them, its log-loss is shown to be less than ``delta`` worse. All
of them must be shown at once, so that each comparison may be made at the full level
(intersection-union test, Berger 1982).

The same audit set answers again and again. Each attempt is allowed an error ``alpha`` out of a
wealth that attempts use up and promotions earn back (alpha-investing, Foster & Stine 2008), which
holds the share of wrongly promoted versions (mFDR) at the budget however many attempts are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mmreview.domain.errors import MmreviewError

#: The share of the wealth that one attempt may use up. A small one lasts: after twenty refusals
#: in a row an attempt still has a seventh of what the first one had.
_SPENT = 0.1
#: Wealth never exceeds this many budgets, so that a long good run buys no licence.
_MOST = 2.0
#: An attempt is never allowed less than this: the set is long worn then.
_LEAST = 1e-15
#: Below this share of the first wealth the set is due for a refresh.
WORN = 0.2
#: And after so many attempts, whatever they earned: each verdict tells the next challenger a little
#: of what the set is like. Refits of labels did not make use of it (120 rounds of random labels,
#: none truly worse); challengers that were made of the champion by random changes had lost .025
#: nats after 50 rounds, unseen by the set, and .08 after 150.
MOST_ATTEMPTS = 50


class RulesInvalid(MmreviewError):
    """``name`` cannot be ``value``; ``allowed`` says what it can be."""

    code = "error.gate_rule_invalid"


@dataclass(frozen=True, slots=True)
class GateRules:
    """A project's criteria.

    ``delta`` are the nats of log-loss per case by which a challenger must be shown not to be worse
    than any rival, ``tolerance`` those that its point estimate may lie above the champion's (what
    a refit of the same labels moves). ``delta_auroc`` is how much worse a single finding may rank,
    ``delta_ece`` how much worse calibrated it may be, before that is held against it where it is
    certain. ``budget`` is the share of wrong promotions that is put up with. With ``superior`` it
    must be proved better; with ``act`` a named reader must say so (``reader``; empty: any).
    ``latency_ms`` and ``size_mb`` bound the opinion on one case and the bundle. With
    ``weak_imports`` labels that came with an import do not judge: only those that readers set.
    """

    delta: float = 0.05
    tolerance: float = 0.001
    delta_auroc: float = 0.05
    delta_ece: float = 0.03
    budget: float = 0.05
    superior: bool = False
    act: bool = False
    reader: str = ""
    latency_ms: float = 5.0
    size_mb: float = 100.0
    weak_imports: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the project's preferences."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: Mapping[str, Any] | None) -> GateRules:
        """The rules that were stored; what is not known is left out, what is missing is default.

        Raises:
            RulesInvalid: a value is out of its bounds.
        """
        known = {f.name for f in fields(cls)}
        rules = cls(**{name: value for name, value in (told or {}).items() if name in known})
        rules.check()
        return rules

    def check(self) -> None:
        """Raise RulesInvalid unless every number is within its bounds."""
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise RulesInvalid(name=name, value=value, allowed=f"{low:g} … {high:g}")


_BOUNDS = {
    "delta": (0.001, 0.5),
    "tolerance": (0.0, 0.05),
    "delta_auroc": (0.0, 0.5),
    "delta_ece": (0.0, 0.5),
    "budget": (0.001, 0.2),
    "latency_ms": (0.1, 10_000.0),
    "size_mb": (0.1, 10_000.0),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One challenger that an audit set judged: the error it was allowed, and whether it was
    let through."""

    alpha: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of an audit set's error budget. ``first`` is what an unused set has."""

    wealth: float
    attempts: int
    first: float

    @property
    def alpha(self) -> float:
        """The error that the next attempt is allowed."""
        spent = _SPENT * self.wealth
        return max(spent / (1.0 + spent), _LEAST)

    @property
    def is_worn(self) -> bool:
        """Whether so little is left, or it was asked so often, that the set should be drawn
        anew."""
        return self.wealth < WORN * self.first or self.attempts >= MOST_ATTEMPTS


def budget_left(attempts: Iterable[Attempt], *, budget: float) -> Budget:
    """The wealth after these attempts (Foster & Stine 2008, eq. 5: a rejection earns ``budget``,
    any other attempt costs ``alpha / (1 - alpha)``)."""
    first = wealth = budget * (1.0 - budget)
    count = 0
    for attempt in attempts:
        count += 1
        cost = attempt.alpha / (1.0 - attempt.alpha)
        wealth = wealth + budget if attempt.passed else wealth - cost
        wealth = min(max(wealth, 0.0), _MOST * budget)
    return Budget(wealth, count, first)
