"""The states that hold: the import's letters, overridden by the readers' corrections.

An imported case has one letter a finding in one row, so that the labels of 100,000 cases are read
as one block of bytes. Corrections override letter by letter. Because a correction remembers the
undo that took it back, the table can be had as it was after any event of the past.
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import bindparam, exists, func, or_, select

from mmreview.domain.cases import CLINICAL, IMAGE, TEXT, CaseContents, Partition
from mmreview.domain.clinical import read_values, values_sha256
from mmreview.domain.findings import TRAINING_TARGETS, Basis, FindingSchema, State
from mmreview.domain.labels import LabelTable
from mmreview.domain.reads import FindingState
from mmreview.store.tables import (
    Query,
    cases,
    corrections,
    images,
    labels,
    preferences,
    trail,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Of some cases: patient groups, partitions, content hashes by modality.
_CaseColumns: TypeAlias = tuple[
    tuple[str, ...], tuple[Partition, ...], dict[str, tuple[tuple[str, ...], ...]]
]

#: How a state is written in ``labels.states``. Never renamed: databases outlive the code.
LETTERS: dict[State, str] = {
    State.UNSET: "-",
    State.PRESENT: "P",
    State.ABSENT: "A",
    State.UNCERTAIN: "U",
    State.NOT_ASSESSABLE: "N",
}
_STATES = {letter: state for state, letter in LETTERS.items()}

#: Bit by bit: image, text, clinical values.
_BASIS_BITS = {Basis.IMAGE: 0b001, Basis.REPORT: 0b010, Basis.BOTH: 0b111}

_LETTERS_OF = Query(select(labels.c.states).where(labels.c.case_key == bindparam("case_key")))
# SQLite takes the other columns from the row that has the maximum.
_HOLDING = Query(
    select(
        func.max(corrections.c.seq),
        corrections.c.finding,
        corrections.c.state,
        corrections.c.basis,
        corrections.c.reader,
        corrections.c.at,
        corrections.c.previous,
        corrections.c.version,
    )
    .where(corrections.c.case_key == bindparam("case_key"), corrections.c.undone_by.is_(None))
    .where(corrections.c.seq != bindparam("without"))
    .group_by(corrections.c.finding)
)


def letters_of(states: Mapping[str, State], schema: FindingSchema) -> str | None:
    """A case's imported labels as stored; None if there is none."""
    letters = "".join(LETTERS[states.get(name, State.UNSET)] for name in schema.names)
    return letters if letters.strip("-") else None


def states_of(
    connection: sqlite3.Connection, key: int, schema: FindingSchema, *, without: int = 0
) -> dict[str, FindingState]:
    """The state that holds for each finding of a case, in the schema's order; it would hold if
    the correction ``without`` were undone."""
    letters = _LETTERS_OF.value(connection, case_key=key) or ""
    found = {
        name: FindingState(finding=name, state=_STATES[letter])
        for name, letter in zip(schema.names, letters, strict=False)
        if letter != LETTERS[State.UNSET]
    }
    held = _HOLDING.run(connection, case_key=key, without=without).fetchall()
    if not held:
        return found
    for seq, finding, state, basis, reader, at, previous, version in held:
        found[finding] = FindingState(
            finding, State(state), Basis(basis), reader, at, seq, State(previous), version
        )
    return {name: found[name] for name in schema.names if name in found}


# --- the table to train on --------------------------------------------------------------------

