"""Cases in and out of the database, and the labels and the worklist over them."""

from __future__ import annotations

import json
import re
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from mmreview.domain.cases import (
    Case,
    CaseContents,
    ImageRef,
    Partition,
    WorklistCounts,
    WorklistFilter,
    WorklistRow,
    WorklistSort,
)
from mmreview.domain.errors import CaseNotFound
from mmreview.domain.findings import FindingSchema
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import CaseDraft, UpsertCounts
from mmreview.domain.reads import FindingState, canonical_json
from mmreview.store import seal
from mmreview.store.database import Database
from mmreview.store.labels import (
    case_contents,
    label_table,
    letters_of,
    states_of,
    unlabelled_table,
)
from mmreview.store.scores import SqlScoreStore
from mmreview.store.tables import Query, cases, images, labels, worklist
from mmreview.store.worklist import Worklist, sort_id

_COLUMNS = (
    cases.c.key,
    cases.c.id,
    cases.c.patient_group,
    cases.c.partition,
    cases.c.report,
    cases.c.report_sha256,
    cases.c.patient_id,
    cases.c.accession,
    cases.c.study_date,
    cases.c.metadata,
)
_IMAGE_COLUMNS = (
    images.c.sha256,
    images.c.path,
    images.c.width,
    images.c.height,
    images.c.view,
)
_GET = Query(select(*_COLUMNS).where(cases.c.key == bindparam("wanted")))
_FIND = Query(select(*_COLUMNS).where(cases.c.id == bindparam("wanted")))
_IMAGES = Query(
    select(*_IMAGE_COLUMNS)
    .where(images.c.case_key == bindparam("wanted"))
    .order_by(images.c.position)
)
_WANTED = select(func.json_each(bindparam("wanted")).table_valued("value").c.value)
_MANY = Query(select(*_COLUMNS).where(cases.c.key.in_(_WANTED)))
_IMAGES_OF_MANY = Query(
    select(images.c.case_key, *_IMAGE_COLUMNS)
    .where(images.c.case_key.in_(_WANTED))
    .order_by(images.c.case_key, images.c.position)
)
_NEXT_KEYS = Query(
    select(worklist.c.key)
    .where(worklist.c.key > bindparam("after"))
    .order_by(worklist.c.key)
    .limit(bindparam("size"))
)
_COUNT = Query(select(func.count()).select_from(worklist))
_FINGERPRINTS = Query(select(cases.c.id, cases.c.fingerprint).where(cases.c.id.in_(_WANTED)))
_PARTITIONS = Query(
    select(cases.c.patient_group, func.min(cases.c.partition))
    .where(cases.c.patient_group.in_(_WANTED))
    .group_by(cases.c.patient_group)
)

_KEYS_OF = Query(select(cases.c.id, cases.c.key).where(cases.c.id.in_(_WANTED)))
_KNOWN = Query(select(cases.c.id, cases.c.key, cases.c.fingerprint).where(cases.c.id.in_(_WANTED)))
_INSERT = Query(insert(cases).returning(cases.c.key))
_UPDATE = Query(
    update(cases)
    .where(cases.c.key == bindparam("changed"))
    .values({c.name: bindparam(f"new_{c.name}") for c in cases.c if c.name not in ("key", "id")})
)
_INSERT_WORKLIST = Query(insert(worklist))
_UPDATE_WORKLIST = Query(
    update(worklist)
    .where(worklist.c.key == bindparam("changed"))
    .values(has_image=bindparam("new_image"), has_report=bindparam("new_report"))
)
_DELETE_IMAGES = Query(delete(images).where(images.c.case_key == bindparam("changed")))
_INSERT_IMAGE = Query(insert(images))
_DELETE_LABELS = Query(delete(labels).where(labels.c.case_key == bindparam("changed")))
_INSERT_LABELS = Query(insert(labels))


