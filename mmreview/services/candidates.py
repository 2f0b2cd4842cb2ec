"""The candidates for the places of one queue: what each stream has to offer, best first.

The policies are asked over the unread cases of the train partition, whose contents are read from
the store page by page, so that a pool of any size costs no memory.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from mmreview.domain.acquisition import (
    Acquisition,
    AcquisitionRequest,
    PolicyNeedsSuspects,
    PolicyNeedsVersion,
    PolicyNotFound,
)
from mmreview.domain.cases import CLINICAL, IMAGE, TEXT, CaseContents, Partition
from mmreview.domain.errors import Message
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import CaseStore, QueueStore
from mmreview.domain.progress import Progress
from mmreview.domain.streams import NEUTRAL, Offer, QueueRules, Stream, chance
from mmreview.domain.versions import Version

#: Cases whose contents are read together, and how many such pages are kept.
_PAGE, _KEPT = 2048, 4


class Candidates:
    """What the streams of one queue can offer: up to ``places`` cases each. ``notes`` say what
    could not be had. ``apart`` is after how many other cases a reader gets one again; 0: never."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        queue: QueueStore,
        acquisition: Acquisition,
        version: Version | None,
        folder: Path,
        seed: int,
        places: int,
        apart: int,
    ) -> None:
        self._cases = cases
        self._queue = queue
        self._acquisition = acquisition
        self._version = version
        self._folder = folder
        self._seed = seed
        self._places = places
        self._apart = apart
        self._table: LabelTable | None = None
        self._pool: array[int] | None = None
        self.notes: list[Message] = []

    def stream(self, stream: Stream) -> Generator[Progress, None, list[Offer]]:
        """Candidates of a stream with a quota, best first."""
        if stream in (Stream.AUDIT, Stream.CONTROL):
            return self._at_random(stream)
        if stream is Stream.REPEATS:
            return self._repeats()
        try:
            return (yield from self._ranked(stream, str(stream)))
        except (PolicyNeedsVersion, PolicyNeedsSuspects, PolicyNotFound):
            return []  # its places go to the policy until a version has something to say

    def by_policy(self, policy: str, *, named: bool) -> Generator[Progress, None, list[Offer]]:
        """The chosen policy's candidates. One that cannot choose yet is stood in for by the
        default, unless it was ``named``."""
        try:
            return (yield from self._ranked(Stream.POLICY, policy))
        except (PolicyNeedsVersion, PolicyNeedsSuspects) as error:
            default = QueueRules().policy
            if named or policy == default:
                raise
            self.notes.append(error.message)
            return (yield from self._ranked(Stream.POLICY, default))

    def _ranked(self, stream: Stream, policy: str) -> Generator[Progress, None, list[Offer]]:
        if self._pool is None or self._table is None:
            self._pool = self._queue.pool(Partition.TRAIN)
            self._table = self._cases.label_table()
        if not self._pool:
            return []
        contents = PagedContents(self._cases, self._pool)
        request = AcquisitionRequest(
            policy=policy,
            top=self._places,
            keys=self._pool,
            hashes={m: HashColumn(contents, m) for m in (IMAGE, TEXT, CLINICAL)},
            table=self._table,
            findings=self._cases.schema.names,
            version=self._version,
            folder=self._folder / self._version.folder if self._version else None,
            seed=self._seed,
            doubts=self._doubts,
        )
        found = yield from self._acquisition.rank(request)
        return [Offer(c.key, stream, c.score, c.reason, c.params) for c in found]

    def _doubts(self) -> list[tuple[int, float]] | None:
        """What the version that serves said of the pool when it ordered the worklist."""
        if self._version is None:
            return None
        return self._queue.doubtful(self._version.id, Partition.TRAIN, self._places)

    def _at_random(self, stream: Stream) -> list[Offer]:
        """Unread cases of the partition of this name; each keeps its lot from queue to queue."""
        keys = self._queue.pool(Partition(str(stream)))
        lots = sorted((chance(self._seed, stream, key), key) for key in keys)[: self._places]
        reason = NEUTRAL if stream is Stream.AUDIT else "queue.control"
        return [Offer(key, stream, 0.0, reason) for _, key in lots]

    def _repeats(self) -> list[Offer]:
        """Cases that this reader has read once, at least ``apart`` other cases ago."""
        if not self._apart or not self._queue.reader:
            return []
        read = self._queue.reads_of(self._queue.reader)
        old = [key for key, times in read[: max(0, len(read) - self._apart)] if times == 1]
        lots = sorted((chance(self._seed, Stream.REPEATS, key), key) for key in old)
        return [Offer(key, Stream.REPEATS, 0.0, NEUTRAL) for _, key in lots[: self._places]]


def dealt(
    candidates: Mapping[Stream, Sequence[Offer]], order: Iterable[Stream], places: int
) -> Iterator[Offer]:
    """One offer a place, from the stream whose turn it is. A case is offered once; where a stream
    has no more, its places go to the policy, and the policy's to whoever has some that nobody has
    read: second readings keep to their own turns, and end with the rest."""
    left = {stream: iter(offers) for stream, offers in candidates.items()}
    taken: set[int] = set()

    def following(stream: Stream) -> Offer | None:
        for offer in left.get(stream, iter(())):
            if offer.key not in taken:
                return offer
        left.pop(stream, None)
        return None

    for stream in order:
        unread = [other for other in left if other is not Stream.REPEATS]
        if not unread or len(taken) >= places:
            return
        for other in (stream, Stream.POLICY, *unread):
            offer = following(other)
            if offer is not None:
                taken.add(offer.key)
                yield offer
                break


class PagedContents:
    """The contents of many cases, read a page at a time, so that a pool of any size costs no
    memory. One thread asks at a time."""

    def __init__(self, cases: CaseStore, keys: array[int]) -> None:
        self._cases = cases
        self._keys = keys
        self._pages: OrderedDict[int, CaseContents] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def column(self, modality: str, begin: int, end: int) -> list[tuple[str, ...]]:
        """The content hashes of the cases from ``begin`` up to ``end`` for a modality."""
        found: list[tuple[str, ...]] = []
        for page in range(begin // _PAGE, -(-end // _PAGE)):
            first = page * _PAGE
            held = self._page(page).hashes.get(modality)
            if held is None:
                held = ((),) * len(self._keys[first : first + _PAGE])
            found += held[max(0, begin - first) : end - first]
        return found

    def _page(self, page: int) -> CaseContents:
        if page not in self._pages:
            keys = self._keys[page * _PAGE : (page + 1) * _PAGE].tolist()
            self._pages[page] = self._cases.contents(keys)
            if len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        self._pages.move_to_end(page)
        return self._pages[page]


class HashColumn(Sequence[tuple[str, ...]]):
    """One modality's column of ``PagedContents``, as a sequence."""

    def __init__(self, contents: PagedContents, modality: str) -> None:
        self._contents = contents
        self._modality = modality

    def __len__(self) -> int:
        return len(self._contents)

    @overload
    def __getitem__(self, at: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[str, ...]]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            begin, end, step = at.indices(len(self))
            return self._contents.column(self._modality, begin, max(begin, end))[::step]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(at)
        [found] = self._contents.column(self._modality, place, place + 1)
        return found
