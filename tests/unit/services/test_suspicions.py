"""Suspicions are about the label that the round saw, and end with the first word of a reader."""

import pytest

from mmreview.domain.errors import Message
from mmreview.domain.findings import Finding, FindingSchema, State
from mmreview.domain.reads import Correction, EventKind, NewEvent
from mmreview.domain.versions import Role, Version
from mmreview.services.reviewing import Reviewing
from mmreview.services.suspicions import Suspicions
from mmreview.store.engine import create_store
from tests.fakes import draft

SCHEMA = FindingSchema("s", (Finding("Edema"), Finding("Mass")))
LABELS = {"Edema": State.PRESENT, "Mass": State.ABSENT}


class Serving:
    """A version that has no opinion on the case."""

    version = 1

    def opinion(self, case):
        return None, Message("prediction.not_encoded")


@pytest.fixture
def store(tmp_path):
    store = create_store(tmp_path / "p.mmreview", SCHEMA)
    store.cases.upsert([draft(n, labels=LABELS) for n in (1, 2)])
    yield store
    store.close()


@pytest.fixture
def reviewing(store):
    return Reviewing(
        cases=store.cases, events=store.events, predicting=Serving(), folder=store.folder,
        suspicions=Suspicions(store.versions),
    )


def suspect(key, finding="Edema", state="present"):
    return {"key": key, "finding": finding, "state": state, "confidence": 0.04}


def register(store, *suspects, number=1):
    seq = store.events.last_seq()
    version = Version(
        number, f"{number:064x}", Role.CHAMPION, number - 1 or None, f"versions/{number:05d}",
        "2024-05-01T00:00:00Z", "mixture", 0, seq, {"suspects": list(suspects)},
    )
    payload = {"version": number, "sha256": version.sha256}
    store.versions.add(version, NewEvent(EventKind.VERSION_PROMOTED, "ana", payload=payload))


def test_a_suspect_comes_with_its_case_and_no_other(store, reviewing):
    register(store, suspect(1))
    assert reviewing.open_case(1).suspects["Edema"].confidence == 0.04
    assert reviewing.open_case(1).suspects["Edema"].held.state is State.PRESENT
    assert reviewing.open_case(2).suspects == {}


def test_any_word_of_a_reader_since_ends_it_and_an_undo_brings_it_back(store, reviewing):
    register(store, suspect(1), suspect(2))
    for key, state in ((1, State.PRESENT), (2, State.ABSENT)):
        reviewing.correct(Correction(key, "Edema", state, "ana"))
        assert reviewing.open_case(key).suspects == {}
        reviewing.undo("ana")
        assert "Edema" in reviewing.open_case(key).suspects


def test_a_correction_that_the_round_knew_can_be_suspect(store, reviewing):
    reviewing.correct(Correction(1, "Mass", State.PRESENT, "ana"))
    register(store, suspect(1, "Mass"), suspect(1, "Edema", "absent"))
    assert set(reviewing.open_case(1).suspects) == {"Mass"}


def test_another_version_has_its_own(store, reviewing):
    register(store, suspect(1))
    assert "Edema" in reviewing.open_case(1).suspects
    register(store, suspect(2), number=2)
    reviewing._predicting.version = 2
    assert reviewing.open_case(1).suspects == {}
    assert "Edema" in reviewing.open_case(2).suspects
    reviewing._predicting.version = None
    assert reviewing.open_case(2).suspects == {}
