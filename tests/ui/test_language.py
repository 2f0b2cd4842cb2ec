"""The window in Chinese: chosen in the menu, spoken from the next start, no English left in it."""

import re
from dataclasses import replace

import pytest
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QWidget

from mmreview.settings import Settings
from mmreview.tasks.inline import InlineRunner
from mmreview.translation import languages, set_language, tr
from mmreview.ui import theme
from mmreview.ui.main_window import MainWindow
from mmreview.ui.worklist.wording import moment
from tests.fakes import FakeOpener, make_project


@pytest.fixture
def make_window(qtbot):
    made = []

    def make(**settings):
        window = MainWindow(
            runner=InlineRunner(),
            settings=replace(Settings(reader="Ada", automatic=False), **settings),
            opener=FakeOpener(),
            remember=False,
        )
        window.resize(1280, 720)
        window.show()
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        qtbot.waitUntil(lambda w=window: w.is_closed)
        window.deleteLater()
    set_language("en")


def ticked(window):
    return [n for n in languages() if window.acts.actions[f"language_{n}"].isChecked()]


def said(window):
    """Every text of the window, also what only a screen reader says: (where, text)."""
    for widget in window.findChildren(QWidget):
        for kind in ("text", "toolTip", "accessibleName", "placeholderText", "suffix", "title"):
            value = getattr(widget, kind, None)
            text = value() if callable(value) else None
            if isinstance(text, str) and text:
                yield f"{type(widget).__name__} {widget.objectName()}.{kind}", text


@pytest.mark.parametrize("on_a_project", [False, True])
def test_the_language_is_chosen_in_the_menu_for_the_next_start(
    make_window, tmp_path, on_a_project
):
    window = make_window()
    if on_a_project:
        window.open_project(make_project(tmp_path / "p.mmreview"))
    assert ticked(window) == ["en"]
    window.acts.actions["language_zh_CN"].trigger()
    assert window.settings.language == "zh_CN"
    assert ticked(window) == ["zh_CN"]
    window.acts.actions["language_zh_CN"].trigger()  # again does not leave none chosen
    assert ticked(window) == ["zh_CN"]
    banner = window.page.banner if on_a_project else window.welcome.banner
    assert banner.isVisible()
    assert banner.severity == "info"
    assert any("中文" in text for _, text in said(banner))


def test_a_chinese_window_holds_no_english_sentence(make_window, tmp_path):
    set_language("zh_CN")
    window = make_window(language="zh_CN")
    project = make_project(tmp_path / "p.mmreview", labels=True)
    window.open_project(project)
    window.session.prepare()
    assert window.page.case_id
    menus = [action.text() for action in window.header.actions() if action.text()]
    assert menus[0] == "文件(&F)"
    english = {
        f"{where}: {text}"
        for where, text in said(window)
        if re.search(r"\b[a-z]{2,} [a-z]{2,}\b", text) and not re.search("[一-鿿]", text)
    }
    assert english == set()


def test_the_overview_of_keys_names_menus_without_their_letter(make_window):
    set_language("zh_CN")
    groups = make_window().acts.actions.overview()
    assert [title for title, _ in groups][:2] == ["文件", "病例"]


def test_days_are_written_as_the_language_writes_them():
    at = "2001-03-05T12:00:00+00:00"
    assert moment(at) == "Mar 2001"
    set_language("zh_CN")
    try:
        assert moment(at) == "2001年3月"
    finally:
        set_language("en")


def test_chinese_takes_a_chinese_face_where_there_is_one():
    set_language("zh_CN")
    try:
        families = theme.font(bold=True).families()
        assert families[0].startswith(theme.family())
        assert set(families[1:]) <= set(QFontDatabase.families())
    finally:
        set_language("en")
    assert len(theme.font().families()) == 1
    assert tr("ui.modality.image") == "Image"
