"""The dialogs: opened, never executed; what is typed is what is told."""


import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QWidget,
)

from mmreview import __version__
from mmreview.domain.errors import Message
from mmreview.domain.progress import Progress
from mmreview.services.desk import ImportChoice
from mmreview.services.importing import ImportReport
from mmreview.ui.dialogs.about import AboutDialog
from mmreview.ui.dialogs.importing import ImportDialog
from mmreview.ui.dialogs.keys import KeyCaps, KeysDialog
from mmreview.ui.dialogs.new_project import NewProjectDialog
from mmreview.ui.dialogs.path_field import PathField
from tests.ui.pressing import button, line, press, visible_texts

# --- keys, about --------------------------------------------------------------------------------


def test_keys_are_listed_by_group(opened):
    groups = [("Case", [("Return / Enter", "Commit read"), ("N", "Next")]), ("Empty", [])]
    dialog = opened(KeysDialog(None, groups))
    texts = visible_texts(dialog)
    assert "CASE" in texts
    assert "EMPTY" not in texts
    assert "Commit read" in texts
    names = [caps.accessibleName() for caps in dialog.findChildren(KeyCaps)]
    assert names == ["Return / Enter", "N"]
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_about_says_version_licence_and_notice(opened):
    dialog = opened(AboutDialog(None))
    texts = " ".join(visible_texts(dialog))
    assert __version__ in texts
    assert "Apache" in texts
    assert "not for diagnosis" in texts
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.isVisible()


# --- new project ----------------------------------------------------------------------------------


def test_a_new_project_is_named_and_told(opened, tmp_path):
    dialog = opened(NewProjectDialog(None, folder=str(tmp_path), schemas=("chexpert-14", "demo")))
    told = []
    dialog.projectWanted.connect(lambda path, schema: told.append((path, schema)))
    assert not button(dialog, "createButton").isEnabled()
    QTest.keyClicks(line(dialog, "projectName"), "Chest 2026")
    assert any(str(tmp_path / "Chest 2026.mmreview") in text for text in visible_texts(dialog))
    QTest.keyClick(line(dialog, "projectName"), Qt.Key.Key_Return)
    assert told == [(str(tmp_path / "Chest 2026.mmreview"), "chexpert-14")]
    assert not dialog.isVisible()


def test_a_project_that_is_there_is_not_made_again(opened, tmp_path):
    (tmp_path / "a.mmreview").mkdir()
    dialog = opened(NewProjectDialog(None, folder=str(tmp_path), schemas=("chexpert-14",)))
    QTest.keyClicks(line(dialog, "projectName"), "a")
    assert not button(dialog, "createButton").isEnabled()
    assert any("is there already" in text for text in visible_texts(dialog))
    line(dialog, "projectName").setText("../escape")
    assert not button(dialog, "createButton").isEnabled()


def test_a_schema_of_ones_own_needs_a_file(opened, tmp_path):
    dialog = opened(NewProjectDialog(None, folder=str(tmp_path), schemas=("chexpert-14",)))
    told = []
    dialog.projectWanted.connect(lambda path, schema: told.append(schema))
    QTest.keyClicks(line(dialog, "projectName"), "b")
    assert not line(dialog, "schemaFile").isVisible()
    dialog.findChild(QComboBox, "projectSchema").setCurrentIndex(1)
    assert line(dialog, "schemaFile").isVisible()
    assert not button(dialog, "createButton").isEnabled()
    line(dialog, "schemaFile").setText("/schemas/own.yaml")
    press(dialog, "createButton")
    assert told == ["/schemas/own.yaml"]


# --- import ---------------------------------------------------------------------------------------


def problem(number):
    return Message("error.case_not_found", {"case": f"row {number}"})


def listed(dialog):
    return dialog.findChild(QPlainTextEdit, "importProblems").toPlainText().splitlines()


def summary(dialog):
    return dialog.findChild(QLabel, "importSummary").text()


@pytest.fixture
def importing(opened):
    dialog = opened(ImportDialog(None, source="/data/manifest.csv"))
    dialog.told = []
    dialog.importWanted.connect(lambda path, choice: dialog.told.append((path, choice)))
    return dialog


def test_what_was_chosen_is_told(importing):
    line(importing, "importColumns").setText(" id=study, image=file name ")
    importing.findChild(QComboBox, "importFormat").setCurrentIndex(2)
    importing.findChild(QWidget, "importLabelsComplete").click()
    importing.findChild(QWidget, "importReference").click()
    press(importing, "importButton")
    choice = ImportChoice(
        format="csv", columns="id=study, image=file name", labels_complete=True, reference=True
    )
    assert importing.told == [("/data/manifest.csv", choice)]
    assert not line(importing, "importSource").isEnabled()
    assert not button(importing, "importButton").isEnabled()


