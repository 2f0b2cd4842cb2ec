"""Clinical values as clinicians write them: names, units, ranges, and what is named a problem."""

import pytest

from mmreview.domain.cases import CLINICAL, Case, Partition
from mmreview.domain.clinical import (
    NAMES,
    QUANTITIES,
    deviation,
    quantity_named,
    read_values,
    values_sha256,
)
from mmreview.translation import catalogue


def case(**metadata):
    return Case(
        key=1, id="1", group="1", partition=Partition.TRAIN, images=(), report="clear",
        report_sha256="ab", metadata=metadata,
    )


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ({"age": "045Y"}, "age", 45),
        ({"PatientAge": "006M"}, "age", 0.5),
        ({"age": 71}, "age", 71),
        ({"sex": "F"}, "sex", 0),
        ({"Patient Sex": " male "}, "sex", 1),
        ({"gender": "w"}, "sex", 0),
        ({"temperature": "38,5"}, "temperature", 38.5),
        ({"temp_F": 101.3}, "temperature", 38.5),
        ({"temperature": "101.3 °F"}, "temperature", 38.5),
        ({"Temperature (°C)": "38.5"}, "temperature", 38.5),
        ({"SpO2 (%)": "88 %"}, "oxygen_saturation", 88),
        ({"wbc": "12.1"}, "leukocytes", 12.1),
        ({"WBC (/µL)": 4500}, "leukocytes", 4.5),
        ({"leukocyte_count": 7}, "leukocytes", 7),
        ({"CRP": "<5"}, "crp", 5),
        ({"crp_mg_dl": "1.2"}, "crp", 12),
        ({"hemoglobin": "135 g/L"}, "haemoglobin", 13.5),
        ({"bp": "120/80 mmHg"}, "systolic", 120),
        ({"blood_pressure": "120/80"}, "diastolic", 80),
        ({"vitals": {"hr": 96}}, "heart_rate", 96),
    ],
)
def test_values_are_read_as_they_are_written(written, name, value):
    reading = read_values(written)
    assert reading.problems == ()
    assert reading.values[name] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("nothing", [None, "", " ", "n/A", "?", "nd", "unknown", "-"])
def test_nothing_is_no_problem(nothing):
    assert read_values({"age": nothing, "sex": nothing, "spo2": nothing}) == read_values({})


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ({"age": 150}, "import.clinical_out_of_range"),
        ({"temperature": 101.3}, "import.clinical_out_of_range"),  # °F that nobody named
        ({"spo2": 0.94}, "import.clinical_out_of_range"),
        ({"wbc": 4500}, "import.clinical_out_of_range"),
        ({"age": "old"}, "import.clinical_unreadable"),
        ({"age": True}, "import.clinical_unreadable"),
        ({"sex": 1}, "import.clinical_unreadable"),
        ({"bp": "120"}, "import.clinical_unreadable"),
        ({"crp": "12 apples"}, "import.clinical_unreadable"),
        ({"crp": [1, 2]}, "import.clinical_unreadable"),
        ({"age": 10**400}, "import.clinical_unreadable"),
    ],
)
def test_what_is_not_believed_is_named_and_left_out(written, code):
    reading = read_values({**written, "heart_rate": 80})
    [column] = written
    assert [problem.code for problem in reading.problems] == [code]
    assert reading.problems[0].params["column"] == column
    assert dict(reading.values) == {"heart_rate": 80.0}


def test_a_case_has_the_modality_only_with_values_and_equal_values_have_one_hash():
    assert case(origin="ward 3").hashes(CLINICAL) == ()
    assert case(origin="ward 3").modalities == ("text",)
    first, second = case(age="045Y", spo2=91), case(SpO2="91 %", patient_age=45, note="x")
    assert first.modalities == ("text", CLINICAL)
    assert first.hashes(CLINICAL) == second.hashes(CLINICAL) == (values_sha256(first.clinical),)
    assert first.hashes(CLINICAL) != case(age=46, spo2=91).hashes(CLINICAL)


def test_a_deviation_is_from_the_range_of_adults():
    values = {"age": 40.0, "temperature": 38.2, "oxygen_saturation": 91.0, "heart_rate": 70.0}
    found = [deviation(values, n) for n in ("age", *list(values)[1:])]
    assert found == [0, 1, -1, 0]
    assert deviation({**values, "age": 4.0}, "temperature") == 0


def test_no_two_quantities_share_a_name_and_each_has_its_words():
    names = [name for q in QUANTITIES for name in (q.name, *q.aliases)]
    assert len(names) == len(set(names))
    assert quantity_named("crp").unit == "mg/L"
    for language in ("en", "zh_CN"):
        assert {f"clinical.{name}" for name in NAMES} <= catalogue(language).keys()
    for quantity in QUANTITIES:
        low, high = quantity.plausible
        assert quantity.reference is None or low <= quantity.reference[0] < quantity.reference[1]
        assert low < high
