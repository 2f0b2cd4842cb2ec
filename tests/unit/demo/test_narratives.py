import numpy as np

from mmreview.demo.cohort import PREVALENCE
from mmreview.demo.lesions import EFFUSION, LEFT, PNEUMOTHORAX, Lesion
from mmreview.demo.narratives import Patient, write_report
from mmreview.demo.phrases import DEVICES_SAID, WORDINGS

PATIENT = Patient(age=70, female=True, study_date="2024-05-02", previous_date="2024-03-01")


def belief(*lesions: Lesion) -> dict[str, Lesion | None]:
    seen = {lesion.finding: lesion for lesion in lesions}
    return {name: seen.get(name) for name in PREVALENCE}


def reports(count: int, *lesions: Lesion, insist=()):
    return [
        write_report(belief(*lesions), PATIENT, np.random.default_rng(seed), insist=insist)
        for seed in range(count)
    ]


def test_every_finding_can_be_said_in_many_ways():
    assert set(WORDINGS) == set(PREVALENCE)
    for wording in WORDINGS.values():
        assert wording.noun
        assert wording.present
        assert wording.hedged
        assert wording.absent
    assert sum(len(said) for said in DEVICES_SAID.values()) > 8


def test_reports_are_varied_and_complete():
    texts = [report.text for report in reports(200, Lesion(EFFUSION, 0.6, LEFT))]
    assert len(set(texts)) > 195
    assert all(len(text) > 20 for text in texts)
    assert not any("{" in text or "}" in text for text in texts)
    assert any("IMPRESSION" in text for text in texts)
    assert any(text == text.lower() for text in texts)
    assert any("mpression" not in text.lower() for text in texts), "some leave it out"
    assert any(text.startswith(("FINDINGS", "Findings", "findings")) for text in texts)


def test_some_are_left_out_some_hedged_most_said():
    stances = [r.says[EFFUSION] for r in reports(300, Lesion(EFFUSION, 0.3, LEFT))]
    assert 0 < stances.count("omitted") < 75
    assert 0 < stances.count("uncertain") < 100
    assert stances.count("present") > 150
    absent = [r.says[PNEUMOTHORAX] for r in reports(300)]
    assert absent.count("absent") > 50
    assert "present" not in absent


def test_what_is_insisted_on_is_said_plainly():
    for report in reports(60, Lesion(EFFUSION, 0.1, LEFT), insist=(EFFUSION, PNEUMOTHORAX)):
        assert report.says[EFFUSION] == "present"
        assert report.says[PNEUMOTHORAX] == "absent"


def test_a_side_is_named_as_the_patient_has_it():
    texts = [
        r.text.lower()
        for r in reports(80, Lesion(PNEUMOTHORAX, 0.8, LEFT), insist=(PNEUMOTHORAX,))
    ]
    assert sum("left" in text for text in texts) > 70
