"""Cases in and out, updates under a reader's hands, and the labels that hold."""

import numpy as np
import pytest

from mmreview.domain.cases import Partition, WorklistFilter, WorklistSort
from mmreview.domain.errors import CaseNotFound
from mmreview.domain.findings import Basis, State
from mmreview.domain.reads import Correction
from mmreview.store.audit import verify_trail

P, A, U = State.PRESENT, State.ABSENT, State.UNCERTAIN


def test_a_case_comes_back_as_it_went_in(store, draft):
    wanted = draft(
        "fall-7", images=2, report="Kein Ödem. 无胸腔积液", group="g", partition=Partition.AUDIT,
        patient_id="p", accession="acc", study_date="2024-05-01", metadata={"x": [1, {"y": None}]},
    )  # fmt: skip
    store.cases.upsert([wanted])
    case = store.cases.find("fall-7")
    assert case == store.cases.get(case.key)
    for name in ("id", "group", "partition", "images", "report", "report_sha256", "patient_id"):
        assert getattr(case, name) == getattr(wanted, name)
    assert (case.accession, case.study_date) == ("acc", "2024-05-01")
    assert case.metadata == {"x": [1, {"y": None}]}


def test_a_missing_case_is_named(store):
    with pytest.raises(CaseNotFound) as missing:
        store.cases.find("nobody")
    assert missing.value.params == {"case": "nobody"}
    with pytest.raises(CaseNotFound):
        store.cases.get(99)


def test_many_keeps_the_order_and_leaves_out_the_unknown(filled):
    assert [c.id for c in filled.cases.many([3, 99, 1])] == ["c", "a"]
    assert filled.cases.many(np.array([2]))[0].id == "b"
    assert len(filled.cases.many([1])[0].images) == 1


def test_batches_come_in_order_of_import(store, draft):
    store.cases.upsert([draft(f"case-{n}") for n in range(25)])
    batches = list(store.cases.batches(10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [c.id for batch in batches for c in batch] == [f"case-{n}" for n in range(25)]
    assert store.cases.count() == 25


def test_contents_say_what_cases_are_cached_by(filled, draft):
    filled.cases.upsert([draft("no image", images=0)])
    keys = [1, 3, 4]
    contents, cases = filled.cases.contents(keys), filled.cases.many(keys)
    assert contents.partitions == tuple(case.partition for case in cases)
    for modality, hashes in contents.hashes.items():
        assert hashes == tuple(case.hashes(modality) for case in cases)


def test_importing_twice_adds_nothing(filled, draft):
    labels = {"Edema": State.PRESENT, "Pleural Effusion": State.ABSENT}
    counts = filled.cases.upsert([draft("a", labels=labels), draft("b"), draft("d")])
    assert (counts.added, counts.updated, counts.unchanged) == (1, 0, 2)
    assert filled.cases.count() == 4


def test_a_changed_row_updates_the_case_and_keeps_the_readers_word(filled, draft, correct):
    correct(1, "Edema", A)
    counts = filled.cases.upsert(
        [draft("a", mark="new", report=None, images=2, labels={"Edema": P, "No Finding": U})]
    )
    assert (counts.added, counts.updated, counts.unchanged) == (0, 1, 0)
    case = filled.cases.get(1)
    assert (case.report, len(case.images)) == (None, 2)
    states = filled.cases.states(1)
    assert states["Edema"].state is A
    assert "Pleural Effusion" not in states
    assert states["No Finding"].state is U
    [row] = filled.cases.worklist_rows([1])
    assert (row.has_report, row.corrections) == (False, 1)
    assert list(verify_trail(filled)) == []


def test_an_updated_report_is_found_by_its_new_words_only(filled, draft):
    filled.cases.upsert([draft("b", mark="new", report="A new pneumothorax.")])

    def found(text):
        return filled.cases.worklist_keys(WorklistFilter(text=text), WorklistSort.ID).tolist()

    assert found("pneumothorax") == [2]
    assert found("no edema") == [1, 3]


def test_the_same_id_twice_in_one_batch_is_one_case(store, draft):
    counts = store.cases.upsert([draft("a", mark="1"), draft("a", mark="2", report="Later.")])
    assert (counts.added, counts.updated) == (1, 1)
    assert store.cases.find("a").report == "Later."


def test_fingerprints_and_partitions_for_an_import(filled, draft):
    filled.cases.upsert([draft("x", group="g", partition=Partition.AUDIT)])
    assert filled.cases.fingerprints(["a", "zzz"]) == {"a": "a "}
    assert filled.cases.partitions(["g", "patient of a", "?"]) == {
        "g": Partition.AUDIT,
        "patient of a": Partition.TRAIN,
    }
    assert filled.cases.fingerprints([f"{n}" for n in range(5000)]) == {}


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        ({"metadata": {"sex": "female", "age": 71.0}}, "F 71"),
        ({"metadata": {"PatientSex": "M", "PatientAge": "071Y"}}, "M 71"),
        ({"metadata": {"age": 0}}, "0"),
        ({"study_date": "2024-05-01"}, "2024-05-01 PA"),
        ({"study_date": "2024-05-01", "images": 0}, "2024-05-01"),
    ],
)
def test_the_caption_says_who_or_when(store, draft, fields, caption):
    store.cases.upsert([draft("a", **fields)])
    assert store.cases.worklist_rows([1])[0].caption == caption


# --- the label table ----------------------------------------------------------------------------