def test_without_a_source_there_is_nothing_to_import(opened):
    dialog = opened(ImportDialog(None))
    assert not button(dialog, "importButton").isEnabled()
    QTest.keyClicks(line(dialog, "importSource"), "a.jsonl")
    assert button(dialog, "importButton").isEnabled()


def test_progress_counts_and_lists_problems_as_they_come(importing):
    press(importing, "importButton")
    importing.show_progress(Progress("progress.import", 10, 100, (problem(1), problem(2))))
    importing.show_progress(Progress("progress.import", 2000, 10000, (problem(3),)))
    bar = importing.findChild(QProgressBar, "importProgress")
    assert (bar.value(), bar.maximum()) == (2000, 10000)
    assert summary(importing) == "2,000 of 10,000 rows · 3 with problems"
    assert len(listed(importing)) == 3
    assert "row 3" in listed(importing)[2]
    importing.show_result(ImportReport(97, 1, 2, 3, tuple(problem(n) for n in (1, 2, 3))))
    assert summary(importing) == "97 added, 1 updated, 2 unchanged, 3 rows with problems."
    assert len(listed(importing)) == 3
    assert line(importing, "importSource").isEnabled()
    assert button(importing, "saveProblemsButton").isVisible()


def test_only_the_first_thousand_problems_are_listed(importing):
    press(importing, "importButton")
    importing.show_progress(
        Progress("progress.import", 1500, 0, tuple(problem(n) for n in range(1500)))
    )
    assert len(listed(importing)) == 1000
    assert summary(importing) == "1,500 rows · 1,500 with problems"
    importing.show_result(ImportReport(0, 0, 0, 1500, tuple(problem(n) for n in range(1000))))
    assert len(listed(importing)) == 1000
    assert "1,500 rows with problems. The first 1,000 problems are listed." in summary(importing)


def test_problems_are_saved_one_a_line(importing, tmp_path):
    press(importing, "importButton")
    importing.show_result(ImportReport(1, 0, 0, 2, (problem(1), problem(2))))
    press(importing, "saveProblemsButton")
    browse = importing.findChild(QFileDialog, "saveProblemsDialog")
    out = tmp_path / "problems.txt"
    browse.fileSelected.emit(str(out))
    browse.close()
    assert out.read_text(encoding="utf-8").splitlines() == listed(importing)
    importing.save_problems(str(tmp_path / "no such folder" / "problems.txt"))
    assert "Could not write" in summary(importing)


def test_cancel_is_told_and_what_is_in_stays_in(importing):
    cancelled = []
    importing.cancelWanted.connect(lambda: cancelled.append(True))
    press(importing, "importButton")
    press(importing, "cancelImportButton")
    assert cancelled == [True]
    importing.show_cancelled()
    importing.show_progress(Progress("progress.import", 5, 10))  # too late: nothing changes
    assert summary(importing).startswith("Cancelled.")
    press(importing, "importButton")
    assert len(importing.told) == 2


def test_a_source_that_cannot_be_read_says_why_in_red(importing, dark):
    press(importing, "importButton")
    importing.show_failure(Message("error.cancelled"))
    label = importing.findChild(QLabel, "importSummary")
    assert label.text() == "Cancelled; nothing half done remains."
    assert label.palette().windowText().color() == dark.bad
    press(importing, "importButton")
    assert label.palette().windowText().color() == dark.text


def test_escape_lets_a_running_import_go_on(importing):
    importing.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    press(importing, "importButton")
    QTest.keyClick(importing, Qt.Key.Key_Escape)
    assert not importing.isVisible()
    importing.show_progress(Progress("progress.import", 1, 2, (problem(1),)))
    assert not importing.isVisible()
    importing.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    importing.show_result(ImportReport(1, 0, 0, 1, (problem(1),)))
    assert importing.isVisible()  # rows have problems: they must be seen
    QTest.keyClick(importing, Qt.Key.Key_Escape)
    assert not importing.isVisible()


def test_a_hidden_import_without_problems_does_not_come_back(importing):
    press(importing, "importButton")
    importing.close()
    importing.show_result(ImportReport(1, 0, 0, 0, ()))
    assert not importing.isVisible()


def test_a_path_can_be_dropped_and_browsed_for(opened, tmp_path, qtbot):
    dialog = opened(ImportDialog(None))
    field = dialog.findChild(PathField)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "m.jsonl"))])
    field.dropEvent(
        QDropEvent(
            QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert line(dialog, "importSource").text() == str(tmp_path / "m.jsonl")
    press(dialog, "importSourceBrowse")
    browse = dialog.findChild(QFileDialog, "browseDialog")
    browse.fileSelected.emit("/other.csv")
    browse.close()
    assert line(dialog, "importSource").text() == "/other.csv"
