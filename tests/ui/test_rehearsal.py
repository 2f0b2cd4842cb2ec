"""The window without a person: every dialog is opened, and the table says which acts open one."""

import pytest
from PySide6.QtWidgets import QDialog

from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import State
from mmreview.ui.actions import DIALOGS, MENUS
from mmreview.ui.rehearsal import Rehearsal

#: They end what is open, or make a project in this user's documents.
LEAVING = ("quit", "close_project", "open_demo")


@pytest.fixture
def window(window):
    """The window of the other tests, with a system report that is there at once."""
    window.diagnose = lambda: "Nothing is missing."
    return window


def shown(window):
    return [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]


def test_the_table_knows_which_acts_open_a_dialog(window):
    opening = set()
    names = [act.name for acts in MENUS.values() for act in acts if act.name]
    for name in names:
        if name in LEAVING:
            continue
        window.acts.actions[name].trigger()
        if shown(window):
            opening.add(name)
        for dialog in shown(window):
            dialog.reject()
    # Near-duplicates are shown where there are any.
    assert opening | {"near_duplicates"} == set(DIALOGS)


def test_every_dialog_is_opened_and_closed(window, qapp):
    names = Rehearsal(qapp, window).open_dialogs()
    assert {"aboutDialog", "versionsDialog", "auditSetDialog", "manualDialog"} <= set(names)
    assert len(names) >= len(DIALOGS) - 1
    assert not shown(window)


def test_an_act_that_opens_nothing_is_named(window, qapp, monkeypatch):
    monkeypatch.setattr("mmreview.ui.rehearsal.DIALOGS", ("about", "zoom_in"))
    with pytest.raises(MmreviewError) as refused:
        Rehearsal(qapp, window).open_dialogs()
    assert refused.value.params == {"act": "zoom_in"}


def test_a_correction_is_durable_and_a_picture_is_drawn(window, qapp, tmp_path):
    rehearsal = Rehearsal(qapp, window)
    case, finding = rehearsal.correct(State.PRESENT)
    desk = window.session.desk
    held = desk.cases.states(desk.cases.find(case).key)
    assert [s.state for s in held.values() if s.finding == finding] == [State.PRESENT]
    assert rehearsal.take_picture(tmp_path / "w.png") > 16
    assert (tmp_path / "w.png").stat().st_size > 1000
