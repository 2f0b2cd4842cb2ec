"""How far a reader agrees with themselves: Cohen's kappa over cases that were read twice.

Source: Cohen 1960, *A coefficient of agreement for nominal scales*; its standard error as in
Fleiss, Levin & Paik 2003, *Statistical Methods for Rates and Proportions*, 3rd ed., section 18.1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consistency:
    """One reader's agreement with themselves on a finding (empty: on all together).

    ``pairs`` counts findings that got a state in both readings, ``agreed`` those with the same,
    ``cases`` the cases they are from. ``kappa`` is agreement beyond chance, 1 at best; None where
    chance alone explains everything (one state throughout) or there is no pair. ``low`` and
    ``high`` are its 95 % interval, as if pairs were independent (those of one case are not quite).
    """

    reader: str
    finding: str
    cases: int
    pairs: int
    agreed: int
    kappa: float | None
    low: float | None
    high: float | None


def consistency(
    reader: str, finding: str, *, cases: int, pairs: Sequence[tuple[str, str]]
) -> Consistency:
    """The agreement of (first, second) states."""
    total = len(pairs)
    agreed = sum(first == second for first, second in pairs)
    firsts, seconds = Counter(f for f, _ in pairs), Counter(s for _, s in pairs)
    chance = sum(firsts[state] * seconds[state] for state in firsts) / total**2 if total else 1.0
    if chance >= 1.0:
        return Consistency(reader, finding, cases, total, agreed, None, None, None)
    observed = agreed / total
    kappa = (observed - chance) / (1.0 - chance)
    error = math.sqrt(observed * (1.0 - observed) / total) / (1.0 - chance)
    low, high = max(-1.0, kappa - 1.96 * error), min(1.0, kappa + 1.96 * error)
    return Consistency(reader, finding, cases, total, agreed, kappa, low, high)
