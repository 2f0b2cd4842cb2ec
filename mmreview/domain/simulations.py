"""What a simulated reading brings: macro AUROC against cases read by policy, and what that saves.

``services.simulating`` makes the curves, the command and the window show them, and
``tests/benchmarks/label_saving.py`` counts by the same rules. A *label* that is spent is one case
read: its reader says every finding at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

#: The arm that every policy is held against.
RANDOM = "random"
#: The share of the full-data macro AUROC that is to be reached.
TARGET = 0.95
#: Half-widths of a 95 % interval in standard errors, by degrees of freedom from two on
#: (Student's t); with one they would say next to nothing.
_T = (
    4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060,
)
_T_MANY = 1.96


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What is simulated. ``noise`` is the chance that the reader says a finding wrongly, ``batch``
    how many cases are read between two rounds, ``budget`` how many in all (no more than there
    are), ``held_out`` the share of patients that measures and is never offered."""

    policies: tuple[str, ...]
    seeds: int = 5
    noise: float = 0.0
    batch: int = 20
    budget: int = 400
    held_out: float = 0.3

    @property
    def arms(self) -> tuple[str, ...]:
        """The policies, each once, and what they are held against."""
        return tuple(dict.fromkeys((RANDOM, *self.policies)))


@dataclass(frozen=True, slots=True)
class Curve:
    """One policy with one seed: ``points`` are (cases read, macro AUROC), ``full`` the macro AUROC
    with every case of the pool read by the same reader. ``refused`` counts the rounds that the
    gate would have refused."""

    policy: str
    seed: int
    points: tuple[tuple[int, float], ...]
    full: float
    refused: int = 0

    def reached(self, share: float = TARGET) -> float | None:
        """How many cases were read when ``share`` of ``full`` was first reached, between two
        points on the line that joins them; None if it never was."""
        wanted = share * self.full
        before = self.points[0]
        for cases, auroc in self.points:
            if auroc >= wanted:
                rise = auroc - before[1]
                part = (wanted - before[1]) / rise if rise > 0 else 1.0
                return before[0] + part * (cases - before[0])
            before = (cases, auroc)
        return None

    def area(self) -> float:
        """The mean macro AUROC over the cases read (trapezoids)."""
        width = self.points[-1][0] - self.points[0][0]
        if not width:
            return self.points[0][1]
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(self.points)) / width


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95 % interval; no bounds with fewer than three."""

    mean: float
    low: float | None
    high: float | None

    def as_list(self) -> list[float | None]:
        """For JSON."""
        return [self.mean, self.low, self.high]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy over all seeds. ``reached`` in how many the target was; where it was not, the
    budget counts as the cases needed. ``saving`` is the share of random's cases that were not
    needed, None where a seed missed the target; ``gain`` how much larger the mean AUROC over the
    budget is than random's."""

    policy: str
    seeds: int
    reached: int
    cases: Interval
    saving: Interval | None
    gain: Interval
    final: Interval
    refused: int


@dataclass(frozen=True)
class Simulation:
    """A whole simulation. ``facts`` say what it stood on: ``pool`` and ``held_out`` cases (means
    over seeds), ``findings`` that were measured, ``audit`` cases that were left alone."""

    options: SimulationOptions
    curves: tuple[Curve, ...]
    facts: dict[str, Any]

    def rows(self) -> list[PolicyRow]:
        """Each policy, random first."""
        arms = {arm: [c for c in self.curves if c.policy == arm] for arm in self.options.arms}
        return policy_rows({arm: curves for arm, curves in arms.items() if curves})

    def mean_curve(self, policy: str) -> list[tuple[int, Interval]]:
        """The mean over seeds at each number of cases read that every seed has."""
        curves = [dict(c.points) for c in self.curves if c.policy == policy]
        common = set.intersection(*(set(points) for points in curves)) if curves else set()
        return [(n, mean_of([points[n] for points in curves])) for n in sorted(common)]


def policy_rows(arms: dict[str, Sequence[Curve]]) -> list[PolicyRow]:
    """Each arm against ``random``, which must be there, seed by seed."""
    by_chance = {curve.seed: curve for curve in arms[RANDOM]}
    rows = []
    for policy, curves in arms.items():
        own = [(curve, by_chance[curve.seed]) for curve in curves if curve.seed in by_chance]
        needed = [_needed(curve) for curve, _ in own]
        reached = sum(curve.reached() is not None for curve, _ in own)
        whole = reached == len(own) and policy != RANDOM
        rows.append(
            PolicyRow(
                policy=policy,
                seeds=len(own),
                reached=reached,
                cases=mean_of(needed),
                saving=saving_of(needed, [_needed(c) for _, c in own]) if whole else None,
                gain=mean_of([curve.area() - chance.area() for curve, chance in own]),
                final=mean_of([curve.points[-1][1] for curve, _ in own]),
                refused=sum(curve.refused for curve, _ in own),
            )
        )
    return rows


def _needed(curve: Curve) -> float:
    """Cases until the target; the budget where it was not reached."""
    found = curve.reached()
    return float(curve.points[-1][0]) if found is None else found


def mean_of(values: Iterable[float]) -> Interval:
    """The mean with its interval by Student's t."""
    found = list(values)
    mean = math.fsum(found) / len(found)
    return _around(mean, [value - mean for value in found])


def saving_of(needed: Sequence[float], by_chance: Sequence[float]) -> Interval:
    """1 less the ratio of the means of paired numbers, with its interval (the ratio estimator of
    Cochran 1977, *Sampling Techniques*, section 6.3)."""
    base = math.fsum(by_chance) / len(by_chance)
    if base <= 0:
        return Interval(0.0, None, None)
    ratio = math.fsum(needed) / len(needed) / base
    return _around(
        1 - ratio, [(n - ratio * c) / base for n, c in zip(needed, by_chance, strict=True)]
    )


def _around(mean: float, residuals: Sequence[float]) -> Interval:
    freedom = len(residuals) - 1
    if freedom < 2:
        return Interval(mean, None, None)
    error = math.sqrt(math.fsum(r * r for r in residuals) / freedom / (freedom + 1))
    half = error * (_T[freedom - 2] if freedom <= len(_T) + 1 else _T_MANY)
    return Interval(mean, mean - half, mean + half)
