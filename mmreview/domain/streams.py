"""How the places of the queue are shared out: streams, their quotas, and whose turn is when.

A quota is a share of the cases that are offered. Whose turn a place is follows from seed and
number alone (``turns``), so that a queue that is made anew after some reads goes on where the one
before it was, and a share is kept however often that happens.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import count, islice
from typing import Any

from mmreview.domain.errors import MmreviewError


class Stream(StrEnum):
    """Where an offered case comes from. Never renamed: reads in the trail name them.

    ``audit`` and ``control`` are drawn at random from those partitions, ``conflict`` and
    ``label_error`` are the policies of that name, ``repeats`` are cases that the reader has read
    before, ``policy`` is all the rest, in the order of the chosen policy.
    """

    AUDIT = "audit"
    CONTROL = "control"
    CONFLICT = "conflict"
    LABEL_ERROR = "label_error"
    REPEATS = "repeats"
    POLICY = "policy"


#: The streams that may not show any opinion, nor that they are what they are.
BLIND = frozenset((Stream.AUDIT, Stream.REPEATS))

#: The streams that no version has a say in.
RANDOM = frozenset((Stream.AUDIT, Stream.CONTROL, Stream.REPEATS))

#: The reason that gives nothing away.
NEUTRAL = "queue.neutral"


class QuotaInvalid(MmreviewError):
    """A share of the queue that cannot be kept."""

    code = "error.quota_invalid"


@dataclass(frozen=True, slots=True)
class Quotas:
    """Shares of the queue in per cent; what is left to 100 is the policy's."""

    audit: float = 10.0
    control: float = 5.0
    conflict: float = 5.0
    label_error: float = 5.0
    repeats: float = 2.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if not 0.0 <= share <= 100.0:
                raise QuotaInvalid("error.quota_share", stream=name, share=_plain(share))
        if self.total > 100.0:
            raise QuotaInvalid("error.quota_sum", total=_plain(self.total))

    @property
    def total(self) -> float:
        """What the streams with a quota take together, in per cent."""
        return round(math.fsum(asdict(self).values()), 6)

    def shares(self) -> dict[Stream, float]:
        """Every stream's share, 0 to 1; they add up to 1."""
        found = {Stream(name): share / 100.0 for name, share in asdict(self).items()}
        return {**found, Stream.POLICY: 1.0 - self.total / 100.0}


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What a person chose for a project's queue. ``apart`` is after how many other cases one that
    was read may be planted again."""

    policy: str = "hybrid"
    quotas: Quotas = field(default_factory=Quotas)
    apart: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.apart <= 100_000:
            raise QuotaInvalid("error.quota_apart", apart=self.apart)

    def to_json(self) -> dict[str, Any]:
        """As it is stored among the project's preferences."""
        return {"policy": self.policy, "quotas": asdict(self.quotas), "apart": self.apart}


def rules_of(stored: object) -> QueueRules:
    """What ``to_json`` made; the defaults where it is not that any more."""
    default = QueueRules()
    if not isinstance(stored, dict):
        return default
    shares = stored.get("quotas")
    known = {n: v for n, v in shares.items() if n in _NAMES} if isinstance(shares, dict) else {}
    try:
        return QueueRules(
            policy=str(stored.get("policy", default.policy)),
            quotas=Quotas(**{**asdict(default.quotas), **known}),
            apart=int(stored.get("apart", default.apart)),
        )
    except (QuotaInvalid, TypeError, ValueError):
        return default


def parse_quotas(text: str, *, before: Quotas) -> Quotas:
    """``audit=10,control=5`` over what held before; ``none`` sets all to 0.

    Raises:
        QuotaInvalid: a stream or share that cannot be, or more than 100 % together.
    """
    if text.strip().casefold() == "none":
        return Quotas(**dict.fromkeys(_NAMES, 0.0))
    shares: dict[str, float] = asdict(before)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, share = (piece.strip() for piece in part.partition("="))
        if name not in _NAMES:
            raise QuotaInvalid("error.quota_stream", stream=name, known=", ".join(_NAMES))
        try:
            shares[name] = float(share.removesuffix("%"))
        except ValueError:
            raise QuotaInvalid("error.quota_share", stream=name, share=share or "–") from None
    return Quotas(**shares)


_NAMES = tuple(asdict(Quotas()))


def _plain(number: float) -> str:
    return f"{number:g}"


def turns(shares: Mapping[Stream, float], *, seed: int, start: int) -> Iterator[Stream]:
    """Whose turn each place is, from place ``start`` on, without end.

    Time is cut into pieces of one over the share for each stream; in each piece it gets one turn,
    at a moment drawn by seed, and the moments of all streams are merged (jittered sampling). The
    shares add up to 1, so a moment is nearly a place. Any n places in a row hold n times the share
    of a stream, give or take two, and nobody can tell which place is whose.
    """
    drawn = {stream: share for stream, share in shares.items() if share > 0.0}
    since = max(0, start - 2 * len(drawn))  # a place is no further than that from its moment
    before = sum(_count(stream, share, seed, since) for stream, share in drawn.items())
    merged = heapq.merge(*(_moments(stream, share, seed, since) for stream, share in drawn.items()))
    return islice((stream for _, _, stream in merged), start - before, None)


def _moments(
    stream: Stream, share: float, seed: int, since: int
) -> Iterator[tuple[float, str, Stream]]:
    """When it is a stream's turn, from ``since`` on."""
    for piece in count(_count(stream, share, seed, since)):
        yield (piece + chance(seed, stream, piece)) / share, str(stream), stream


def _count(stream: Stream, share: float, seed: int, since: int) -> int:
    """How many turns a stream has had before ``since``."""
    piece = int(since * share)
    return piece + ((piece + chance(seed, stream, piece)) / share < since)


def chance(*what: object) -> float:
    """A number from 0 to 1 that looks drawn and is the same for the same ``what``."""
    digest = hashlib.blake2b(repr(tuple(map(str, what))).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


@dataclass(frozen=True, slots=True)
class Offer:
    """One place of the queue: which case, from which stream, why (a message code)."""

    key: int
    stream: Stream
    score: float
    reason: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """A reader has a case until then (seconds since 1970)."""

    key: int
    reader: str
    until: int
