"""Versions of the fusion weights, their metrics and the gate's verdict on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a version is to the project at the moment."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    RETIRED = "retired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Version:
    """Immutable weights. ``folder`` is relative to the project; ``sha256`` covers its files.

    ``corrections`` counts the corrections it has learned from; ``through_seq`` is the last event
    that its snapshot held. ``metrics`` is JSON: ``{"auroc": {"fused": …, "image": …}, …}``.
    ``lineage`` says what it was made of: the parent's sha256, the events between ``since_seq`` and
    ``through_seq``, ``corrections`` of them added, changed and undone, the keys of the cases
    without a label that taught by what was ``believed`` of them, seed, settings, environment (all
    of it is in the card too). Versions of before have none.
    """

    id: int
    sha256: str
    role: Role
    parent: int | None
    folder: str
    created_at: str
    fusion: str
    corrections: int
    through_seq: int
    metrics: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)


class Outcome(StrEnum):
    """What comes of a challenger: it serves, does not, or waits for a named reader's act."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class LambdaChoice:
    """How the modality weight is found: ``manual`` (with ``value`` for the image, 0 to 1),
    ``cv`` (cross-validated) or ``learned``."""

    mode: str = "cv"
    value: float | None = None

    def __str__(self) -> str:
        return f"manual:{self.value:g}" if self.mode == "manual" else self.mode


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a challenger may serve. ``basis`` is ``audit`` or ``cross_validation``; differences
    are challenger minus champion, log-loss in nats (negative is better). ``outcome`` is None where
    ``accepted`` says it all. ``report`` is JSON: ``rivals`` [{"role", "version", "difference",
    "lower", "upper", "cases"}], ``findings`` [{"finding", "cases", "positives", "auroc",
    "auroc_before", "difference", "lower", "upper", "enough", "held"}], ``calibration`` {"before",
    "after", "difference", "lower", "upper", "held"}, ``log_loss``, ``audit_set``, ``read``,
    ``latency_ms``, ``size_mb``, ``needed`` (how many more cases would show it), ``rules``,
    ``left_out`` (rivals that cannot answer) and, where an audit set judged, ``budget`` {"alpha",
    "passed", "attempts", "wealth", "first", "worn"}."""

    accepted: bool
    basis: str
    cases: int
    log_loss_difference: float | None
    auroc_difference: float | None
    reason: str
    params: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> Role:
        """What the challenger becomes."""
        if self.outcome is Outcome.WAITING:
            return Role.CHALLENGER
        return Role.CHAMPION if self.accepted else Role.REFUSED


@dataclass(frozen=True, slots=True)
class ServingModel:
    """What the λ panel and the status bar need of the serving version.

    ``weights`` serve; ``weights_cv`` and ``weights_learned`` are the marked alternatives.
    """

    version: int
    fusion: str
    weights: Mapping[str, float]
    weights_cv: Mapping[str, float]
    weights_learned: Mapping[str, float]
    metrics: Mapping[str, Any] = field(default_factory=dict)
