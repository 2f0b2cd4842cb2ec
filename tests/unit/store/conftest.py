"""A fresh project, drafts of cases and a reader at work."""

import hashlib

import pytest

from mmreview.domain.cases import ImageRef, Partition
from mmreview.domain.findings import Finding, FindingSchema, State
from mmreview.domain.ports import CaseDraft
from mmreview.domain.reads import Correction
from mmreview.services.reviewing import Reviewing
from mmreview.store.engine import create_store


@pytest.fixture
def schema():
    return FindingSchema(
        "test",
        (
            Finding("Edema", abbreviation="ED", group="lung", phrases=("oedema",)),
            Finding("Pleural Effusion", excludes=("No Finding",)),
            Finding("No Finding"),
        ),
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a project.mmreview"


@pytest.fixture
def store(folder, schema):
    store = create_store(folder, schema)
    yield store
    store.close()


@pytest.fixture
def draft():
    def make(id, *, report="No edema.", images=1, labels=None, mark="", **fields):
        shas = [hashlib.sha256(f"{id}{n}".encode()).hexdigest() for n in range(images)]
        fields = {
            "group": f"patient of {id}",
            "partition": Partition.TRAIN,
            "patient_id": "",
            "accession": "",
            "study_date": "",
            "metadata": {},
            **fields,
        }
        return CaseDraft(
            id=id,
            images=tuple(ImageRef(sha, f"images/{sha}.png", 64, 48, "PA") for sha in shas),
            report=report,
            report_sha256=hashlib.sha256(report.encode()).hexdigest() if report else None,
            labels=labels or {},
            fingerprint=f"{id} {mark}",
            **fields,
        )

    return make


@pytest.fixture
def filled(store, draft):
    """Cases a, b, c with keys 1, 2, 3; a is labelled by the import."""
    labels = {"Edema": State.PRESENT, "Pleural Effusion": State.ABSENT}
    store.cases.upsert([draft("a", labels=labels), draft("b"), draft("c")])
    return store


@pytest.fixture
def reviewing():
    """The reading service over a store; what is tested here asks nothing of the model."""
    return lambda store: Reviewing(
        cases=store.cases, events=store.events, predicting=None, folder=store.folder
    )


@pytest.fixture
def correct(filled, reviewing):
    reader = reviewing(filled)

    def run(key, finding, state, reader_name="ana", **fields):
        correction = Correction(
            case_key=key, finding=finding, state=state, reader=reader_name, **fields
        )
        return reader.correct(correction)

    return run
