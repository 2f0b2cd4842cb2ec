"""Cases in, cached vectors out: the port ``Features`` and the table that the fusion reads.

``services.predicting`` asks what is ``missing`` and lets it be encoded; ``trainer`` and
``predictor`` read ``matrix``. Torch and the encoders are loaded by the first ``encode`` or
``warm_up``; importing this module, ``missing``, ``matrix`` and ``width`` work from the index alone.

An item that cannot be encoded (a damaged file) is a problem once. It is remembered until the
project is closed: ``missing`` no longer names it and its case is judged by what else it has. The
next time the project is opened it is tried again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmreview.domain.errors import Message, MmreviewError, WriteFailed
from mmreview.domain.progress import Progress
from mmreview.ml import device as devices
from mmreview.ml.cache import FeatureCache, MappedBlockFiles
from mmreview.ml.encoders.batching import Batcher
from mmreview.ml.encoders.card import (
    FULL,
    MIXED,
    PARTS,
    Encoder,
    EncoderCard,
    Item,
    Placement,
    Weighing,
)
from mmreview.ml.encoders.registry import DEFAULT_ENCODERS, DEFAULT_PARTS, FURTHER_ENCODERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmreview.domain.cases import Case

#: Loaded encoders, shared by every project of this process.
_loaded: dict[tuple[EncoderCard, Placement], Encoder] = {}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Job:
    """One content to encode, and the case that is named if it fails."""

    case: str
    item: Item


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A job with its units, or with why there are none."""

    job: _Job
    units: Sequence[Any] = ()
    problem: Message | None = None


