"""The trail, read once from its beginning: who worked when, what was read and what changed.

``services.insights`` keeps one walk of a project and lets it go on from where it was, so that what
a thousand events said is not read again when the next one comes.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from mmreview.domain.findings import State
from mmreview.domain.insights import Pace, Share
from mmreview.domain.reads import Event, EventKind

#: Seconds between two acts of a reader above which there was a pause.
PAUSE = 300.0
#: Seconds of work below which nobody's pace is told.
LEAST_WORK = 60.0
#: Judgements below which a share has no interval, and the normal quantile of 95 %.
_LEAST_JUDGED, _Z = 10, 1.96
_ACTS = (
    EventKind.CORRECTION, EventKind.UNDO, EventKind.READ_COMMITTED, EventKind.REPEAT_ANSWERED,
)
#: What is in the payload of corrections that followed from another act of the reader.
_FOLLOWED = ("implied_by", "propagated_from")


@dataclass(frozen=True, slots=True)
class Read:
    """One committed read. ``states`` and ``imported`` map findings to what was said at its end,
    and by the import (unset ones are left out)."""

    seq: int
    case: str
    reader: str
    stage: str
    version: int | None
    states: Mapping[str, str]
    imported: Mapping[str, str]


@dataclass(slots=True)
class _Tally:
    """What a reader did on a day. ``timed`` acts are those whose time is known."""

    reads: int = 0
    corrections: int = 0
    seconds: float = 0.0
    timed_reads: int = 0
    timed_corrections: int = 0


class TrailWalk:
    """What the events so far amount to. ``take`` reads on; safe from any thread."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.served: set[int] = set()
        self._seq = 0
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._last: dict[str, datetime] = {}
        self._made: dict[int, tuple[_Tally, bool]] = {}
        self._before: dict[str, dict[str, str]] = {}
        self._set: list[int] = []
        self._taken_back: list[int] = []

    @property
    def lock(self) -> threading.Lock:
        """Held while the walk goes on or is counted."""
        return self._lock

    @property
    def seq(self) -> int:
        """The last event it knows."""
        return self._seq

    def take(self, events: Iterable[Event]) -> None:
        """Read on; ``events`` begin after ``seq``."""
        for event in events:
            self._seq = event.seq
            try:
                if event.kind in _ACTS:
                    self._take_act(event)
                elif event.kind in (EventKind.VERSION_PROMOTED, EventKind.VERSION_ROLLED_BACK):
                    self.served.add(int(event.data["version"]))
            except (ValueError, LookupError, TypeError, AttributeError):
                continue  # somebody edited it: ``verify`` names it

    def _take_act(self, event: Event) -> None:
        data = event.data
        if event.kind == EventKind.CORRECTION:
            # What a case had before its first correction came with the import.
            self._before.setdefault(event.case, {}).setdefault(data["finding"], data["before"])
        elif event.kind == EventKind.READ_COMMITTED and "repeats" not in data:
            self.reads.append(self._read(event, data))  # a second reading judges the reader
        if any(name in data for name in _FOLLOWED):  # one press of a key is one act
            return
        tally, timed = self._tally(event)
        if event.kind == EventKind.READ_COMMITTED:
            tally.reads += 1
            tally.timed_reads += timed
        elif event.kind == EventKind.CORRECTION:
            self._set.append(event.seq)
            self._made[event.seq] = tally, timed
            tally.corrections += 1
            tally.timed_corrections += timed
        elif event.kind == EventKind.UNDO and data["undoes"] in self._made:
            self._taken_back.append(event.seq)
            tally, timed = self._made.pop(data["undoes"])
            tally.corrections -= 1
            tally.timed_corrections -= timed

    def _tally(self, event: Event) -> tuple[_Tally, bool]:
        """Where an act counts, and whether its time is known: what led to the first act after a
        pause, nobody has measured."""
        at = datetime.fromisoformat(event.at)
        tally = self._tallies.setdefault((event.actor, at.date().isoformat()), _Tally())
        before = self._last.get(event.actor)
        self._last[event.actor] = at
        seconds = -1.0 if before is None else (at - before).total_seconds()
        timed = 0.0 <= seconds <= PAUSE
        tally.seconds += seconds if timed else 0.0
        return tally, timed

    def _read(self, event: Event, data: Mapping[str, object]) -> Read:
        said = data["states"]
        if not isinstance(said, dict):
            raise TypeError(said)
        version = data.get("version")
        return Read(
            seq=event.seq,
            case=event.case,
            reader=event.actor,
            stage=event.stage,
            version=version if isinstance(version, int) else None,
            states=_set(said),
            imported=_set({**said, **self._before.get(event.case, {})}),
        )

    def first_reads(self) -> dict[str, Read]:
        """The first committed read of each case, by its id, in order of reading."""
        found: dict[str, Read] = {}
        for read in self.reads:
            found.setdefault(read.case, read)
        return found

    def corrections_through(self, seq: int) -> int:
        """How many corrections held after event ``seq``."""
        return bisect_right(self._set, seq) - bisect_right(self._taken_back, seq)

    # --- pace -----------------------------------------------------------------------------------

    def paces(self) -> tuple[Pace, ...]:
        """All readers and days, then each reader, then each day."""
        readers = sorted({reader for reader, _ in self._tallies})
        days = sorted({day for _, day in self._tallies})
        return (
            _pace("", "", self._tallies.values()),
            *(_pace(name, "", [t for (of, _), t in self._tallies.items() if of == name])
              for name in readers),
            *(_pace("", day, [t for (_, of), t in self._tallies.items() if of == day])
              for day in days),
        )


def _set(states: Mapping[str, str]) -> dict[str, str]:
    return {name: state for name, state in states.items() if state != State.UNSET}


def _pace(reader: str, day: str, tallies: Iterable[_Tally]) -> Pace:
    """Rates count the acts whose time is known."""
    found = list(tallies)
    hours = sum(tally.seconds for tally in found) / 3600
    known = 3600 * hours >= LEAST_WORK
    return Pace(
        reader=reader,
        day=day,
        reads=sum(tally.reads for tally in found),
        corrections=sum(tally.corrections for tally in found),
        hours=hours,
        corrections_per_hour=sum(t.timed_corrections for t in found) / hours if known else None,
        reads_per_hour=sum(t.timed_reads for t in found) / hours if known else None,
    )


def share(counts: Iterable[tuple[int, int]]) -> Share:
    """A share from (changed, judged) of each case. Judgements of one case go together: the
    interval is Wilson's (1927) with as many judgements as their scatter over cases is worth."""
    pairs = [(changed, judged) for changed, judged in counts if judged]
    changed, judged = (sum(pair[at] for pair in pairs) for at in (0, 1))
    if judged < _LEAST_JUDGED or len(pairs) < 2:
        return Share(changed, judged)
    p, cases = changed / judged, len(pairs)
    scatter = sum((c - p * j) ** 2 for c, j in pairs) * cases / (cases - 1) / judged**2
    alike = p * (1 - p) / judged  # the scatter of judgements that have nothing to do with another
    worth = p * (1 - p) / max(scatter, alike) if 0 < p < 1 else float(cases)
    middle = (p + _Z**2 / (2 * worth)) / (1 + _Z**2 / worth)
    reach = _Z / (1 + _Z**2 / worth) * (p * (1 - p) / worth + _Z**2 / (4 * worth**2)) ** 0.5
    return Share(changed, judged, max(0.0, middle - reach), min(1.0, middle + reach))