_LAST_SEQ = Query(select(trail.c.seq))
_LETTERS = Query(select(labels.c.case_key, labels.c.states).order_by(labels.c.case_key))
_CORRECTED = Query(
    select(
        corrections.c.case_key,
        corrections.c.finding,
        corrections.c.state,
        corrections.c.basis,
        corrections.c.previous,
    )
    .where(
        corrections.c.seq <= bindparam("through"),
        or_(corrections.c.undone_by.is_(None), corrections.c.undone_by > bindparam("through")),
    )
    .order_by(corrections.c.seq)
)
#: A reader's *unset* over an imported label counts as a label here: somebody has looked.
_UNLABELLED = Query(
    select(cases.c.key)
    .where(
        cases.c.partition == str(Partition.TRAIN),
        ~exists().where(labels.c.case_key == cases.c.key),
        ~exists().where(
            corrections.c.case_key == cases.c.key, corrections.c.undone_by.is_(None)
        ),
    )
    .order_by(cases.c.key)
)
_WANTED = select(func.json_each(bindparam("wanted")).table_valued("value").c.value)
_CASES = Query(
    select(cases.c.key, cases.c.patient_group, cases.c.partition, cases.c.report_sha256)
    .where(cases.c.key.in_(_WANTED))
    .order_by(cases.c.key)
)
_METADATA = Query(
    select(cases.c.metadata).where(cases.c.key.in_(_WANTED)).order_by(cases.c.key)
)
#: Whether an import has found clinical values: only then is metadata looked through.
_HAS_CLINICAL = Query(select(preferences.c.value).where(preferences.c.name == CLINICAL))
#: What metadata came to, by its digest; 200 bytes each.
_clinical_known: dict[bytes, tuple[str, ...]] = {}
_MOST_KNOWN = 200_000
_IMAGES = Query(
    select(images.c.case_key, images.c.sha256)
    .where(images.c.case_key.in_(_WANTED))
    .order_by(images.c.case_key, images.c.position)
)


def label_table(
    connection: sqlite3.Connection, schema: FindingSchema, through_seq: int | None,
    like: LabelTable | None = None,
) -> LabelTable:
    """The labels that hold, or held after event ``through_seq`` (import labels count as they are
    now), of every case that has one. What is no label is taken from ``like``, another table of
    these cases as they are now, if it has them all.

    A reader's *unset* takes the import's label away and is no label itself.
    """
    import numpy as np

    connection.execute("BEGIN")  # one state of the database for all four queries
    through = int(_LAST_SEQ.value(connection)) if through_seq is None else through_seq
    imported = _LETTERS.run(connection).fetchall()
    corrected = _CORRECTED.run(connection, through=through).fetchall()
    keys = sorted({key for key, _ in imported} | {row[0] for row in corrected})
    letters, basis, by_reader, confirmed = _states(imported, corrected, keys, schema)
    labelled = (letters != ord(LETTERS[State.UNSET])).any(axis=1)
    kept = np.asarray(keys, dtype=np.int64)[labelled]
    letters = letters[labelled]
    targets = np.full(letters.shape, np.nan, dtype=np.float32)
    for state, target in TRAINING_TARGETS.items():
        targets[letters == ord(LETTERS[state])] = target
    known = None if like is None else _columns_of(like, kept)
    groups, partitions, hashes = known or _case_columns(connection, kept.tolist())
    connection.execute("COMMIT")
    return LabelTable(
        keys=kept,
        groups=groups,
        partitions=partitions,
        hashes=hashes,
        targets=targets,
        corrected=by_reader[labelled],
        basis=basis[labelled],
        through_seq=through,
        uncertain=letters == ord(LETTERS[State.UNCERTAIN]),
        confirmed=confirmed[labelled],
    )


def unlabelled_table(
    connection: sqlite3.Connection, schema: FindingSchema, limit: int, *, seed: int
) -> LabelTable:
    """Up to ``limit`` training cases without a label of import or reader, drawn by ``seed``."""
    import numpy as np

    connection.execute("BEGIN")
    through = int(_LAST_SEQ.value(connection))
    keys = [key for (key,) in _UNLABELLED.run(connection)]
    kept = sorted(random.Random(seed).sample(keys, min(limit, len(keys))))
    groups, partitions, hashes = _case_columns(connection, kept)
    connection.execute("COMMIT")
    shape = (len(kept), len(schema.names))
    return LabelTable(
        keys=np.asarray(kept, dtype=np.int64),
        groups=groups,
        partitions=partitions,
        hashes=hashes,
        targets=np.full(shape, np.nan, dtype=np.float32),
        corrected=np.zeros(shape, dtype=np.bool_),
        basis=np.zeros(shape, dtype=np.int8),
        through_seq=through,
    )