class SqlCaseStore:
    """``ports.CaseStore``. Safe from any thread."""

    def __init__(
        self, database: Database, *, schema: FindingSchema, scores: SqlScoreStore
    ) -> None:
        self.schema = schema
        self._database = database
        self._scores = scores
        self._worklist = Worklist(scores, schema)

    # --- one and many -------------------------------------------------------------------------

    def get(self, key: int) -> Case:
        """The case with this key. Raises CaseNotFound."""
        return self._one(_GET, key)

    def find(self, case_id: str) -> Case:
        """The case with this id. Raises CaseNotFound."""
        return self._one(_FIND, case_id)

    def _one(self, query: Query, wanted: int | str) -> Case:
        with self._database.read() as connection:
            row = query.one(connection, wanted=wanted)
            if row is None:
                raise CaseNotFound(case=wanted)
            refs = tuple(ImageRef(*image) for image in _IMAGES.run(connection, wanted=row[0]))
        return _case(row, refs)

    def many(self, keys: Sequence[int]) -> list[Case]:
        """The cases with these keys, in this order; unknown keys are left out."""
        wanted = _json_list(map(int, keys))
        refs: dict[int, list[ImageRef]] = {}
        with self._database.read() as connection:
            rows = _MANY.run(connection, wanted=wanted).fetchall()
            for key, *image in _IMAGES_OF_MANY.run(connection, wanted=wanted):
                refs.setdefault(key, []).append(ImageRef(*image))
        found = {row[0]: _case(row, tuple(refs.get(row[0], ()))) for row in rows}
        return [found[key] for key in keys if key in found]

    def batches(self, size: int = 256) -> Iterator[list[Case]]:
        """Every case in order of import, in bounded memory. No lock is held between batches."""
        after = 0
        while True:
            with self._database.read() as connection:
                keys = [key for (key,) in _NEXT_KEYS.run(connection, after=after, size=size)]
            if not keys:
                return
            yield self.many(keys)
            after = keys[-1]

    def contents(self, keys: Sequence[int]) -> CaseContents:
        """What the features of these cases are cached by. ``keys`` ascend and all are of
        cases."""
        with self._database.read() as connection:
            return case_contents(connection, keys)

    def count(self) -> int:
        """How many cases there are."""
        with self._database.read() as connection:
            return int(_COUNT.value(connection))

    # --- the worklist -------------------------------------------------------------------------

    def worklist_keys(self, where: WorklistFilter, sort: WorklistSort) -> array[int]:
        """The keys ('q') of the cases that pass, in order (see ``worklist``)."""
        return self._worklist.keys(where, sort)

    def worklist_rows(self, keys: Sequence[int]) -> list[WorklistRow]:
        """What the worklist shows of these cases, in this order; unknown keys are left out."""
        return self._worklist.rows(keys)

    def worklist_counts(self) -> WorklistCounts:
        """How many cases each filter would keep."""
        return self._worklist.counts()

    # --- labels -------------------------------------------------------------------------------

    def states(self, key: int, *, without: int = 0) -> dict[str, FindingState]:
        """The state that holds for each finding of a case: the last correction of any reader
        (also *unset*), else the import's label. Findings without either are left out. The
        correction ``without`` counts as undone."""
        with self._database.read() as connection:
            return states_of(connection, key, self.schema, without=without)

    def label_table(
        self, through_seq: int | None = None, *, like: LabelTable | None = None
    ) -> LabelTable:
        """The labels that hold, or held after event ``through_seq``, as one table; quicker beside
        another one that was just read."""
        with self._database.read() as connection:
            return label_table(connection, self.schema, through_seq, like)

    def unlabelled_table(self, limit: int, *, seed: int) -> LabelTable:
        """Up to ``limit`` training cases that nobody has labelled (see ``ports.CaseStore``)."""
        with self._database.read() as connection:
            return unlabelled_table(connection, self.schema, limit, seed=seed)

    # --- import -------------------------------------------------------------------------------

    def fingerprints(self, ids: Sequence[str]) -> dict[str, str]:
        """The fingerprint of each of these ids that is already in the project."""
        with self._database.read() as connection:
            return dict(_FINGERPRINTS.run(connection, wanted=_json_list(ids)).fetchall())

    def keys_of(self, ids: Sequence[str]) -> dict[str, int]:
        """The key of each of these ids that is in the project."""
        with self._database.read() as connection:
            return dict(_KEYS_OF.run(connection, wanted=_json_list(ids)).fetchall())

    def partitions(self, groups: Sequence[str]) -> dict[str, Partition]:
        """The partition that each of these groups already has."""
        with self._database.read() as connection:
            rows = _PARTITIONS.run(connection, wanted=_json_list(groups)).fetchall()
        return {group: Partition(partition) for group, partition in rows}

    def upsert(self, drafts: Sequence[CaseDraft]) -> UpsertCounts:
        """Add or update these cases in one transaction. Readers' corrections and reads of an
        updated case stay; its scores are dropped.

        Raises:
            WriteFailed, ProjectReadOnly: none of the batch is stored.
        """
        added = updated = unchanged = 0
        with self._database.write() as connection:
            ids = _json_list(draft.id for draft in drafts)
            known = {
                id: (key, mark) for id, key, mark in _KNOWN.run(connection, wanted=ids).fetchall()
            }
            changed: list[int] = []
            before = seal.rows_of(connection, (key for key, _ in known.values()))
            sealed = seal.begun(connection).moved(before, -1)
            for draft in drafts:
                key, mark = known.get(draft.id, (0, ""))
                if mark == draft.fingerprint:
                    unchanged += 1
                    continue
                if key:
                    updated += 1
                    changed.append(key)
                    self._change(connection, key, draft)
                else:
                    added += 1
                    key = self._add(connection, draft)
                known[draft.id] = (key, draft.fingerprint)
            after = seal.rows_of(connection, (key for key, _ in known.values()))
            seal.keep(connection, sealed.moved(after, 1))
            # Before the commit: a kill in between costs a score, never shows a stale one.
            self._scores.forget(changed)
        return UpsertCounts(added=added, updated=updated, unchanged=unchanged)

    def _add(self, connection: sqlite3.Connection, draft: CaseDraft) -> int:
        [(key,)] = _INSERT.run(connection, key=None, id=draft.id, **_columns(draft)).fetchall()
        _INSERT_WORKLIST.run(
            connection,
            key=key,
            sort_id=sort_id(draft.id),
            has_image=bool(draft.images),
            has_report=bool(draft.report),
            done=0,
            corrections=0,
            read_at="",
        )
        self._add_details(connection, key, draft)
        return int(key)

    def _change(self, connection: sqlite3.Connection, key: int, draft: CaseDraft) -> None:
        columns = {f"new_{name}": value for name, value in _columns(draft).items()}
        _UPDATE.run(connection, changed=key, **columns)
        _UPDATE_WORKLIST.run(
            connection,
            changed=key,
            new_image=bool(draft.images),
            new_report=bool(draft.report),
        )
        _DELETE_IMAGES.run(connection, changed=key)
        _DELETE_LABELS.run(connection, changed=key)
        self._add_details(connection, key, draft)

    def _add_details(self, connection: sqlite3.Connection, key: int, draft: CaseDraft) -> None:
        for position, image in enumerate(draft.images):
            _INSERT_IMAGE.run(
                connection,
                case_key=key,
                position=position,
                sha256=image.sha256,
                path=image.path,
                width=image.width,
                height=image.height,
                view=image.view,
            )
        letters = letters_of(draft.labels, self.schema)
        if letters is not None:
            _INSERT_LABELS.run(connection, case_key=key, states=letters)


