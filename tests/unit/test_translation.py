"""Sentences in two languages: nothing is missing, and nothing that is missing or wrong crashes."""

import json
import re
import string
from pathlib import Path

import pytest

from mmreview import paths
from mmreview.translation import catalogue, language, languages, set_language, tr

FOLDER = Path(__file__).parents[2] / "resources" / "translations"
ENGLISH = sorted(path.name for path in (FOLDER / "en").glob("*.json"))


@pytest.fixture(autouse=True)
def english_again():
    yield
    set_language("en")


@pytest.fixture
def two_languages(tmp_path, monkeypatch):
    """A small catalogue: what English says, and the little that Chinese says."""
    said = {
        "en": {
            "both": "case {case}", "english": "only English", "files": "{count} files",
            "files.one": "one file", "plain": "{count} rows", "rate": "{rate:.2f} of {rate}",
        },
        "zh_CN": {"both": "病例 {case}", "files": "{count} 个文件"},
    }
    for name, sentences in said.items():
        folder = tmp_path / "translations" / name
        folder.mkdir(parents=True)
        (folder / "some.json").write_text(json.dumps(sentences), encoding="utf-8")
    monkeypatch.setattr(paths, "resources", lambda: tmp_path)
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()


def read(name: str, file: str) -> dict[str, str]:
    """One file of a catalogue; a code that stands twice in it would hide a sentence."""

    def once(pairs):
        codes = [code for code, _ in pairs]
        assert len(codes) == len(set(codes)), f"{name}/{file} holds a code twice"
        return dict(pairs)

    return json.loads((FOLDER / name / file).read_text(encoding="utf-8"), object_pairs_hook=once)


def parameters(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_english_file_has_its_chinese_one_and_no_other():
    assert ENGLISH
    assert sorted(path.name for path in (FOLDER / "zh_CN").glob("*.json")) == ENGLISH


@pytest.mark.parametrize("file", ENGLISH)
def test_every_english_sentence_has_a_chinese_one_with_the_same_parameters(file):
    english, chinese = read("en", file), read("zh_CN", file)
    assert english.keys() - chinese.keys() == set(), "not translated"
    assert chinese.keys() - english.keys() == set(), "translated, but there is no such code"
    for code, sentence in english.items():
        assert chinese[code].strip(), code
        assert parameters(chinese[code]) == parameters(sentence), code


def test_a_chinese_sentence_holds_chinese():
    names = {"mmreview", "English", "Id", "AP", "AUROC", "Brier", "ECE"}  # said alike in both
    left = {
        code: sentence
        for code, sentence in catalogue("zh_CN").items()
        if not re.search("[一-鿿]", sentence)
        and re.search("[A-Za-z]{2}", re.sub(r"{\w+}", "", sentence))
        and sentence not in names
        and not code.endswith(".key")
    }
    assert left == {}


def test_the_chosen_language_is_spoken_and_an_unknown_one_is_english():
    assert set(languages()) >= {"en", "zh_CN"}
    set_language("zh_CN")
    assert (language(), tr("ui.findings.state.absent")) == ("zh_CN", "不存在")
    set_language("tlh")
    assert (language(), tr("ui.findings.state.absent")) == ("en", "absent")


def test_english_fills_what_a_language_lacks(two_languages):
    set_language("zh_CN")
    assert tr("both", case="A") == "病例 A"
    assert tr("english") == "only English"


def test_an_unknown_code_is_shown_as_itself(two_languages):
    assert tr("no.such.code", count=1) == "no.such.code"


def test_one_has_a_sentence_of_its_own_where_there_is_one(two_languages):
    assert [tr("files", count=count) for count in (0, 1, 2)] == ["0 files", "one file", "2 files"]
    assert tr("plain", count=1) == "1 rows"


def test_one_is_said_in_the_chosen_language_even_without_a_singular(two_languages):
    set_language("zh_CN")
    assert tr("files", count=1) == "1 个文件"


@pytest.mark.parametrize(
    "params", [{}, {"other": 1}, {"rate": None}, {"rate": "much"}, {"code": "x", "self": 1}]
)
def test_a_parameter_that_does_not_fit_leaves_the_sentence_as_it_is(two_languages, params):
    assert tr("rate", **params) == "{rate:.2f} of {rate}"


def test_what_is_filled_in_is_never_read_as_a_sentence(two_languages):
    assert tr("both", case="{case} {0} {") == "case {case} {0} {"


@pytest.mark.parametrize("name", ["en", "zh_CN"])
def test_every_real_sentence_can_be_filled(name):
    for code, sentence in catalogue(name).items():
        filled = sentence.format(**dict.fromkeys(parameters(sentence), "§"))
        assert filled.count("§") >= len(parameters(sentence)), code
