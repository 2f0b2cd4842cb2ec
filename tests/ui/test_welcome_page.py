"""The welcome page: recent projects, three ways to begin, what is being prepared."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QListWidget, QMenu, QProgressBar

from mmreview.ui import theme
from mmreview.ui.welcome_page import WelcomePage


@pytest.fixture
def page(qtbot):
    page = WelcomePage()
    page.resize(1280, 660)
    page.show()
    yield page
    page.close()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "Chest 2026.mmreview"
    folder.mkdir()
    (folder / "project.sqlite").touch()
    return folder


def recent_of(page) -> QListWidget:
    return page.findChild(QListWidget, "recentProjects")


def shown_texts(page):
    return [label.text() for label in page.findChildren(QLabel) if label.isVisible()]


def test_the_three_ways_to_begin_tell(page):
    told = []
    page.openWanted.connect(lambda: told.append("open"))
    page.newWanted.connect(lambda: told.append("new"))
    page.demoWanted.connect(lambda: told.append("demo"))
    for name in ("openProjectButton", "newProjectButton"):
        QTest.mouseClick(page.findChild(QAbstractButton, name), Qt.MouseButton.LeftButton)
    demo = page.findChild(QAbstractButton, "demoButton")
    demo.setFocus()
    QTest.keyClick(demo, Qt.Key.Key_Return)
    assert told == ["open", "new", "demo"]


def test_a_recent_project_is_opened_by_mouse_and_by_key(page, project):
    chosen = []
    page.projectChosen.connect(chosen.append)
    page.set_recent([str(project)])
    recent = recent_of(page)
    row = recent.visualItemRect(recent.item(0)).center()
    QTest.mouseClick(recent.viewport(), Qt.MouseButton.LeftButton, pos=row)
    QTest.keyClick(recent, Qt.Key.Key_Return)
    assert chosen == [str(project)] * 2
    assert recent.item(0).text() == "Chest 2026"


def test_a_project_that_is_gone_says_so_and_can_be_taken_off(page, project, tmp_path):
    gone = str(tmp_path / "gone.mmreview")
    removed = []
    page.recentRemoved.connect(removed.append)
    page.set_recent([str(project), gone])
    recent = recent_of(page)
    assert "nothing at" in recent.item(1).toolTip()
    assert "nothing at" not in recent.item(0).toolTip()
    recent.setCurrentRow(1)
    QTest.keyClick(recent, Qt.Key.Key_Delete)
    recent.customContextMenuRequested.emit(recent.visualItemRect(recent.item(1)).center())
    menu = page.findChild(QMenu, "recentMenu")
    menu.actions()[-1].trigger()
    menu.close()
    assert removed == [gone, gone]


def test_a_missing_project_is_painted_fainter(page, project, tmp_path, dark):
    page.set_recent([str(project), str(tmp_path / "gone.mmreview")])
    recent = recent_of(page)
    picture = recent.viewport().grab().toImage()

    def brightest(row):
        box = recent.visualItemRect(recent.item(row))
        return max(
            picture.pixelColor(QPoint(x, y)).lightness()
            for x in range(box.left(), box.left() + 120)
            for y in range(box.top(), box.center().y())
        )

    assert brightest(1) < brightest(0) - 60


def test_without_recent_projects_there_is_a_sentence_instead_of_a_list(page):
    assert not recent_of(page).isVisible()
    assert any("appear here" in text for text in shown_texts(page))
    assert "For research and annotation use, not for diagnosis." in shown_texts(page)


def test_while_something_is_prepared_it_is_said_and_nothing_else_can_begin(page, project):
    page.set_recent([str(project)])
    page.set_busy("Drawing the synthetic cohort…", 23, 60)
    bar = page.findChild(QProgressBar, "welcomeProgress")
    assert page.findChild(QLabel, "welcomeBusy").isVisible()
    assert (bar.value(), bar.maximum()) == (23, 60)
    assert "23 of 60" in shown_texts(page)
    demo = page.findChild(QAbstractButton, "demoButton")
    assert not demo.isEnabled()
    assert not recent_of(page).isEnabled()
    page.set_busy("Opening…", 0, 0)
    assert "23 of 60" not in shown_texts(page)
    page.set_busy("", 0, 0)
    assert demo.isEnabled()
    assert not page.findChild(QLabel, "welcomeBusy").isVisible()


def test_a_problem_is_said_on_the_page(page):
    page.show_problem("There is no project at x.")
    assert page.banner.isVisible()
    assert "There is no project at x." in shown_texts(page)


def test_the_page_follows_the_theme(page, qapp):
    before = page.grab().toImage().pixelColor(2, 2)
    theme.apply(qapp, "light")
    after = page.grab().toImage().pixelColor(2, 2)
    assert before == theme.DARK.background
    assert after == theme.LIGHT.background
