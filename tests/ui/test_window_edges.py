"""What happens between the acts: a key too early, a case out of date, a drop, a round cut short."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QListView, QSpinBox, QWidget

from mmreview.domain.cases import Partition
from mmreview.domain.errors import WriteFailed
from mmreview.domain.findings import Basis, State
from mmreview.domain.reads import Correction
from mmreview.tasks.inline import InlineRunner
from mmreview.tasks.task import Lane
from tests.fakes import draft, make_project, picture


def press(window, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.page.findings, key, modifier)


def events(window):
    return [event.kind for event in window.session.desk.events.events()]


def child(window, name):
    found = window.findChild(QWidget, name)
    assert found is not None, name
    return found


def words(widget):
    return f"{widget.accessibleName()} {widget.accessibleDescription()} {widget.toolTip()}"


# --- keys that come too early, or into a field ----------------------------------------------------


def test_a_key_meant_for_the_next_case_never_lands_on_the_one_before_it(held):
    first = held.page.case_id
    press(held, Qt.Key.Key_N)
    assert held.page.case_id == first  # the next one is still on its way
    press(held, Qt.Key.Key_1)
    press(held, Qt.Key.Key_Return)
    held.runner.run_all()
    assert held.page.case_id != first
    assert "correction" not in events(held)
    assert "read_committed" not in events(held)
    press(held, Qt.Key.Key_1)
    held.runner.run_all()
    assert events(held).count("correction") == 1


def test_a_case_that_cannot_be_loaded_leaves_the_one_that_is_read(held):
    first = held.page.case_id
    real = held.session.desk.reviewing.open_case

    def broken(key):
        raise WriteFailed(detail="gone")

    held.session.desk.reviewing.open_case = broken
    press(held, Qt.Key.Key_N)
    held.runner.run_all()
    assert held.page.banner.isVisible()
    held.session.desk.reviewing.open_case = real
    press(held, Qt.Key.Key_1)  # goes on with what is on the screen
    held.runner.run_all()
    assert held.page.case_id == first
    assert child(held, "worklist").currentIndex().data().startswith(first)
    assert events(held).count("correction") == 1


def test_enter_and_arrows_in_the_number_field_belong_to_the_field(window):
    box = child(window, "automaticAfter")
    assert isinstance(box, QSpinBox)
    window.page.learning.set_automatic(True, 25)
    box.setFocus()
    finding = window.page.findings.current_finding()
    case = window.page.case_id
    box.selectAll()
    QTest.keyClicks(box, "7")
    QTest.keyClick(box, Qt.Key.Key_Up)
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 8
    assert window.settings.automatic_after == 8
    assert (window.page.findings.current_finding(), window.page.case_id) == (finding, case)
    assert "read_committed" not in events(window)
    assert not box.hasFocus()  # the next key is the page's again
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "3")
    QTest.keyClick(box, Qt.Key.Key_Escape)
    assert box.value() == 8
    assert box.text().startswith("8")


# --- what is kept ready must not be out of date ---------------------------------------------------


def test_a_prefetch_under_the_version_before_is_not_shown_under_the_new_one(held):
    loading = held.page._loading
    following = held.page.worklist.next_key(held.page._key, unread=True)
    loading.prefetch([following])
    [task] = [task for task in held.runner.tasks if task.lane is Lane.DISPLAY]
    task.run(lambda _: None)  # read on the lane, not yet handed over
    held.page.show_model(held.session.desk.predicting.serving())
    task.report_steps()
    assert following not in loading._ready


def test_a_prefetch_from_before_a_correction_does_not_bring_the_old_state_back(held):
    loading, key = held.page._loading, held.page._key
    finding = held.page.findings.current_finding()
    loading.prefetch([key])
    [task] = [task for task in held.runner.tasks if task.lane is Lane.DISPLAY]
    task.run(lambda _: None)
    press(held, Qt.Key.Key_4)
    held.runner.run_all(Lane.COMMIT)
    task.report_steps()
    held.runner.run_all()
    held.page.open_case(key)
    held.runner.run_all()
    assert held.page.findings.state(finding).state is State.NOT_ASSESSABLE


def test_an_import_renews_the_open_case_too(window, tmp_path):
    case = window.page.case_id
    number = int(case.removeprefix("case-"))
    image = picture(window.session.desk.info.folder, number)
    changed = draft(number, image=(image,), report="FINDINGS: Another report altogether.")
    window.session.desk.cases.upsert([replace(changed, fingerprint="another")])
    empty = tmp_path / "none.jsonl"
    empty.write_text("\n")
    from mmreview.services.desk import ImportChoice

    ended = []
    window.session.import_source(
        str(empty), ImportChoice(), on_progress=lambda _: None, on_done=ended.append,
        on_failed=ended.append, on_cancelled=lambda: None,
    )
    assert ended
    assert window.page.case_id == case
    assert "Another report" in window.page.reading.report.view.toPlainText()


# --- dropping -------------------------------------------------------------------------------------


def drop(window, path: Path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
           Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(300, 300), *how)
    QApplication.sendEvent(window.stack, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window.stack, QDropEvent(QPointF(300, 300), *how))


def dialog(name):
    shown = [w for w in QApplication.topLevelWidgets() if w.objectName() == name and w.isVisible()]
    return shown[0] if shown else None


def test_a_dropped_manifest_is_offered_for_import_and_a_project_opens(
    window, project, tmp_path
):
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("{}\n")
    drop(window, manifest)
    shown = dialog("importDialog")
    assert shown is not None
    assert str(manifest) in [w.text() for w in shown.findChildren(QWidget) if hasattr(w, "text")]
    shown.close()
    other = make_project(tmp_path / "other.mmreview", labels=True)
    drop(window, other)
    QTest.qWait(50)
    assert window.session.desk.info.folder == other


def test_a_manifest_dropped_on_a_read_only_project_is_refused_in_words(
    make_window, project, opener, tmp_path
):
    other = opener.open(project)
    window = make_window()
    window.open_project(project, read_only=True)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("{}\n")
    drop(window, manifest)
    assert dialog("importDialog") is None
    assert window.page.banner.isVisible()
    window.close_project()
    other.close()


# --- the worklist and the learning panel ----------------------------------------------------------


def test_corrections_of_an_earlier_session_count_towards_the_next_round(
    make_window, project, opener
):
    desk = opener.open(project)
    for _ in desk.learning.train(actor="x"):
        pass
    key = desk.cases.find("case-0001").key
    for state in (State.ABSENT, State.PRESENT):
        desk.reviewing.correct(
            Correction(case_key=key, finding="Edema", state=state, reader="Ada", basis=Basis.BOTH)
        )
    before = len(desk.learning.versions())
    desk.close()
    window = make_window(automatic=True, automatic_after=3)
    window.open_project(project)
    assert len(window.session.desk.learning.versions()) == before
    press(window, Qt.Key.Key_2)
    assert len(window.session.desk.learning.versions()) == before + 1


def test_a_lower_number_that_is_reached_already_starts_the_round(window):
    before = len(window.session.desk.learning.versions())
    for key in (Qt.Key.Key_1, Qt.Key.Key_2):
        press(window, key)
    child(window, "automaticTraining").click()
    assert len(window.session.desk.learning.versions()) == before
    box = child(window, "automaticAfter")
    box.setValue(2)
    assert len(window.session.desk.learning.versions()) == before + 1


def test_a_promotion_that_fails_does_not_end_the_round_on_the_screen(held):
    press(held, Qt.Key.Key_1)
    held.runner.run_all()
    child(held, "trainButton").click()
    held.session.training.promote(999)
    held.runner.run_all(Lane.COMMIT)
    assert child(held, "cancelButton").isVisible()
    assert held.page.banner.isVisible()
    held.runner.run_all()


def test_a_round_cancelled_at_once_leaves_no_task_and_no_version(held):
    before = len(held.session.desk.learning.versions())
    child(held, "trainButton").click()
    child(held, "cancelButton").click()
    held.runner.run_all()
    assert len(held.session.desk.learning.versions()) == before
    assert child(held, "trainButton").isVisible()
    assert held.status.tasks == ()


def test_the_open_case_stays_in_sight_when_the_order_changes(make_window, tmp_path):
    window = make_window()
    window.open_project(make_project(tmp_path / "many.mmreview", cases=60, labels=True))
    window.session.prepare()
    for _ in range(3):
        press(window, Qt.Key.Key_Return)
    view = child(window, "worklist")
    assert isinstance(view, QListView)
    window.page.worklist.refresh()  # what is read goes to the end
    assert view.viewport().rect().contains(view.visualRect(view.currentIndex()))


# --- cases without an opinion ---------------------------------------------------------------------


def test_an_audit_case_shows_no_opinion_anywhere(make_window, project, opener):
    desk = opener.open(project)
    number = 9
    image = picture(project, number)
    desk.cases.upsert([draft(number, image=(image,), partition=Partition.AUDIT)])
    for _ in opener.refresh(desk, actor="x"):
        pass
    key = desk.cases.find("case-0009").key
    desk.close()
    window = make_window()
    window.open_project(project)
    window.page.open_case(key)
    assert window.page.case_id == "case-0009"
    assert not window.page.weight.isEnabled()
    assert not child(window, "lambdaSlider").isEnabled()
    for name in ("fused", "image", "text"):
        assert "%" not in words(child(window, f"bar.Edema.{name}"))
    row = window.session.desk.cases.worklist_rows([key])[0]
    assert (row.conflict, row.priority) == (None, None)
    index = child(window, "worklist").currentIndex()
    said = index.data(Qt.ItemDataRole.ToolTipRole)
    assert "contradict" not in said
    assert "uncertain" not in said


def test_a_runner_that_is_inline_leaves_no_task_in_the_status_bar(window):
    for _ in range(3):
        press(window, Qt.Key.Key_Return)
    assert isinstance(window.runner, InlineRunner)
    assert window.status.tasks == ()


# --- bringing cases in ----------------------------------------------------------------------------


def start_import(window, manifest):
    window.acts.import_cases(str(manifest))
    shown = dialog("importDialog")
    shown.findChild(QWidget, "importButton").click()
    return shown


def manifest_of(tmp_path, count):
    manifest = tmp_path / "m.jsonl"
    rows = [f'{{"id": "new-{n}", "report": "FINDINGS: number {n}."}}\n' for n in range(count)]
    rows.insert(1, "{broken\n")
    rows.insert(2, '{"id": "bad", "report": "x", "labels": ["Nonsense"]}\n')
    manifest.write_text("".join(rows))
    return manifest


def test_an_import_in_the_window_brings_cases_and_names_the_bad_rows(window, tmp_path):
    shown = start_import(window, manifest_of(tmp_path, 3))
    problems = shown.findChild(QWidget, "importProblems").toPlainText()
    assert "Nonsense" in problems
    assert len(problems.splitlines()) == 2
    assert window.session.desk.cases.worklist_counts().total == 9
    assert "9" in child(window, "worklistFooter").text()
    shown.close()


def test_an_import_that_is_cancelled_ends_and_leaves_the_window_usable(held, tmp_path):
    shown = start_import(held, manifest_of(tmp_path, 3))
    cancel = shown.findChild(QWidget, "cancelImportButton")
    assert cancel.isVisible()
    cancel.click()
    held.runner.run_all()
    assert not cancel.isVisible()
    assert held.session.desk.cases.worklist_counts().total == 6
    assert held.status.tasks == ()
    shown.close()
    press(held, Qt.Key.Key_1)
    held.runner.run_all()
    assert events(held).count("correction") == 1


def test_the_manual_opens_beside_the_case_and_closes(window):
    QTest.keyClick(window.page.findings, Qt.Key.Key_F1)
    manual = child(window, "manualDialog")
    assert manual.isVisible()
    QTest.keyClick(manual, Qt.Key.Key_Escape)
    assert not manual.isVisible()


# --- a project of a newer program -----------------------------------------------------------------


def test_a_newer_project_is_refused_in_words(make_window, project):
    with closing(sqlite3.connect(project / "project.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    window = make_window()
    window.open_project(project)
    assert window.session is None
    assert window.welcome.banner.isVisible()
    said = " ".join(words(part) for part in window.welcome.banner.findChildren(QWidget))
    texts = said + " ".join(label.text() for label in window.welcome.banner.findChildren(QLabel))
    assert "newer mmreview" in texts
    assert "Nothing was changed" in texts
