"""Findings of which one excludes the others, in the window: one key, one act, one undo."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QTableWidget, QWidget

from mmreview.domain.errors import Message, WriteFailed
from mmreview.domain.findings import ExclusiveGroup, Exclusivity, Finding, FindingSchema, State
from mmreview.domain.predictions import FindingPrediction, Prediction
from mmreview.ui.dialogs.group_measures import GroupMeasures
from mmreview.ui.findings.group_heading import GroupHeading
from tests.fakes import make_project

P, A, U, UNSET = State.PRESENT, State.ABSENT, State.UNCERTAIN, State.UNSET
SCHEMA = FindingSchema(
    "groups",
    tuple(Finding(n) for n in ("Edema", "None", "Mild", "Severe", "Left", "Right")),
    (
        ExclusiveGroup("Severity", Exclusivity.ONE_OF, ("None", "Mild", "Severe")),
        ExclusiveGroup("Side", Exclusivity.AT_MOST_ONE, ("Left", "Right")),
    ),
)


@pytest.fixture
def window(make_window, opener, tmp_path):
    opener.trainer.findings = SCHEMA.names
    window = make_window()
    window.open_project(make_project(tmp_path / "g.mmreview", labels=True, schema=SCHEMA))
    window.session.prepare()
    return window


def press(window, finding, key):
    window.page.findings.select(finding)
    QTest.keyClick(window.page.findings, key)


def shown(window, *names):
    return [window.page.findings.state(name).state for name in names]


def durable(window, *names):
    states = window.session.desk.cases.states(window.page._key)
    return [states[name].state if name in states else UNSET for name in names]


GRADES = ("None", "Mild", "Severe")


def test_present_sets_the_others_absent_on_the_screen_and_in_the_project(window):
    press(window, "Mild", Qt.Key.Key_1)
    assert shown(window, *GRADES) == durable(window, *GRADES) == [A, P, A]
    press(window, "Severe", Qt.Key.Key_1)
    assert shown(window, *GRADES) == durable(window, *GRADES) == [A, A, P]
    press(window, "Mild", Qt.Key.Key_3)
    assert shown(window, *GRADES) == [A, U, P]
    assert shown(window, "Left", "Right", "Edema")[:2] == [UNSET, UNSET]


def test_one_undo_takes_one_key_back(window):
    press(window, "Mild", Qt.Key.Key_1)
    press(window, "Severe", Qt.Key.Key_1)
    press(window, "Severe", Qt.Key.Key_U)
    assert shown(window, *GRADES) == durable(window, *GRADES) == [A, P, A]
    assert window.page.findings.current_finding() == "Severe"
    press(window, "Severe", Qt.Key.Key_U)
    assert shown(window, *GRADES) == durable(window, *GRADES) == [UNSET] * 3


def test_what_could_not_be_saved_is_marked_for_the_whole_group_and_given_back(window):
    real = window.session.desk.reviewing._events.append_together

    def fails(events):
        raise WriteFailed(detail="disk full")

    window.session.desk.reviewing._events.append_together = fails
    press(window, "Left", Qt.Key.Key_1)
    assert shown(window, "Left", "Right") == [P, A]
    assert durable(window, "Left", "Right") == [UNSET, UNSET]
    rows = window.page.findings._by_name
    assert [rows[name]._unsaved for name in ("Left", "Right", "Mild")] == [True, True, False]
    press(window, "Left", Qt.Key.Key_U)
    assert shown(window, "Left", "Right") == [UNSET, UNSET]
    assert window.session.saving.is_settled
    window.session.desk.reviewing._events.append_together = real


def child(window, name):
    found = window.page.findings.findChild(QWidget, name)
    assert found is not None, name
    return found


def test_a_heading_stands_above_each_group_and_says_what_it_is(window):
    above, first = child(window, "group.Severity"), child(window, "row.None")
    assert above.accessibleName() == "one of: Severity. None, Mild, Severe"
    assert above.geometry().bottom() + 1 == first.geometry().top()
    assert "at most one of: Side. Left, Right" in child(window, "group.Side").accessibleName()
    assert child(window, "row.Severe").accessibleDescription() == "one of: Severity"
    assert child(window, "row.Edema").accessibleDescription() == ""
    present = child(window, "finding.Mild.present")
    assert "The others of “Severity” become absent" in present.toolTip()
    assert "become absent" not in child(window, "finding.Edema.present").toolTip()


def opinion(name, fused):
    return FindingPrediction(
        name, fused, {"image": fused, "text": None}, {"image": 0.5}, -1.0, {"image": 0.5}, None
    )


def test_the_heading_says_how_likely_none_of_them_is(window):
    found = (opinion("Left", 0.2), opinion("Right", 0.3), opinion("Mild", 0.5))
    panel = window.page.findings
    panel.set_prediction(Prediction("c", 1, {}, found), Message("prediction.ready"))
    assert child(window, "group.Side").accessibleName().endswith("none of them 50 %")
    assert "none of them" not in child(window, "group.Severity").accessibleName()
    assert "others −1.00" in child(window, "split.Mild").accessibleName()
    panel.set_prediction(None, Message("prediction.pending"))
    assert "none of them" not in child(window, "group.Side").accessibleName()


def test_the_arrows_go_through_a_group_as_before(window):
    window.page.findings.select("Edema")
    seen = []
    for _ in range(5):
        QTest.keyClick(window.page.findings, Qt.Key.Key_Down)
        seen.append(window.page.findings.current_finding())
    assert seen == ["None", "Mild", "Severe", "Left", "Right"]


def test_another_schema_takes_the_headings_away(window):
    window.page.findings.set_schema(FindingSchema("plain", SCHEMA.findings))
    shown = [w for w in window.page.findings.findChildren(GroupHeading) if w.isVisible()]
    assert shown == []


def measured(opinion, group="Severity", **more):
    return {
        "group": group, "classes": ["Mild", "Severe", None], "opinion": opinion, "n": 1200,
        "accuracy": 0.81, "balanced_accuracy": 0.7, "auroc": 0.9, "log_loss": 1.234, "ece": 0.04,
        "ece_perfect": 0.02, "confusion": [[700, 0, 3], [1, 200, 9], [0, 5, 282]],
        "intervals": {"accuracy": [0.78, 0.84]}, **more,
    }


@pytest.fixture
def section(qtbot):
    made = GroupMeasures(None)
    qtbot.addWidget(made)
    yield made
    made.close()


def cells(table, row):
    return [table.item(row, column).text() for column in range(table.columnCount())]


def test_the_model_page_measures_a_group_as_one_question(section, dark):
    rows = [
        measured("fused"),
        measured("image", difference={"accuracy": [-0.1, -0.2, -0.05]}),
        measured("fused", group="Side", n=7),
    ]
    section.show_rows(rows)
    table = section.findChild(QTableWidget, "groupTable")
    assert cells(table, 0) == [
        "Fused", ".810", ".780 – .840", ".700", ".900", "1.234", ".040 / .020", "",
    ]
    assert cells(table, 1)[-1] == "−.100 (−.200 – −.050)"
    assert table.item(1, 7).foreground().color() == dark.bad
    confusion = section.findChild(QTableWidget, "confusionTable")
    assert cells(confusion, 2) == ["none of them", "0", "5", "282"]
    choice = section.findChild(QComboBox, "groupChoice")
    choice.setCurrentText("Side")
    assert table.rowCount() == 1
    assert not section.isHidden()


def test_a_version_without_groups_has_no_such_section(section):
    section.show_rows([measured("fused")])
    section.show_rows([])
    assert section.isHidden()
    section.show_rows([measured("fused", accuracy=None, log_loss=None, intervals={})])
    assert cells(section.findChild(QTableWidget, "groupTable"), 0)[1:3] == ["—", ""]