def case_contents(connection: sqlite3.Connection, keys: Sequence[int]) -> CaseContents:
    """What the features of the cases with these ascending keys are cached by."""
    _, partitions, hashes = _case_columns(connection, list(keys))
    return CaseContents(partitions, hashes)


def _states(
    imported: Sequence[tuple[int, str]],
    corrected: Sequence[tuple[int, str, str, str, str]],
    keys: Sequence[int],
    schema: FindingSchema,
) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Letters, basis bits, whether a reader said so and whether that confirmed what had held, each
    (cases, findings)."""
    import numpy as np

    unset = ord(LETTERS[State.UNSET])
    width = len(schema.names)
    rows = {key: row for row, key in enumerate(keys)}
    letters = np.full((len(keys), width), unset, dtype=np.uint8)
    if imported:
        places = np.fromiter((rows[key] for key, _ in imported), np.intp, len(imported))
        block = "".join(text for _, text in imported).encode("ascii")
        letters[places] = np.frombuffer(block, dtype=np.uint8).reshape(len(imported), width)
    basis = np.where(letters != unset, _BASIS_BITS[Basis.BOTH], 0).astype(np.int8)
    by_reader = np.zeros(letters.shape, dtype=np.bool_)
    confirmed = np.zeros(letters.shape, dtype=np.bool_)
    for key, finding, state, rests_on, previous in corrected:
        place = rows[key], schema.index(finding)
        letters[place] = ord(LETTERS[State(state)])
        is_set = state != State.UNSET
        basis[place] = _BASIS_BITS[Basis(rests_on)] if is_set else 0
        by_reader[place] = is_set
        confirmed[place] = is_set and previous == state
    return letters, basis, by_reader, confirmed


def _columns_of(table: LabelTable, keys: NDArray[np.int64]) -> _CaseColumns | None:
    """The columns of some of a table's cases; None if it lacks one of them."""
    import numpy as np

    rows = np.searchsorted(table.keys, keys)
    if len(keys) and (rows[-1] >= len(table.keys) or (table.keys[rows] != keys).any()):
        return None
    if len(keys) == len(table.keys):
        return table.groups, table.partitions, table.hashes
    chosen = rows.tolist()
    return (
        tuple(table.groups[row] for row in chosen),
        tuple(table.partitions[row] for row in chosen),
        {m: tuple(own[row] for row in chosen) for m, own in table.hashes.items()},
    )


def _case_columns(connection: sqlite3.Connection, keys: list[int]) -> _CaseColumns:
    wanted = json.dumps(keys)
    rows: list[tuple[Any, ...]] = _CASES.run(connection, wanted=wanted).fetchall()
    of_images: dict[int, tuple[str, ...]] = {}
    for key, sha256 in _IMAGES.run(connection, wanted=wanted):
        of_images[key] = (*of_images.get(key, ()), sha256)
    known = {str(partition): partition for partition in Partition}
    hashes = {
        IMAGE: tuple(of_images.get(row[0], ()) for row in rows),
        TEXT: tuple((row[3],) if row[3] else () for row in rows),
        CLINICAL: ((),) * len(rows),
    }
    if _HAS_CLINICAL.value(connection) == "true":
        told = _METADATA.run(connection, wanted=wanted)
        hashes[CLINICAL] = tuple(_clinical(metadata) for (metadata,) in told)
    return (
        tuple(row[1] for row in rows),
        tuple(known[row[2]] for row in rows),
        hashes,
    )


def _clinical(metadata: str) -> tuple[str, ...]:
    """What stands for the values in a case's metadata. Looking them up takes long, and every round
    asks again."""
    if len(metadata) <= 2:
        return ()
    known_by = hashlib.blake2b(metadata.encode(), digest_size=16).digest()
    found = _clinical_known.get(known_by)
    if found is None:
        values = read_values(json.loads(metadata)).values
        found = (values_sha256(values),) if values else ()
        if len(_clinical_known) >= _MOST_KNOWN:
            _clinical_known.clear()
        _clinical_known[known_by] = found
    return found
