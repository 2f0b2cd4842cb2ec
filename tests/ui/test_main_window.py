"""The window over a real project: open, read, correct, undo, train, close; by the keys a reader
presses and the widgets they see."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QWidget

from mmreview.domain.errors import WriteFailed
from mmreview.domain.findings import State
from mmreview.tasks.inline import InlineRunner
from mmreview.ui.main_window import MainWindow
from tests.fakes import make_project


def press(window, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.page.findings, key, modifier)


def states(window):
    desk = window.session.desk
    return desk.cases.states(desk.cases.find(window.page.case_id).key)


def events(window):
    return [event.kind for event in window.session.desk.events.events()]


def child(window, name):
    found = window.findChild(QWidget, name)
    assert found is not None, name
    return found


def test_a_project_opens_on_its_first_case_with_image_report_and_opinions(window):
    page = window.page
    assert window.stack.currentWidget() is page
    assert page.reading.image.is_settled
    assert "Report number" in page.reading.report.view.toPlainText() or page.case_id == "case-0002"
    fused = child(window, "bar.Edema.fused")
    assert "%" in fused.accessibleName() + fused.accessibleDescription()
    assert "mmreview" in window.windowTitle()


def test_the_first_key_a_reader_presses_is_a_state_and_no_search(window):
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_1)
    assert "correction" in events(window)


def test_a_state_key_is_durable_signed_and_goes_to_the_next_finding(window):
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_1)
    held = states(window)["Edema"]
    assert (held.state, held.reader) == (State.PRESENT, "Ada")
    assert window.page.findings.current_finding() == "Cardiomegaly"
    assert child(window, "finding.Edema.present").isChecked()
    press(window, Qt.Key.Key_3)
    assert states(window)["Cardiomegaly"].state is State.UNCERTAIN


def test_a_mouse_click_on_a_state_does_the_same(window):
    button = child(window, "finding.Fracture.absent")
    assert isinstance(button, QAbstractButton)
    button.click()
    assert states(window)["Fracture"].state is State.ABSENT


def test_undo_brings_back_the_state_before_also_on_another_case(window):
    window.page.findings.select("Edema")
    before = states(window)["Edema"].state
    press(window, Qt.Key.Key_4)
    opened = window.page.case_id
    press(window, Qt.Key.Key_N)
    assert window.page.case_id != opened
    press(window, Qt.Key.Key_U)
    assert window.page.case_id == opened
    assert states(window)["Edema"].state is before
    assert window.page.findings.current_finding() == "Edema"
    assert "undo" in events(window)


def test_basis_is_kept_with_the_state_and_can_be_said_before_it(window):
    window.page.findings.select("Fracture")
    press(window, Qt.Key.Key_I)
    assert "Fracture" not in states(window)
    press(window, Qt.Key.Key_1)
    assert str(states(window)["Fracture"].basis) == "image"
    window.page.findings.select("Fracture")
    press(window, Qt.Key.Key_R)
    held = states(window)["Fracture"]
    assert (str(held.basis), held.state) == ("report", State.PRESENT)


def test_enter_commits_the_read_without_changes_and_brings_the_next_case(window):
    opened = window.page.case_id
    press(window, Qt.Key.Key_Return)
    assert window.page.case_id != opened
    assert "read_committed" in events(window)
    press(window, Qt.Key.Key_P)
    desk = window.session.desk
    [row] = desk.cases.worklist_rows([desk.cases.find(opened).key])
    assert str(row.status) == "read"


def test_a_new_case_is_read_from_its_first_finding(window):
    window.page.findings.select("Fracture")
    press(window, Qt.Key.Key_N)
    assert window.page.findings.current_finding() == "Edema"


def test_every_case_can_be_committed_by_enter_alone_until_none_is_left(window):
    seen = {window.page.case_id}
    for _ in range(5):
        press(window, Qt.Key.Key_Return)
        seen.add(window.page.case_id)
    press(window, Qt.Key.Key_Return)
    assert len(seen) == 6
    assert window.session.desk.cases.worklist_counts().unread == 0
    assert window.page.banner.isVisible()


def test_enter_in_the_search_field_searches_and_commits_nothing(window):
    QTest.keyClick(window.page.findings, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    field = window.focusWidget()
    QTest.keyClicks(field, "number 4")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert "read_committed" not in events(window)
    assert "correction" not in events(window)


def test_the_slider_shows_a_what_if_and_one_click_leads_back(window):
    while not window.page.weight.isEnabled():
        press(window, Qt.Key.Key_N)
    slider = child(window, "lambdaSlider")
    bar = child(window, "bar.Edema.fused")
    served = bar.accessibleName() + bar.accessibleDescription()
    for _ in range(10):
        QTest.keyClick(slider, Qt.Key.Key_Left)
    moved = bar.accessibleName() + bar.accessibleDescription()
    assert moved != served
    QTest.mouseClick(child(window, "backToServingButton"), Qt.MouseButton.LeftButton)
    assert bar.accessibleName() + bar.accessibleDescription() == served


def test_a_full_disk_is_said_at_once_marked_on_the_finding_and_mended_by_retry(window):
    real = window.session.desk.reviewing._events.append
    full = {"disk": True}

    def append(event):
        if full["disk"]:
            raise WriteFailed(detail="database or disk is full")
        return real(event)

    window.session.desk.reviewing._events.append = append
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_2)
    press(window, Qt.Key.Key_1)
    indicator = child(window, "savedIndicator")
    said = indicator.accessibleName() + indicator.toolTip()
    assert "full" in said
    assert said.count("ot saved: ") == said.count("full")  # once each time it is said
    assert window.session.saving.unsaved == 2
    assert "correction" not in events(window)
    full["disk"] = False
    QTest.mouseClick(child(window, "retryButton"), Qt.MouseButton.LeftButton)
    assert window.session.saving.is_settled
    assert events(window).count("correction") == 2
    assert states(window)["Edema"].state is State.ABSENT
    window.session.desk.reviewing._events.append = real


def test_closing_with_something_unsaved_asks_and_staying_keeps_it(window, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "open", lambda self, *a: asked.append(self))
    real = window.session.desk.reviewing._events.append

    def append(event):
        raise WriteFailed(detail="disk full")

    window.session.desk.reviewing._events.append = append
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_2)
    window.close()
    assert len(asked) == 1
    asked[0].button(QMessageBox.StandardButton.Cancel).click()
    assert not window.is_closed
    assert window.session.saving.unsaved == 1
    window.session.desk.reviewing._events.append = real
    window.session.saving.retry()
    assert states(window)["Edema"].state is State.ABSENT


def test_training_by_hand_serves_a_new_version_and_the_screen_says_which(window):
    before = window.session.desk.predicting.serving().version
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_1)
    QTest.mouseClick(child(window, "trainButton"), Qt.MouseButton.LeftButton)
    assert window.session.desk.predicting.serving().version == before + 1
    assert window.page._view.prediction.version == before + 1
    assert "version_promoted" in events(window)


def test_without_labels_a_reader_works_unassisted_and_is_told_how_many_are_needed(
    make_window, tmp_path
):
    window = make_window()
    window.open_project(make_project(tmp_path / "bare.mmreview"))
    window.session.prepare()
    told = child(window, "learningHeadline")
    assert "5 more corrections" in told.accessibleName() + told.accessibleDescription()
    press(window, Qt.Key.Key_1)
    assert "correction" in events(window)
    assert window.session.desk.predicting.serving() is None


def test_a_refused_version_leaves_the_serving_one_in_place(window, opener):
    opener.trainer.refusing = True
    before = window.session.desk.predicting.serving().version
    press(window, Qt.Key.Key_1)
    QTest.mouseClick(child(window, "trainButton"), Qt.MouseButton.LeftButton)
    assert window.session.desk.predicting.serving().version == before
    assert "version_refused" in events(window)


def test_training_starts_by_itself_after_n_corrections(make_window, project):
    window = make_window(automatic=True, automatic_after=3)
    window.open_project(project)
    window.session.prepare()
    before = window.session.desk.predicting.serving().version
    window.page.findings.select("Edema")
    for key in (Qt.Key.Key_1, Qt.Key.Key_2):
        press(window, key)
    assert window.session.desk.predicting.serving().version == before
    press(window, Qt.Key.Key_1)
    assert window.session.desk.predicting.serving().version == before + 1


def test_a_late_answer_for_another_case_is_dropped(make_window, project):
    window = make_window(held=True)
    window.open_project(project)
    window.runner.run_all()
    first = window.page.case_id
    following = window.page.worklist.next_key(window.page._key, unread=True)
    window.page._loading.forget_all()
    window.page.open_case(following)
    window.page.open_case(window.session.desk.cases.find(first).key)
    window.runner.run_all()
    assert window.page.case_id == first


def test_a_project_that_is_not_there_is_said_and_forgotten(make_window, tmp_path):
    gone = str(tmp_path / "gone.mmreview")
    window = make_window(recent=(gone,))
    window.open_project(tmp_path / "gone.mmreview")
    assert window.opening_problem.code == "error.project_not_found"
    assert window.settings.recent == ()
    assert window.stack.currentWidget() is window.welcome


def test_a_locked_project_says_who_and_opens_read_only(make_window, project, opener, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "open", lambda self, *a: asked.append(self))
    other = opener.open(project)
    try:
        window = make_window()
        window.open_project(project)
        [box] = asked
        assert "mmreview" in box.text() or "@" in box.text() or "process" in box.text()
        next(b for b in box.buttons() if "read-only" in b.text().lower()).click()
        assert window.session.desk.info.read_only
        press(window, Qt.Key.Key_1)
        assert "correction" not in events(window)
    finally:
        window.close_project()
        other.close()


def test_settings_come_back_with_theme_geometry_and_last_case(qtbot, opener, project, tmp_path):
    from mmreview.settings import load

    def open_window():
        window = MainWindow(runner=InlineRunner(), settings=load(), opener=opener)
        window.show()
        window.open_project(project)
        return window

    def close(window):
        window.close()
        qtbot.waitUntil(lambda: window.is_closed)
        window.deleteLater()

    first = open_window()
    first.resize(1300, 700)
    press(first, Qt.Key.Key_N)
    opened = first.page.case_id
    first.acts.actions["theme_light"].trigger()
    close(first)
    second = open_window()
    assert second.page.case_id == opened
    assert second.height() == 700  # the offscreen screen is narrower than the window
    assert second.settings.theme == "light"
    close(second)


def test_every_act_has_words_and_no_key_is_given_twice(window):
    groups = window.acts.actions.overview()
    keys = [key for _, rows in groups for names, _ in rows for key in names.split(" / ")]
    assert len(keys) == len(set(keys))
    assert all(not words.startswith("ui.") for _, rows in groups for _, words in rows)


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900), (2560, 1440)])
def test_the_page_fits_every_screen(window, size):
    window.resize(*size)
    for name in ("worklist", "imageView", "reportView", "findingsPanel", "learningPanel"):
        widget = child(window, name)
        corner = widget.mapTo(window, widget.rect().bottomRight())
        assert widget.width() > 100
        assert corner.x() <= size[0]
        assert corner.y() <= size[1]
