import json
from pathlib import Path

import pytest

from mmreview.reports.sentences import split_sentences

COVID = (
    Path(__file__).parents[3] / ".." / "shared" / "data" / "covid_chestxray" / "pairs.jsonl"
)


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heart is normal. Lungs are clear.", ["Heart is normal.", "Lungs are clear."]),
        ("heart is normal. lungs are clear", ["heart is normal.", "lungs are clear"]),
        ("A 1.5 cm nodule. No. 2 is 0.8 cm.", ["A 1.5 cm nodule.", "No. 2 is 0.8 cm."]),
        ("Told Dr. Smith at 5 p.m. today.", ["Told Dr. Smith at 5 p.m. today."]),
        ("Effusion vs. atelectasis. Follow up.", ["Effusion vs. atelectasis.", "Follow up."]),
        ("Is there fluid? No.", ["Is there fluid?", "No."]),
        ("No effusion.No pneumothorax.", ["No effusion.", "No pneumothorax."]),
        ("Lungs (see above.) Clear.", ["Lungs (see above.)", "Clear."]),
        ("Clear.. Normal", ["Clear..", "Normal"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_ends_are_found(text, expected):
    assert sentences(text) == expected


def test_lists_and_paragraphs():
    text = "1. Small effusion.\n2. Edema\n- no fracture\n\nThank you"
    assert sentences(text) == ["1. Small effusion.", "2. Edema", "- no fracture", "Thank you"]


def test_a_line_break_does_not_end_a_sentence():
    assert sentences("There is a small\nleft effusion.") == ["There is a small\nleft effusion."]


def test_between_sentences_there_is_only_white_space():
    if not COVID.exists():
        pytest.skip("the COVID-19 notes are not beside this checkout")
    count = 0
    for line in COVID.read_text(encoding="utf-8").splitlines():
        text = json.loads(line).get("report") or ""
        last = 0
        for span in split_sentences(text):
            assert not text[last : span.start].strip()
            assert span.start < span.end
            last = span.end
            count += 1
        assert not text[last:].strip()
    assert count > 1000


def test_long_text_takes_linear_time():
    assert len(split_sentences("No effusion. " * 50_000)) == 50_000
    assert len(split_sentences("\n \n" * 50_000)) == 0
    assert len(split_sentences("." * 100_000)) == 1
