"""Names for tests and assistive technology: every widget a person uses has one of each kind, and
the keyboard reaches all of them."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

from mmreview.domain.findings import READER_STATES, State
from mmreview.ui.dialogs.importing import ImportDialog
from mmreview.ui.dialogs.insights import InsightsDialog
from mmreview.ui.dialogs.model import ModelDialog
from mmreview.ui.dialogs.new_project import NewProjectDialog
from mmreview.ui.dialogs.versions import VersionsDialog
from tests.fakes import SCHEMA

#: The names that scripts and screen readers are promised.
PROMISED = (
    "worklist", "imageView", "reportView", "findingsPanel", "lambdaSlider", "learningPanel",
    "trainButton", "cancelButton", "undoButton", "nextCaseButton", "savedIndicator",
    *(f"finding.{name}.{state}" for name in SCHEMA.names for state in READER_STATES),
    *(f"bar.{name}.{part}" for name in SCHEMA.names for part in ("fused", "image", "text")),
)
USED = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit,
    QPlainTextEdit, QTextEdit,
)


def used(parent):
    """What a person can do something with; what Qt makes inside its own widgets is Qt's."""
    return [
        widget
        for widget in parent.findChildren(QWidget)
        if isinstance(widget, USED)
        and not isinstance(widget, QScrollBar)
        and not widget.objectName().startswith("qt_")
        and not isinstance(widget.parentWidget(), QAbstractSpinBox | QLineEdit | QComboBox)
        and not (isinstance(widget, QAbstractItemView) and widget.inherits("QComboBoxListView"))
        and type(widget).__name__ not in ("QTableCornerButton", "QHeaderView", "_Header")
        and type(widget).__module__.split(".")[0] != "pyqtgraph"
    ]


def _is_unused(widget):
    """A button that has no words yet: it is named when it gets them."""
    return isinstance(widget, QAbstractButton) and not widget.text() and not widget.isVisible()


def nameless(parent):
    return [
        f"{type(w).__name__} {w.objectName()!r} {w.accessibleName()!r} {w.parentWidget()}"
        for w in used(parent)
        if not w.objectName() or not (w.accessibleName() or _is_unused(w))
    ]


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_name_is_there_and_speaks(window, name):
    found = window.findChildren(QWidget, name)
    assert len(found) == 1
    assert found[0].accessibleName()


def test_everything_a_person_uses_has_an_object_name_and_an_accessible_name(window):
    assert len(used(window)) > 40
    assert nameless(window) == []


def test_no_object_name_stands_for_two_widgets(window):
    banners = ("bannerAction", "bannerDismiss")  # each page has its own
    names = [w.objectName() for w in used(window) if w.objectName() not in banners]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("make", [
    lambda: ImportDialog(None),
    lambda: VersionsDialog(None),
    lambda: InsightsDialog(None),
    lambda: ModelDialog(None),
    lambda: NewProjectDialog(None, folder="x", schemas=("test",)),
])
def test_dialogs_have_names_too(qtbot, make):
    dialog = make()
    qtbot.addWidget(dialog)
    assert nameless(dialog) == []


def test_the_versions_dialog_has_the_promised_buttons(qtbot):
    dialog = VersionsDialog(None)
    qtbot.addWidget(dialog)
    for name in ("promoteButton", "rollbackButton"):
        assert dialog.findChild(QAbstractButton, name).accessibleName()


def test_tab_reaches_every_part_from_left_to_right_and_comes_round(window):
    for action in window.acts.actions._actions.values():
        assert action.objectName()
    window.page.learning.set_automatic(True, 25)
    window.page.learning.set_idle(True, 5)
    window.page.findings.setFocus()
    seen = []
    for _ in range(80):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        assert focused is not None
        assert focused.objectName(), type(focused).__name__
        assert focused.isVisible()
        seen.append(focused.objectName())
        if focused is window.page.findings:
            break
    else:
        pytest.fail(f"tab does not come round: {seen}")
    for part in ("worklistSearch", "worklist", "imageView", "reportView", "lambdaSlider",
                 "trainButton", "automaticAfter", "idleMinutes"):
        assert part in seen
    order = [seen.index(part) for part in ("worklistSearch", "worklist", "imageView", "reportView")]
    assert order == sorted(order)


def test_the_buttons_under_the_findings_do_what_their_keys_do(window):
    first = window.page.case_id
    window.page.findings.setFocus()
    finding = window.page.findings.current_finding()
    held = window.page.findings.state(finding).state
    QTest.keyClick(window.page.findings, Qt.Key.Key_4)
    assert window.page.findings.state(finding).state is State.NOT_ASSESSABLE
    click(window, "undoButton")
    assert window.page.findings.state(finding).state is held
    click(window, "nextCaseButton")
    second = window.page.case_id
    assert second != first
    kinds = [event.kind for event in window.session.desk.events.events()]
    assert "read_committed" not in kinds
    click(window, "commitReadButton")
    assert window.page.case_id != second
    kinds = [event.kind for event in window.session.desk.events.events()]
    assert kinds.count("read_committed") == 1
    assert window.page.findings.hasFocus()  # the keys stay with the findings


def click(window, name):
    QTest.mouseClick(window.findChild(QAbstractButton, name), Qt.MouseButton.LeftButton)
