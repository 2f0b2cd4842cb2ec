"""Rounds of training, each step one short transaction.

A round is no event of the trail: what a person must be able to look up later is the version's
own event. ``settle`` and ``supersede`` run inside the transaction that registers or moves a
version (``versions``), so that a round and its version never tell different stories.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sqlalchemy import bindparam, func, insert, or_, select, update

from mmreview.domain.errors import Message
from mmreview.domain.reads import canonical_json
from mmreview.domain.rounds import SETTLED, UNFINISHED, Round, RoundState
from mmreview.domain.versions import Role
from mmreview.store.database import Database
from mmreview.store.reads import now
from mmreview.store.tables import Query, rounds

#: Why a round has no version: the program ended, or another version took the place it waited for.
INTERRUPTED = Message("round.interrupted")
SUPERSEDED = Message("round.superseded")

_INSERT = Query(insert(rounds))
_LAST = Query(select(func.max(rounds.c.id)))
_NEWEST = Query(select(*rounds.c).order_by(rounds.c.id.desc()).limit(bindparam("limit")))
_ADVANCE = Query(
    update(rounds).where(rounds.c.id == bindparam("number")).values(state=bindparam("new"))
)
_ended: dict[str, Any] = {
    "state": bindparam("new"),
    "ended_at": bindparam("at"),
    "reason": bindparam("why"),
    "version": None,
}
_END = Query(update(rounds).where(rounds.c.id == bindparam("number")).values(_ended))
_unfinished = or_(*(rounds.c.state == str(state) for state in UNFINISHED))
_UNFINISHED = Query(select(func.count()).select_from(rounds).where(_unfinished))
_INTERRUPT = Query(update(rounds).where(_unfinished).values(_ended))
_SETTLE = Query(
    update(rounds)
    .where(rounds.c.version == bindparam("number"))
    .where(_unfinished | (rounds.c.state == str(RoundState.WAITING)))
    .values(state=bindparam("new"), ended_at=bindparam("at"))
)
_SUPERSEDE = Query(
    update(rounds)
    .where(rounds.c.state == str(RoundState.WAITING), rounds.c.version != bindparam("number"))
    .values(state=str(RoundState.REFUSED), ended_at=bindparam("at"), reason=bindparam("why"))
)
_LEARNED = Query(
    select(func.coalesce(func.max(rounds.c.through_seq), 0)).where(
        or_(*(rounds.c.state == str(state) for state in SETTLED.values()))
    )
)


def settle(connection: sqlite3.Connection, version: int, role: Role) -> None:
    """The round of a version comes to what the version now is; nothing happens to one that has
    ended before (a refused version that is let serve by hand)."""
    state = SETTLED.get(role)
    if state is not None:
        at = "" if state is RoundState.WAITING else now()
        _SETTLE.run(connection, number=version, new=str(state), at=at)


def supersede(connection: sqlite3.Connection, version: int) -> None:
    """Rounds whose versions waited wait no longer: ``version`` has come after them."""
    _SUPERSEDE.run(connection, number=version, at=now(), why=_written(SUPERSEDED))


class SqlRoundStore:
    """``ports.RoundStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, round: Round) -> Round:
        """Store a round in its first state; one that has not ended ends as interrupted."""
        at = now()
        with self._database.write() as connection:
            _interrupt(connection)
            _INSERT.run(
                connection,
                id=None,
                state=str(round.state),
                actor=round.actor,
                options=canonical_json(dict(round.options)),
                since_seq=round.since_seq,
                through_seq=round.through_seq,
                version=round.version,
                started_at=at,
                ended_at="",
                reason="",
            )
            number = int(_LAST.value(connection))
        return Round(
            actor=round.actor, since_seq=round.since_seq, through_seq=round.through_seq,
            version=round.version, options=round.options, state=round.state, id=number,
            started_at=at,
        )

    def advance(self, number: int, state: RoundState) -> None:
        """Round ``number`` has come to another state that is no end."""
        with self._database.write() as connection:
            _ADVANCE.run(connection, number=number, new=str(state))

    def end(self, number: int, state: RoundState, reason: Message) -> None:
        """Round ``number`` ended without a version."""
        with self._database.write() as connection:
            _END.run(
                connection, number=number, new=str(state), at=now(), why=_written(reason),
                version=None,
            )

    def interrupt(self) -> int:
        """End every round that a kill left unfinished; returns how many."""
        with self._database.read() as connection:
            left = int(_UNFINISHED.value(connection))
        if left:
            with self._database.write() as connection:
                _interrupt(connection)
        return left

    def rounds(self, limit: int = 50) -> list[Round]:
        """The newest rounds, newest first."""
        with self._database.read() as connection:
            return [_round(row) for row in _NEWEST.run(connection, limit=limit)]

    def learned_through(self) -> int:
        """The last event that any round that came to a version has learned; 0 for none."""
        with self._database.read() as connection:
            return int(_LEARNED.value(connection))


def _interrupt(connection: sqlite3.Connection) -> None:
    _INTERRUPT.run(
        connection, new=str(RoundState.CANCELLED), at=now(), why=_written(INTERRUPTED),
        version=None,
    )


def _written(reason: Message) -> str:
    # A parameter may be anything that a sentence can hold.
    return json.dumps({"code": reason.code, "params": reason.params}, default=str)


def _round(row: tuple[Any, ...]) -> Round:
    known = dict(zip(rounds.c.keys(), row, strict=True))
    reason = json.loads(known["reason"]) if known["reason"] else None
    known["state"] = RoundState(known["state"])
    known["options"] = json.loads(known["options"])
    known["reason"] = Message(reason["code"], reason["params"]) if reason else None
    return Round(**known)
