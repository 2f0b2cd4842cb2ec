"""A suspect label is offered for a second look: quietly, in words, until a reader has spoken."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QWidget

from mmreview.domain.cases import Partition
from mmreview.domain.findings import State
from mmreview.domain.reads import EventKind
from tests.fakes import FakeTrainer, make_project


class SuspectingTrainer(FakeTrainer):
    """Suspects that Edema is not present on the first case."""

    def train(self, request):
        result = yield from super().train(request)
        suspect = {"key": 1, "finding": "Edema", "state": "present", "confidence": 0.041}
        return replace(result, metrics={**result.metrics, "suspects": [suspect]})


@pytest.fixture
def window(make_window, opener, tmp_path):
    opener.trainer = SuspectingTrainer()
    made = make_window()
    made.open_project(make_project(tmp_path / "p.mmreview", labels=True))
    made.session.prepare()
    made.page.open_case(1)
    made.page.findings.select("Edema")
    return made


def row(window):
    return window.page.findings._by_name["Edema"]


def line(window):
    return window.page.findings.findChild(QWidget, "secondLook.Edema")


def right(window):
    return window.page.findings.findChild(QAbstractButton, "secondLookRight.Edema")


def test_a_suspect_label_says_why_in_its_row(window):
    assert line(window).isVisible()
    assert line(window).accessibleName() == (
        "Second look: labelled present, model 4 %"
    )
    assert "similar cases" in line(window).toolTip()
    assert line(window).accessibleName() in row(window).summary()
    open_height = row(window).height_needed()
    other = next(n for n in window.session.desk.info.schema.names if n != "Edema")
    window.page.findings.select(other)
    assert not line(window).isVisible()
    assert row(window)._mark() == "second look"
    assert row(window).height_needed() < open_height
    window.page.open_case(3)  # another case, labelled alike
    window.page.findings.select("Edema")
    assert not line(window).isVisible()


def test_it_is_right_is_an_event_and_takes_the_suspicion_away(window):
    focus = window.page.findings
    right(window).setFocus()
    QTest.keyClick(right(window), Qt.Key.Key_Space)
    assert not line(window).isVisible()
    assert focus.current_finding() == "Edema"
    *_, event = window.session.desk.events.events(case="case-0001")
    assert event.kind == EventKind.CORRECTION
    assert (event.data["before"], event.data["after"]) == ("present", "present")
    window.page.open_case(2)
    window.page.open_case(1)
    assert not row(window).is_suspect
    table = window.session.desk.learning.labels()
    assert table.confirmed[table.keys.tolist().index(1)].any()
    window.page.undo()
    window.page.open_case(2)
    window.page.open_case(1)
    assert row(window).is_suspect


def test_the_state_s_own_key_confirms_and_another_answers(window):
    QTest.keyClick(window.page.findings, Qt.Key.Key_2)
    assert not row(window).is_suspect
    window.page.undo()
    assert row(window).is_suspect
    window.page.findings.select("Edema")
    QTest.keyClick(window.page.findings, Qt.Key.Key_1)
    assert not row(window).is_suspect
    assert window.page.findings.state("Edema").state is State.PRESENT


def test_in_audit_reading_nothing_is_suspected(window):
    cases = window.session.desk.cases
    audit = replace(cases.get(1), partition=Partition.AUDIT)
    cases.get, real = lambda key: audit, cases.get
    try:
        assert window.session.desk.reviewing.open_case(1).suspects == {}
    finally:
        cases.get = real
    assert "Edema" in window.session.desk.reviewing.open_case(1).suspects


def test_who_may_not_write_is_not_asked(window):
    window.page.findings.set_enabled_for_reading(False)
    assert line(window).isVisible()
    assert not right(window).isVisible()
