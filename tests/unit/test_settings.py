import json
from dataclasses import replace
from pathlib import Path

from mmreview.settings import Settings, load, save


def test_settings_come_back_as_they_were_saved(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    wished = replace(
        Settings(), theme="light", advance=False, recent=("a", "b"), splitters={"columns": "x"}
    ).with_case(Path("a"), "case-7")
    save(wished, path)
    assert load(path) == wished
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_a_path_with_bytes_that_are_no_character_is_remembered(tmp_path):
    path = tmp_path / "settings.json"
    wished = Settings().with_project(Path("p\udcff/ä.mmreview"))
    save(wished, path)
    assert load(path) == wished


def test_damaged_or_foreign_settings_cost_a_default_and_no_start(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("{not json")
    assert load(path).theme == "dark"
    path.write_text(json.dumps({"theme": 7, "advance": False, "unknown": 1, "recent": "x"}))
    found = load(path)
    assert (found.theme, found.advance, found.recent) == ("dark", False, ())


def test_recent_projects_are_newest_first_once_each_and_forgettable():
    settings = Settings()
    for name in ("a", "b", "a"):
        settings = settings.with_project(Path(name))
    assert settings.recent == ("a", "b")
    gone = settings.without_project("a")
    assert (gone.recent, gone.last_project) == (("b",), "")


def test_what_another_version_wrote_is_kept(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "light", "wall_colour": "grey", "panels": {"a": [1]}}))
    found = load(path)
    assert found.theme == "light"
    save(replace(found, theme="dark"), path)
    kept = json.loads(path.read_text())
    assert (kept["theme"], kept["wall_colour"], kept["panels"]) == ("dark", "grey", {"a": [1]})
    old = {name: kept[name] for name in ("theme", "reader", "recent")}  # an older version's
    path.write_text(json.dumps(old))
    assert load(path) == replace(found, theme="dark")
