"""The audit set and the gate's criteria in the window: what is wished is done, with a name."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMessageBox, QPushButton

from mmreview.domain.cases import Partition
from mmreview.domain.reads import EventKind
from mmreview.translation import tr
from mmreview.ui.audit_acts import open_audit_set
from mmreview.ui.count_box import CountBox
from mmreview.ui.dialogs.audit_set import AuditSetDialog
from mmreview.ui.text_line import CheckLine, TextLine
from tests.fakes import make_project


@pytest.fixture
def bare(make_window, tmp_path, qtbot):
    """A window on 30 cases that nobody has read or labelled, with its audit dialog open."""
    window = make_window()
    window.open_project(make_project(tmp_path / "bare.mmreview", cases=30))
    dialog = open_audit_set(window)
    yield window, dialog
    dialog.close()


def partitions(window):
    cases = window.session.desk.cases
    return [case.partition for batch in cases.batches() for case in batch]


def child(dialog, kind, name):
    found = dialog.findChild(kind, name)
    assert found is not None, name
    return found


def kinds(window):
    return [event.kind for event in window.session.desk.events.events()]


def test_an_empty_set_says_so_and_cases_can_be_drawn(bare):
    window, dialog = bare
    assert child(dialog, QLabel, "auditState").text() == tr("audit.empty")
    count = child(dialog, CountBox, "auditCount")
    assert count.maximum() <= 30
    count.setValue(12)
    child(dialog, QPushButton, "drawButton").click()
    assert partitions(window).count(Partition.AUDIT) >= 12
    assert kinds(window).count(EventKind.AUDIT_DRAWN) == 1
    assert "12" in child(dialog, TextLine, "audit.cases").text()
    assert child(dialog, QLabel, "auditState").text() != tr("audit.empty")
    assert window.page.banner.isVisible()


@pytest.mark.parametrize("worn", [False, True])
def test_it_says_when_the_set_should_be_refreshed(bare, worn):
    window, dialog = bare
    status = window.session.desk.audit_set.status()
    rules = window.session.desk.gating.rules()
    dialog.show_status(replace(status, too_few="", worn=worn), rules)
    said = child(dialog, QLabel, "auditState").text()
    assert (said == tr("audit.worn")) is worn
    assert "50" in said


def test_a_new_set_is_asked_about_first(bare, qtbot):
    window, dialog = bare
    child(dialog, CountBox, "auditCount").setValue(5)
    child(dialog, QPushButton, "drawButton").click()
    before = partitions(window)
    child(dialog, QPushButton, "refreshButton").click()
    [box] = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
    assert box.defaultButton().text() == box.button(QMessageBox.StandardButton.Cancel).text()
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert partitions(window) == before


def test_a_rule_is_changed_with_the_readers_name(bare):
    window, dialog = bare
    child(dialog, CheckLine, "gate.superior").click()
    assert window.session.desk.gating.rules().superior
    events = list(window.session.desk.events.events())
    assert events[-1].kind == EventKind.SETTING_CHANGED
    assert events[-1].actor == "Ada"


def test_the_reader_is_asked_for_only_where_one_has_to_act(bare):
    window, dialog = bare
    reader = child(dialog, QLineEdit, "gateReader")
    assert not reader.isVisible()
    child(dialog, CheckLine, "gate.act").click()
    assert reader.isVisible()
    reader.setText("Ben")
    reader.editingFinished.emit()
    rules = window.session.desk.gating.rules()
    assert (rules.act, rules.reader) == (True, "Ben")


def test_showing_the_rules_is_no_wish(bare):
    window, _ = bare
    assert EventKind.SETTING_CHANGED not in kinds(window)


def test_another_precision_proposes_another_size(bare):
    _, dialog = bare
    said = child(dialog, QLabel, "auditProposal").text()
    dialog._precision.setCurrentIndex(0)
    assert child(dialog, QLabel, "auditProposal").text() != said


def test_what_was_read_or_labelled_cannot_be_drawn(window):
    dialog = open_audit_set(window)
    assert child(dialog, TextLine, "audit.eligible").text()
    assert not child(dialog, QPushButton, "refreshButton").isEnabled()
    dialog.close()


def test_a_project_that_another_writes_can_only_be_looked_at(qtbot):
    dialog = AuditSetDialog(None, writable=False)
    qtbot.addWidget(dialog)
    for name in ("drawButton", "refreshButton"):
        assert not child(dialog, QPushButton, name).isEnabled()
    assert not child(dialog, CheckLine, "gate.act").isEnabled()
