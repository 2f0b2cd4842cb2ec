"""A seal over what was imported: which patient a case is of, its partition, imported labels and
report. No event tells these one by one, so that a hand in the database could move a case into the
audit set or turn a label round unseen.

Two numbers stand for all cases: the sum of a hash of each, and the sum of these times the cases'
keys, modulo a prime. They are kept up in the transactions that write cases (``cases``,
``audit_sets``) and told by the events that end an import or draw an audit set, so that the chain
holds them. ``audit`` adds up again. Where one case is not as it was, the two differences say which:
their quotient is its key (the locator of a Reed-Solomon code with one error).

Projects whose cases all came in before there was a seal have none; the next import or draw seals
what there is then.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmreview.domain.reads import canonical_json

#: The preference that keeps the seal, and what the payload of an event calls it.
SEAL = "seal"
_PRIME = (1 << 127) - 1

_ROWS = """
SELECT cases.key, id, patient_group, partition, coalesce(states, ''), coalesce(report_sha256, '')
FROM cases LEFT JOIN labels ON labels.case_key = cases.key
"""
_SOME = _ROWS + "WHERE cases.key IN (SELECT value FROM json_each(?))"
_KEPT = "SELECT value FROM preferences WHERE name = ?"
_KEEP = """
INSERT INTO preferences (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


@dataclass(frozen=True, slots=True)
class Seal:
    """``total`` and ``moment`` over so many ``cases``; ``told`` says that an event has them."""

    cases: int = 0
    total: int = 0
    moment: int = 0
    told: bool = False

    def moved(self, rows: Iterable[Sequence[Any]], sign: int) -> Seal:
        """With these rows added (1) or taken away (-1)."""
        cases, total, moment = self.cases, self.total, self.moment
        for row in rows:
            value = _hash(row)
            cases += sign
            total += sign * value
            moment += sign * value * int(row[0])
        return Seal(cases, total % _PRIME, moment % _PRIME)

    def changed_key(self, found: Seal) -> int | None:
        """The key of the one case by which ``found`` differs, if it can be one."""
        gap = (found.total - self.total) % _PRIME
        if gap == 0:
            return None
        return (found.moment - self.moment) * pow(gap, -1, _PRIME) % _PRIME

    def same_sums(self, other: Seal) -> bool:
        """Whether both stand for the same cases."""
        mine = (self.cases, self.total, self.moment)
        return mine == (other.cases, other.total, other.moment)

    def as_json(self) -> dict[str, Any]:
        """For an event."""
        return {"cases": self.cases, "total": f"{self.total:x}", "moment": f"{self.moment:x}"}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Seal:
        """What an event or the preference says (KeyError, TypeError, ValueError: nothing)."""
        return cls(
            int(said["cases"]), int(said["total"], 16), int(said["moment"], 16),
            bool(said.get("told", False)),
        )


def rows_of(connection: sqlite3.Connection, keys: Iterable[int]) -> list[tuple[Any, ...]]:
    """What is sealed of these cases."""
    return connection.execute(_SOME, (json.dumps(list(keys)),)).fetchall()


def counted(connection: sqlite3.Connection) -> Seal:
    """The seal of all cases as they are."""
    return Seal().moved(_all(connection), 1)


def _all(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    yield from connection.execute(_ROWS)


def kept(connection: sqlite3.Connection) -> Seal | None:
    """The seal that is kept; None where there is none, or what stands there is no seal."""
    row = connection.execute(_KEPT, (SEAL,)).fetchone()
    try:
        return None if row is None else Seal.of_json(json.loads(row[0]))
    except (KeyError, TypeError, ValueError):
        return None


def begun(connection: sqlite3.Connection) -> Seal:
    """The seal to go on from, before cases are written: the one that is kept, or of all cases."""
    return kept(connection) or counted(connection)


def keep(connection: sqlite3.Connection, seal: Seal, *, told: bool = False) -> None:
    """Store the seal in the open transaction."""
    text = canonical_json({**seal.as_json(), "told": told})
    connection.execute(_KEEP, (SEAL, text))


def _hash(row: Sequence[Any]) -> int:
    said = canonical_json(list(row)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=16).digest(), "big") % _PRIME
