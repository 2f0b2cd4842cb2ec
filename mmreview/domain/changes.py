"""What a mutation changed, so that views refresh that and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from mmreview.domain.reads import FindingState


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A correction or its undo is durable: ``after`` holds now, ``before`` held. ``implied`` are
    the states that now hold for the findings that were set, or given back, in the same act (the
    others of an exclusive group)."""

    case_key: int
    case: str
    seq: int
    at: str
    before: FindingState
    after: FindingState
    implied: tuple[FindingState, ...] = ()
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class ReadCommitted:
    """A read is durable. ``changed`` counts the findings that the reader had set in it. A
    ``repeat`` left the labels alone; ``differs`` names what was answered otherwise than before."""

    case_key: int
    case: str
    seq: int
    at: str
    read: int
    changed: int
    repeat: bool = False
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChampionChanged:
    """Another version serves from now on."""

    version: int
    previous: int | None
    seq: int