class EncodedFeatures:
    """The encoders of a project and the cache of what they said. Safe from any thread.

    ``folder`` is the project's ``features/``; ``root`` is what relative image paths start from.
    With ``read_only`` nothing is written: what is encoded stays in memory, so that a window on
    another's project still shows opinions. ``encoders`` are the cards by modality, ``parts`` those
    of parts by modality and ``PARTS``; these are left alone until ``want_parts``.
    """

    def __init__(
        self,
        *,
        folder: Path,
        root: Path,
        read_only: bool = False,
        device: str = devices.AUTO,
        encoders: Mapping[str, EncoderCard] = DEFAULT_ENCODERS,
        parts: Mapping[str, EncoderCard] = DEFAULT_PARTS,
    ) -> None:
        self.modalities: tuple[str, ...] = tuple(encoders)
        self._parts = tuple(parts)
        self._cards = {**encoders, **parts}
        self._wants_parts = False
        self._folder = folder
        self._root = root
        self._read_only = read_only
        self._device = device
        self._caches: dict[str, tuple[str, FeatureCache]] = {}
        self._batchers: dict[str, Batcher] = {}
        self._failed: set[tuple[str, str]] = set()
        self._lock = threading.RLock()

    def join(self, modality: str) -> None:
        """Encode cases by this modality too from now on (see ``FURTHER_ENCODERS``)."""
        with self._lock:
            if modality not in self._cards:
                self._cards = {**self._cards, modality: FURTHER_ENCODERS[modality]}
                self.modalities = (*self.modalities, modality)

    # --- what the fusion reads ----------------------------------------------------------------

    def width(self, modality: str) -> int:
        """The length of a modality's features."""
        return self._cards[modality].width

    def blocks(self, modality: str) -> tuple[int, ...]:
        """The widths of the parts of a modality's features, which heads weigh apart."""
        return self._cards[modality].blocks

    def weighing(self, modality: str) -> tuple[Weighing, ...]:
        """How heads weigh each of those parts; none: all alike."""
        return self._cards[modality].weighing

    @property
    def marked(self) -> frozenset[str]:
        """The modalities whose features are values and then marks that each is there."""
        return frozenset(m for m, card in self._cards.items() if card.marked)

    @property
    def part_widths(self) -> dict[str, int]:
        """The length of one part of each modality that has parts."""
        return {name.removesuffix(PARTS): self._cards[name].part for name in self._parts}

    def want_parts(self) -> None:
        """Count parts among what can be missing and is encoded, from now on."""
        self._wants_parts = True

    def parts_cached(self) -> bool:
        """Whether there are parts of every modality that has some."""
        return all(self._existing(name) is not None for name in self._parts)

    def _wanted(self) -> tuple[str, ...]:
        return (*self.modalities, *self._parts) if self._wants_parts else self.modalities

    def pieces(self, modality: str) -> tuple[tuple[str, int], ...]:
        """The names and widths of what stands in a modality's features, where it has several."""
        return self._cards[modality].pieces

    def fingerprint(self, modality: str) -> str:
        """The cache key as sha256 (hex): encoder, weights, preprocessing, view, numeric backend.
        Two features of one fingerprint may be compared. Imports torch in a project without any
        feature yet, to see on what it will be encoded."""
        return self._cards[modality].fingerprint(self._numerics(modality))

    def cached(self, modality: str) -> int:
        """How many contents have features of this modality."""
        cache = self._existing(modality)
        return 0 if cache is None else len(cache)

    def matrix(
        self, modality: str, hashes: Sequence[tuple[str, ...]],
        out: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """One row a case, (n, width): the mean over those of its contents that are cached.
        The mask (n,) is False, and the row zero, where none is. ``out`` takes them, if given."""
        cache = self._existing(modality)
        flat = [value for case in hashes for value in case]
        if out is None:
            out = np.empty((len(hashes), self.width(modality)), np.float32)
        if cache is None or not flat:
            out[:] = 0
            return out, np.zeros(len(hashes), dtype=bool)
        counts = np.array([len(case) for case in hashes])
        if (counts == 1).all():
            return cache.read(flat, out)
        rows, known = cache.read(flat)
        owner = np.repeat(np.arange(len(hashes)), counts)
        sums = np.zeros((len(hashes), self.width(modality)), dtype=np.float32)
        np.add.at(sums, owner[known], rows[known])
        found = np.bincount(owner[known], minlength=len(hashes))
        np.divide(sums, np.maximum(found, 1)[:, None].astype(np.float32), out=out)
        return out, found > 0

    # --- the port -----------------------------------------------------------------------------

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Those of ``cases`` that lack a feature which could still be made. Imports no encoder."""
        wanted: set[tuple[str, str]] = set()
        for modality in self._wanted():
            card = self._cards[modality]
            hashes = {i.sha256 for case in cases for i in card.items(case, self._root)}
            wanted |= {(modality, value) for value in self._absent(modality, hashes)}
        if not wanted:
            return []
        return [
            case
            for case in cases
            if any(
                (modality, item.sha256) in wanted
                for modality in self._wanted()
                for item in self._cards[modality].items(case, self._root)
            )
        ]

    def encode(self, cases: Sequence[Case]) -> Iterator[Progress]:
        """Encode what is missing, one modality after the other; ``done`` and ``total`` count
        contents. Every yielded step is durable; closing the generator loses nothing yielded.

        Raises:
            EncoderUnavailable: an encoder's files are missing or wrong.
            WriteFailed: the cache cannot be written (disk full).
        """
        work = {modality: self._jobs(modality, cases) for modality in self._wanted()}
        total, done = sum(map(len, work.values())), 0
        for modality, jobs in work.items():
            if not jobs:
                continue
            batcher = self._batcher(modality)
            step = self._cards[modality].step
            with closing(_prepared(batcher.encoder, jobs, ahead=2 * step)) as prepared:
                while block := list(islice(prepared, step)):
                    problems = self._finish(modality, batcher, block)
                    done += len(block)
                    yield Progress("progress.encode", done, total, problems)

    def warm_up(self) -> None:
        """Load and check every encoder.

        Raises:
            EncoderUnavailable: an encoder's files are missing or wrong.
        """
        for modality in self.modalities:
            self._batcher(modality)

    def describe(self) -> dict[str, Any]:
        """Device, encoders and hashes. Imports torch, so not for the thread that draws."""
        return {
            **devices.describe(self._device),
            "encoders": {
                modality: {
                    **card.key(self._numerics(modality)),
                    "fingerprint": self.fingerprint(modality),
                }
                for modality, card in self._cards.items()
                if modality in self.modalities
            },
        }

    # --- encoding -----------------------------------------------------------------------------

    def _absent(self, modality: str, hashes: set[str]) -> set[str]:
        """Those that have no feature and have not failed."""
        hashes = {value for value in hashes if (modality, value) not in self._failed}
        if not hashes:
            return hashes
        cache = self._existing(modality)
        return hashes if cache is None else cache.missing(hashes)

    def _jobs(self, modality: str, cases: Sequence[Case]) -> list[_Job]:
        card = self._cards[modality]
        jobs = {
            item.sha256: _Job(case.id, item)
            for case in cases
            for item in card.items(case, self._root)
        }
        absent = self._absent(modality, set(jobs))
        return [job for value, job in jobs.items() if value in absent]

    def _finish(
        self, modality: str, batcher: Batcher, block: Sequence[_Prepared]
    ) -> tuple[Message, ...]:
        """Encode and store one step; returns what went wrong with its items."""
        sound = [prepared for prepared in block if prepared.problem is None]
        problems = [prepared.problem for prepared in block if prepared.problem is not None]
        failed = {p.job.item.sha256 for p in block if p.problem is not None}
        hashes, rows = [], []
        for prepared, feature in zip(
            sound, batcher.encode([prepared.units for prepared in sound]), strict=True
        ):
            if feature is None:
                problems.append(_problem(prepared.job, "encode.out_of_memory"))
            elif not np.isfinite(feature).all():
                problems.append(_problem(prepared.job, "encode.not_finite"))
            else:
                hashes.append(prepared.job.item.sha256)
                rows.append(feature)
                continue
            failed.add(prepared.job.item.sha256)
        if hashes:
            try:
                self._writable(modality).append(hashes, np.stack(rows))
            except OSError as error:
                raise WriteFailed(detail=error.strerror or str(error)) from error
        self._failed.update((modality, value) for value in failed)
        return tuple(problems)

    # --- encoders and caches ------------------------------------------------------------------

    def _batcher(self, modality: str) -> Batcher:
        """The loaded encoder, with its batch size as this project has come to know it."""
        found = self._batchers.get(modality)
        if found is not None:
            return found
        # Loading takes seconds: no lock that a reader of the index needs is held meanwhile.
        placement = Placement(devices.choose(self._device), self._numerics(modality))
        encoder = _load(self._cards[modality], placement)
        with self._lock:
            return self._batchers.setdefault(modality, Batcher(encoder))

    def _numerics(self, modality: str) -> str:
        """The numeric backend of the features that are there; of a first one, what the device
        makes natural."""
        self._existing(modality)
        with self._lock:
            if modality in self._caches:
                return self._caches[modality][0]
        return MIXED if devices.choose(self._device) == devices.CUDA else FULL

    def _existing(self, modality: str) -> FeatureCache | None:
        """The cache of this encoder in whichever numeric backend the project has; None if the
        project has no feature of it yet."""
        with self._lock:
            if modality not in self._caches:
                for numerics in (FULL, MIXED):
                    if self._path(modality, numerics).is_dir():
                        self._caches[modality] = (numerics, self._cache(modality, numerics))
                        break
            found = self._caches.get(modality)
        return found[1] if found else None

    def _writable(self, modality: str) -> FeatureCache:
        numerics = self._numerics(modality)
        with self._lock:
            if self._existing(modality) is None:
                self._caches[modality] = (numerics, self._cache(modality, numerics))
            return self._caches[modality][1]

    def _path(self, modality: str, numerics: str) -> Path:
        short = self._cards[modality].fingerprint(numerics)[:12]
        return self._folder / f"{modality}-{short}"

    def _cache(self, modality: str, numerics: str) -> FeatureCache:
        card = self._cards[modality]
        files = MappedBlockFiles(
            self._path(modality, numerics), width=card.width, card=card.key(numerics),
            stored=card.stored, sparse=card.sparse,
        )
        return FeatureCache(files, width=card.width, read_only=self._read_only)


def _load(card: EncoderCard, placement: Placement) -> Encoder:
    with _loading:
        if (card, placement) not in _loaded:
            _loaded[card, placement] = card.load(card, placement)
        return _loaded[card, placement]


def _prepared(encoder: Encoder, jobs: Sequence[_Job], *, ahead: int) -> Iterator[_Prepared]:
    """The jobs in order, read and decoded up to ``ahead`` of them before they are needed, so that
    decoding runs beside the network."""
    if len(jobs) == 1:
        yield _prepare(encoder, jobs[0])
        return
    pool = ThreadPoolExecutor(devices.cores(), thread_name_prefix="prepare")
    waiting: deque[Future[_Prepared]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(_prepare, encoder, job))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(encoder: Encoder, job: _Job) -> _Prepared:
    try:
        return _Prepared(job, units=encoder.prepare(job.item.source))
    except MmreviewError as error:
        problem = _problem(job, f"encode.{error.code}", **error.params)
    except MemoryError:
        problem = _problem(job, "encode.out_of_memory")
    return _Prepared(job, problem=problem)


def _problem(job: _Job, code: str, **params: Any) -> Message:
    return Message(code, {**params, "case": job.case, "path": job.item.path or "–"})