def _columns(draft: CaseDraft) -> dict[str, object]:
    return {
        "patient_group": draft.group,
        "partition": str(draft.partition),
        "fingerprint": draft.fingerprint,
        "patient_id": draft.patient_id,
        "accession": draft.accession,
        "study_date": draft.study_date,
        "caption": caption(draft),
        "report_sha256": draft.report_sha256,
        "metadata": canonical_json(dict(draft.metadata)),
        "report": draft.report,
    }


def caption(draft: CaseDraft) -> str:
    """The short line under an id: sex and age if the metadata has them ("F 71"), else the study
    date and the first image's view."""
    told = {str(name).casefold(): value for name, value in draft.metadata.items()}
    person = [_first(told, "sex", "gender", "patient_sex", "patientsex")[:1].upper()]
    person.append(_first(told, "age", "patient_age", "patientage"))
    view = draft.images[0].view if draft.images else ""
    parts = person if any(person) else [draft.study_date, view]
    return " ".join(part for part in parts if part)[:40]


def _first(told: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = told.get(name)
        if value is None or value == "":
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # DICOM writes an age as 071Y.
        return re.sub(r"^0*([0-9]+)Y$", r"\1", str(value).strip())
    return ""


def _case(row: tuple[Any, ...], refs: tuple[ImageRef, ...]) -> Case:
    key, id, group, partition, report, report_sha256, *rest, metadata = row
    patient_id, accession, study_date = rest
    return Case(
        key=key,
        id=id,
        group=group,
        partition=Partition(partition),
        images=refs,
        report=report,
        report_sha256=report_sha256,
        patient_id=patient_id,
        accession=accession,
        study_date=study_date,
        metadata=json.loads(metadata),
    )


def _json_list(values: Any) -> str:
    return json.dumps(list(values))
