"""Which case is offered next, to whom, and why.

``refresh`` makes the head of the queue in the background: the policy's choice of unread cases,
audit and control cases drawn at random, conflicts, suspected labels and planted repeats, each in
its turn (``domain.streams``). It is stored beside the scores, where the worklist sorts by it; what
it does not hold follows by priority. Leases keep two readers from being offered the same case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmreview.domain.acquisition import Acquisition, PolicyNotFound
from mmreview.domain.cases import WorklistFilter, WorklistSort
from mmreview.domain.errors import Message
from mmreview.domain.ports import (
    CaseStore,
    EventStore,
    LeaseStore,
    PreferenceStore,
    QueueStore,
)
from mmreview.domain.progress import Progress
from mmreview.domain.queues import QueueEntry
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.streams import (
    NEUTRAL,
    Lease,
    Offer,
    QueueRules,
    Quotas,
    Stream,
    rules_of,
    turns,
)
from mmreview.domain.versions import Version
from mmreview.services.candidates import Candidates, dealt

#: How many places are given at a time: some hours of reading. Behind them the priority rules.
HEAD = 512
#: Seconds that an open case is leased for; it is renewed while it is open.
OPEN_SECONDS = 30 * 60
#: Seconds that a batch is leased for: a working day.
BATCH_SECONDS = 10 * 3600
#: The old order by scores alone, which asks no policy and heeds no quota.
PRIORITY = "priority"
_PREFERENCE = "queue"


@dataclass(frozen=True, slots=True)
class QueueMade:
    """A queue that was made: how many places it gives, and what a person should hear of it."""

    places: int
    notes: tuple[Message, ...] = ()


class Queueing:
    """The queue of one project. ``serving`` says which version answers now, ``clock`` how many
    seconds have passed since 1970."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        queue: QueueStore,
        leases: LeaseStore,
        events: EventStore,
        serving: Callable[[], Version | None],
        preferences: PreferenceStore,
        acquisition: Acquisition,
        folder: Path,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cases = cases
        self._queue = queue
        self._leases = leases
        self._events = events
        self._serving = serving
        self._preferences = preferences
        self._acquisition = acquisition
        self._folder = folder
        self._read_only = read_only
        self._clock = clock
        self._open: int | None = None  # the case that is open here and on lease for that alone
        self._done: set[int] = set()  # leases that are over with the next change

    # --- what a person chose ------------------------------------------------------------------

    @property
    def policies(self) -> tuple[str, ...]:
        """The names that ``queue`` takes."""
        return (PRIORITY, *self._acquisition.policies)

    @property
    def rules(self) -> QueueRules:
        """The policy, quotas and distance that this project uses."""
        return rules_of(self._preferences.get(_PREFERENCE))

    def change_rules(self, rules: QueueRules, *, actor: str) -> None:
        """Use other rules from the next queue on; an event says who changed them.

        Raises:
            MmreviewError: ``error.policy_not_found``.
            WriteFailed, ProjectReadOnly: the old ones hold.
        """
        before = self.rules
        if rules == before:
            return
        if rules.policy != before.policy:
            self._require_policy(rules.policy)
        self._preferences.set(_PREFERENCE, rules.to_json())
        self._events.append(
            NewEvent(
                kind=EventKind.SETTING_CHANGED,
                actor=actor,
                payload={
                    "setting": _PREFERENCE, "before": before.to_json(), "after": rules.to_json(),
                },
            )
        )

    def _require_policy(self, policy: str) -> None:
        if policy not in self.policies:
            raise PolicyNotFound(policy=policy, known=", ".join(self.policies))

    def read_by(self, reader: str) -> None:
        """Whose queue it is: cases planted for others are not shown, what others have on lease is
        passed over."""
        self._queue.reader = reader

    # --- making a queue -----------------------------------------------------------------------

    def refresh(
        self, *, policy: str | None = None, quotas: Quotas | None = None, places: int = HEAD
    ) -> Generator[Progress, None, QueueMade]:
        """Make the queue anew and store it; closing the generator leaves the one before. The
        project's rules hold where ``policy`` and ``quotas`` are not given.

        Raises:
            PolicyNotFound: there is no such policy.
            PolicyNeedsVersion, PolicyNeedsSuspects: a policy that was asked for by name cannot
                choose yet.
        """
        rules = self.rules
        shares = (quotas or rules.quotas).shares()
        version = self._serving()
        chosen = policy or self._usable(rules.policy, version)
        self._require_policy(chosen)
        notes: list[Message] = []
        offers: list[Offer] = []
        if chosen != PRIORITY:
            drawn = self._candidates(version, places=places, apart=rules.apart)
            by_stream: dict[Stream, list[Offer]] = {}
            for stream, share in shares.items():
                yield Progress("progress.queue", len(by_stream), len(shares))
                if share > 0.0 and stream is not Stream.POLICY:
                    by_stream[stream] = yield from drawn.stream(stream)
            by_stream[Stream.POLICY] = yield from drawn.by_policy(chosen, named=policy is not None)
            notes += drawn.notes
            order = turns(shares, seed=self._seed, start=self._queue.read_count())
            offers = list(dealt(by_stream, order, places))
        self._queue.replace(version.id if version else 0, offers)
        return QueueMade(len(offers), (*self._standing(version), *notes))

    def _usable(self, policy: str, version: Version | None) -> str:
        """The project's policy, or the nearest to it that this program has."""
        nearest = (policy, QueueRules().policy, *(("margin",) if version else ()), "random")
        return next((name for name in nearest if name in self.policies), policy)

    def _candidates(self, version: Version | None, *, places: int, apart: int) -> Candidates:
        return Candidates(
            cases=self._cases,
            queue=self._queue,
            acquisition=self._acquisition,
            version=version,
            folder=self._folder,
            seed=self._seed,
            places=places,
            apart=0 if self._read_only else apart,  # a second answer could not be kept
        )

    @property
    def _seed(self) -> int:
        return int(self._preferences.get("seed", 0))

    def _standing(self, version: Version | None) -> Iterator[Message]:
        """What keeps the queue from being what it could be, in words that say what to do."""
        counts = self._cases.worklist_counts()
        if not counts.total:
            yield Message("queue.note.no_cases")
        elif not counts.unread:
            yield Message("queue.note.all_read")
        elif version is None:
            yield Message("queue.note.no_version")

    # --- what is offered ----------------------------------------------------------------------

    def queue(self, *, policy: str = "", top: int = 20) -> list[QueueEntry]:
        """The first ``top`` cases that are due, in order (by priority if ``policy`` says so), with
        the reason of each. What another reader has on lease is left out."""
        sort = WorklistSort.PRIORITY if policy == PRIORITY else WorklistSort.QUEUE
        keys = self._cases.worklist_keys(WorklistFilter(due=True), sort)[:top]
        scores = {offer.key: offer.score for offer in self._queue.head(top + HEAD)}
        return [
            QueueEntry(
                key=row.key,
                case=row.id,
                priority=scores.get(row.key, row.priority or 0.0) if row.reason != NEUTRAL else 0.0,
                reason=row.reason or "queue.not_scored",
                reason_params=row.reason_params,
                stream=row.stream or PRIORITY,
            )
            for row in self._cases.worklist_rows(keys)
        ]

    def head(self, limit: int = HEAD) -> list[int]:
        """The keys of the first places: what is to be predicted before the rest."""
        return [offer.key for offer in self._queue.head(limit)]

    def note_read(self, key: int) -> None:
        """A read of the case was committed: it gives its place up, and its lease soon."""
        self._queue.take_out(key)
        self._done.add(key)

    # --- leases -------------------------------------------------------------------------------

    @property
    def can_lease(self) -> bool:
        """Only the process that writes the project can; whoever reads along sees the leases."""
        return not self._read_only

    def lease(
        self, keys: Sequence[int], *, reader: str, seconds: int = BATCH_SECONDS
    ) -> list[int]:
        """Lease those of ``keys`` that no other reader has, for a batch to be read elsewhere.

        Raises:
            ProjectReadOnly, WriteFailed: nothing was leased.
        """
        now = int(self._clock())
        return self._leases.take(keys, reader=reader, now=now, until=now + seconds)

    def leases(self) -> list[Lease]:
        """Who has which case now."""
        return self._leases.held(now=int(self._clock()))

    def give_back(self, *, reader: str) -> int:
        """End all leases of a reader; how many there were (ProjectReadOnly, WriteFailed)."""
        mine = [held.key for held in self.leases() if held.reader == reader]
        self._leases.give_back(mine, reader=reader)
        return len(mine)

    def hold(self, key: int | None, *, reader: str) -> bool:
        """The reader opened the case, or still has it open (None: has left): theirs for half an
        hour from now, and the one before is given back, unless it is theirs in a batch and not
        read yet. False if another reader has it (it can be read all the same), or nothing may be
        written.

        Raises:
            WriteFailed: all is as it was.
        """
        if self._read_only:
            return False
        now = int(self._clock())
        mine = {held.key: held for held in self._leases.held(now=now) if held.reader == reader}
        left = self._done | ({self._open} if self._open is not None else set())
        over = (left & mine.keys()) - {key}
        held = key is not None and key in mine
        own = mine.get(key) if key is not None else None
        lasts = own is not None and own.until >= now + OPEN_SECONDS
        taken = [key] if key is not None and not lasts else []
        if over or taken:
            got = self._leases.take(
                taken, reader=reader, now=now, until=now + OPEN_SECONDS, over=sorted(over)
            )
            held = held or bool(got)
        self._done -= over
        if key != self._open:
            self._open = key if held and key not in mine else None
        return held
