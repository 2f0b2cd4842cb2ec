"""How far long work has come. Long work is a plain generator that yields these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmreview.domain.errors import Message


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work: a message code for the stage, how much is done and what went wrong
    since the last step. ``total`` is 0 while it is unknown."""

    stage: str
    done: int
    total: int
    problems: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of training. ``fraction`` is 0 to 1 over the whole round; losses are mean log-loss
    in nats at this iteration (``None`` where a phase has none)."""

    phase: str
    fraction: float
    iteration: int = 0
    loss: float | None = None
    held_out_loss: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
