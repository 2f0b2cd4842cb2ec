"""Findings, the states a reader can give them and the schema that names them.

A schema is read from YAML by ``mmreview.compose``; here it is only a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from mmreview.domain.errors import FindingNotFound


class State(StrEnum):
    """What a reader says of a finding on a case."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NOT_ASSESSABLE = "not_assessable"
    UNSET = "unset"


#: The states with a key of their own, in the order of the four-state control (keys 1-4).
READER_STATES = (State.PRESENT, State.ABSENT, State.UNCERTAIN, State.NOT_ASSESSABLE)

#: The states that train a model, and the target each stands for. Unset never trains.
TRAINING_TARGETS: dict[State, float] = {State.PRESENT: 1.0, State.ABSENT: 0.0}


class Basis(StrEnum):
    """Which modalities a state rests on; ``both`` when the reader does not say."""

    IMAGE = "image"
    REPORT = "report"
    BOTH = "both"

    def covers(self, modality: str) -> bool:
        """True when a state with this basis may teach ``modality`` (``report`` is the text)."""
        if self is Basis.BOTH:
            return True
        return {"image": Basis.IMAGE, "text": Basis.REPORT}.get(modality) is self


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry of the schema. ``phrases`` help the report view; ``excludes`` name findings that
    cannot be present at the same time."""

    name: str
    abbreviation: str = ""
    group: str = ""
    phrases: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindingSchema:
    """The findings of a project, in display order."""

    name: str
    findings: tuple[Finding, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The findings' names in display order."""
        return tuple(finding.name for finding in self.findings)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name.casefold(): position for position, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._positions

    def index(self, name: str) -> int:
        """The position of ``name`` (case does not matter).

        Raises:
            FindingNotFound: the schema has no such finding.
        """
        try:
            return self._positions[name.casefold()]
        except KeyError:
            raise FindingNotFound(finding=name, known=", ".join(self.names)) from None

    def canonical(self, name: str) -> str:
        """The schema's own spelling of ``name``."""
        return self.names[self.index(name)]
