import itertools
import json
import tarfile
import time
from pathlib import Path
from xml.parsers import expat

import numpy as np
import pytest

from mmreview.demo.cohort import plan_cohort, report_of
from mmreview.reports.sections import split_sections

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
OPENI = DATA / "openi" / "NLMCXR_reports.tgz"
COVID = DATA / "covid_chestxray" / "pairs.jsonl"


def titles(text: str) -> list[str]:
    return [section.title for section in split_sections(text)]


def bodies(text: str) -> list[str]:
    return [section.body(text).strip() for section in split_sections(text)]


def assert_covered(text: str) -> None:
    sections = split_sections(text)
    assert "".join(text[s.head : s.end] for s in sections) == text
    for section in sections:
        assert section.head <= section.start <= section.end
        assert bool(section.title) == (section.start > section.head)
    assert all(a.end == b.head for a, b in itertools.pairwise(sections))


def test_heads_with_colons_on_their_lines():
    text = "INDICATION: Cough.\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: Normal chest."
    assert titles(text) == ["INDICATION", "FINDINGS", "IMPRESSION"]
    assert bodies(text) == ["Cough.", "Clear lungs.", "Normal chest."]
    assert_covered(text)


def test_a_hospital_report_with_blank_heads_and_unknown_ones():
    text = (
        "                                 FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n \n"
        " INDICATION:  ___F with ascites  // eval for infection\n \n COMPARISON:  None.\n \n"
        " CHEST AP PORTABLE:\n \n There is no focal consolidation.\n \n IMPRESSION: \n \n"
        " No acute process.\n"
    )
    assert titles(text) == [
        "FINAL REPORT", "EXAMINATION", "INDICATION", "COMPARISON", "CHEST AP PORTABLE",
        "IMPRESSION",
    ]
    assert bodies(text)[-1] == "No acute process."
    assert_covered(text)


def test_heads_in_lower_case_and_alone_on_a_line():
    assert titles("findings:\nclear.\nimpression:\nnormal.") == ["findings", "impression"]
    assert titles("Findings\nClear.\nImpression\nNormal.") == ["Findings", "Impression"]


def test_a_dictation_without_colons():
    text = "indication cough.\nfindings heart size is normal.\nimpression no acute disease."
    assert titles(text) == ["indication", "findings", "impression"]
    assert bodies(text)[1] == "heart size is normal."
    assert_covered(text)


def test_running_text_with_heads_in_it():
    text = "The patient became hypoxic. History: 64 year old male. CT findings: Widespread opacity."
    assert titles(text) == ["", "History", "CT findings"]
    assert bodies(text)[0] == "The patient became hypoxic."
    assert_covered(text)


@pytest.mark.parametrize(
    "text",
    [
        "No heads here. The impression of the liver is normal.",
        "Findings are consistent with edema.\nImpression of the left atrium is seen.",
        "Findings suggest pneumonia.\nHistory of asthma.",
        "Nodule measures 1:2.\nRatio: 0.5",
        "AP: rotated film.",
    ],
)
def test_prose_is_not_cut(text):
    assert titles(text) == [""]
    assert bodies(text) == [text]


def test_text_before_the_first_head_stays():
    assert titles("Dr. Who, 3 May\nFINDINGS: clear") == ["", "FINDINGS"]


def test_nothing_and_blanks():
    assert split_sections("") == ()
    assert bodies(" \n\t ") == [""]


def test_windows_line_ends_and_other_scripts():
    text = "FINDINGS:\r\n心影增大。\r\nIMPRESSION: 😀 ok"
    assert titles(text) == ["FINDINGS", "IMPRESSION"]
    assert_covered(text)


def test_hostile_text_takes_linear_time():
    began = time.perf_counter()
    for text in ("A " * 200_000, "\n" * 200_000, "history of " * 50_000, " " * 400_000 + "x",
                 "A, " * 100_000 + ":", "chest " * 50_000):
        assert_covered(text)
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("seed", [0, 1])
def test_every_synthetic_report_is_covered(seed):
    titled = 0
    plans = plan_cohort(cases=80, seed=seed)
    for plan in plans:
        text = report_of(plan, np.random.default_rng([seed, plan.number])).text
        assert_covered(text)
        titled += len([title for title in titles(text) if title]) >= 2
    assert titled > 0.75 * len(plans)


@pytest.mark.skipif(not OPENI.exists(), reason="the Open-i reports are not beside this checkout")
def test_real_structured_reports_split_as_their_authors_labelled_them():
    agreed = checked = 0
    with tarfile.open(OPENI) as archive:
        for member in archive:
            if not member.isfile() or checked >= 300:
                continue
            source = archive.extractfile(member)
            assert source is not None
            labelled = abstract(source.read())
            if not labelled:
                continue
            text = "\n".join(f"{label}: {body}" for label, body in labelled)
            assert_covered(text)
            checked += 1
            agreed += titles(text) == [label for label, _ in labelled]
    assert checked == 300
    assert agreed >= 297


def abstract(xml: bytes) -> list[tuple[str, str]]:
    """The labelled parts of an Open-i report. expat resolves no entities from outside."""
    found: list[list[str]] = []
    inside = False

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        inside = name == "AbstractText"
        if inside:
            found.append([attributes["Label"], ""])

    def end(name: str) -> None:
        nonlocal inside
        inside = False

    def text(data: str) -> None:
        if inside:
            found[-1][1] += data

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = text
    parser.Parse(xml, True)
    return [(label, body) for label, body in found if body.strip()]


@pytest.mark.skipif(not COVID.exists(), reason="the COVID-19 notes are not beside this checkout")
def test_real_notes_lose_nothing():
    notes = 0
    for line in COVID.read_text(encoding="utf-8").splitlines():
        text = json.loads(line).get("report")
        if text:
            assert_covered(text)
            notes += 1
    assert notes > 400