def test_the_label_table_joins_import_and_readers(filled, correct):
    correct(1, "Edema", A, basis=Basis.REPORT)
    correct(2, "No Finding", U)
    table = filled.cases.label_table()
    assert table.keys.tolist() == [1, 2]
    assert table.groups == ("patient of a", "patient of b")
    assert table.partitions == (Partition.TRAIN, Partition.TRAIN)
    np.testing.assert_array_equal(
        table.targets, np.array([[0, 0, np.nan], [np.nan, np.nan, np.nan]], np.float32)
    )
    assert table.corrected.tolist() == [[True, False, False], [False, False, True]]
    assert table.basis.tolist() == [[2, 7, 0], [0, 0, 7]]
    assert table.hashes["image"] == (filled.cases.get(1).hashes("image"),
                                     filled.cases.get(2).hashes("image"))
    assert table.hashes["text"][0] == filled.cases.get(1).hashes("text")
    assert table.through_seq == filled.events.last_seq() == 3
    assert table.corrections == 2
    assert (table.targets.dtype, table.basis.dtype) == (np.float32, np.int8)


def test_a_table_beside_another_one_says_the_same(filled, correct):
    correct(2, "Edema", A)
    now = filled.cases.label_table()
    for through in (None, 0):
        alone, beside = (filled.cases.label_table(through, like=like) for like in (None, now))
        assert beside.keys.tolist() == alone.keys.tolist()
        assert (beside.groups, beside.partitions) == (alone.groups, alone.partitions)
        assert beside.hashes == alone.hashes
        np.testing.assert_array_equal(beside.targets, alone.targets)
    past = filled.cases.label_table(0)  # it lacks a case of today's
    assert len(past.keys) < len(now.keys)
    assert filled.cases.label_table(like=past).groups == now.groups


def test_the_label_table_of_the_past(filled, correct, reviewing):
    first = correct(1, "Edema", A).seq
    second = correct(1, "Edema", U).seq
    reviewing(filled).undo("ana")
    reviewing(filled).undo("ana")

    def edema(through):
        table = filled.cases.label_table(through)
        return table.targets[0, 0].item(), bool(table.corrected[0, 0])

    assert edema(None) == (1.0, False)
    assert edema(0) == (1.0, False)
    assert edema(first) == (0.0, True)
    assert np.isnan(edema(second)[0])
    assert edema(second + 1) == (0.0, True)
    assert edema(second + 2) == (1.0, False)


def test_a_withdrawn_label_leaves_the_table(filled, correct):
    correct(1, "Edema", State.UNSET)
    correct(1, "Pleural Effusion", State.UNSET)
    table = filled.cases.label_table()
    assert len(table.keys) == 0
    assert table.targets.shape == (0, 3)


def test_a_case_without_a_modality_has_no_hashes(store, draft):
    store.cases.upsert([draft("a", report=None, images=0, labels={"Edema": P})])
    assert store.cases.label_table().hashes == {"image": ((),), "text": ((),), "clinical": ((),)}


def test_clinical_values_have_hashes_once_an_import_has_found_some(store, draft):
    values = {"age": "045Y", "note": "x"}
    store.cases.upsert([draft("a", metadata=values, labels={"Edema": P}), draft("b", metadata={})])
    assert store.cases.contents([1, 2]).hashes["clinical"] == ((), ())
    store.preferences.set("clinical", True)
    own = store.cases.get(1).hashes("clinical")
    assert len(own) == 1
    assert store.cases.contents([1, 2]).hashes["clinical"] == (own, ())
    assert store.cases.label_table().hashes["clinical"] == (own,)
    store.cases.upsert([draft("a", mark="new", metadata={"age": "046Y"}, labels={"Edema": P})])
    assert store.cases.label_table().hashes["clinical"] == (store.cases.get(1).hashes("clinical"),)
    assert store.cases.label_table().hashes["clinical"] != (own,)


def test_the_label_table_knows_the_uncertain_and_the_confirmed(filled, correct):
    correct(1, "Edema", P)  # as the import said
    correct(1, "Pleural Effusion", P)
    correct(2, "No Finding", U)
    table = filled.cases.label_table()
    assert table.confirmed.tolist() == [[True, False, False], [False, False, False]]
    assert table.uncertain.tolist()[1] == [False, False, True]
    assert np.isnan(table.targets[table.uncertain]).all()
    correct(1, "Edema", A)
    assert not filled.cases.label_table().confirmed.any()


def test_unlabelled_cases_are_drawn_of_those_that_nobody_labelled(store, draft, reviewing):
    named = {"Edema": State.PRESENT}
    store.cases.upsert(
        [
            draft("labelled", labels=named),
            draft("audit", partition=Partition.AUDIT),
            draft("control", partition=Partition.CONTROL),
            draft("corrected"),
            *(draft(f"bare {n}") for n in range(8)),
        ]
    )
    corrected = store.cases.find("corrected").key
    reviewing(store).correct(
        Correction(case_key=corrected, finding="Edema", state=P, reader="ana")
    )
    table = store.cases.unlabelled_table(50, seed=0)
    ids = {case.id for case in store.cases.many(table.keys.tolist())}
    assert ids == {f"bare {n}" for n in range(8)}
    assert np.isnan(table.targets).all()
    assert table.corrections == 0
    few = store.cases.unlabelled_table(3, seed=1)
    assert len(few.keys) == 3
    np.testing.assert_array_equal(few.keys, store.cases.unlabelled_table(3, seed=1).keys)
    assert set(few.keys) <= set(table.keys)
    assert len(few.hashes["image"]) == len(few.groups) == 3
