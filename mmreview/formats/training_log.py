"""A round of training as numbers for the tools that draw them: its losses, and the version.

``tensorboard`` and ``weights_and_biases`` write it, each into a folder that a person names. What is
written is numbers and the names of findings: nothing of any case, no path and no host name.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Version

Result = TypeVar("Result")


@dataclass(slots=True)
class Story:
    """What a round said while it ran: ``losses`` are (iteration, loss, held-out loss)."""

    losses: list[tuple[int, float | None, float | None]] = field(default_factory=list)

    def follow(
        self, work: Generator[TrainingStep, None, Result]
    ) -> Generator[TrainingStep, None, Result]:
        """Run a round, noting its losses."""
        try:
            while True:
                try:
                    step = next(work)
                except StopIteration as done:
                    result: Result = done.value
                    return result
                if step.loss is not None or step.held_out_loss is not None:
                    self.losses.append((step.iteration, step.loss, step.held_out_loss))
                yield step
        finally:
            work.close()

    def scalars(self) -> Iterator[tuple[str, float, int]]:
        """(name, value, iteration) of every loss."""
        for iteration, loss, held_out in self.losses:
            for name, value in (("loss/training", loss), ("loss/held_out", held_out)):
                if value is not None:
                    yield name, value, iteration


class TrainingLog(Protocol):
    """Writes rounds for one outside tool."""

    def write(self, story: Story, version: Version, card: Mapping[str, Any]) -> None:
        """Write one round, whole (WriteFailed)."""
        ...


class RoundLogs:
    """What is written of one round of the project in ``folder``: ``follow`` it, then ``write``."""

    def __init__(self, logs: Sequence[TrainingLog], folder: Path) -> None:
        self._logs = logs
        self._folder = folder
        self._story = Story()

    def follow(
        self, work: Generator[TrainingStep, None, Result]
    ) -> Generator[TrainingStep, None, Result]:
        """Run a round, noting its losses."""
        return self._story.follow(work)

    def write(self, version: Version) -> None:
        """Write the round that made ``version`` everywhere (WriteFailed)."""
        card = card_of(self._folder / version.folder)
        for log in self._logs:
            log.write(self._story, version, card)


def card_of(folder: Path) -> Mapping[str, Any]:
    """The card of the version in ``folder``; empty where it cannot be read."""
    try:
        found: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def version_scalars(version: Version, card: Mapping[str, Any]) -> dict[str, float]:
    """What a version is worth, by name: AUROC and calibration of each opinion (means, then each
    finding), the same on audit cases, λ of each finding, and the gate's difference."""
    metrics = version.metrics
    found: dict[str, Any] = {}
    for opinion, measures in (metrics.get("macro") or {}).items():
        for name in ("auroc", "log_loss", "ece", "ece_perfect"):
            found[f"{name}/macro/{opinion}"] = measures.get(name)
    for finding, opinions in (metrics.get("per_finding") or {}).items():
        for opinion, measures in opinions.items():
            found[f"auroc/{finding}/{opinion}"] = measures.get("auroc")
        found[f"ece/{finding}"] = (opinions.get("fused") or {}).get("ece")
    audit = metrics.get("audit") or {}
    for opinion, (value, *_) in (audit.get("auroc") or {}).items():
        found[f"audit/auroc/{opinion}"] = value
    found["audit/ece"] = audit.get("ece")
    found["audit/cases"] = audit.get("cases")
    weights = card.get("lambda") or {}
    for modality, value in (weights.get("serving") or {}).items():
        found[f"lambda/mean/{modality}"] = value
    for finding, own in (weights.get("per_finding") or {}).items():
        for modality, value in own.items():
            found[f"lambda/{finding}/{modality}"] = value
    found["gate/log_loss_difference"] = version.gate.get("log_loss_difference")
    found["corrections"] = version.corrections
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and value == value
    }
