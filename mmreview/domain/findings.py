"""Findings, the states a reader can give them and the schema that names them.

Findings are independent of each other unless the schema puts some into an exclusive group: of those
exactly one (a diagnosis, a grade) or at most one holds.

A schema is read from YAML by ``mmreview.compose``; here it is only a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from mmreview.domain.errors import FindingNotFound, StatesContradict


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


class Exclusivity(StrEnum):
    """How many findings of an exclusive group hold on a case. Also the keys of a schema file."""

    ONE_OF = "one_of"
    AT_MOST_ONE = "at_most_one"


@dataclass(frozen=True, slots=True)
class ExclusiveGroup:
    """Findings of which one excludes the others (multi-class for ``one_of``). ``Finding.group``
    is something else: the family that a finding belongs to."""

    name: str
    kind: Exclusivity
    findings: tuple[str, ...]


@dataclass(frozen=True)
class FindingSchema:
    """The findings of a project, in display order; those of an exclusive group stand together."""

    name: str
    findings: tuple[Finding, ...]
    groups: tuple[ExclusiveGroup, ...] = ()

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

    @cached_property
    def _group_of(self) -> dict[str, ExclusiveGroup]:
        return {name: group for group in self.groups for name in group.findings}

    def group_of(self, finding: str) -> ExclusiveGroup | None:
        """The exclusive group of a finding (in the schema's spelling), if it is in one."""
        return self._group_of.get(finding)

    def implied_absent(self, finding: str, state: State) -> tuple[str, ...]:
        """The findings that are absent because ``finding`` has ``state``: the others of its
        exclusive group where it is present, none otherwise."""
        group = self.group_of(finding)
        if group is None or state is not State.PRESENT:
            return ()
        return tuple(name for name in group.findings if name != finding)

    def settled(self, states: Mapping[str, State]) -> dict[str, State]:
        """``states`` (in the schema's spelling) and what they imply: where one finding of an
        exclusive group is present, those of it that are unset are absent.

        Raises:
            StatesContradict: two of a group are present, or all of one that must hold are absent.
        """
        found = dict(states)
        for group in self.groups:
            said = {name: states.get(name, State.UNSET) for name in group.findings}
            present = [name for name, state in said.items() if state is State.PRESENT]
            params = {"group": group.name, "known": ", ".join(group.findings)}
            if len(present) > 1:
                raise StatesContradict(findings=", ".join(present), **params)
            if group.kind is Exclusivity.ONE_OF and set(said.values()) == {State.ABSENT}:
                raise StatesContradict("import.states_none", **params)
            if present:
                unset = [name for name, state in said.items() if state is State.UNSET]
                found |= dict.fromkeys(unset, State.ABSENT)
        return found
